# SPDX-License-Identifier: MIT
"""Contract 2.2: the token that BlueKing's API gateway signs, X-Bkapi-JWT."""

import base64
import json
import time

import pytest
import support
from lab import client, jwt
from lab import responder as lab_responder

MISSING, REFUSED, SWITCHED_OFF = 40101, 40104, 40105


def claims(app_code=support.APP, **changes):
    """Good claims; changes by name, None takes one away."""
    now = int(time.time())
    members = {
        "iss": "APIGW", "iat": now, "nbf": now - 5, "exp": now + 900,
        "app": {"app_code": app_code, "verified": True},
        "user": {"username": "somebody-from-elsewhere", "verified": True},
    } | changes
    return {name: value for name, value in members.items() if value is not None}


@pytest.fixture(scope="module")
def key(lab):
    return jwt.Key(lab)


@pytest.fixture(scope="module")
def other_key(lab):
    return jwt.Key(lab)


@pytest.fixture(scope="module")
def settings(key):
    return {"auth.gateway": "on", "auth.gateway_key_main": key.public_path, "auth.gateway_default": "main"}


@pytest.fixture(scope="module")
def gateway(serve, settings):
    return serve(settings)


def ask(responder, task_id, token, credentials=None, **others):
    headers = {"X-Bkapi-JWT": token}
    return responder.ask(support.states(task_id, headers, credentials=credentials or {}, **others))


def assert_refused(response):
    """The client learns that the token is refused, never why."""
    message = support.assert_error(response, 401, REFUSED)
    assert message == "X-Bkapi-JWT is not a valid gateway token"
    assert response.header("WWW-Authenticate")


class TestGoodToken:
    """What lets a caller in."""

    def test_no_other_credentials_are_needed(self, gateway, finished_task, key):
        support.success(ask(gateway, finished_task, key.token(claims())))

    @pytest.mark.parametrize("header", [{}, {"kid": None}, {"typ": None}, {"typ": "JOSE", "x5t": "ignored"}], ids=str)
    def test_header(self, gateway, finished_task, key, header):
        support.success(ask(gateway, finished_task, key.token(claims(), **header)))

    @pytest.mark.parametrize("app", [
        {"app_code": support.APP, "verified": True},
        {"bk_app_code": support.APP, "verified": True},
        {"app_code": support.APP, "bk_app_code": support.APP, "verified": True},
        {"app_code": "", "bk_app_code": support.APP, "verified": True},
        {"app_code": support.APP, "verified": True, "name": "ignored", "version": 1},
    ], ids=json.dumps)
    def test_spellings_of_the_application(self, gateway, finished_task, key, app):
        support.success(ask(gateway, finished_task, key.token(claims(app=app))))

    @pytest.mark.parametrize("user", [
        {"username": "x", "verified": True}, {"bk_username": "x", "verified": True},
        {"username": "x", "bk_username": "x", "verified": True},
    ], ids=json.dumps)
    def test_spellings_of_the_user(self, gateway, finished_task, key, user):
        support.success(ask(gateway, finished_task, key.token(claims(user=user))))

    @pytest.mark.parametrize("times", [
        {"iat": None}, {"nbf": None}, {"iat": None, "nbf": None}, {"exp": 4_000_000_000.5}, {"nbf": 0}, {"iat": -1},
    ], ids=json.dumps)
    def test_times(self, gateway, finished_task, key, times):
        support.success(ask(gateway, finished_task, key.token(claims(**times))))

    @pytest.mark.parametrize("member, seconds", [("exp", -5), ("nbf", 5), ("iat", 5)])
    def test_leeway_of_ten_seconds(self, gateway, finished_task, key, member, seconds):
        support.success(ask(gateway, finished_task, key.token(claims(**{member: time.time() + seconds}))))

    def test_binding_is_that_of_the_tokens_application(self, gateway, finished_task, key):
        response = ask(gateway, finished_task, key.token(claims("another_app")))
        support.assert_error(response, 403, 40303)
        assert "app=another_app" in response.json["message"]

    def test_application_needs_no_row_of_ours(self, gateway, world, key):
        task_id = world.task([support.node()], template_id=world.template("only-known-to-the-gateway"))
        support.success(ask(gateway, task_id, key.token(claims("only-known-to-the-gateway"))))

    @pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
    def test_algorithms(self, lab, serve, finished_task, algorithm):
        kind = jwt.CURVES[algorithm][0] if algorithm in jwt.CURVES else "RSA-2048"
        key = jwt.Key(lab, kind)
        responder = serve({"auth.gateway": "on", "auth.gateway_key_main": key.public_path,
                           "auth.gateway_algorithms": algorithm})
        support.success(ask(responder, finished_task, key.token(claims(), algorithm)))
        for other in {"RS256", "RS512", "ES256"} - {algorithm}:
            if other[:2] == algorithm[:2] == "RS":
                assert_refused(ask(responder, finished_task, key.token(claims(), other)))

    def test_each_gateway_has_its_key(self, serve, settings, finished_task, key, other_key):
        responder = serve(settings | {"auth.gateway_key_other": other_key.public_path})
        support.success(ask(responder, finished_task, key.token(claims(), kid="main")))
        support.success(ask(responder, finished_task, other_key.token(claims(), kid="other")))
        assert_refused(ask(responder, finished_task, key.token(claims(), kid="other")))
        assert_refused(ask(responder, finished_task, other_key.token(claims(), kid="main")))
        assert_refused(ask(responder, finished_task, other_key.token(claims(), kid=None)))

    def test_two_keys_while_they_are_rotated(self, lab, serve, finished_task, key, other_key):
        both = lab.write("both", ".pem", (key.public_pem + other_key.public_pem).decode())
        responder = serve({"auth.gateway": "on", "auth.gateway_key_main": both})
        for signer in (key, other_key):
            support.success(ask(responder, finished_task, signer.token(claims())))

    def test_reload_takes_a_new_key(self, lab, program, database, finished_task, key, other_key):
        path = lab.write("replaced", ".pem", key.public_pem.decode())
        responder = program.listen(lab_responder.settings_for(
            database, **{"auth.gateway": "on", "auth.gateway_key_main": path}))
        support.success(ask(responder, finished_task, key.token(claims())))
        path.write_bytes(other_key.public_pem)
        size = len(responder.log)
        responder.reload(responder.settings)
        responder.wait_for_log(" reload", since=size)
        support.success(ask(responder, finished_task, other_key.token(claims())))
        assert_refused(ask(responder, finished_task, key.token(claims())))
        assert responder.stop() == 0


class TestBadClaims:
    """Signed by the right key, and still not good enough."""

    @pytest.mark.parametrize("changes", [
        {"exp": None}, {"exp": "4000000000"}, {"exp": True}, {"exp": []}, {"exp": 0}, {"exp": -1},
        {"app": None}, {"app": []}, {"app": support.APP}, {"app": {}}, {"app": {"app_code": support.APP}},
        {"app": {"app_code": support.APP, "verified": False}}, {"app": {"app_code": support.APP, "verified": "true"}},
        {"app": {"app_code": support.APP, "verified": 1}}, {"app": {"app_code": support.APP, "verified": None}},
        {"app": {"verified": True}}, {"app": {"app_code": "", "verified": True}},
        {"app": {"app_code": 1, "verified": True}}, {"app": {"app_code": None, "bk_app_code": "", "verified": True}},
        {"app": {"app_code": support.APP, "bk_app_code": "other_app", "verified": True}},
        {"user": None}, {"user": {}}, {"user": {"username": "x"}}, {"user": {"username": "x", "verified": False}},
        {"user": {"username": "", "verified": True}}, {"user": {"verified": True}},
        {"user": {"username": "x", "bk_username": "y", "verified": True}},
        {"nbf": "0"}, {"iat": "0"}, {"nbf": {}},
    ], ids=json.dumps)
    def test_members(self, gateway, finished_task, key, changes):
        good = claims()
        changed = {name: value for name, value in (good | changes).items() if value is not None}
        assert_refused(ask(gateway, finished_task, key.token(changed)))

    @pytest.mark.parametrize("member, seconds", [
        ("exp", -11), ("exp", -86400), ("nbf", 15), ("iat", 15), ("iat", 86400),
    ])
    def test_times_beyond_the_leeway(self, gateway, finished_task, key, member, seconds):
        assert_refused(ask(gateway, finished_task, key.token(claims(**{member: time.time() + seconds}))))

    def test_leeway_is_configurable(self, serve, settings, finished_task, key):
        strict = serve(settings | {"auth.leeway": "0"})
        assert_refused(ask(strict, finished_task, key.token(claims(exp=time.time() - 1))))
        generous = serve(settings | {"auth.leeway": "2m"})
        support.success(ask(generous, finished_task, key.token(claims(exp=time.time() - 60))))

    def test_claims_in_utf8_without_escapes(self, gateway, world, key):
        """Some versions of json-c refuse that."""
        code = "\u4efb\u52a1\U0001f600"
        task_id = world.task([support.node()], template_id=world.template(code))
        text = json.dumps(claims(code, user={"username": "\u5f20\u4e09", "verified": True}), ensure_ascii=False)
        support.success(ask(gateway, task_id, key.token(text.encode())))

    @pytest.mark.parametrize("text", [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"not json", b"{} {}", b'{"exp":NaN}', b"\xff",
    ], ids=ascii)
    def test_claims_that_are_no_object(self, gateway, finished_task, key, text):
        assert_refused(ask(gateway, finished_task, key.token(text)))

    @pytest.mark.parametrize("change", [
        lambda text: text[:-1] + ',"exp":4000000000}',
        lambda text: text.replace('"app_code"', '"app_code":"other_app","app_code"'),
        lambda text: text.replace('"verified"', '"verified":false,"verified"'),
        lambda text: text[:-1] + ',"app":{"app_code":"other_app","verified":true}}',
    ], ids=["exp", "app_code", "verified", "app"])
    def test_doubled_members(self, gateway, finished_task, key, change):
        text = change(json.dumps(claims()))
        assert_refused(ask(gateway, finished_task, key.token(text.encode())))

    @pytest.mark.parametrize("odd", ["\u202e", "\u200b", "\ufeff", "\u00a0", "\u3000"], ids=ascii)
    def test_a_code_that_looks_like_another(self, gateway, world, key, odd):
        task_id = world.task([support.node()], template_id=world.template(support.APP + odd))
        assert_refused(ask(gateway, task_id, key.token(claims(support.APP + odd))))

    @pytest.mark.parametrize("number", ["1e400", "-1e400", "1e999999"])
    def test_numbers_beyond_all_bounds(self, gateway, finished_task, key, number):
        text = json.dumps(claims(exp=12345)).replace("12345", number)
        assert_refused(ask(gateway, finished_task, key.token(text.encode())))


SHAPES = {
    "empty": lambda token: "",
    "one dot": lambda token: ".",
    "two dots": lambda token: "..",
    "three dots": lambda token: "...",
    "dot behind": lambda token: token + ".",
    "dot before": lambda token: "." + token,
    "no signature": lambda token: token.rsplit(".", 1)[0],
    "empty signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "no header": lambda token: token.split(".", 1)[1],
    "padding": lambda token: token + "==",
    "padding within": lambda token: token.replace(".", "=."),
    "space within": lambda token: token.replace(".", ". "),
    "line break within": lambda token: token.replace(".", ".\n"),
    "scheme": lambda token: "Bearer " + token,
    "cut": lambda token: token[:-1],
    "one letter more": lambda token: token + "A",
    "twice": lambda token: token * 2,
    "list": lambda token: f"{token}, {token}",
    "not ASCII": lambda token: token.replace("e", "\u00e9", 1),
    "long": lambda token: "A" * 60_000,
    "long with dots": lambda token: f"{'A' * 20_000}.{'A' * 20_000}.{'A' * 20_000}",
    "nothing but dots": lambda token: "." * 60_000,
    "not base64": lambda token: "{}.{}.{}",
}


class TestForgery:
    """Signed by somebody else, or not at all."""

    def test_another_key(self, gateway, finished_task, other_key):
        assert_refused(ask(gateway, finished_task, other_key.token(claims())))

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "RS512"])
    def test_no_signature(self, gateway, finished_task, algorithm):
        assert_refused(ask(gateway, finished_task, jwt.unsigned_token(claims(), algorithm)))

    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_public_key_as_a_shared_secret(self, gateway, finished_task, key, algorithm):
        assert_refused(ask(gateway, finished_task, jwt.hmac_token(claims(), key.public_pem, algorithm)))

    @pytest.mark.parametrize("claimed", ["RS512", "HS512", "none"])
    @pytest.mark.parametrize("signed_with", ["RS256", "RS384"])
    def test_algorithm_that_is_not_configured(self, gateway, finished_task, key, claimed, signed_with):
        assert_refused(ask(gateway, finished_task, key.token(claims(), signed_with)))
        assert_refused(ask(gateway, finished_task, key.token(claims(), signed_with, alg=claimed)))

    @pytest.mark.parametrize("header", [
        {"alg": None}, {"alg": 1}, {"alg": ["RS512"]}, {"alg": "rs512"}, {"alg": "RS512 "}, {"kid": 1}, {"kid": ""},
        {"kid": "unknown"}, {"kid": "Main"}, {"kid": "main "}, {"kid": "../main"}, {"crit": ["exp"]}, {"crit": []},
    ], ids=json.dumps)
    def test_header(self, gateway, finished_task, key, header):
        assert_refused(ask(gateway, finished_task, key.token(claims(), **header)))

    @pytest.mark.parametrize("text", [
        b'{"alg":"RS512","alg":"RS512"}', b'{"alg":"none","alg":"RS512"}', b"[]", b"{", b"",
    ], ids=ascii)
    def test_header_that_is_no_proper_object(self, gateway, finished_task, key, text):
        token = key.signed(jwt.encoded(text) + b"." + jwt.encoded(claims()), "RS512")
        assert_refused(ask(gateway, finished_task, token))

    def test_no_default_gateway(self, serve, settings, finished_task, key):
        responder = serve({name: value for name, value in settings.items() if name != "auth.gateway_default"})
        assert_refused(ask(responder, finished_task, key.token(claims(), kid=None)))
        support.success(ask(responder, finished_task, key.token(claims())))

    def test_every_bit_of_the_signature_counts(self, gateway, finished_task, key):
        signed_part, signature = key.token(claims()).rsplit(".", 1)
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        for position in (0, 1, len(raw) // 2, len(raw) - 1):
            broken = bytearray(raw)
            broken[position] ^= 1
            assert_refused(ask(gateway, finished_task, f"{signed_part}.{jwt.base64url(bytes(broken)).decode()}"))

    def test_claims_of_another_token(self, gateway, finished_task, key):
        header, _claims, signature = key.token(claims("other_app")).split(".")
        assert_refused(ask(gateway, finished_task, f"{header}.{jwt.encoded(claims()).decode()}.{signature}"))

    @pytest.mark.parametrize("shape", SHAPES)
    def test_shape(self, gateway, finished_task, key, shape):
        assert_refused(ask(gateway, finished_task, SHAPES[shape](key.token(claims()))))

    def test_one_signature_has_one_spelling(self, gateway, finished_task, key):
        """The last character of 256 bytes in base64 has bits to spare: they must be zero."""
        token = key.token(claims())
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet.index(token[-1])
        assert last % 16 == 0
        assert_refused(ask(gateway, finished_task, token[:-1] + alphabet[last + 1]))


class TestChain:
    """A token is judged alone."""

    def test_bad_token_beside_good_credentials(self, gateway, finished_task, other_key):
        assert_refused(ask(gateway, finished_task, other_key.token(claims()), credentials=support.GOOD))
        assert_refused(ask(gateway, finished_task, "", credentials=support.GOOD))

    def test_bad_token_beside_good_credentials_in_the_query(self, gateway, finished_task, other_key):
        response = ask(gateway, finished_task, other_key.token(claims()), query=support.query_credentials())
        assert_refused(response)

    def test_good_token_beside_bad_credentials(self, gateway, finished_task, key):
        wrong = client.credentials(support.APP, "wrong", support.USER)
        support.success(ask(gateway, finished_task, key.token(claims()), credentials=wrong))

    def test_direct_credentials_still_work_without_a_token(self, gateway, finished_task):
        support.success(gateway.ask(support.states(finished_task)))

    def test_gateway_switched_off(self, standard, finished_task, key):
        for credentials in (None, support.GOOD):
            response = ask(standard, finished_task, key.token(claims()), credentials=credentials)
            support.assert_error(response, 401, SWITCHED_OFF)

    def test_direct_switched_off(self, serve, settings, finished_task, key):
        responder = serve(settings | {"auth.direct": "off"})
        support.success(ask(responder, finished_task, key.token(claims())))
        support.assert_error(responder.ask(support.states(finished_task)), 401, SWITCHED_OFF)
        by_query = support.states(finished_task, credentials={}, query=support.query_credentials())
        assert responder.ask(by_query).json["code"] in (SWITCHED_OFF, MISSING)
        message = support.assert_error(responder.ask(support.states(finished_task, credentials={})), 401, MISSING)
        assert "X-Bkapi-JWT" in message

    def test_token_appears_in_no_answer_and_no_log(self, serve, settings, finished_task, key, other_key):
        responder = serve(settings | {"log.level": "debug", "log.access": "on"})
        tokens = [key.token(claims()), other_key.token(claims()), key.token(claims(exp=1))]
        answers = b"".join(ask(responder, finished_task, token).raw for token in tokens)
        responder.ask(support.states(finished_task, {"X-Request-Id": "the-last-one"}))
        responder.wait_for_log("the-last-one")
        for part in (part for token in tokens for part in token.split(".")):
            assert part not in responder.log
            assert part.encode() not in answers


BAD_SETTINGS = {
    "no key": lambda lab, good: {},
    "no file": lambda lab, good: {"auth.gateway_key_x": "/nonexistent.pem"},
    "relative path": lambda lab, good: {"auth.gateway_key_x": "relative.pem"},
    "empty file": lambda lab, good: {"auth.gateway_key_x": lab.write("empty", ".pem", "")},
    "text file": lambda lab, good: {"auth.gateway_key_x": lab.write("text", ".pem", "not a key")},
    "private key": lambda lab, good: {"auth.gateway_key_x": good.private_path},
    "short key": lambda lab, good: {"auth.gateway_key_x": jwt.Key(lab, "RSA-1024").public_path},
    "text behind a key": lambda lab, good: {
        "auth.gateway_key_x": lab.write("mixed", ".pem", good.public_pem.decode() + "-----BEGIN PUBLIC KEY-----\nx\n")},
    "unknown default": lambda lab, good: {"auth.gateway_key_x": good.public_path, "auth.gateway_default": "y"},
    "HMAC": lambda lab, good: {"auth.gateway_key_x": good.public_path, "auth.gateway_algorithms": "HS256"},
    "none": lambda lab, good: {"auth.gateway_key_x": good.public_path, "auth.gateway_algorithms": "RS512, none"},
    "no algorithm": lambda lab, good: {"auth.gateway_key_x": good.public_path, "auth.gateway_algorithms": ""},
    "no way in": lambda lab, good: {"auth.gateway": "off", "auth.direct": "off"},
}


@pytest.mark.parametrize("kind", BAD_SETTINGS)
def test_bad_configuration_is_refused(program, lab, database, key, kind):
    bad = {"auth.gateway": "on"} | BAD_SETTINGS[kind](lab, key)
    settings = lab_responder.settings_for(database, **bad)
    done = program.run("--check-config", "--config", program.config(settings))
    assert done.returncode == 78, done.stdout
    assert b"[auth]" in done.stderr
