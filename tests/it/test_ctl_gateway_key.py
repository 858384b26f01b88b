# SPDX-License-Identifier: MIT
"""bkflow-statesctl gateway-key: the gateway's public key out of BKFlow's own table; and what check says about it."""

import stat

import ctl
import gateway
import pytest
import support
from lab import jwt

TABLE = """CREATE TABLE `apigw_manager_context` (
  `id` int(11) NOT NULL AUTO_INCREMENT, `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL,
  `scope` varchar(128) NOT NULL, `key` varchar(255) NOT NULL, `value` longtext NOT NULL,
  PRIMARY KEY (`id`), UNIQUE KEY `apigw_manager_context_scope_key` (`scope`, `key`)) ENGINE=InnoDB"""
NAME = gateway.BKFLOW
TOPIC = f"stored_key.{NAME}"


@pytest.fixture(scope="module")
def keys(lab):
    return [jwt.Key(lab) for _ in range(2)]


@pytest.fixture
def site(database, lab, keys):
    """BKFlow's interface database, which has the first key, with the grant that is optional."""
    site = ctl.Site(database, lab)
    site.sql(TABLE)
    grant(site)
    store(site, keys[0].public_pem.decode())
    return site


def grant(site):
    site.sql(f"GRANT SELECT (`scope`, `key`, `value`) ON `apigw_manager_context` TO '{site.reader}'@'%'")


def store(site, value, name=NAME, scope="public_key"):
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    site.sql(f"REPLACE INTO apigw_manager_context (created_at, updated_at, scope, `key`, value) "
             f"VALUES (NOW(), NOW(), '{scope}', '{name}', '{quoted}')")


@pytest.fixture
def path(lab):
    return lab.path("gateway", ".pem")


def with_file(path, **others):
    return {"auth.gateway": "on", f"auth.gateway_key_{NAME}": path} | others


class TestPrint:
    """Without --write the key goes to standard output, and nowhere else."""

    def test_as_text_and_as_json(self, site, keys):
        pem = keys[0].public_pem.decode()
        assert ctl.output(site.run("gateway-key", NAME)) == pem
        assert site.json("gateway-key", NAME) == {"gateway": NAME, "public_key": pem}

    def test_as_an_administrator_it_needs_no_grant(self, site, keys):
        site.sql(f"REVOKE SELECT (`scope`, `key`, `value`) ON `apigw_manager_context` FROM '{site.reader}'@'%'")
        assert "SELECT" in ctl.complaint(site.run("gateway-key", NAME))
        assert ctl.output(site.administer("gateway-key", NAME)) == keys[0].public_pem.decode()

    def test_line_ends_of_another_system(self, site, keys):
        store(site, keys[0].public_pem.decode().replace("\n", "\r\n").rstrip())
        assert ctl.output(site.run("gateway-key", NAME)) == keys[0].public_pem.decode()

    @pytest.mark.parametrize("name", ["bk-apigateway", "BK-FLOW-ENGINE", "bk-flow-engine ", "x' OR '1'='1"])
    def test_a_gateway_that_bkflow_does_not_know(self, site, name):
        told = ctl.complaint(site.run("gateway-key", name))
        assert "no public key" in told and "bk-flow-engine" in told

    def test_what_has_another_scope_is_no_key(self, site, keys):
        store(site, keys[1].public_pem.decode(), "other", scope="release_version")
        assert "no public key" in ctl.complaint(site.run("gateway-key", "other"))

    @pytest.mark.parametrize("value, word", [
        ("", "no PEM public key"), ("junk", "line 1"), ("{pem:.200}", "last line"), ("{private}", "line 1"),
        ("{pem}{pem:>70000}", "no PEM public key"),
    ], ids=["empty", "junk", "cut", "private", "too-long"])
    def test_what_is_no_complete_public_key_is_not_printed(self, site, keys, value, word):
        private = keys[1].private_path.read_text(encoding="ascii")
        store(site, value.format(pem=keys[0].public_pem.decode(), private=private))
        told = ctl.complaint(site.run("gateway-key", NAME))
        assert "unusable" in told and word in told
        assert private.splitlines()[1] not in told

    def test_a_database_without_the_table(self, database, lab):
        told = ctl.complaint(ctl.Site(database, lab).administer("gateway-key", NAME))
        assert "apigw_manager_context" in told and "[database]" in told


class TestWrite:
    """--write makes the configured file."""

    def test_from_nothing_to_an_accepted_token(self, site, program, keys, path):
        settings = with_file(path)
        told = ctl.output(site.run("gateway-key", NAME, "--write", settings=settings))
        assert str(path) in told and "now has" in told and "HUP" in told
        assert path.read_bytes() == keys[0].public_pem
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        world = site.world()
        task_id = world.task([support.node()], template_id=world.template(gateway.APP))
        variables = gateway.asking(task_id, gateway.bluekings_token(keys[0]))
        assert program.cgi(site.settings(**settings), variables).status == 200

    def test_it_replaces_another_key_in_one_step(self, site, keys, path):
        path.write_bytes(keys[1].public_pem)
        before = path.stat().st_ino
        assert site.json("gateway-key", NAME, "--write", settings=with_file(path)) == {
            "gateway": NAME, "public_key": keys[0].public_pem.decode(), "file": str(path), "written": True}
        assert path.read_bytes() == keys[0].public_pem and path.stat().st_ino != before
        assert [other.name for other in path.parent.glob(path.name + "*")] == [path.name]

    def test_a_file_that_has_the_key_stays(self, site, keys, path):
        path.write_bytes(b"# two keys\n" + keys[1].public_pem + keys[0].public_pem)
        before = path.read_bytes()
        told = ctl.output(site.run("gateway-key", NAME, "--write", settings=with_file(path)))
        assert "already has" in told and path.read_bytes() == before
        assert site.json("gateway-key", NAME, "--write", settings=with_file(path))["written"] is False

    def test_a_gateway_without_a_configured_file(self, site):
        told = ctl.complaint(site.run("gateway-key", NAME, "--write"))
        assert f"gateway_key_{NAME} = " in told

    def test_a_file_that_cannot_be_written(self, site, lab):
        path = lab.path("no-such-folder") / "gateway.pem"
        told = ctl.complaint(site.run("gateway-key", NAME, "--write", settings=with_file(path)))
        assert str(path) in told and "No such file or directory" in told

    def test_an_unusable_key_is_not_written(self, site, keys, path):
        path.write_bytes(keys[1].public_pem)
        store(site, "junk")
        assert "unusable" in ctl.complaint(site.run("gateway-key", NAME, "--write", settings=with_file(path)))
        assert path.read_bytes() == keys[1].public_pem

    def test_other_commands_do_not_take_it(self, site):
        assert "check does not take --write" in ctl.complaint(site.run("check", "--write"), ctl.USAGE)


class TestCheck:
    """check compares the file with what BKFlow has."""

    def finding(self, site, path):
        return site.json("check", settings=with_file(path))["checks"][TOPIC]

    def test_the_same_key(self, site, keys, path):
        path.write_bytes(b"# ours\n" + keys[0].public_pem)
        finding = self.finding(site, path)
        assert finding["verdict"] == "ok" and str(path) in finding["what"] and finding["to_do"] == ""

    def test_another_key(self, site, keys, path):
        path.write_bytes(keys[1].public_pem)
        finding = self.finding(site, path)
        assert finding["verdict"] == "warning" and str(path) in finding["what"]
        assert f"gateway-key {NAME} --write" in finding["to_do"]
        ctl.output(site.run("gateway-key", NAME, "--write", settings=with_file(path)))
        assert self.finding(site, path)["verdict"] == "ok"

    def test_a_name_that_bkflow_does_not_know(self, site, keys, path):
        path.write_bytes(keys[0].public_pem)
        settings = {"auth.gateway": "on", "auth.gateway_key_main": path}
        finding = site.json("check", settings=settings)["checks"]["stored_key.main"]
        assert finding["verdict"] == "warning" and "bk-flow-engine" in finding["to_do"]

    def test_without_the_grant_nothing_is_known(self, site, keys, path):
        """The advice is a statement that works."""
        path.write_bytes(keys[1].public_pem)
        site.sql(f"REVOKE SELECT (`scope`, `key`, `value`) ON `apigw_manager_context` FROM '{site.reader}'@'%'")
        finding = self.finding(site, path)
        assert finding["verdict"] == "ok" and "nothing is known" in finding["what"]
        site.sql(finding["to_do"][finding["to_do"].index("GRANT"):])
        assert self.finding(site, path)["verdict"] == "warning"

    def test_without_the_table_nothing_is_known(self, site, keys, path):
        path.write_bytes(keys[0].public_pem)
        site.sql("DROP TABLE apigw_manager_context")
        finding = self.finding(site, path)
        assert finding["verdict"] == "ok" and "nothing is known" in finding["what"]

    def test_without_a_gateway_nothing_is_compared(self, site):
        assert not any(topic.startswith("stored_key") for topic in site.json("check")["checks"])
