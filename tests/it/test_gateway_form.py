# SPDX-License-Identifier: MIT
"""Gateway tokens that were cut, altered, padded or written so that two readers read two things."""

import json

import gateway
import pytest
import support
from lab import jwt

SAID = gateway.claims()
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(scope="module")
def key(lab):
    return jwt.Key(lab)


@pytest.fixture(scope="module")
def responder(serve, key):
    return serve({"auth.gateway": "on", f"auth.gateway_key_{gateway.GATEWAY}": key.public_path,
                  "auth.gateway_default": gateway.GATEWAY})


@pytest.fixture(scope="module")
def task_id(world):
    return world.task([support.node()], template_id=world.template(gateway.APP))


@pytest.fixture(scope="module")
def good(key):
    return key.token(SAID)


@pytest.fixture
def refuse(responder, task_id):
    """A function that asks with tokens on one connection, good direct credentials beside each."""
    def refuse_all(forged):
        count = 0
        with responder.connect() as connection:
            for token in forged:
                response = connection.ask(gateway.asking(task_id, token, support.GOOD))
                support.assert_error(response, 401, gateway.REFUSED)
                count += 1
        assert count > 0
    return refuse_all


@pytest.fixture
def refuse_signed(refuse, key):
    """The same for headers and claims of any text, signed by the gateway's own key."""
    return lambda header, said: refuse([gateway.token(key, header, said)])


def doubling(text, member):
    """The JSON object with one more member, at its end and at its start."""
    return text[:-1] + "," + member + "}", "{" + member + "," + text[1:]


def test_the_token_itself_is_good(responder, task_id, good):
    """Else nothing that follows would mean anything."""
    gateway.assert_accepted(responder, task_id, good)


class TestText:
    """The token as a text."""

    def test_cut_anywhere(self, refuse, good):
        refuse(good[:length] for length in range(len(good)))

    def test_cut_at_every_dot(self, refuse, good):
        header, said, signature = good.split(".")
        refuse([header, said, signature, f"{header}.{said}", f"{header}.{said}.", f"{header}..{signature}",
                f".{said}.{signature}", f"{said}.{signature}", f"{header}..", f".{said}.", f"..{signature}"])

    def test_one_character_changed_anywhere(self, refuse, good):
        def changed(at):
            return good[:at] + ("B" if good[at] == "A" else "A") + good[at + 1:]
        refuse(changed(at) for at in range(len(good)) if good[at] != ".")

    def test_parts_of_another_token(self, refuse, key, good):
        """Header, claims and signature that are each good but don't belong together."""
        mine, others = good.split("."), key.token(gateway.claims("other_app"), x="y").split(".")
        refuse(".".join((others if at in taken else mine)[at] for at in range(3))
               for taken in ([0], [1], [2], [0, 1], [0, 2], [1, 2]))

    @pytest.mark.parametrize("at", [0, 1, 2])
    @pytest.mark.parametrize("junk", ["=", "==", "A", "AA", "AAA", "AAAA", "\0", "+", "/", "%3D", ".", "\u00e9"],
                             ids=ascii)
    def test_padding_and_junk(self, refuse, good, at, junk):
        parts = good.split(".")
        refuse(".".join(parts[:at] + [part] + parts[at + 1:])
               for part in (parts[at] + junk, junk + parts[at], parts[at][:7] + junk + parts[at][7:]))

    @pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r\n"], ids=ascii)
    def test_blanks_inside(self, refuse, good, blank):
        """Around the token they are the header's, not its own."""
        refuse(good[:at] + blank + good[at:] for at in (1, good.index("."), good.index(".") + 1, len(good) - 1))

    def test_the_other_base64_alphabet(self, refuse, key):
        """A signature with - or _ in it, which all but one in thousands have, spelt with + and /."""
        token = key.token(SAID)
        assert set("-_") & set(token)
        refuse([token.replace("-", "+").replace("_", "/")])

    def test_bits_left_over(self, refuse, good):
        """The last character of 256 bytes' base64 has bits to spare: only zeros will do."""
        refuse(good[:-1] + letter for letter in BASE64URL if letter != good[-1])


class TestHeader:
    """The header, under a signature that holds."""

    @pytest.mark.parametrize("text", [
        "", "null", "[]", '"RS512"', "RS512", "{", '["alg","RS512"]', '{"alg":"RS512"}}', '{"alg":"RS512"',
        '{"ALG":"RS512"}',
        "\ufeff" + '{"alg":"RS512"}', '{"alg":"RS512"}{"alg":"RS512"}', "{'alg':'RS512'}", '{"alg":"RS512",}', "{}",
    ], ids=lambda text: ascii(text)[:25])
    def test_no_json_object(self, refuse_signed, text):
        refuse_signed(text, SAID)

    @pytest.mark.parametrize("member", [
        '"alg":"RS512"', '"alg":"none"', '"kid":"main"', '"kid":"stranger"', '"typ":"JWT"', '"x":1,"x":1',
        r'"\u0061lg":"RS512"', r'"al\u0067":"none"', r'"k\u0069d":"main"', '"x":{"a":1,"a":1}',
    ])
    def test_doubled_members(self, refuse_signed, member):
        """Two readers of one token may take different ones for the true one."""
        for text in doubling(json.dumps(gateway.header()), member):
            refuse_signed(text, SAID)

    @pytest.mark.parametrize("crit", [["exp"], [], ["b64"], None, "exp", {}], ids=json.dumps)
    def test_critical_extensions_are_not_understood(self, refuse_signed, crit):
        refuse_signed(json.dumps(gateway.header(crit=crit)), SAID)

    @pytest.mark.parametrize("name", ["alg", "kid"])
    def test_escaped_nul_ends_no_name_and_no_value(self, refuse_signed, name):
        good = json.dumps(gateway.header())
        refuse_signed(good.replace(f'"{name}"', f'"{name}\\u0000x"'), SAID)
        value = gateway.header()[name]
        refuse_signed(good.replace(f'"{value}"', f'"{value}\\u0000"'), SAID)

    @pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0"], ids=ascii)
    def test_invalid_utf8(self, refuse_signed, raw):
        refuse_signed(json.dumps(gateway.header(x="HERE")).encode().replace(b"HERE", raw), SAID)


class TestClaims:
    """The claims, under a signature that holds."""

    TEXT = json.dumps(SAID)

    @pytest.mark.parametrize("text", [
        "", "null", "true", "[]", f"[{TEXT}]", "{", "}", "{}{}", "\ufeff{}", TEXT[:-1], TEXT[1:], TEXT + "}",
        TEXT + "x",
        TEXT + TEXT, TEXT[:-1] + ",}", str(SAID), "/**/" + TEXT, "[" * 5000, '{"a":' * 5000, TEXT.replace(":", "="),
    ], ids=lambda text: ascii(text)[:25])
    def test_no_json_object(self, refuse_signed, text):
        refuse_signed(gateway.header(), text)

    @pytest.mark.parametrize("member", [
        '"exp":9999999999', '"nbf":0', '"app":{"app_code":"gateway_app","verified":true}', r'"\u0065xp":9999999999',
        '"user":null', '"x":{"a":1,"a":1}', '"x":[{"a":1,"a":1}]', '"x":1,"x":2',
    ])
    def test_doubled_members(self, refuse_signed, member):
        for text in doubling(self.TEXT, member):
            refuse_signed(gateway.header(), text)

    @pytest.mark.parametrize("party, member", [
        ("app", '"verified":true'), ("app", '"verified":false'), ("app", '"app_code":"other_app"'),
        ("user", '"verified":true'), ("user", '"username":"root"'), ("user", r'"usernam\u0065":"gateway_user"'),
    ])
    def test_doubled_members_in_a_party(self, refuse_signed, party, member):
        inner = json.dumps(SAID[party])
        for doubled in doubling(inner, member):
            refuse_signed(gateway.header(), self.TEXT.replace(inner, doubled))

    @pytest.mark.parametrize("name", ["app", "exp", "app_code", "verified", "username"])
    def test_escaped_nul_does_not_end_a_name(self, refuse_signed, name):
        refuse_signed(gateway.header(), self.TEXT.replace(f'"{name}"', f'"{name}\\u0000x"'))

    @pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0"], ids=ascii)
    def test_invalid_utf8(self, refuse_signed, raw):
        refuse_signed(gateway.header(), self.TEXT.encode().replace(b"gateway_user", b"gateway_" + raw))

    @pytest.mark.parametrize("number", ["1e999", "NaN", "Infinity", "-Infinity", "null", "0x7fffffffffff",
                                        "99999999999x", '"9999999999"', "[9999999999]"])
    def test_exp_that_is_no_number(self, refuse_signed, number):
        refuse_signed(gateway.header(), json.dumps(gateway.claims(exp="HERE")).replace('"HERE"', number))

    @pytest.mark.parametrize("party", ["app", "user"])
    @pytest.mark.parametrize("value", [None, "text", 1, True, [], [SAID["app"] | SAID["user"]], {}, {"verified": True}],
                             ids=json.dumps)
    def test_party_of_another_type(self, refuse_signed, party, value):
        refuse_signed(gateway.header(), SAID | {party: value})

    def test_parties_stand_at_the_top(self, refuse_signed):
        """Not in something that a caller might have filled in."""
        refuse_signed(gateway.header(), {"exp": SAID["exp"], "claims": SAID})


class TestLarge:
    """Size alone is no fault, up to what a request may have."""

    def test_large_claims(self, responder, task_id, key):
        gateway.assert_accepted(responder, task_id, key.token(SAID | {"padding": "x" * 40_000}))

    def test_many_members(self, responder, task_id, key):
        gateway.assert_accepted(responder, task_id, key.token(SAID | {f"member {i}": i for i in range(1500)}))

    def test_larger_than_a_request_may_be(self, responder, task_id, key):
        response = responder.ask(gateway.asking(task_id, key.token(SAID | {"padding": "x" * 60_000})))
        support.assert_error(response, 431, 43101)

    @pytest.mark.parametrize("exp", [2 ** 63 - 1, 2 ** 63, 2 ** 70, 1e300], ids=str)
    def test_large_times(self, responder, task_id, key, exp):
        gateway.assert_accepted(responder, task_id, key.token(gateway.claims(exp=exp, nbf=-exp, iat=-exp)))

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    @pytest.mark.parametrize("value", [2 ** 63 - 1, 2 ** 63, 2 ** 70, 1e300], ids=str)
    def test_large_beginnings(self, refuse_signed, name, value):
        refuse_signed(gateway.header(), gateway.claims(**{name: value}))

    @pytest.mark.parametrize("code", ["x" * 3000, "\u5e94" * 3000, "\U0001f600" * 2000],
                             ids=lambda code: ascii(code)[:12])
    def test_large_application_code(self, responder, task_id, key, code):
        """The answer repeats the code, cut where a message ends, and is still JSON."""
        response = responder.ask(gateway.asking(task_id, key.token(gateway.claims(code))))
        assert code[:500] in support.assert_error(response, 403, 40303)


def test_names_beyond_ascii(responder, world, key):
    code, username = "\u5e94\u7528 \U0001f511", "\u5f20\u4e09"
    task = world.task([support.node()], template_id=world.template(code))
    for is_ascii in (True, False):
        text = json.dumps(gateway.claims(code, username), ensure_ascii=is_ascii)
        gateway.assert_accepted(responder, task, gateway.token(key, gateway.header(), text))
