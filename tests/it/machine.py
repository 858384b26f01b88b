# SPDX-License-Identifier: MIT
"""A machine on which the commands of our documents are typed: a sandbox with a copy of the source folder."""

import contextlib
import os
import shlex
import subprocess

import pytest
from lab import documents, mariadb, sandbox
from lab.scratch import wait_until

BUILDDIR = os.environ.get("BUILDDIR", documents.ROOT)

STAND_INS = {
    # No network: apt says what it would do, with the packages that are installed and those in its index.
    "apt": 'exec apt-get --simulate -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"',
    # No systemd is the first process: see lab/systemctl.py.
    "systemctl": f'exec /usr/bin/python3 -B {sandbox.Sandbox.SOURCE}/tests/lab/systemctl.py "$@"',
}


@contextlib.contextmanager
def fresh(lab):
    """Where its database answers, and nothing of ours is installed."""
    obstacle = sandbox.obstacle()
    if obstacle:
        pytest.skip(f"the documents' commands were not run: {obstacle}")
    source = lab.path("source")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", "-s", "-C", BUILDDIR, "distdir", f"distdir={source}"], check=True, env=environment,
                   stdout=subprocess.DEVNULL)
    machine = sandbox.Sandbox(lab, source, mariadb.installed_datadir(lab))
    try:
        for name, command in STAND_INS.items():
            path = f"/usr/local/sbin/{name}"
            machine.root(f"echo {shlex.quote(command)} >{path} && chmod 755 {path}")
        wait_until(lambda: machine.run("mariadb -e 'SELECT 1'", user="root").status == 0)
        yield machine
    finally:
        machine.close()
