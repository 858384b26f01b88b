# SPDX-License-Identifier: MIT
"""One database server and as few responders as there are configurations, shared by all tests."""

import contextlib
import fnmatch
import os
import pathlib
import signal

import demo_world
import pytest
import support
import tap
import web_page
from lab import browser as lab_browser
from lab import dbms, documents, mariadb, scratch
from lab import responder as lab_responder

# The parts of the suite that can run at the same time. What neither list names is the part "program": it shares one
# database server and as few responders as there are configurations.
PARTS = {
    # Database servers that fail, hang, say odd things, or are several.
    "databases": ("database_faults", "error_codes", "failure_pairs", "galera", "host_health", "hosts", "idle_connections", "logins", "names",
                  "outage", "replica", "rogue_server", "sessions", "time_limit"),
    # Web servers, hostile clients, starts and stops.
    "machines": ("bkflow_document", "bkflow_routing", "deployments", "documents", "hostile", "idle", "lifecycle", "scale",
                 "shared_hosting", "soak", "start_stop"),
    # What people use: the tool, the page, the demo, example clients, the description of the calls.
    "tools": ("clients", "ctl", "ctl_check", "ctl_errors", "ctl_follow", "ctl_gateway_key", "ctl_states", "demo",
              "install", "languages", "openapi", "web_page", "web_page_axe", "web_page_find"),
}


def stem_of(path):
    return os.path.basename(path).removeprefix("test_").removesuffix(".py")


def part_of(path):
    """The part that a test file belongs to."""
    return next((part for part, stems in PARTS.items() if stem_of(path) in stems), "program")


# Files of tests that are about something else than this build on this system. They run once, in the source folder's own
# build, and neither in a sanitized one, nor in those of "make distcheck", nor in the roots of tests/systems.
ONCE = {
    "bkflow_document": "the documents' commands are Debian 12's",
    "documents": "the documents' commands are Debian 12's",
    "web_page*": "the web page is the same everywhere",
}


def obstacle_to(item, is_root):
    """Why a test is not applicable here; None if it is."""
    for pattern, reason in ONCE.items():
        if is_root and fnmatch.fnmatch(stem_of(item.fspath), pattern):
            return reason
    for mark in item.iter_markers("only_with"):
        if mark.args[0] != dbms.NAME:
            return f"{mark.args[0]} only: {mark.args[1]}"
    return None


BUILDDIR = os.environ.get("BUILDDIR", os.path.join(os.path.dirname(__file__), "..", ".."))

IS_OWN_BUILD = os.path.samefile(BUILDDIR, documents.ROOT)
IS_SANITIZED = "--enable-sanitizers" in pathlib.Path(BUILDDIR, "config.status").read_text(encoding="utf-8")
collect_ignore_glob = [] if IS_OWN_BUILD and not IS_SANITIZED else [f"test_{pattern}.py" for pattern in ONCE]


def pytest_addoption(parser):
    parser.addoption("--tap-output", action="store_true", help="report in the Test Anything Protocol")
    parser.addoption("--part", choices=("program", *PARTS), help="only this part")
    parser.addoption("--system", action="store_true", help="in a root of tests/systems: list what is not applicable")


def pytest_collection_modifyitems(config, items):
    part, is_root = config.getoption("--part"), config.getoption("--system")
    items[:] = [item for item in items if part in (None, part_of(item.fspath))]
    for item in list(items):
        obstacle = obstacle_to(item, is_root)
        if obstacle and is_root:
            item.add_marker(pytest.mark.skip(reason=obstacle))
        elif obstacle:
            items.remove(item)


# Last, because the reporter that it replaces registers itself in the same hook.
@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    # As after Ctrl-C: the fixtures are taken down, so no server or folder is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "only_with(server, reason): for one of MariaDB and MySQL")
    if config.getoption("--tap-output"):
        tap.replace_terminal_reporter(config)


@pytest.fixture(scope="session")
def lab():
    with scratch.Scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def program(lab):
    return lab_responder.Program(lab, BUILDDIR)


@pytest.fixture(scope="session")
def database(lab):
    """BKFlow's two databases and our table as the product's own schema files make them, with the people who ask."""
    server = mariadb.MariaDB(lab).start()
    server.create_databases()
    server.sql(mariadb.insert("bkflow_states_app", [
        support.app_row(support.APP, support.SECRET),
        support.app_row(support.OTHER_APP, support.OTHER_SECRET),
        support.app_row(support.DISABLED_APP, support.DISABLED_SECRET, is_enabled=False),
    ]) + mariadb.insert("account_user", [
        {"id": 1, "username": support.USER, "is_active": True},
        {"id": 2, "username": support.INACTIVE_USER, "is_active": False},
    ]))
    return server


@pytest.fixture(scope="session")
def world(database):
    return support.World(database)


@pytest.fixture(scope="session")
def serve(program, database):
    """A function from settings to a running responder; equal settings share one."""
    running = {}

    def responder_with(settings=None):
        settings = lab_responder.settings_for(database, **(settings or {}))
        key = lab_responder.config_text(settings)
        if key not in running:
            running[key] = program.listen(settings)
        assert running[key].service.running, f"the responder died:\n{running[key].log}"
        return running[key]

    yield responder_with
    for responder in running.values():
        assert responder.stop() == 0, responder.log
        assert "Sanitizer" not in responder.log


@pytest.fixture
def standard(serve):
    """The responder with nothing configured but the way to the database."""
    return serve()


@pytest.fixture(scope="session")
def finished_task(world):
    """A task of APP with one child, whose answer never changes."""
    return world.task([support.node(), support.node("step")])


@pytest.fixture(scope="session")
def demo_database(lab):
    return demo_world.start_database(lab)


@pytest.fixture(scope="session")
def demo_tasks(demo_database):
    """For further tasks among the demo's own; template 1 is bound to its application."""
    return support.World(demo_database)


@pytest.fixture(scope="session")
def demo(lab, program, demo_database):
    with demo_world.serving(lab, program, demo_database) as served:
        yield served


# ---- the web page: a browser for the tests of each module ----

@pytest.fixture(scope="session")
def driver(lab):
    started = lab_browser.Driver(lab)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def desktop(driver):
    with web_page.opened(driver) as browser:
        yield browser


@pytest.fixture
def phone(desktop):
    """The same browser in the measures of a phone."""
    desktop.devtools("Emulation.setDeviceMetricsOverride", mobile=True, deviceScaleFactor=2, **web_page.PHONE)
    yield desktop
    desktop.devtools("Emulation.clearDeviceMetricsOverride")


@pytest.fixture(scope="module")
def chinese(driver):
    with web_page.opened(driver, language="zh-CN") as browser:
        yield browser
