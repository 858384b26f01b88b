# SPDX-License-Identifier: MIT
"""What the running process cannot do any more, that the systemd unit leaves it what it needs, and how it is linked."""

import contextlib
import errno
import os
import re
import shutil
import socket
import subprocess
import sys

import memory
import pytest
import support
import unit_filter
from lab import client, webserver
from lab import responder as lab_responder
from lab.scratch import wait_until

UNIT = webserver.CONF / "systemd" / "bkflow-states.service"


@pytest.fixture
def states(finished_task):
    return support.states(finished_task)


class TestConfinement:
    """What the running process has given up, in each way of starting it."""

    @pytest.mark.parametrize("start", ["listen", "spawn_fcgi", "activate"])
    def test_of_a_responder(self, program, database, states, start):
        responder = getattr(program, start)(lab_responder.settings_for(database))
        support.success(responder.ask(states))
        for thread in os.listdir(f"/proc/{responder.service.pid}/task"):
            self.assert_confined(f"/proc/{responder.service.pid}/task/{thread}/status")
        assert "without a filter" not in responder.log
        assert responder.stop() == 0

    def test_of_plain_cgi(self, program, database, world):
        """Looked at while it waits for the end of the body."""
        config = program.config(lab_responder.settings_for(database))
        variables = client.variables("/healthz") | {"CONTENT_LENGTH": "1", "BKFLOW_STATES_CONFIG": str(config)}
        process = subprocess.Popen([program.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=lab_responder.environment(variables))
        status = f"/proc/{process.pid}/status"
        wait_until(lambda: status_of(status)["Seccomp"] == "2")
        self.assert_confined(status)
        assert b"200" in process.communicate(b"x", timeout=15)[0]
        assert process.returncode == 0

    def assert_confined(self, path):
        found = status_of(path)
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")

    def test_it_runs_as_a_user_without_privileges(self, program, database, lab, states):
        """Under an account that has nothing but the socket and the configuration: nobody's, or whose tests they are."""
        if os.geteuid() != 0:
            responder = program.listen(lab_responder.settings_for(database))
        else:
            lab.folder.chmod(0o755)
            responder = self.start_as_nobody(program, database, lab)
        support.success(responder.ask(states))
        found = status_of(f"/proc/{responder.service.pid}/status")
        assert (found["CapEff"], found["CapPrm"], found["CapAmb"]) == ("0" * 16,) * 3
        assert "0" not in found["Uid"].split() + found["Gid"].split()
        assert responder.stop() == 0
        lab.folder.chmod(0o700)

    def start_as_nobody(self, program, database, lab):
        config = program.config(lab_responder.settings_for(database))
        path = lab.path("unprivileged", ".sock")
        # The build's folder may be out of nobody's reach.
        copy = lab.path("bkflow-states-copy")
        shutil.copy(program.path, copy)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(str(path))
            listening.listen(16)
            service = lab.start("bkflow-states", [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                copy, "--config", config], stdin=listening, env=lab_responder.environment())
        return lab_responder.Responder(service, config, {}, path)


class TestUnit:
    """conf/systemd: its filters of system calls, put on by hand. Other settings are judged by systemd-analyze, in
    test_deployments.py."""

    WRAPPER = (sys.executable, unit_filter.__file__, UNIT)

    TRIED = """
import mmap, os, socket
for what in (
    lambda: print("well"),
    lambda: os.chroot("/"),
    lambda: os.setuid(65534),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, 1),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC),
):
    try:
        what()
    except OSError as error:
        print(error.errno)
"""

    def test_the_filters_are_there(self):
        """Without them the test below would say nothing."""
        done = subprocess.run([*self.WRAPPER, sys.executable, "-c", self.TRIED],
                              capture_output=True, text=True, check=False)
        refused = f"{errno.EPERM}\n"
        no_family = f"{errno.EAFNOSUPPORT}\n" if unit_filter.RESTRICTS_FAMILIES else ""
        assert (done.stdout, done.stderr) == ("well\n" + 3 * refused + no_family + refused, "")

    def test_the_program_has_what_it_needs(self, program, database, lab, states):
        """Serving, a new log file, a reload, names of hosts, stopping."""
        memory.skip_if_sanitized(program)
        path = lab.path("under-unit", ".log")
        responder = program.listen(lab_responder.settings_for(
            database, **{"log.target": f"file:{path}", "log.access": "on"}), wrapper=self.WRAPPER)
        support.success(responder.ask(states))
        path.rename(path.with_suffix(".1"))
        responder.reload(responder.settings)
        wait_until(lambda: path.exists() and "reloaded" in path.read_text())
        support.success(responder.ask(states))
        responder.reload(responder.settings | {"database.socket": "", "database.host": "localhost", "database.port": 9})
        wait_until(lambda: path.read_text().count("reloaded") == 2)
        support.assert_error(responder.ask(states), 503, 50301)
        assert "filter" not in path.read_text(), "its own filter was refused"
        assert status_of(f"/proc/{responder.service.pid}/status")["Seccomp_filters"] == "3"  # the wrapper's, and our two
        assert responder.stop() == 0

    def test_it_writes_to_its_log_and_to_sockets_only(self, program, database, lab, states):
        """Which is all that ProtectSystem=strict leaves it: the unit names no other folder than the log's."""
        path = lab.path("only", ".log")
        responder = program.listen(lab_responder.settings_for(database, **{"log.target": f"file:{path}"}))
        support.success(responder.ask(states))
        written = set()
        for number in os.listdir(f"/proc/{responder.service.pid}/fd"):
            # That of our own connection may be closed between one look and the next.
            with contextlib.suppress(FileNotFoundError):
                written |= name_if_written(f"/proc/{responder.service.pid}", number)
        assert written - {os.devnull} == {str(path), str(responder.service.log_path)}  # the latter is standard error
        assert responder.stop() == 0


def name_if_written(process, number):
    """What this descriptor is open on, unless it is only read, or is no file."""
    with open(f"{process}/fdinfo/{number}", encoding="ascii") as info:
        flags = int(re.search(r"flags:\s+(\d+)", info.read())[1], 8)
    name = os.readlink(f"{process}/fd/{number}")
    return {name} if flags & os.O_ACCMODE and not name.startswith(("socket:", "anon_inode:")) else set()


def status_of(path):
    with open(path, encoding="ascii") as status:
        return dict(line.rstrip("\n").replace(":\t", ":").split(":", 1) for line in status)


class TestHardening:
    """The program is linked as Debian's hardening asks; `make` is to see to it whatever flags it is given."""

    @pytest.fixture(scope="class", params=["bkflow-states", "bkflow-statesctl"])
    def binary(self, request, program):
        memory.skip_if_sanitized(program)
        return os.path.join(os.path.dirname(program.path), request.param)

    def readelf(self, binary, *options):
        return subprocess.run(["readelf", "--wide", *options, binary], capture_output=True, text=True, check=True,
                              env=os.environ | {"LC_ALL": "C"}).stdout

    def test_addresses_are_random(self, binary):
        assert re.search(r"Type: +DYN .*Position-Independent Executable", self.readelf(binary, "--file-header"))

    def test_tables_of_addresses_are_read_only(self, binary):
        assert "GNU_RELRO" in self.readelf(binary, "--program-headers")
        assert "BIND_NOW" in self.readelf(binary, "--dynamic")

    def test_nothing_is_writable_and_executable(self, binary):
        headers = self.readelf(binary, "--program-headers")
        [stack] = re.findall(r"GNU_STACK +(?:0x\w+ +){5}([RWE ]+?) +0x", headers)
        assert stack == "RW"
        assert not re.search(r"^ +LOAD +.*RWE", headers, re.MULTILINE)

    def test_overruns_are_noticed(self, binary):
        symbols = self.readelf(binary, "--dyn-syms")
        assert "__stack_chk_fail" in symbols
        assert re.search(r"__(memcpy|snprintf|fprintf|printf|vfprintf)_chk", symbols)

    def test_no_place_to_look_for_libraries_is_built_in(self, binary):
        assert not re.search(r"\((RPATH|RUNPATH)\)", self.readelf(binary, "--dynamic"))
