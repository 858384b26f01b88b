# SPDX-License-Identifier: MIT
"""What a server itself says about the statements that it ran: rows that they read, and their plans."""

import collections
import contextlib
import re

from lab import dbms

Step = collections.namedtuple("Step", "table access key extra")


@contextlib.contextmanager
def counting(server):
    """While the block runs, the server counts the rows that are read."""
    if dbms.IS_MYSQL:
        yield  # it always does
    else:
        server.sql("SET GLOBAL userstat = 1", None)
        yield
        server.sql("SET GLOBAL userstat = 0", None)


def forget_rows_read(server):
    server.sql("TRUNCATE performance_schema.table_io_waits_summary_by_table" if dbms.IS_MYSQL
               else "FLUSH TABLE_STATISTICS", None)


def rows_read(server):
    """How many of each table since forget_rows_read(), as (database, table) -> count, without those that were not
    read."""
    rows = server.sql("SELECT object_schema, object_name, count_fetch "
                      "FROM performance_schema.table_io_waits_summary_by_table WHERE count_fetch > 0" if dbms.IS_MYSQL
                      else "SELECT table_schema, table_name, rows_read FROM information_schema.table_statistics", None)
    return {(database, table): int(count) for database, table, count in rows}


class Plans:
    """Between start() and stop() the server logs every statement."""

    def __init__(self, server, lab):
        self._server = server
        self._path = lab.path("plans", ".log")

    def start(self):
        self._server.sql(
            f"SET GLOBAL general_log_file = '{self._path}', GLOBAL general_log = 1" if dbms.IS_MYSQL else
            f"SET GLOBAL slow_query_log_file = '{self._path}', GLOBAL long_query_time = 0, "
            "GLOBAL log_slow_verbosity = 'explain', GLOBAL slow_query_log = 1", None)

    def stop(self):
        self._server.sql(
            "SET GLOBAL general_log = 0" if dbms.IS_MYSQL else
            "SET GLOBAL slow_query_log = 0, GLOBAL long_query_time = 10, GLOBAL log_slow_verbosity = ''", None)

    def now(self):
        """A place in the log."""
        return len(self._path.read_bytes())

    def since(self, place):
        """The steps of all plans."""
        text = self._path.read_bytes()
        if dbms.IS_MYSQL:
            return [step for database, sql in _executed(text, place) for step in self._explain(database, sql)]
        # Parameters may be any bytes.
        return _logged_plans(text[place:].decode(errors="replace"))

    def _explain(self, database, sql):
        rows = self._server.sql(f"EXPLAIN FORMAT=TRADITIONAL {sql}", database)
        return [Step(table=row[2], access=row[4], key=row[6], extra=row[-1]) for row in rows]


def _logged_plans(text):
    lines = [line.removeprefix("# explain: ").split("\t") for line in text.splitlines() if line.startswith("# explain: ")]
    header = ["id", "select_type", "table", "type", "possible_keys", "key"]
    rows = [line for line in lines if line[:6] != header]
    return [Step(table=row[2], access=row[3], key=row[5], extra=row[-1]) for row in rows]


def _executed(log, place):
    """The statements that were executed after this place of a general log, each with its connection's database."""
    databases = {thread: database.decode() for thread, database in re.findall(rb"\t *(\d+) Connect\t\S+ on (\w+) using", log)}
    return [(databases[thread], sql.decode("latin1")) for thread, sql in re.findall(
        rb"\t *(\d+) Execute\t(.*?)\n(?=\d{4}-\d\d-\d\dT)", log[place:] + b"0000-00-00T", re.DOTALL)]
