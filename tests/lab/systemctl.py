#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for systemctl in a sandbox, where no systemd runs: does what the unit files say, by hand.

It knows the few commands that operators of this program need, and fails on all others. Units are verified
by systemd's own tool before they are used. The service is started as its unit says (user, command line,
socket on descriptor 3), without the confinement.
"""

import configparser
import grp
import os
import pathlib
import pwd
import select
import shlex
import signal
import socket
import subprocess
import sys
import time

UNIT_FOLDERS = [pathlib.Path(folder) for folder in ("/etc/systemd/system", "/usr/local/lib/systemd/system",
                                                    "/usr/lib/systemd/system")]
STATE = pathlib.Path("/run/systemctl")


def main():
    match sys.argv[1:]:
        case ["daemon-reload"]:
            pass
        case ["enable", "--now", name] if name.endswith(".socket"):
            start_socket(name)
        case ["stop", name] | ["disable", "--now", name] if name.endswith(".socket"):
            end(name)
            end(name.replace(".socket", ".service"))
        case ["start" | "stop" | "restart" as verb, name] if name.endswith(".service"):
            if verb != "start":
                end(name)
            if verb != "stop":
                start_socket_of(name)
        case ["reload", name]:
            reload(name if "." in name else f"{name}.service")
        case words:
            sys.exit(f"systemctl: the stand-in does not know {words}")


class Unit(dict):
    """A unit file: [section] and key to the last value."""

    def __init__(self, name):
        paths = [folder / name for folder in UNIT_FOLDERS if (folder / name).exists()]
        if not paths:
            sys.exit(f"Unit file {name} does not exist.")
        self.path = paths[0]
        parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=["="])
        parser.optionxform = str
        parser.read(self.path)
        super().__init__(((section, key), value) for section in parser for key, value in parser[section].items())


def verify(*paths):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True,
                          check=False)
    complaints = [line for line in done.stderr.splitlines() if paths[0].stem in line]
    if done.returncode != 0 or complaints:
        sys.exit(f"systemd-analyze verify: {done.stderr}")


# ---- a socket, and the service that is started by the first who connects ----

def start_socket(name):
    unit, service = Unit(name), Unit(name.replace(".socket", ".service"))
    verify(unit.path, service.path)
    listening = listen(unit)
    if os.fork() != 0:
        return
    os.setsid()
    (STATE / name).write_text(str(os.getpid()))
    while True:
        select.select([listening], [], [])
        if run_service(service, listening) != 0:
            sys.exit(f"{service.path.name} failed")


def start_socket_of(service):
    """Its socket brings it back as soon as somebody connects."""
    if not is_running(service.replace(".service", ".socket")):
        sys.exit(f"systemctl: the socket of {service} is not active")


def listen(unit):
    path = pathlib.Path(unit["Socket", "ListenStream"])
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(int(unit["Socket", "DirectoryMode"], 8))
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    os.chown(path, pwd.getpwnam(unit["Socket", "SocketUser"]).pw_uid,
             grp.getgrnam(unit["Socket", "SocketGroup"]).gr_gid)
    path.chmod(int(unit["Socket", "SocketMode"], 8))
    listening.listen(int(unit["Socket", "Backlog"]))
    STATE.mkdir(exist_ok=True)
    return listening


def run_service(unit, listening):
    pid = os.fork()
    if pid == 0:
        os.dup2(listening.fileno(), 3)
        os.set_inheritable(3, True)  # should it have been number 3 before
        user = pwd.getpwnam(unit["Service", "User"])
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(grp.getgrnam(unit["Service", "Group"]).gr_gid)
        os.setuid(user.pw_uid)
        argv = shlex.split(unit["Service", "ExecStart"])
        os.execve(argv[0], argv, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "PATH": os.environ["PATH"]})
    (STATE / unit.path.name).write_text(str(pid))
    _pid, status = os.waitpid(pid, 0)
    (STATE / unit.path.name).unlink(missing_ok=True)
    return status


# ---- signals ----

def main_pid(name):
    """Of what was started here, or by an init script that leaves its id where the unit says."""
    unit = Unit(name)
    path = STATE / name
    if not path.exists():
        path = pathlib.Path(unit.get(("Service", "PIDFile"), path))
    try:
        return int(path.read_text())
    except FileNotFoundError:
        sys.exit(f"systemctl: {name} is not active")


def is_running(name):
    try:
        return pathlib.Path("/proc", (STATE / name).read_text()).exists()
    except FileNotFoundError:
        return False


def reload(name):
    pid = main_pid(name)
    command = Unit(name)["Service", "ExecReload"].replace("$MAINPID", str(pid))
    subprocess.run(shlex.split(command), check=True)


def end(name):
    """systemd's "stop": waits until the process is gone, which has to be before TimeoutStopSec."""
    if is_running(name):
        os.kill(int((STATE / name).read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while is_running(name):
        if time.monotonic() > deadline:
            sys.exit(f"systemctl: {name} does not end")
        time.sleep(0.02)
    (STATE / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
