# SPDX-License-Identifier: MIT
"""Private database servers, and SQL text made from Python values.

The server is MariaDB's, or Oracle's MySQL where that is the one installed; see dbms.py.
"""

import contextlib
import datetime
import functools
import getpass
import pathlib
import re
import shutil
import signal
import subprocess

from . import dbms
from . import scratch as lab

DATABASE, ENGINE_DATABASE = "bkflow", "bkflow_engine"
# Used in BKFlow's engine database. Here they exist in that of its interface too, and stay empty; in BKFlow only
# eri_state does.
ENGINE_TABLES = ("task_taskinstance", "eri_state", "task_taskflowrelation")
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "conf" / "schema"
RESPONDER_USER, ENGINE_USER = "bkflow_states", "bkflow_states_engine"
RESPONDER_PASSWORD = "lab-password"

# A server that does not answer fails a test instead of stopping them all.
SQL_SECONDS = 600


class MariaDB:
    """One server with a data folder of its own, on a unix socket, and on a loopback port if one is given.

    The folder begins as a copy of `datadir`, that of another server that is stopped; else it is empty.
    `options` are further ones for the server; they may be changed between stop() and start().
    """

    def __init__(self, scratch, name="mariadb", port=None, address="127.0.0.1", options=(), datadir=None):
        self._scratch = scratch
        self.port = port
        self.address = address
        self.options = options
        self.datadir = scratch.path(name, ".data")
        self.socket = scratch.path(name, ".sock")
        self._service = None
        # Where the engine's tables are used, and who reads them; see create_databases().
        self.engine, self.engine_user = DATABASE, RESPONDER_USER
        # Each server of MySQL makes an id of its own in auto.cnf.
        shutil.copytree(datadir or installed_datadir(scratch), self.datadir, ignore=shutil.ignore_patterns("auto.cnf"))

    def start(self, *options, **popen_options):
        self._service = self._scratch.start("mariadbd", [*self.command(), *options], **popen_options)
        self._service.wait_until(functools.partial(lab.accepts, self.socket))
        return self

    def command(self):
        network = [f"--port={self.port}", f"--bind-address={self.address}"] if self.port else ["--skip-networking"]
        return [*dbms.SERVER, "--no-defaults", f"--user={getpass.getuser()}",
                # Not /tmp: a starting server removes every #sql file there, also those of other servers.
                f"--tmpdir={self.datadir}",
                f"--datadir={self.datadir}", f"--socket={self.socket}", f"--pid-file={self.socket}.pid",
                *network, "--skip-log-bin", "--character-set-server=utf8mb4",
                "--max-allowed-packet=64M", "--innodb-buffer-pool-size=64M", *dbms.OPTIONS, *(
                    () if any(option.startswith("--ssl-cert") for option in self.options) else (dbms.WITHOUT_TLS,)),
                *self.options]

    def stop(self):
        return self._service.stop()

    def is_running(self):
        return self._service.running

    def frozen(self):
        """It keeps its connections, and the kernel takes new ones for it, but nobody is answered while the block
        runs."""
        return self._service.frozen()

    def status(self, name):
        """A counter of SHOW GLOBAL STATUS."""
        [[_name, value]] = self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'", None)
        return int(value)

    def connections(self, user=RESPONDER_USER):
        """The ids of the responder's, or another user's."""
        return [row[0] for row in self.sql("SHOW PROCESSLIST", None) if row[1] == user]

    def kill_connections(self, user=RESPONDER_USER):
        """Returns how many there were."""
        ids = self.connections(user)
        # One may have ended meanwhile.
        self.sql("".join(f"KILL {number};" for number in ids), None, force=True)
        return len(ids)

    def kill(self):
        """As when its machine is switched off."""
        self._service.stop(signal.SIGKILL)

    def sql(self, text, database=DATABASE, force=False):
        """Run statements as the server's root; the rows of SELECTs come back as lists of strings. With
        `force`, statements that fail stop nothing."""
        argv = [*self._client(database), *(["--force"] if force else [])]
        done = subprocess.run(argv, input=text.encode(), capture_output=True, check=False, timeout=SQL_SECONDS)
        if done.returncode != 0 and not force:
            raise RuntimeError(f"SQL failed: {done.stderr.decode(errors='replace')}")
        return [line.split("\t") for line in done.stdout.decode().rstrip("\n").split("\n") if line]

    @contextlib.contextmanager
    def holding(self, text, database=DATABASE, at_end=""):
        """The locks that statements take are held while the block runs; a transaction is lost then unless
        `at_end` commits it."""
        with subprocess.Popen([*self._client(database), "--unbuffered"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as session:
            session.stdin.write(f"{text}; SELECT 'held';\n".encode())
            session.stdin.flush()
            if session.stdout.readline() != b"held\n":
                raise RuntimeError(f"SQL failed: {text}")
            yield
            session.stdin.write(at_end.encode())

    def locked(self, table):
        """Nobody else can read the table while the block runs."""
        return self.holding(f"LOCK TABLES {table} WRITE", database=self.database_of(table))

    def wait_until_held_up(self, count=1):
        """Until so many statements wait for such a lock."""
        # Not innodb_trx: the server shows the same of it as long as somebody looks more than ten times a second.
        tables = f"SELECT 1 FROM {dbms.PROCESSES} WHERE state LIKE 'Waiting for%lock'"
        lab.wait_until(lambda: len(self.sql(tables, None)) + self.status("Innodb_row_lock_current_waits") >= count)

    def _client(self, database):
        return [*dbms.CLIENT, f"--socket={self.socket}", "--user=root", "--batch",
                "--skip-column-names", "--default-character-set=utf8mb4", "--max-allowed-packet=64M",
                *([database] if database else [])]

    def create_database(self):
        """One database for everything, with one account, by the product's own schema files."""
        self._create_database(DATABASE)
        self.load("bkflow_states.sql")
        self.load_grants()

    def create_databases(self):
        """BKFlow's interface and engine database, with an account each, in the same way."""
        self.engine, self.engine_user = ENGINE_DATABASE, ENGINE_USER
        self._create_database(DATABASE)
        self._create_database(ENGINE_DATABASE)
        self.load("bkflow_states.sql")
        self.load_grants()

    def _create_database(self, name):
        self.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", None)
        self.load("bkflow_standin.sql", name)

    def load(self, schema_file, database=DATABASE):
        return self.sql((SCHEMA / schema_file).read_text(encoding="utf-8"), database)

    def load_grants(self):
        self.sql(grants("grants_interface.sql", RESPONDER_USER, RESPONDER_PASSWORD))
        self.engine_sql(grants("grants_engine.sql", self.engine_user, RESPONDER_PASSWORD))
        self.log_in(RESPONDER_USER, self.engine_user)

    def log_in(self, *users):
        """As the responder will. MySQL remembers who has logged in, and is content with less the next time: what a proxy
        of the tests takes from a TCP connection to the server's socket can be no first login."""
        for user in users if dbms.IS_MYSQL else ():
            subprocess.run([*dbms.CLIENT, f"--socket={self.socket}", f"--user={user}", f"--password={RESPONDER_PASSWORD}",
                            "--execute=DO 0"], check=True, capture_output=True)

    def load_samples(self):
        self.load("sample_interface.sql")
        self.load("sample_engine.sql", self.engine)

    def engine_sql(self, text):
        """As sql(), in the database where BKFlow's engine has its tables."""
        return self.sql(text, self.engine)

    def insert(self, table, rows):
        """Into a table of BKFlow's, in the database where it is used."""
        self.sql(insert(table, rows), self.database_of(table))

    def database_of(self, table):
        return self.engine if table in ENGINE_TABLES else DATABASE

    def config(self):
        """The [database] section that leads the responder here."""
        return {"socket": self.socket, "user": RESPONDER_USER, "password": RESPONDER_PASSWORD, "name": DATABASE}

    def engine_config(self):
        """The [engine_database] section: what differs from [database]."""
        return {"user": self.engine_user, "name": self.engine} if self.engine != DATABASE else {}


def grants(schema_file, user, password):
    """What makes the account in that file, under another name."""
    text = (SCHEMA / schema_file).read_text(encoding="utf-8").replace("CHANGE-ME", password)
    return re.sub(r"'bkflow_states(?:_engine)?'@", f"'{user}'@", text)


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


def installed_datadir(scratch):
    """Installing takes seconds: do it once for each scratch folder and copy the result."""
    template = scratch.folder / "installed"
    if not template.exists():
        done = subprocess.run(dbms.install_command(template, scratch.folder), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the database could not be installed:\n{done.stdout}{done.stderr}")
    return template
