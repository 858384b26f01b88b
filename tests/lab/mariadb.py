# SPDX-License-Identifier: MIT
"""Private MariaDB servers, and SQL text made from Python values."""

import datetime
import functools
import getpass
import pathlib
import shutil
import subprocess

from . import scratch as lab

DATABASE = "bkflow"
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "conf" / "schema"
RESPONDER_USER = "bkflow_states"
RESPONDER_PASSWORD = "lab-password"

# Nothing here outlives the run, so durability is traded for speed.
STORAGE = ("--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0")


class MariaDB:
    """One server with a data folder of its own, on a unix socket, and on a loopback port if one is given."""

    def __init__(self, scratch, name="mariadb", port=None):
        self._scratch = scratch
        self.port = port
        self._datadir = scratch.path(name, ".data")
        self.socket = scratch.path(name, ".sock")
        self._service = None
        shutil.copytree(_installed_datadir(scratch), self._datadir)

    def start(self):
        network = [f"--port={self.port}", "--bind-address=127.0.0.1"] if self.port else ["--skip-networking"]
        self._service = self._scratch.start(
            "mariadbd",
            [lab.find_program("mariadbd"), "--no-defaults", f"--user={getpass.getuser()}",
             # Not /tmp: a starting server removes every #sql file there, also those of other servers.
             f"--tmpdir={self._datadir}",
             f"--datadir={self._datadir}", f"--socket={self.socket}", f"--pid-file={self.socket}.pid",
             *network, "--skip-log-bin", "--character-set-server=utf8mb4",
             "--max-allowed-packet=64M", "--innodb-buffer-pool-size=64M", *STORAGE],
        )
        self._service.wait_until(functools.partial(lab.accepts, self.socket))
        return self

    def stop(self):
        return self._service.stop()

    def sql(self, text, database=DATABASE):
        """Run statements as the server's root; the rows of SELECTs come back as lists of strings."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
             "--skip-column-names", "--default-character-set=utf8mb4", "--max-allowed-packet=64M",
             *([database] if database else [])],
            input=text.encode(), capture_output=True, check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"SQL failed: {done.stderr.decode(errors='replace')}")
        return [line.split("\t") for line in done.stdout.decode().rstrip("\n").split("\n") if line]

    def create_database(self, *schema_files):
        """The product's own schema files, as an operator would load them."""
        self.sql(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", None)
        for name in schema_files:
            self.load(name)

    def load(self, schema_file):
        text = (SCHEMA / schema_file).read_text(encoding="utf-8")
        return self.sql(text.replace("CHANGE-ME", RESPONDER_PASSWORD))

    def config(self):
        """The [database] section that leads the responder here."""
        return {"socket": self.socket, "user": RESPONDER_USER, "password": RESPONDER_PASSWORD, "name": DATABASE}


def insert(table, rows):
    """One INSERT for rows given as dicts with the same keys."""
    columns = ", ".join(f"`{name}`" for name in rows[0])
    values = ",\n".join("(" + ", ".join(map(literal, row.values())) + ")" for row in rows)
    return f"INSERT INTO {table} ({columns}) VALUES\n{values};\n"


def literal(value):
    """A value as SQL text. Strings travel as hexadecimal digits, so nothing needs quoting."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return f"'{value.isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _installed_datadir(scratch):
    """Installing takes a second: do it once for each scratch folder and copy the result."""
    template = scratch.folder / "mariadb-installed"
    if not template.exists():
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={template}", f"--user={getpass.getuser()}",
             f"--tmpdir={scratch.folder}",
             "--auth-root-authentication-method=normal", "--skip-test-db", *STORAGE],
            capture_output=True, text=True, check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")
    return template
