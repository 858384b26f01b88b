# SPDX-License-Identifier: MIT
"""Every command in our documents is typed into a machine of its own, as it stands there and in this order.

A command that needs something which no test has is replaced by a stand-in, which checks what it can: STAND_INS of
machine.py lists them all. A block of commands that is run elsewhere is in ELSEWHERE, with the file that shows it. A block
or command that is not listed here fails.
"""

import functools
import inspect
import os
import re
import shlex
import subprocess

import machine as fresh_machine
import pytest
import yaml
from lab import documents, mariadb
from lab.scratch import wait_until

CREDENTIALS = '{"bk_app_code": "demo_app", "bk_app_secret": "demo-secret", "bk_username": "demo_user"}'

# What is no command: our configuration, which test_configuration has checked, that of other programs, which
# test_scale.py and test_replica.py run with, and, without a language, what is only to be looked at.
LOOKED_AT = ("", "ini", "nginx", "lighttpd", "apache", "haproxy", "cnf", "yaml")

# All blocks of these are typed by a file of their own: test_bkflow_document.py.
ON_OTHER_MACHINES = ("docs/bkflow.md",)

# Blocks that run elsewhere: what they and these files, which run it, contain.
ELSEWHERE = {
    "README.md: bkflow-states": {".ci/run": ["tests/run demo", "tests/run check"]},
    "docs/HACKING.md: Working on bkflow-states": {"tests/run": ["./autogen.sh", "./configure --enable-werror", "check"]},
    "docs/HACKING.md: How to add": {"tests/unit.am": ["tests/unit/states/test_tree"], "tests/it/check-program": ["tests/it/run"]},
    "docs/HACKING.md: Sanitizers": {".ci/run": ["--enable-werror --enable-sanitizers=address,undefined"]},
    "docs/HACKING.md: Fuzzing": {".ci/run": ["tests/run fuzz"], "tests/run": ["build-fuzzing", "FUZZ_SECONDS="],
                                 "tests/fuzz.am": ["tests/fuzz/replay_token"]},
}

# Commands within sentences that are run elsewhere, or that are only spoken of.
INLINE_ELSEWHERE = {
    "bkflow-states --print-reference": "by tests/lint/manual.sh",
    "systemd-analyze security": "in test_deployments.py",
    "dpkg-buildpackage -us -uc -b": "by tests/package",
    "bkflow-statesctl gateway-key bk-flow-engine --write": "in test_bkflow_document.py",
    "tests/run systems": "by hand: it takes hours",
    "tests/run systems --quick": "by .ci/run",
    "make builds-check": "by hand: it needs minutes",
}
INLINE_DOCUMENTS = ("README.md", "docs/deploy.md", "docs/examples/README.md")


# ---- the machine ----

class Site:
    """A sandbox in which an operator follows our documents."""

    def __init__(self, machine):
        self.machine = machine

    def type(self, name, **others):
        """The commands of a block; gives their output."""
        return self.run(all_blocks()[name], **others)

    def run(self, script, **others):
        done = self.machine.run(script, **others)
        assert done.status == 0, f"{script}\nended with {done.status}:\n{done.output}"
        return done.output

    def sql(self, text, database="bkflow"):
        self.machine.root(f"mariadb {database} <<'END'\n{text}\nEND")

    def expect_answers(self, path="/bkflow/"):
        """A web server and the program behind it, with the database."""
        wait_until(lambda: self.status(f"{path}readyz") == "200")
        assert self.status(f"{path}task/2/get_task_states_by_app/") == "200"

    def only_web_server(self, wanted):
        for name in ("lighttpd", "nginx", "apache2"):
            if name != wanted:
                self.machine.root(f"service {name} stop || true")
        if self.machine.run(f"service {wanted} status", user="root").status != 0:
            self.machine.root(f"service {wanted} start")

    def only_lighttpd(self, sample="lighttpd.conf"):
        """With a sample in the place of the one that the README's commands have copied."""
        self.only_web_server("lighttpd")
        place = "/etc/lighttpd/conf-available/60-bkflow-states.conf"
        self.machine.root(f"cmp -s conf/{sample} {place} || {{ cp conf/{sample} {place}; service lighttpd restart; }}")

    def no_program(self):
        """As on a machine where nobody has started it yet."""
        self.machine.root("""
            ! test -e /run/systemctl/bkflow-states.socket || systemctl stop bkflow-states.socket
            for exe in /proc/[0-9]*/exe; do
                if [ "$(readlink "$exe")" = /usr/local/bin/bkflow-states ]; then
                    kill "${exe//[!0-9]/}"
                    while test -e "${exe%/exe}"; do sleep 0.02; done
                fi
            done
            rm -rf /run/bkflow-states""")

    def configure(self, text):
        """Beside what the README's configuration says; without text, that alone."""
        self.machine.root("cp -n /etc/bkflow-states.conf /etc/bkflow-states.conf.readme; "
                          f"{{ cat /etc/bkflow-states.conf.readme; cat <<'END'\n{text}\nEND\n}} "
                          ">/etc/bkflow-states.conf")

    def status(self, path):
        header = shlex.quote(f"X-Bkapi-Authorization: {CREDENTIALS}")
        return self.machine.run(f"curl -s -m 10 -o /dev/null -w '%{{http_code}}' -H {header} "
                                f"http://localhost{path} || true").output


@functools.cache
def all_blocks():
    """Those of commands, which is whatever is not in a language of LOOKED_AT."""
    return {name: text for (name, language), text in fenced().items() if language not in LOOKED_AT}


def configurations():
    return {name: text for (name, language), text in fenced().items() if language == "ini"}


@functools.cache
def fenced():
    return {(found.name, found.language): found.text
            for document in documents.all_documents() if document not in ON_OTHER_MACHINES
            for found in documents.blocks(document)}


@pytest.fixture(scope="module")
def machine(lab):
    with fresh_machine.fresh(lab) as running:
        yield running


@pytest.fixture(scope="module")
def installation(machine):
    """The README's way, on a machine with BKFlow's databases; gives the site and what curl said at the end."""
    site = Site(machine)
    wait_until(lambda: machine.run("mariadb -e 'SELECT 1'", user="root").status == 0)
    for name in (mariadb.DATABASE, mariadb.ENGINE_DATABASE):
        site.machine.root(f"mariadb -e 'CREATE DATABASE {name} CHARACTER SET utf8mb4'")
        site.machine.root(f"mariadb {name} <conf/schema/bkflow_standin.sql")
    output = site.type("README.md: Deployment", timeout=300)
    site.machine.root(f"mariadb {mariadb.DATABASE} <conf/schema/sample_interface.sql")
    site.machine.root(f"mariadb {mariadb.ENGINE_DATABASE} <conf/schema/sample_engine.sql")
    return site, output


@pytest.fixture(scope="module")
def site(installation):
    return installation[0]


# ---- what is typed ----

PLAN = {}


def plan(name):
    """Marks the function that has a block's commands executed, or a single command from a sentence."""
    def mark(function):
        assert name not in PLAN
        PLAN[name] = function
        return function
    return mark


@plan("README.md: Deployment")
def _readme(installation):
    site, output = installation
    assert "/etc/bkflow-states.conf: no mistakes" in output
    assert "HTTP/1.1 200" in output
    site.expect_answers()
    site.no_program()


@plan("docs/deploy.md: Applications")
def _applications(site):
    site.sql("CREATE USER admin@localhost IDENTIFIED BY 'admin-password'; GRANT ALL ON bkflow.* TO admin@localhost")
    site.run("echo admin-password >admin.pw; chmod 600 admin.pw")
    site.type("docs/deploy.md: Applications")


@plan("docs/deploy.md: Deployment")
def _check(site):
    systemd(site)
    site.only_lighttpd()
    assert site.type("docs/deploy.md: Deployment", user="root").count("HTTP/1.1 200") == 2


@plan("docs/deploy.md: The program opens its socket")
def _own_socket(site):
    site.no_program()
    site.configure("[server]\nlisten = unix:/run/bkflow-states/fcgi.sock,mode=0660")
    site.type("docs/deploy.md: The program opens its socket", user="root")
    site.only_lighttpd()
    site.expect_answers()
    site.configure("")


@plan("docs/deploy.md: systemd")
def systemd(site):
    site.no_program()
    site.type("docs/deploy.md: systemd", user="root")
    site.only_lighttpd()
    site.expect_answers()


@plan("systemctl restart bkflow-states.service")
def _restart(site):
    systemd(site)
    site.run("systemctl restart bkflow-states.service", user="root")
    site.expect_answers()


@plan("docs/deploy.md: spawn-fcgi")
def _spawn_fcgi(site):
    site.no_program()
    site.type("docs/deploy.md: spawn-fcgi", user="root")
    site.only_lighttpd()
    site.expect_answers()


@plan("docs/deploy.md: spawn-fcgi 2")
def _spawn_fcgi_ends(site):
    _spawn_fcgi(site)
    site.type("docs/deploy.md: spawn-fcgi 2", user="root")
    wait_until(lambda: site.status("/bkflow/healthz") == "503")


@plan("docs/deploy.md: The web server")
def _by_web_server(site):
    site.no_program()
    site.type("docs/deploy.md: The web server", user="root")
    site.only_lighttpd("lighttpd-spawn.conf")
    site.expect_answers()


@plan("systemctl reload lighttpd")
def _reload_lighttpd(site):
    _by_web_server(site)
    site.run("systemctl reload lighttpd", user="root")
    site.expect_answers()


@plan("docs/deploy.md: lighttpd")
def _lighttpd(site):
    site.no_program()
    site.type("docs/deploy.md: systemd", user="root")
    site.only_web_server("lighttpd")
    site.run("lighty-disable-mod bkflow-states", user="root")
    site.type("docs/deploy.md: lighttpd", user="root")
    site.expect_answers()


@plan("docs/deploy.md: lighttpd 2")
def _lighttpd_tcp(site):
    site.no_program()
    site.type("docs/deploy.md: lighttpd 2", user="root")
    site.only_lighttpd("lighttpd-tcp.conf")
    site.expect_answers()


@plan("docs/deploy.md: nginx")
def _nginx(site):
    site.no_program()
    site.type("docs/deploy.md: systemd", user="root")
    site.only_web_server("nginx")
    site.type("docs/deploy.md: nginx", user="root")
    site.expect_answers()


@plan("docs/deploy.md: Apache")
def apache(site):
    site.no_program()
    site.type("docs/deploy.md: systemd", user="root")
    site.only_web_server("apache2")
    site.type("docs/deploy.md: Apache", user="root")
    site.expect_answers()


@plan("apachectl graceful")
def _apache_graceful(site):
    apache(site)
    site.run("apachectl graceful", user="root")
    site.expect_answers()


@plan("docs/deploy.md: Apache 2")
def _apache_cgi(site):
    site.no_program()
    site.only_web_server("apache2")
    site.type("docs/deploy.md: Apache 2", user="root")
    site.expect_answers()


@plan("docs/deploy.md: The web page")
def _window(site):
    site.only_web_server("apache2")
    site.type("docs/deploy.md: The web page", user="root")
    wait_until(lambda: site.status("/bkflow-web/") == "200")
    assert "Content-Security-Policy" in site.run("curl -sI http://localhost/bkflow-web/")


@plan("docs/examples/README.md: Clients that follow a task")
def _clients(site):
    systemd(site)
    site.sql("UPDATE eri_state SET name = 'FINISHED' WHERE root_id = "
             "(SELECT instance_id FROM task_taskinstance WHERE id = 2)", mariadb.ENGINE_DATABASE)
    said = site.type("docs/examples/README.md: Clients that follow a task", folder=f"{site.machine.SOURCE}/docs/examples")
    assert said.split() == ["FINISHED"] * 3


@plan("docs/scale.md: An index on the replica")
def _replica_index(site):
    site.type("docs/scale.md: An index on the replica", user="root")
    site.sql("ALTER TABLE eri_state DROP INDEX bkflow_states_nodes")


@plan("make install")
def _install(site):
    """Where it is said to put things; the README's "sudo make install" has done it."""
    site.run("test -e /usr/local/share/bkflow-states/web/index.html -a -e /usr/local/share/man/man8/bkflow-states.8")


# ---- the tests ----

@pytest.mark.parametrize("name", [name for name in all_blocks() if name not in ELSEWHERE])
def test_block(request, name):
    assert name in PLAN, f"no test knows how to run this block: see PLAN\n{all_blocks()[name]}"
    run_plan(request, name)


@pytest.mark.parametrize("name", configurations())
def test_configuration(site, name):
    """As a file of its own, on a machine that has what it names: the program finds no mistake in it."""
    site.machine.root("test -e /etc/bkflow-states.gateway.pem || "
                      "openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out /etc/bkflow-states.gateway.pem")
    site.machine.root("mkdir -p /run/bkflow-states; touch /etc/bkflow-states.cnf; echo x >/etc/bkflow-states.engine-password; ip address replace 10.0.0.11/32 dev lo")
    site.machine.root(f"cat >/tmp/shown.conf <<'END'\n{configurations()[name]}\nEND\n"
                      "BKFLOW_STATES_DATABASE_USER=bkflow_states bkflow-states --check-config --config /tmp/shown.conf")


def container():
    [text] = [text for (name, language), text in fenced().items() if language == "yaml"]
    [described] = yaml.safe_load(text)["containers"]
    return described


def test_container(site):
    """What a container's engine does, as far as it matters here: a first process with nothing but its environment, the
    variables of a Service named like the program among it; probes; TERM."""
    described = container()
    variables = {variable["name"]: variable["value"] for variable in described["env"]}
    assert variables.pop("BKFLOW_STATES_DATABASE_HOST")
    variables |= {"BKFLOW_STATES_DATABASE_SOCKET": "/run/mysqld/mysqld.sock",
                  "BKFLOW_STATES_SERVICE_HOST": "10.0.0.1", "BKFLOW_STATES_PORT": "tcp://10.0.0.1:9001",
                  "BKFLOW_STATES_PORT_9001_TCP_ADDR": "10.0.0.1"}
    environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    site.no_program()
    site.machine.root(f"""
        mkdir -p /run/bkflow-states /run/secrets/bkflow-states
        cp /etc/bkflow-states.password /run/secrets/bkflow-states/password
        chown -R bkflow-states /run/bkflow-states /run/secrets/bkflow-states
        env -i PATH="$PATH" {environment} unshare --pid --fork \
            setpriv --reuid bkflow-states --regid bkflow-states --clear-groups \
            sh -c '[ $$ = 1 ] && exec {shlex.join(described["command"])}' >/run/container.log 2>&1 &
        echo $! >/run/container.pid""")
    for probe in ("livenessProbe", "readinessProbe"):
        wait_until(lambda probe=probe: site.machine.run(
            shlex.join(described[probe]["exec"]["command"]), user="root").status == 0)
    site.machine.root("""
        [ "$(cat /run/container.pid)" != "" ]
        for exe in /proc/[0-9]*/exe; do
            [ "$(readlink "$exe")" != /usr/local/bin/bkflow-states ] || kill -TERM "${exe//[!0-9]/}"
        done
        while kill -0 "$(cat /run/container.pid)" 2>/dev/null; do sleep 0.02; done
        grep -q stopped /run/container.log""")
    assert site.machine.run(shlex.join(described["livenessProbe"]["exec"]["command"]), user="root").status != 0


def inline_commands():
    """Code in sentences that is a command with arguments, and no setting."""
    found = {code for document in INLINE_DOCUMENTS for code in documents.inline_code(document)}
    return sorted(filter(re.compile(r"[a-z][a-z0-9/-]* [^=]").match, found))


@pytest.mark.parametrize("command", inline_commands())
def test_command_in_a_sentence(request, command):
    if command in INLINE_ELSEWHERE or any(command in text for text in all_blocks().values()):
        return
    assert command in PLAN, "no test knows how to run this command"
    run_plan(request, command)


def run_plan(request, name):
    function = PLAN[name]
    function(*map(request.getfixturevalue, inspect.signature(function).parameters))


def test_every_plan_is_followed():
    assert set(PLAN) <= set(all_blocks()) | set(inline_commands())
    assert set(ELSEWHERE) <= set(all_blocks())
    assert set(INLINE_ELSEWHERE) <= set(inline_commands())


@pytest.mark.parametrize("name", ELSEWHERE)
def test_block_that_runs_elsewhere(name):
    for path, fragments in ELSEWHERE[name].items():
        text = (documents.ROOT / path).read_text(encoding="utf-8")
        for fragment in fragments:
            assert fragment in all_blocks()[name] and fragment in text


@pytest.mark.parametrize("document", documents.all_documents())
def test_links_lead_somewhere(document):
    """Those to our own files, and to headings in them."""
    for path, anchor in documents.links(document):
        target = (documents.ROOT / document).parent / path if path else documents.ROOT / document
        assert target.exists(), f"{document} links {path}"
        assert not anchor or anchor in documents.anchors(target), f"{document} links {path}#{anchor}"


def test_the_map_names_what_exists():
    """Files, and identifiers of the program and its tests."""
    sources = "".join(path.read_text(encoding="utf-8") for folder in ("src", "fcgi-app", "tests")
                      for path in (documents.ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".py", ".sh", ".am"))
    known = set(re.findall(r"\w+", sources))
    for code in documents.inline_code("docs/HACKING.md"):
        if re.fullmatch(r"[\w.-]+(/[\w.*<>-]+)+/?", code):
            pattern = re.sub(r"NAME|<\w+>", "*", code.rstrip("/"))
            assert any(documents.ROOT.glob(pattern)), f"there is no {code}"
        elif re.fullmatch(r"[A-Za-z]\w*_\w+", code):
            assert code in known, f"there is no {code}"


def test_the_first_commands_are_those_of_continuous_integration():
    """The two that everybody types first, and nothing else."""
    name = "README.md: bkflow-states"
    assert all_blocks()[name].splitlines() == ELSEWHERE[name][".ci/run"]
