# SPDX-License-Identifier: MIT
"""An account on a shared host: 25 processes and threads, 512 MB for each, 100 descriptors, 5 database connections.

SHARED_HOSTING_SECONDS is how long the load lasts, for a longer run by hand."""

import os
import signal
import subprocess
import time

import deployment
import memory
import pytest
import support
from lab import client
from lab import responder as lab_responder
from load import Load

SECONDS = float(os.environ.get("SHARED_HOSTING_SECONDS", "3"))
PAUSE = 0.02  # of each client, in seconds
CLIENTS = 4  # a process for each, one more that mod_fcgid starts, and the database lets no sixth in
ACCOUNT = 64_025  # nobody else's: the kernel counts all threads of a user
USERS, PASSWORD = ("shared", "shared_engine"), "shared-password"
NAME = ".htaccess, mod_fcgid"


@pytest.fixture
def settings(database):
    """An account for each database, if there are two."""
    for user in USERS:
        database.sql(f"CREATE USER {user}@localhost IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 5;"
                     f"GRANT SELECT ON *.* TO {user}@localhost", None)
    usual = lab_responder.settings_for(database)
    yield usual | {"database.password": PASSWORD} | dict(zip((key for key in usual if key.endswith(".user")), USERS))
    for user in USERS:
        database.sql(f"DROP USER {user}@localhost", None)


@pytest.fixture
def host(lab, program, settings):
    memory.skip_if_sanitized(program)  # whose shadow memory alone is more than 512 MB
    obstacle = obstacle_in(lab.folder)
    if obstacle:
        pytest.skip(f"the account was not tried: {obstacle}")
    stage = deployment.Stage(lab, program, settings)
    with deployment.DEPLOYMENTS[NAME].run(stage) as site:
        hand_over(site, stage)
        yield site
        for pid in stage.processes():  # which Apache's user, unlike suexec's Apache, cannot end
            os.kill(pid, signal.SIGTERM)


def obstacle_in(folder):
    """What keeps a program of root's there from becoming another user; None if nothing does."""
    if os.geteuid() != 0:
        return "it needs root"
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        return f"{folder} is mounted with nosuid"
    with open("/proc/self/status", encoding="ascii") as status:
        return "no process gains privileges here" if "NoNewPrivs:\t1" in status.read() else None


def hand_over(site, stage):
    """The account owns what is in its folder; Apache's user starts what suexec would let it start."""
    server = site.server
    script = server.folder / f"www{server.mount}" / "bkflow-states.fcgi"
    start = script.rename(stage.folder / "start")
    source = os.path.join(os.path.dirname(__file__), "shared_account.c")
    subprocess.run([os.environ.get("CC", "cc"), f'-DSTART="{start}"', f"-DACCOUNT={ACCOUNT}", "-o", script, source],
                   check=True)
    script.chmod(0o4755)
    os.chown(stage.config, ACCOUNT, ACCOUNT)


def test_no_request_holds_a_process(host, finished_task):
    path = client.states_path(finished_task)
    version = host.server.get(path, support.GOOD)[1]["X-States-Version"]
    status, headers, _body = host.server.get(f"{path}?wait=10m&version={version}", support.GOOD)
    assert (status, headers["X-States-Version"]) == (200, version)


def test_no_request_is_lost(host, finished_task):
    def ask():
        time.sleep(PAUSE)
        return host.server.get(client.states_path(finished_task), support.GOOD)[0]

    with Load(ask, clients=CLIENTS) as load:
        time.sleep(SECONDS)
        load.more()
    print(f"{load.answered} requests, the slowest took {load.slowest:.1f} s")
    assert load.failures == [], host.server.error_log
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in host.stage.processes()}
    assert owners == {ACCOUNT}
