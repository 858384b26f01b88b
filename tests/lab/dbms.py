# SPDX-License-Identifier: MIT
"""Which database server there is, MariaDB's or Oracle's MySQL, and how each is called.

SERVER_ROOT is the root of another system, whose server and client these are then; it shares our /tmp.
"""

import atexit
import functools
import getpass
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import scratch as lab

_ROOT = os.environ.get("SERVER_ROOT", "")
_IN_ROOT = ("chroot", _ROOT) if _ROOT else ()


def _has(name):
    return shutil.which(name, path=":".join(_ROOT + folder for folder in ("/usr/sbin", "/usr/bin", "/usr/local/sbin"))) is not None


def has_file(path):
    """Whether the server's system has it."""
    return os.path.exists(_ROOT + path)


def _command(name):
    return (*_IN_ROOT, name if _ROOT else lab.find_program(name))


NAME = "MySQL" if _has("mysqld") and not _has("mariadbd") else "MariaDB"
IS_MYSQL = NAME == "MySQL"

SERVER = _command("mysqld" if IS_MYSQL else "mariadbd")
CLIENT = (*_IN_ROOT, *(("mysql", "--no-defaults", "--ssl-mode=DISABLED") if IS_MYSQL
                       else ("mariadb", "--no-defaults", "--skip-ssl")))



@functools.cache
def _login_keys():
    """Accounts of MySQL log in by caching_sha2_password, which encrypts the password with the server's key where there
    is no TLS: here all servers have the same. The first login of an account, and that after a change, need it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bkfs-keys-"))
    folder.chmod(0o755)  # the responder of a web server runs as another user
    atexit.register(shutil.rmtree, folder)
    private, public, options = (folder / name for name in ("private.pem", "public.pem", "options.cnf"))
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    options.write_text(f"[bkflow-states]\nserver-public-key = {public}\n", encoding="ascii")
    return private, public, options


def key_settings():
    """What a responder's configuration needs, unless a test wants something else."""
    return {"database.option_file": _login_keys()[2]} if IS_MYSQL else {}


def _key_options():
    private, public, _options = _login_keys()
    return (f"--caching-sha2-password-private-key-path={private}", f"--caching-sha2-password-public-key-path={public}")


# Nothing here outlives the run, so durability is traded for speed; what a killed server has committed stays, though.
OPTIONS = ("--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", *(
    # Its second protocol has a port and a socket of its own; its folder for files need not be there.
    ("--mysqlx=0", "--secure-file-priv=NULL", "--innodb-redo-log-capacity=8M", *_key_options()) if IS_MYSQL
    else ("--innodb-log-file-size=4M",)))

# Debian's servers of today make a certificate of their own, those of yesterday do not: tests that want TLS bring one.
WITHOUT_TLS = "--tls-version=" if IS_MYSQL else "--skip-ssl"

# A table of id, user, command and state. MySQL's own of that name cannot show a statement with any bytes in it.
PROCESSES = "information_schema.processlist" if not IS_MYSQL else (
    "(SELECT processlist_id AS id, processlist_user AS user, processlist_command AS command, processlist_state AS state "
    "FROM performance_schema.threads WHERE type = 'FOREGROUND') AS processes")

# A replica finds its place in what its primary has written by the ids of transactions.
REPLICATION_OPTIONS = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON") if IS_MYSQL else ()
# Where a primary is, and the function by which a replica waits until it is there, too: 0, unless the time is over.
POSITION, WAIT_FOR_POSITION = ("@@global.gtid_executed", "WAIT_FOR_EXECUTED_GTID_SET") if IS_MYSQL else (
    "@@gtid_binlog_pos", "MASTER_GTID_WAIT")


def change_source(host, port, user, password):
    """The statement that tells a replica where its primary is."""
    name = "SOURCE" if IS_MYSQL else "MASTER"
    place = (f"{name}_HOST='{host}', {name}_PORT={port}, {name}_USER='{user}', {name}_PASSWORD='{password}', "
             f"{name}_CONNECT_RETRY=1, {name}_SSL=0")
    return (f"CHANGE REPLICATION SOURCE TO {place}, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1" if IS_MYSQL
            else f"CHANGE MASTER TO {place}, MASTER_USE_GTID=slave_pos")


def install_command(datadir, tmpdir):
    """What makes a data folder in which root has no password."""
    places = [f"--datadir={datadir}", f"--tmpdir={tmpdir}", f"--user={getpass.getuser()}"]
    if IS_MYSQL:
        return [*SERVER, "--no-defaults", "--initialize-insecure", *places, *OPTIONS]
    return [*_IN_ROOT, "mariadb-install-db", "--no-defaults", *places,
            "--auth-root-authentication-method=normal", "--skip-test-db",
            # A bare machine may not know its own name.
            "--skip-name-resolve", "--force", *OPTIONS]
