# SPDX-License-Identifier: MIT
"""The first process of a sandbox (see sandbox.py): makes the machine, then runs what it is told.

Each line of standard input is a JSON object with script, user, folder and timeout, each of output one with
status and output. It ends with its input, and so does every process in the sandbox.
"""

import contextlib
import fcntl
import grp
import json
import os
import pathlib
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

# What a packet manager left there is needed; what commands write there is the sandbox's.
COPIED = ("/etc", "/usr/lib/systemd/system", "/var/lib/apache2", "/var/lib/nginx", "/var/cache/apache2",
          "/var/cache/lighttpd", "/var/www")
# The same, but only folders with their owners: the files are none of the sandbox's business.
EMPTIED = ("/var/log",)
FRESH = {"/run": 0o755, "/home": 0o755, "/root": 0o700, "/usr/local": 0o755}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DATABASE_SOCKET = "/run/mysqld/mysqld.sock"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def main():
    stage, source, database_template, user = sys.argv[1:]
    make_machine(pathlib.Path(stage))
    make_user(user, source)
    start_database(pathlib.Path(stage), database_template)
    # Ours is the first process, which orphans become children of: one that does nothing else.
    worker = os.fork()
    if worker == 0:
        serve()
        os._exit(0)
    while os.wait()[0] != worker:
        pass


# ---- the machine ----

def make_machine(stage):
    call("mount", "--make-rprivate", "/")
    call("mount", "-t", "proc", "proc", "/proc")
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", stage)
    for folder in filter(os.path.isdir, COPIED):
        replace(stage, folder, lambda ours, theirs: call("cp", "-a", f"{theirs}/.", ours))
    for folder in EMPTIED:
        replace(stage, folder, copy_folders)
    for folder, mode in FRESH.items():
        replace(stage, folder, lambda ours, _theirs, mode=mode: ours.chmod(mode))
    for folder in ("bin", "sbin", "share", "etc"):
        os.mkdir(f"/usr/local/{folder}")
    for folder, mode in (("/run/lock", 0o1777), ("/run/mysqld", 0o755)):
        os.mkdir(folder)
        os.chmod(folder, mode)
    socket.sethostname("localhost")
    switch_loopback_on()


def replace(stage, folder, fill):
    ours = stage / folder.strip("/").replace("/", "-")
    ours.mkdir()
    fill(ours, folder)
    call("mount", "--bind", ours, folder)


def copy_folders(ours, theirs):
    for path, _folders, _files in os.walk(theirs):
        copy = ours / os.path.relpath(path, theirs)
        copy.mkdir(exist_ok=True)
        shutil.copystat(path, copy)
        entry = os.stat(path)
        os.chown(copy, entry.st_uid, entry.st_gid)


def switch_loopback_on():
    request = struct.Struct("16sh14x")
    with contextlib.closing(socket.socket()) as any_socket:
        name, flags = request.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, request.pack(b"lo", 0)))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request.pack(name, flags | IFF_UP))


def make_user(name, source):
    call("useradd", "--create-home", "--shell", "/bin/bash", name)
    sudoers = pathlib.Path("/etc/sudoers.d") / name
    sudoers.write_text(f"{name} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    copy = f"/home/{name}/bkflow-states"
    call("cp", "-r", "--preserve=mode,timestamps", source, copy)
    call("chown", "-R", f"{name}:", copy)


def start_database(stage, template):
    """As on a machine where BKFlow has its own: root, and nobody else, comes in without a password. It also listens
    on the sandbox's own loopback."""
    datadir = stage / "database"
    call("cp", "-r", template, datadir)
    subprocess.Popen(  # pylint: disable=consider-using-with
        ["mariadbd", "--no-defaults", "--user=root", f"--datadir={datadir}", f"--tmpdir={datadir}",
         f"--socket={DATABASE_SOCKET}", "--bind-address=127.0.0.1", "--skip-log-bin", "--character-set-server=utf8mb4",
         "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)


def call(*argv):
    subprocess.run([*map(str, argv)], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


# ---- commands ----

def serve():
    tell({"status": 0, "output": "ready"})
    for line in sys.stdin:
        tell(run(**json.loads(line)))


def tell(answer):
    print(json.dumps(answer), flush=True)


def run(script, user, folder, timeout):
    """Output goes into a file: what a script leaves running would keep a pipe open."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=folder, env=environment(user), start_new_session=True, **identity(user))
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            status = process.wait()
        output.seek(0)
        return {"status": status, "output": output.read().decode(errors="replace")}


def environment(user):
    return {"PATH": PATH, "HOME": pwd.getpwnam(user).pw_dir, "USER": user, "LC_ALL": "C.UTF-8",
            # To be quick.
            "MAKEFLAGS": f"-j{os.cpu_count()}", "CFLAGS": "-O1"}


def identity(user):
    entry = pwd.getpwnam(user)
    groups = [group.gr_gid for group in grp.getgrall() if user in group.gr_mem]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


if __name__ == "__main__":
    main()
