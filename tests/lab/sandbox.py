# SPDX-License-Identifier: MIT
"""A machine of its own for commands that want to be root's: this one's system, with its own copies of the
folders that they write to, its own processes and its own network.

What is done in it is gone when it is closed; nothing outside is touched. It is made of namespaces, which
takes root, or sudo without a password where continuous integration runs.
"""

import collections
import json
import os
import pathlib
import select
import subprocess
import sys

INSIDE = pathlib.Path(__file__).with_name("sandbox_inside.py")
NAMESPACES = ("--mount", "--pid", "--fork", "--net", "--uts", "--ipc")

Result = collections.namedtuple("Result", "status output")


def obstacle():
    """Why there can be no sandbox here; None if there can."""
    try:
        done = subprocess.run([*_as_root(), "unshare", *NAMESPACES, "true"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return f"needs root and the right to make namespaces: {done.stderr.strip()}"


class Sandbox:
    """`source` becomes the folder `bkflow-states` in the home of an ordinary user who may use sudo."""

    USER = "bkfs-operator"
    SOURCE = f"/home/{USER}/bkflow-states"

    def __init__(self, scratch, source, database_template):
        self._folder = scratch.path("sandbox")
        self._folder.mkdir()
        self._log = open(scratch.path("sandbox", ".log"), "wb")
        self._process = subprocess.Popen(
            [*_as_root(), "unshare", *NAMESPACES, sys.executable, "-B", INSIDE, self._folder, source,
             database_template, self.USER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True)
        self._answer()

    def close(self):
        """Everything in it ends with the process whose input ends here."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._log.close()

    def run(self, script, user=USER, folder=SOURCE, timeout=120):
        """A script of bash, ended by its first command that fails; what it starts may stay behind."""
        json.dump({"script": script, "user": user, "folder": folder, "timeout": timeout}, self._process.stdin)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Result(**self._answer(timeout + 30))

    def root(self, script):
        """What must succeed and is no test of its own; gives the output."""
        done = self.run(script, user="root")
        assert done.status == 0, f"{script}\n{done.output}"
        return done.output

    def _answer(self, timeout=60):
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError(f"the sandbox does not answer: {pathlib.Path(self._log.name).read_text()}")
        return json.loads(line)


def _as_root():
    """How to become root: nobody's password is asked for, and sudo is left alone on people's machines."""
    if os.geteuid() == 0 or not os.environ.get("CI"):
        return []
    return ["sudo", "-n"]
