# SPDX-License-Identifier: MIT
"""Which keys and algorithms count for gateway tokens: at start, while they are rotated, and against forgers."""

import gateway
import pytest
import support
from lab import jwt
from lab import responder as lab_responder

SAID = gateway.claims()
SECOND = "Other.Gateway-2"
ALL = "RS256,RS384,RS512,ES256,ES384,ES512"
CONFIGURATION = 78


@pytest.fixture(scope="module")
def keys(lab):
    """Key pairs; those of the gateways are named by their kid."""
    kinds = {gateway.GATEWAY: "RSA-2048", SECOND: "RSA-2048", "stranger": "RSA-2048",
             "ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    return {name: jwt.Key(lab, kind) for name, kind in kinds.items()}


@pytest.fixture(scope="module")
def task_id(world):
    return world.task([support.node()], template_id=world.template(gateway.APP))


def key_settings(keys, *kids, **others):
    return {"auth.gateway": "on"} | {f"auth.gateway_key_{kid}": keys[kid].public_path for kid in kids} | {
        f"auth.{name}": value for name, value in others.items()}


class TestKid:
    """The gateway is chosen by kid, and only among the configured ones."""

    @pytest.fixture
    def responder(self, serve, keys):
        return serve(key_settings(keys, gateway.GATEWAY, SECOND))

    def test_each_gateway_has_its_own(self, responder, task_id, keys):
        for kid in (gateway.GATEWAY, SECOND):
            gateway.assert_accepted(responder, task_id, keys[kid].token(SAID, kid=kid))

    @pytest.mark.parametrize("signer, kid", [
        ("stranger", gateway.GATEWAY), (SECOND, gateway.GATEWAY), (gateway.GATEWAY, SECOND),
        (gateway.GATEWAY, "stranger"),
        (gateway.GATEWAY, ""), (gateway.GATEWAY, "MAIN"), (gateway.GATEWAY, "main "), (gateway.GATEWAY, "main\0"),
        (gateway.GATEWAY, "../main"), (gateway.GATEWAY, "k" * 10_000), ("stranger", "stranger"),
        (gateway.GATEWAY, None),
    ], ids=lambda text: ascii(text)[:20])
    def test_wrong_key_or_unknown_kid(self, responder, task_id, keys, signer, kid):
        gateway.assert_refused(responder, task_id, keys[signer].token(SAID, kid=kid))

    @pytest.mark.parametrize("kid", ["1", "true", "null", "[]", "{}", '["main"]'])
    def test_kid_that_is_no_string(self, serve, task_id, keys, kid):
        """It is not as if there were none."""
        responder = serve(key_settings(keys, gateway.GATEWAY, gateway_default=gateway.GATEWAY))
        header = f'{{"typ":"JWT","alg":"RS512","kid":{kid}}}'
        gateway.assert_refused(responder, task_id, gateway.token(keys[gateway.GATEWAY], header, SAID))

    def test_no_kid_means_the_default_gateway(self, serve, task_id, keys):
        responder = serve(key_settings(keys, gateway.GATEWAY, SECOND, gateway_default=SECOND))
        gateway.assert_accepted(responder, task_id, keys[SECOND].token(SAID, kid=None))
        gateway.assert_refused(responder, task_id, keys[gateway.GATEWAY].token(SAID, kid=None))
        gateway.assert_accepted(responder, task_id, keys[gateway.GATEWAY].token(SAID))
        gateway.assert_refused(responder, task_id, keys[SECOND].token(SAID, kid="unknown"))

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
    def test_a_key_in_the_token_is_not_looked_at(self, responder, task_id, keys, member):
        forged = keys["stranger"].token(SAID, **{member: keys["stranger"].public_pem.decode()})
        gateway.assert_refused(responder, task_id, forged)


class TestAlgorithm:
    """Only the configuration chooses it."""

    @pytest.fixture
    def allowing(self, serve, keys):
        """A function from algorithms to a responder with a key of each kind, the kid being its name."""
        kids = [gateway.GATEWAY, "ES256", "ES384", "ES512"]
        return lambda names: serve(key_settings(keys, *kids, gateway_algorithms=names))

    @pytest.mark.parametrize("name, kid", [
        ("RS256", gateway.GATEWAY), ("RS384", gateway.GATEWAY), ("RS512", gateway.GATEWAY),
        ("ES256", "ES256"), ("ES384", "ES384"), ("ES512", "ES512"),
    ])
    def test_allowed_by_configuration(self, allowing, task_id, keys, name, kid):
        token = keys[kid].token(SAID, name, kid=kid)
        for names in (name, f" {name} , RS512", ALL):
            gateway.assert_accepted(allowing(names), task_id, token)
        for other in {"RS256", "ES512"} - {name}:
            gateway.assert_refused(allowing(other), task_id, token)

    def test_only_rs512_by_default(self, serve, task_id, keys):
        responder = serve(key_settings(keys, gateway.GATEWAY, "ES256"))
        gateway.assert_accepted(responder, task_id, keys[gateway.GATEWAY].token(SAID))
        gateway.assert_refused(responder, task_id, keys[gateway.GATEWAY].token(SAID, "RS256"))
        gateway.assert_refused(responder, task_id, keys[gateway.GATEWAY].token(SAID, "RS384"))
        gateway.assert_refused(responder, task_id, keys["ES256"].token(SAID, "ES256", kid="ES256"))

    @pytest.mark.parametrize("said, signed", [("RS512", "RS256"), ("RS512", "RS384"), ("RS256", "RS512"),
                                              ("RS512", "RS1")])
    def test_digest_must_be_the_one_it_says(self, allowing, task_id, keys, said, signed):
        token = gateway.token(keys[gateway.GATEWAY], gateway.header(said), SAID, signed)
        gateway.assert_refused(allowing(ALL), task_id, token)

    @pytest.mark.parametrize("name, kid", [("ES512", gateway.GATEWAY), ("ES256", gateway.GATEWAY), ("RS512", "ES512"),
                                           ("RS256", "ES256"), ("ES256", "ES384"), ("ES384", "ES512"),
                                           ("ES512", "ES256")])
    def test_key_of_another_kind(self, allowing, task_id, keys, name, kid):
        """An RSA key under the name of an ECDSA algorithm, the other way round, and another curve's key."""
        signed_as = "RS" + name[2:] if kid == gateway.GATEWAY else kid
        header = gateway.header(name, kid=kid)
        for token in (raw_signature(keys[kid], header, name), gateway.token(keys[kid], header, SAID, signed_as)):
            gateway.assert_refused(allowing(ALL), task_id, token)

    @pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "RS", "rs512", "RS512 ", "RS512\0", "RS5120",
                                      "PS512", "EdDSA", "HS256", "HS512", "RS512,RS256", "SHA512"], ids=ascii)
    def test_other_names(self, allowing, task_id, keys, name):
        signed = gateway.token(keys[gateway.GATEWAY], gateway.header(name), SAID)
        for token in (signed, signed.rpartition(".")[0] + ".", signed.rpartition(".")[0]):
            gateway.assert_refused(allowing(ALL), task_id, token)

    @pytest.mark.parametrize("name", ["null", "1", "true", '["RS512"]', '{"RS512":1}'])
    def test_alg_that_is_no_string(self, allowing, task_id, keys, name):
        header = f'{{"typ":"JWT","alg":{name},"kid":"main"}}'
        gateway.assert_refused(allowing(ALL), task_id, gateway.token(keys[gateway.GATEWAY], header, SAID))

    def test_no_alg(self, allowing, task_id, keys):
        gateway.assert_refused(allowing("RS512"), task_id, gateway.token(keys[gateway.GATEWAY], {"kid": "main"}, SAID))

    @pytest.mark.parametrize("name", ["HS256", "HS512", "RS256", "RS512"])
    def test_hmac_with_the_public_keys_text(self, allowing, task_id, keys, name):
        """Whoever lets the token choose takes the public key for a shared secret."""
        pem = keys[gateway.GATEWAY].public_pem
        for secret in (pem, pem.rstrip(), pem.replace(b"\n", b""), b""):
            gateway.assert_refused(allowing(ALL), task_id, jwt.hmac_token(SAID, secret, name))

    @pytest.mark.parametrize("signature", [
        b"", b"\0", b"\0" * 64, b"\xff" * 64, b"\0" * 31 + b"\1" + b"\0" * 31 + b"\1", b"\0" * 256, b"\0" * 10_000,
    ], ids=lambda raw: f"{raw[:1].hex()}x{len(raw)}")
    def test_made_up_signatures(self, allowing, task_id, signature):
        """Two zeros were once good for any message in a well-known library."""
        for name, kid in (("ES256", "ES256"), ("RS512", gateway.GATEWAY)):
            parts = [jwt.encoded(gateway.header(name, kid=kid)), jwt.encoded(SAID), jwt.base64url(signature)]
            gateway.assert_refused(allowing(ALL), task_id, b".".join(parts))

    def test_ecdsa_signature_in_der(self, allowing, task_id, keys):
        """What OpenSSL makes and takes is not what a token holds."""
        token = raw_signature(keys["ES256"], gateway.header("ES256", kid="ES256"), "ES256")
        gateway.assert_refused(allowing("ES256"), task_id, token)


def raw_signature(key, header, name):
    """A token whose signature is what openssl makes of the key: lab.jwt leaves it alone under an RSA name."""
    return gateway.token(key, header, SAID, "RS" + name[2:])


class TestReload:
    """HUP reads the keys again; a bad one changes nothing."""

    @pytest.fixture
    def own(self, program, database, lab, keys):
        """A responder and the key file that it reads, for one test alone."""
        path = lab.write("own-key", ".pem", keys[gateway.GATEWAY].public_pem.decode())
        responder = program.listen(lab_responder.settings_for(
            database, **{"auth.gateway": "on", "auth.gateway_key_main": path}))
        yield responder, path
        assert responder.stop() == 0

    def reload(self, responder, event="reloaded", settings=None):
        size = len(responder.log)
        responder.reload(responder.settings | (settings or {}))
        responder.wait_for_log(event, since=size)
        return responder.log[size:]

    def test_rotation_with_two_keys_in_one_file(self, own, task_id, keys):
        responder, path = own
        old, new = keys[gateway.GATEWAY], keys["stranger"]
        for text, accepted, refused in (
                (old.public_pem, [old], [new]), (old.public_pem + new.public_pem, [old, new], []),
                (b"# two keys\n" + new.public_pem + b"\n\n" + old.public_pem, [old, new], []),
                (new.public_pem, [new], [old])):
            path.write_bytes(text)
            self.reload(responder)
            for key in accepted:
                gateway.assert_accepted(responder, task_id, key.token(SAID))
            for key in refused:
                gateway.assert_refused(responder, task_id, key.token(SAID))

    def test_a_file_changed_without_reload_does_not_count(self, own, task_id, keys):
        responder, path = own
        path.write_bytes(keys["stranger"].public_pem)
        gateway.assert_accepted(responder, task_id, keys[gateway.GATEWAY].token(SAID))
        gateway.assert_refused(responder, task_id, keys["stranger"].token(SAID))

    @pytest.mark.parametrize("text", [
        None, "", "junk", "-----BEGIN PUBLIC KEY-----\njunk\n-----END PUBLIC KEY-----\n", "{pem}text\n", "{pem}{pem:>9999}",
        "{pem}-{pem}", "\ufeff{pem}",
    ], ids=["gone", "empty", "text", "pem", "more-text", "indented", "six-dashes", "bom"])
    def test_a_bad_key_is_refused_and_the_old_one_stays(self, own, task_id, keys, text):
        responder, path = own
        if text is not None:
            text = text.format(pem=keys["stranger"].public_pem.decode())
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        log = self.reload(responder, "reload refused")
        assert str(path) in log and "gateway_key_main" in log
        gateway.assert_accepted(responder, task_id, keys[gateway.GATEWAY].token(SAID))
        gateway.assert_refused(responder, task_id, keys["stranger"].token(SAID))

    def test_gateways_and_algorithms_come_and_go(self, own, task_id, keys):
        responder, _path = own
        first, second = keys[gateway.GATEWAY].token(SAID), keys["ES384"].token(SAID, "ES384", kid="second")
        gateway.assert_refused(responder, task_id, second)
        self.reload(responder, settings={"auth.gateway_key_second": keys["ES384"].public_path,
                                         "auth.gateway_algorithms": "RS512,ES384"})
        for token in (first, second):
            gateway.assert_accepted(responder, task_id, token)
        self.reload(responder, settings={"auth.gateway_algorithms": "ES384"})
        gateway.assert_refused(responder, task_id, first)
        gateway.assert_accepted(responder, task_id, second)
        self.reload(responder, settings={"auth.gateway": "off"})
        support.assert_error(responder.ask(gateway.asking(task_id, second)), 401, 40105)


class TestStart:
    """A mistake in what the gateway needs keeps the program from starting, and is named."""

    KEY_FILES = {
        "empty": lambda keys: "",
        "text": lambda keys: "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB",
        "private": lambda keys: keys["main"].private_path.read_text(),
        "private-ec": lambda keys: keys["ES256"].private_path.read_text(),
        "private-second": lambda keys: pem(keys["main"]) + keys["main"].private_path.read_text(),
        "small": lambda keys: pem(keys["small"]),
        "small-second": lambda keys: pem(keys["main"]) + pem(keys["small"]),
        "cut": lambda keys: pem(keys["main"])[:200],
        "cut-second": lambda keys: pem(keys["main"]) + pem(keys["ES256"])[:100],
        "damaged": lambda keys: pem(keys["main"])[:100] + "!" + pem(keys["main"])[101:],
        "not-a-key": lambda keys: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "certificate": lambda keys: pem(keys["main"]).replace("PUBLIC KEY", "CERTIFICATE"),
        "five": lambda keys: pem(keys["main"]) * 5,
        # Each of these was once taken for text around the first key, and the second left out.
        "indented-second": lambda keys: pem(keys["main"]) + pem(keys["ES256"]).replace("-----B", " -----B"),
        "quoted-second": lambda keys: pem(keys["main"]) + "> " + pem(keys["ES256"]).replace("\n", "\n> "),
        "four-dashes-second": lambda keys: pem(keys["main"]) + pem(keys["ES256"]).replace("-----", "----"),
        "typographic-dashes-second": lambda keys: pem(keys["main"]) + pem(keys["ES256"]).replace("--", "\u2014"),
        "bom-second": lambda keys: pem(keys["main"]) + "\ufeff" + pem(keys["ES256"]),
        "no-line-break-between": lambda keys: pem(keys["main"]).rstrip() + pem(keys["ES256"]),
        "no-first-line-second": lambda keys: pem(keys["main"]) + pem(keys["ES256"]).partition("\n")[2],
        "text-before": lambda keys: "the key:\n" + pem(keys["main"]),
        "text-after": lambda keys: pem(keys["main"]) + "the key\n",
        "bom": lambda keys: "\ufeff" + pem(keys["main"]),
        # ES256 is ECDSA on P-256, and on no other curve of 256 bits (RFC 7518, section 3.4).
        "another-curve": lambda keys: pem(keys["secp256k1"]),
    }

    @pytest.fixture(scope="class")
    def unfit(self, lab, keys):
        """The gateways' keys, and two that no gateway may have."""
        return keys | {"small": jwt.Key(lab, "RSA-1024"), "secp256k1": jwt.Key(lab, "secp256k1")}

    def assert_refused(self, program, database, settings, *words):
        path = program.config(lab_responder.settings_for(database, **{"auth.gateway": "on"} | settings))
        for arguments in (["--check-config"], []):
            done = program.run(*arguments, "--config", path)
            assert done.returncode == CONFIGURATION, done.stderr
            for word in words:
                assert str(word) in done.stderr.decode(), done.stderr

    @pytest.mark.parametrize("kind", KEY_FILES)
    def test_bad_key_file(self, program, database, lab, unfit, kind):
        path = lab.write("bad-key", ".pem", self.KEY_FILES[kind](unfit))
        self.assert_refused(program, database, {"auth.gateway_key_main": path}, path, "gateway_key_main")

    @pytest.mark.parametrize("path", ["/nonexistent/key.pem", "/", "relative.pem", ""],
                             ids=["absent", "folder", "relative", "empty"])
    def test_path_that_is_none(self, program, database, path):
        self.assert_refused(program, database, {"auth.gateway_key_main": path}, path, "gateway_key_main")

    def test_all_mistakes_at_once(self, program, database, unfit):
        settings = {"auth.gateway_key_a": unfit["small"].public_path, "auth.gateway_key_b": "/nonexistent/b",
                    "auth.gateway_algorithms": "RS512,HS256", "auth.gateway_default": "c"}
        self.assert_refused(program, database, settings, "gateway_key_a", unfit["small"].public_path,
                            "gateway_key_b", "/nonexistent/b", "HS256", "gateway_default")

    @pytest.mark.parametrize("names", ["none", "HS256", "RS512,HS512", "RS512,", "", "rs512", "RS512 ES256", "PS256"])
    def test_bad_algorithms(self, program, database, keys, names):
        settings = {"auth.gateway_key_a": keys["main"].public_path, "auth.gateway_algorithms": names}
        self.assert_refused(program, database, settings, "gateway_algorithms")

    def test_keys_are_not_read_while_the_gateway_is_off(self, program, database):
        off = {"auth.gateway": "off", "auth.gateway_key_a": "/nonexistent/a"}
        settings = lab_responder.settings_for(database, **off)
        assert program.run("--check-config", "--config", program.config(settings)).returncode == 0

    def test_print_config_shows_gateways(self, program, database, keys):
        settings = lab_responder.settings_for(database, **key_settings(keys, gateway.GATEWAY, SECOND))
        printed = program.run("--print-config", "--config", program.config(settings)).stdout.decode()
        for kid in (gateway.GATEWAY, SECOND):
            assert f"gateway_key_{kid} = {keys[kid].public_path}\n" in printed


def pem(key):
    return key.public_pem.decode()
