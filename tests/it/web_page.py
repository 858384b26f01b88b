# SPDX-License-Identifier: MIT
"""What the tests of conf/web do with it in a browser, and what they read off it."""

import contextlib
import itertools
import json
import re

from demo_world import APP, GOOD, SECRET, USER
from lab import client

PHONE = {"width": 390, "height": 844}
TEMPLATE = 1  # of the demo, bound to its application
VISITS = itertools.count(1)

# The page's own clock can be set forward, so that no test has to wait as long as a person.
CLOCK = """
const real = performance.now.bind(performance);
let skipped = 0;
performance.now = () => real() + skipped;
window.skipSeconds = seconds => {
    skipped += 1000 * seconds;
    document.dispatchEvent(new Event('visibilitychange')); // at which the page looks at the clock
};
"""


def opened(driver, **options):
    """A browser for the tests of a module; a page in it starts with the clock above."""
    browser = driver.open(**options)
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=CLOCK)
    return contextlib.closing(browser)


def visit(browser, page, fragment=""):
    """A fresh page, and nothing left of what the one before did."""
    # Another query each time: to an address that differs in its fragment only, a browser would not go afresh.
    browser.go(f"{page}?{next(VISITS)}{fragment}")
    browser.wait_for("document.querySelector('#language').textContent !== '' && document.readyState === 'complete'")
    browser.console()
    browser.network()


def enter(browser, task_id, app=APP, secret=SECRET, user=USER):
    """Fill in the form as far as it is shown, at once instead of key by key, and send it with the keyboard."""
    browser.run("""
        for (const [id, text] of Object.entries(arguments[0])) {
            const field = document.getElementById(id);
            if (field.checkVisibility()) {
                field.focus();
                field.value = text;
            }
        }""", {"app": app, "secret": secret, "user": user, "task": str(task_id)})
    browser.press("Enter")


def show(browser, page, task_id, **others):
    visit(browser, page)
    enter(browser, task_id, **others)
    browser.wait_for("document.querySelector('#result').checkVisibility()")


def show_problem(browser, page, task_id, **others):
    visit(browser, page)
    enter(browser, task_id, **others)
    browser.wait_for("document.querySelector('#problem').checkVisibility()")


def rows(browser):
    """What the tree shows: (level, name, state in words), as the document has it, which is from top to bottom."""
    return [tuple(row) for row in browser.run("""
        return [...document.querySelectorAll('#rows > [role=row]')]
            .map(row => [Number(row.ariaLevel), row.querySelector('.name').textContent,
                         row.querySelector('.word').textContent]);""")]


def expected_rows(data, task_id, words):
    """The same from the API's answer."""
    shown, todo = [], [(1, f"Task {task_id}", data)]
    while todo:
        level, name, node = todo.pop()
        shown.append((level, name, words[node["state"]]))
        if "subtask" in node:
            todo.append((level + 1, f"Sub-task {node['subtask']['task_id']}", node["subtask"]["states"]))
        todo.extend((level + 1, child["id"], child) for child in reversed(node["children"].values()))
    return shown


def answer(demo, task_id):
    """The data of the answer that the page shows."""
    return json.loads(demo.server.get(client.states_path(task_id) + "?subtasks=1", GOOD)[2])["data"]


ENGLISH = {"FINISHED": "finished", "RUNNING": "running", "FAILED": "failed", "SUSPENDED": "suspended",
           "NODE_SUSPENDED": "step suspended"}


def active(browser, part=".name"):
    return browser.run("""
        const tree = document.querySelector('#tree');
        const row = document.getElementById(tree.getAttribute('aria-activedescendant'));
        return document.activeElement === tree ? row.querySelector(arguments[0]).textContent : null;""", part)


def requests(browser):
    """The API requests since last asked: a list of (headers sent, status); the address is the header ":url"."""
    sent, answered, order = {}, {}, []
    for method, params in browser.network():
        number = params.get("requestId")
        if method == "Network.requestWillBeSent" and "states_by_app/" in params["request"]["url"]:
            order.append(number)
            named = {name.lower(): value for name, value in params["request"]["headers"].items()}
            sent[number] = named | {":url": params["request"]["url"]}
        elif method == "Network.responseReceivedExtraInfo":
            answered[number] = params["statusCode"]
    return [(sent[number], answered.get(number)) for number in order]


def refresh(browser):
    """Ask again, and wait for the answer to be shown."""
    browser.run("document.querySelector('#freshness').textContent = ''")
    browser.press("r")
    browser.wait_for("document.querySelector('#result').ariaBusy === 'false'"
                     " && document.querySelector('#freshness').textContent !== ''")


def seconds(text):
    return sum(int(number) * {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
               for number, unit in re.findall(r"(\d+) (s|min|h|d)\b", text))
