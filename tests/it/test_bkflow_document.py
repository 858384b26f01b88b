# SPDX-License-Identifier: MIT
"""docs/bkflow.md, typed word for word on a machine of its own, in the order of the page: two databases with BKFlow's
complete tables, and stand-ins for BKFlow and the gateway."""

import functools
import re
import shlex

import machine
import pytest
import support
from lab import bkflow, client, documents
from lab.scratch import becomes_true, wait_until

PAGE = "docs/bkflow.md"
TEXT = (documents.ROOT / PAGE).read_text(encoding="utf-8")
TABLES = documents.ROOT / "tests" / "data" / "bkflow-tables"
ADMIN = "administrator-password"
ADDRESSES = {"db.example.org": "127.0.0.1", "proxy.example.org": "127.0.0.1", "bkflow.example.org": "127.0.0.2",
             "bkapi.example.org": "127.0.0.3"}
TASK, TEMPLATE, APP, USER = 2, 1, "my_app", "admin"
OURS, BKFLOWS = "HTTP/1.1 200", f"HTTP/1.1 {bkflow.STATUS}"

DATABASES = f"""
CREATE USER admin@'%' IDENTIFIED BY '{ADMIN}';
GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;
CREATE DATABASE bkflow CHARACTER SET utf8mb4;
CREATE DATABASE bkflow_engine CHARACTER SET utf8mb4;
"""
INTERFACE_ROWS = f"""
SET sql_mode = '';
INSERT INTO template_template (id, is_deleted, bk_app_code, notify_config, extra_info)
  VALUES ({TEMPLATE}, 0, '{APP}', '{{}}', '{{}}');
INSERT INTO account_user (id, username, is_active) VALUES (1, '{USER}', 1);
INSERT INTO apigw_manager_context (created_at, updated_at, scope, `key`, value)
  VALUES (NOW(6), NOW(6), 'public_key', '{bkflow.GATEWAY}', '%s');
"""
ENGINE_ROWS = f"""
SET sql_mode = '';
INSERT INTO task_taskinstance (id, space_id, instance_id, template_id, is_started, extra_info)
  VALUES ({TASK}, 1, '{support.root_id(TASK)}', {TEMPLATE}, 1, '{{}}');
INSERT INTO eri_state (node_id, root_id, parent_id, name, version, created_time, started_time)
  VALUES ('{support.root_id(TASK)}', '{support.root_id(TASK)}', '{support.root_id(TASK)}', 'RUNNING',
          '{support.root_id(TASK)}', NOW(6), NOW(6));
"""


@functools.cache
def blocks():
    """What is typed, by the heading that it is below."""
    return {block.name.removeprefix(f"{PAGE}: "): block.text
            for block in documents.blocks(PAGE) if block.language == "sh"}


class Installation:
    """A machine on which the page is followed. `typed` are the headings of the blocks that have been."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.typed = set()

    def type(self, heading, **others):
        self.typed.add(heading)
        done = self.sandbox.run(blocks()[heading], **others)
        assert done.status == 0, f"{blocks()[heading]}\nended with {done.status}:\n{done.output}"
        return done.output

    def status(self, arguments):
        """What curl says that the answer's status is; 000 without an answer."""
        return self.sandbox.run(f"curl -s -m 10 -o /dev/null -w '%{{http_code}}' {arguments} || true").output

    def prepare(self):
        """BKFlow, its databases and the gateway, and an administrator's account for the databases."""
        root = self.sandbox.root
        for name, address in ADDRESSES.items():
            root(f"echo {address} {name} >>/etc/hosts")
        # Its port 80 is every address's, the stand-ins' too.
        root("rm -f /etc/nginx/sites-enabled/default")
        self._sql("mysql", DATABASES)
        for name in ("interface", "engine"):
            root(f"mariadb {'bkflow' if name == 'interface' else 'bkflow_engine'} <tests/data/bkflow-tables/{name}.sql")
        api_host = re.search(r"^    BKAPP_APIGW_API_HOST=(\S+)$", TEXT, re.MULTILINE)[1]
        root(f"cd tests; python3 -B -m lab.bkflow bkflow.example.org bkapi.example.org {api_host} /run/gateway.pem "
             ">/run/stand-ins.log 2>&1 &")
        wait_until(lambda: self.status("http://bkapi.example.org/") == "404")
        self._sql("bkflow", INTERFACE_ROWS % root("cat /run/gateway.pem").strip())
        self._sql("bkflow_engine", ENGINE_ROWS)
        self.sandbox.run(f"printf '[client]\\nhost = db.example.org\\nuser = admin\\npassword = {ADMIN}\\n' >~/.my.cnf\n"
                         f"echo {ADMIN} >~/admin.pw; chmod 600 ~/.my.cnf ~/admin.pw")

    def _sql(self, database, text):
        self.sandbox.root(f"mariadb {database} <<'END'\n{text}\nEND")


@pytest.fixture(scope="module")
def installation(lab):
    with machine.fresh(lab) as sandbox:
        prepared = Installation(sandbox)
        prepared.prepare()
        yield prepared


def test_1_from_an_empty_machine_to_a_checked_program(installation):
    installation.type("1. Packages, the program, its user", timeout=400)
    installation.type("2. The two databases")
    installation.type("3. The configuration, and the gateway's key")
    said = installation.type("4. Start and check")
    assert "no mistakes" in said
    assert "RUNNING" in said


def test_2_nginx_reaches_both_sides(installation):
    said = installation.type("5. The proxy")
    assert "failed" not in said
    wait_until(lambda: installation.status("http://proxy.example.org:8080/") == str(bkflow.STATUS))
    said = installation.type("5. The proxy 3")
    assert ("HTTP/1.1 401" in said, '"code":40101' in said, BKFLOWS in said) == (True, True, True)


def test_3_the_first_call_through_the_gateway(installation):
    said = installation.type("7. The first call")
    assert OURS in said
    assert '"state":"RUNNING"' in said
    assert bkflow.MARK not in said
    assert said.rstrip().endswith('"unix:/run/bkflow-states/fcgi.sock" "200"')


def test_4_the_key_is_taken_again(installation):
    installation.type("What the gateway limits")
    assert OURS in installation.type("7. The first call")


def test_5_the_web_page_and_its_api(installation):
    said = installation.type("8. The web page, if you want it")
    assert (OURS in said, "Content-Security-Policy" in said) == (True, True)
    secret = re.search(r"^ *(\S{20,})\n\nThis is its secret", said, re.MULTILINE)[1]
    sent = f"X-Bkapi-Authorization: {client.authorization(APP, secret, USER)}"
    wait_until(lambda: installation.status(
        f"-H {shlex.quote(sent)} http://localhost:8081/bkflow/task/{TASK}/get_task_states_by_app/") == "200")
    assert OURS in installation.type("7. The first call")


def test_6_the_fallback(installation):
    said = installation.type("The fallback")
    assert said.index(BKFLOWS) < said.index("HTTP/1.1 401")
    assert becomes_true(lambda: "200" in installation.type("7. The first call"))


def test_7_haproxy_instead(installation):
    installation.sandbox.root("service nginx stop")
    installation.type("5. The proxy 2")
    wait_until(lambda: installation.status("http://proxy.example.org:8080/") == str(bkflow.STATUS))
    said = installation.type("5. The proxy 3")
    assert ('"code":40101' in said, BKFLOWS in said) == (True, True)
    said = installation.type("7. The first call")
    assert (OURS in said, bkflow.MARK in said) == (True, False)
    said = installation.type("The fallback")
    assert said.index(BKFLOWS) < said.index("HTTP/1.1 401")
    installation.sandbox.root("service haproxy stop; service nginx start")


def test_8_going_back(installation):
    """BKFlow answers at once; then nothing of ours is left."""
    installation.type("Going back")
    assert BKFLOWS in installation.type("7. The first call")
    installation.type("Going back 2")
    left = installation.sandbox.root("ls /usr/local/bin /etc/bkflow-states* /run/bkflow-states 2>/dev/null || true")
    assert "bkflow-states" not in left.replace("/run/bkflow-states", "")
    assert installation.sandbox.root("mariadb -N -e \"SELECT user FROM mysql.user WHERE user LIKE 'bkflow%'\"") == ""
    assert installation.sandbox.root("mariadb -N bkflow -e \"SHOW TABLES LIKE 'bkflow_states%'\"") == ""
    assert installation.typed == set(blocks()), "a block that no test types"
