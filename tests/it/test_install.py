# SPDX-License-Identifier: MIT
"""make install, whatever the umask."""

import os
import stat
import subprocess

from machine import BUILDDIR

FOR_ALL = stat.S_IRGRP | stat.S_IROTH


def test_what_is_installed_is_for_everybody(lab):
    """The web server's user, above all: it reads the page, and may have to start the program."""
    destination = lab.path("a destination")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", "-s", "-C", BUILDDIR, "install", f"DESTDIR={destination}"], check=True, umask=0o077,
                   env=environment, stdout=subprocess.DEVNULL)
    paths = list(destination.rglob("*"))
    assert any(path.name == "index.html" for path in paths)
    assert [path for path in paths if not is_for_all(path)] == []


def is_for_all(path):
    wanted = FOR_ALL | (stat.S_IXGRP | stat.S_IXOTH if path.is_dir() else 0)
    return path.stat().st_mode & wanted == wanted
