# SPDX-License-Identifier: MIT
"""The benchmark's rows, as SQL for the mariadb client: tasks of four sizes and one that is very large."""

import hashlib
import random

APP_CODE = "bench_app"
APP_SECRET = "bench-secret-0123456789abcdef0123456789"
USERNAME = "bench_user"
SALT = hashlib.md5(b"salt").digest()
SPACE_ID = 1
TEMPLATE_ID = 1
ROWS_PER_INSERT = 500

# nodes in a task: (number of tasks, first task id)
SIZES = {
    10: (2000, 100000),
    100: (200, 200000),
    1000: (20, 300000),
    10000: (2, 400000),
    100000: (1, 500000),
}

STATE_COLUMNS = (
    "node_id, root_id, parent_id, name, version, `loop`, inner_loop, retry, skip, error_ignored, "
    "created_time, started_time, archived_time"
)


def task_ids(nodes):
    count, first = SIZES[nodes]
    return range(first, first + count)


def root_of(task_id):
    """The task's instance_id: what BKFlow makes is 'n' and a uuid's 32 hex digits."""
    return "n" + hashlib.md5(b"task %d" % task_id).hexdigest()


def is_finished(task_id):
    """Every second task is: its answer, and so its tag, stays the same however much time passes."""
    return task_id % 2 == 0


def sql():
    """Yield the statements that fill the tables; the same rows on every run."""
    rng = random.Random(20240501)
    tasks = [(task_id, nodes) for nodes in SIZES for task_id in task_ids(nodes)]
    yield "SET unique_checks = 0, autocommit = 0, time_zone = '+00:00';\n"
    yield from _accounts()
    yield from _inserts(
        "task_taskinstance (id, space_id, instance_id, template_id, is_started, is_finished, is_revoked, "
        "is_deleted, is_expired)",
        (
            f"({task_id},{SPACE_ID},'{root_of(task_id)}',{TEMPLATE_ID},1,{int(is_finished(task_id))},0,0,0)"
            for task_id, _ in tasks
        ),
    )
    # Rows of different tasks lie between each other, as they do where tasks run side by side.
    rows = _interleaved([_states(rng, task_id, nodes) for task_id, nodes in tasks], rng)
    yield from _inserts(f"eri_state ({STATE_COLUMNS})", rows)
    yield "COMMIT;\nANALYZE TABLE task_taskinstance, template_template, eri_state, account_user, bkflow_states_app;\n"


def one_task(task_id, nodes):
    """Yield the statements that add a running task."""
    yield (
        "INSERT INTO task_taskinstance (id, space_id, instance_id, template_id, is_started, is_finished, is_revoked, "
        f"is_deleted, is_expired) VALUES ({task_id},{SPACE_ID},'{root_of(task_id)}',{TEMPLATE_ID},1,0,0,0,0);\n"
    )
    yield from _inserts(f"eri_state ({STATE_COLUMNS})", _states(random.Random(task_id), task_id, nodes))


def secret_digest():
    return hashlib.sha256(SALT + APP_SECRET.encode()).hexdigest()


def _accounts():
    yield f"INSERT INTO account_user (username, is_active) VALUES ('{USERNAME}', 1);\n"
    yield (
        f"INSERT INTO template_template (id, is_deleted, bk_app_code) "
        f"VALUES ({TEMPLATE_ID}, 0, '{APP_CODE}');\n"
    )
    yield (
        "INSERT INTO bkflow_states_app (bk_app_code, salt, secret_digest, is_enabled, description, created_at, "
        f"rotated_at) VALUES ('{APP_CODE}', x'{SALT.hex()}', x'{secret_digest()}', 1, 'benchmark', UTC_TIMESTAMP(6), "
        "UTC_TIMESTAMP(6));\n"
    )


def _inserts(head, rows):
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_PER_INSERT:
            yield f"INSERT INTO {head} VALUES {','.join(batch)};\n"
            batch = []
    if batch:
        yield f"INSERT INTO {head} VALUES {','.join(batch)};\n"


def _interleaved(sources, rng):
    """Mix the rows of twenty tasks at a time, keeping each task's own order."""
    rng.shuffle(sources)
    for start in range(0, len(sources), 20):
        group = sources[start : start + 20]
        while group:
            rows = [(source, next(source, None)) for source in group]
            yield from (row for _, row in rows if row)
            group = [source for source, row in rows if row]


def _states(rng, task_id, nodes):
    """One task's rows: the root, then a flat row of children, or subprocesses of about eight nodes."""
    root, finished, nested = root_of(task_id), is_finished(task_id), rng.random() < 0.5
    parent = root
    yield _state(rng, root, root, root, "FINISHED" if finished else "RUNNING")
    for number in range(1, nodes):
        node = "n%032x" % rng.getrandbits(128)
        is_done = finished or number < nodes * 0.8
        yield _state(rng, node, root, parent, "FINISHED" if is_done else rng.choice(("READY", "RUNNING")))
        if nested and number % 8 == 0:
            parent = rng.choice((root, node))


def _state(rng, node, root, parent, name):
    started = 1714500000 + rng.randrange(86400)
    archived = f"FROM_UNIXTIME({started + rng.randrange(600)})" if name == "FINISHED" else "NULL"
    version = "v%032x" % rng.getrandbits(128)
    return (
        f"('{node}','{root}','{parent}','{name}','{version}',1,1,{int(rng.random() < 0.05)},0,0,"
        f"FROM_UNIXTIME({started}),FROM_UNIXTIME({started}),{archived})"
    )
