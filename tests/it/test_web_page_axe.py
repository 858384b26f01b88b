# SPDX-License-Identifier: MIT
"""conf/web as axe-core sees it, which knows most of what WCAG 2 asks for. npm installs it into the scratch folder;
where it cannot, these tests are skipped."""

import pathlib
import shutil
import subprocess

import pytest
import support
from web_page import TEMPLATE, enter, show, visit

INSTALL_SECONDS = 120


@pytest.fixture(scope="module")
def axe(lab):
    """The source of axe-core, to be run in a page."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, so there is no axe-core")
    folder = pathlib.Path(lab.path("axe"))
    folder.mkdir()
    try:
        done = subprocess.run(
            [npm, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "axe-core@4"],
            cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install axe-core in time")
    if done.returncode != 0:
        pytest.skip(f"npm could not install axe-core: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def findings(browser, axe):
    """(rule, element) of all that axe-core finds wrong."""
    browser.run(f"if (!window.axe) {{ {axe}; window.axe = axe; }}")
    return browser.run("""
        return axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.flatMap(
            ({id, nodes}) => nodes.map(({target, failureSummary}) => `${id}: ${target.join(' ')}: ${failureSummary}`)));""")


@pytest.fixture(scope="module")
def troubled_task(demo_tasks):
    """One of everything: failed, suspended, running, finished, revoked, waiting, noted, and a sub-process."""
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None), *(
        support.node(state, state=state, retry=1, loop=2) for state in ("FINISHED", "SUSPENDED", "RUNNING", "REVOKED", "READY")),
        support.node("group", state="FAILED"), support.node("bad", "group", state="FAILED")], template_id=TEMPLATE)
    demo_tasks.subtask(task_id, "RUNNING", [support.node(state="FAILED"), support.node("x", state="FAILED")])
    return task_id


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_axe_finds_nothing(request, demo, axe, troubled_task, scheme, window):
    browser = request.getfixturevalue(window)
    browser.prefer(scheme, motion="reduce")
    visit(browser, demo.page)
    assert findings(browser, axe) == []
    enter(browser, troubled_task)
    browser.wait_for("document.querySelector('#result').checkVisibility()")
    assert findings(browser, axe) == []
    browser.press("Enter")
    assert browser.is_visible("#details")
    assert findings(browser, axe) == []
    browser.press("Escape", "/", *"zzz", "Enter")
    browser.wait_for("document.querySelector('#found').checkVisibility()")
    assert findings(browser, axe) == []
    browser.run("for (const id of ['clear', 'urgent', 'tools', 'account']) document.getElementById(id).click()")
    assert findings(browser, axe) == []
    for entered, shown in (("1, 2, 3, 5, 7", "#several"), ("5", "#result"), ("7", "#problem")):
        visit(browser, demo.page)
        enter(browser, entered)
        browser.wait_for(f"document.querySelector('{shown}').checkVisibility()")
        assert findings(browser, axe) == []
    browser.prefer("light")


def test_axe_finds_nothing_in_chinese_beside_an_outage(chinese, demo, axe):
    show(chinese, demo.page, 3)
    chinese.run("""
        window.fetch = async () => { throw new TypeError('away'); };
        document.querySelector('#refresh').click();""")
    chinese.wait_for("document.querySelector('#problem').checkVisibility()")
    assert findings(chinese, axe) == []


def test_axe_would_find_something(desktop, demo, axe):
    """That it runs at all, and what findings() makes of it."""
    show(desktop, demo.page, 1)
    desktop.run("document.querySelector('#refresh').textContent = ''")
    assert [finding.split(":")[0] for finding in findings(desktop, axe)] == ["button-name"]
