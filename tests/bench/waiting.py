# SPDX-License-Identifier: MIT
"""Clients that wait for changes, against the same clients polling: CPU, memory, and how soon they know of a change."""

import contextlib
import time

import data
import measure
import services

CLIENTS = 10_000
TASKS = 1_000  # of 10 nodes
WAIT_SECONDS = 50
POLL_SECONDS = 2
CHANGES_PER_SECOND = 100
SECONDS = 20
WARM_UP_SECONDS = 3
SETTINGS = {"server.waiting_max": 2 * CLIENTS}


def running_tasks():
    tasks = [task for task in data.task_ids(10) if not data.is_finished(task)]
    assert len(tasks) == TASKS
    return tasks


# An application may have half of the seats, so there are two, with the tasks in turn.
SECOND_APP, SECOND_TEMPLATE = "bench_app_2", 2
BIND_HALF = f"""
INSERT INTO template_template (id, is_deleted, bk_app_code) VALUES ({SECOND_TEMPLATE}, 0, '{SECOND_APP}');
INSERT INTO bkflow_states_app SELECT '{SECOND_APP}', salt, secret_digest, previous_digest, previous_expires_at, is_enabled,
  description, created_at, rotated_at FROM bkflow_states_app WHERE bk_app_code = '{data.APP_CODE}';
UPDATE task_taskinstance SET template_id = {SECOND_TEMPLATE} WHERE id IN ({{tasks}});
"""
UNBIND = f"""
UPDATE task_taskinstance SET template_id = {data.TEMPLATE_ID} WHERE template_id = {SECOND_TEMPLATE};
DELETE FROM template_template WHERE id = {SECOND_TEMPLATE};
DELETE FROM bkflow_states_app WHERE bk_app_code = '{SECOND_APP}';
"""


class Waiting:
    """One responder for all clients."""

    def __init__(self, lab, helpers, builddir, database, database_pid, credentials):
        self._responder = services.start_responder(lab, builddir, database, services.WORKERS, **SETTINGS)
        self._tasks = lab.write("running", "", "".join(f"{task} {data.root_of(task)}\n" for task in running_tasks()))
        self._watched = {"responder": [self._responder.service.pid], "database": [database_pid]}
        self._load = measure.Load(helpers.load, self._responder.address, credentials)
        changer = {"socket": database.config()["socket"], "user": "root", "password": "",
                   "database": database.config()["name"]}
        self._database = database
        self._argv = [helpers.waiters, "--socket", self._responder.address, "--credentials", credentials,
                      "--second-credentials", credentials.replace(data.APP_CODE, SECOND_APP), "--tasks", self._tasks, "--wait", WAIT_SECONDS, "--db-socket", changer["socket"],
                      "--user", changer["user"], "--password", changer["password"], "--database", changer["database"]]

    def measure(self, say):
        """Figures by name: shares of one core, bytes, seconds."""
        say("waiting: warming up")
        self._load.run(self._tasks, WARM_UP_SECONDS, self._watched, 64)
        time.sleep(1)
        idle = measure.pss_bytes(self._watched["responder"])
        with self.bound():
            figures = self._measure_clients(say)
        self._responder.stop()
        return figures | {"bytes": (figures["quiet"]["pss_bytes"] - idle) / CLIENTS}

    def _measure_clients(self, say):
        say(f"{CLIENTS:,} clients wait")
        quiet = self._run(SECONDS)
        say(f"{CHANGES_PER_SECOND} tasks a second change")
        changes = self._run(SECONDS, "--changes", CHANGES_PER_SECOND)
        say(f"{CLIENTS:,} clients poll every {POLL_SECONDS} s")
        return {"quiet": quiet, "changes": changes, "polling": self._run(SECONDS, "--poll", POLL_SECONDS)}

    @contextlib.contextmanager
    def bound(self):
        """Every second task is the second application's while the block runs."""
        self._database.sql(BIND_HALF.format(tasks=",".join(map(str, running_tasks()[1::2]))))
        try:
            yield
        finally:
            self._database.sql(UNBIND)

    def _run(self, seconds, *options):
        argv = [*self._argv, "--connections", CLIENTS, "--seconds", seconds, *options]
        return measure.shares(argv, self._watched)


ROWS = (("wait, nothing changes", "quiet"), (f"wait, {CHANGES_PER_SECOND} tasks a second change", "changes"),
        (f"poll every {POLL_SECONDS} s", "polling"))


def table(figures):
    """The lines of a table."""
    if not figures:
        return
    yield f"| {CLIENTS:,} clients on {TASKS:,} tasks of 10 nodes | database, % of a core | responder, % of a core | " \
          "answers/s | p50 ms | p99 ms | missed |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for what, name in ROWS:
        row = figures[name]
        late = f"{row['p50_us'] / 1e3:.0f} | {row['p99_us'] / 1e3:.0f} | {row['missed']}" if row["changes"] else "| |"
        yield f"| {what} | {row['database']:.1%} | {row['responder']:.1%} | {row['rate']:,.0f} | {late} |"
    yield f"\nMemory for each waiting client: {figures['bytes'] / 1024:.1f} KiB of the responder's PSS."
