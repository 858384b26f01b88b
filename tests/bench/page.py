# SPDX-License-Identifier: MIT
"""How long the web page's frames take while somebody scrolls through a task of 20,000 nodes and filters it."""

import statistics

import data
from lab import browser as lab_browser
from lab import webserver

NODES = 20_000
TASK = 650001
INSTALLED = "/usr/local/share/bkflow-states/web"

ENTER = """
for (const [id, text] of Object.entries(arguments[0])) {
    document.getElementById(id).value = text;
}
document.getElementById('look').click();
"""

# Does one thing after another, a frame or a pause each, and returns the longest frame in milliseconds.
LONGEST = """
const steps = {
    scrolling: [
        ...Array.from({length: 90}, () => () => scrollBy(0, 700)),
        ...Array.from({length: 30}, (_, i) => () => scrollTo(0, (i * 7919 % 30) * document.body.scrollHeight / 30)),
    ],
    filtering: [
        ...['n', 'n1', 'n1f', 'n1', 'n', ''].map(text => () => {
            const field = document.getElementById('search');
            field.value = text;
            field.dispatchEvent(new Event('input'));
        }),
        ...['RUNNING', 'READY', 'FINISHED', 'RUNNING', 'READY', 'FINISHED'].map(state => () => {
            document.querySelector(`.switch[data-state=${state}]`).click();
        }),
        () => document.getElementById('open-all').click(),
        () => document.getElementById('close-all').click(),
    ],
};
const frame = () => new Promise(requestAnimationFrame);
const PAUSE_FRAMES = {scrolling: 1, filtering: 20}; // the search waits for the end of typing
return (async () => {
    scrollTo(0, 0);
    let longest = 0;
    let last = await frame();
    for (const step of steps[arguments[0]]) {
        step();
        for (let i = 0; i < PAUSE_FRAMES[arguments[0]]; i++) {
            const now = await frame();
            longest = Math.max(longest, now - last);
            last = now;
        }
    }
    return longest;
})();
"""


def measure(lab, database, responder, rounds, say):
    """The medians, over the rounds, of the longest frame: {'scrolling': ms, 'filtering': ms}."""
    say(f"the web page with {NODES:,} nodes")
    database.sql("".join(data.one_task(TASK, NODES)))
    server = webserver.WebServer(lab, "lighttpd", responder.address, replacing={INSTALLED: webserver.CONF / "web"})
    driver = lab_browser.Driver(lab)
    try:
        browser = driver.open()
        taken = {what: [] for what in ("scrolling", "filtering")}
        for _ in range(rounds):
            _open(browser, server)
            for what, longest in taken.items():
                longest.append(browser.run(LONGEST, what))
        browser.close()
    finally:
        driver.stop()
        server.stop()
    return {what: statistics.median(longest) for what, longest in taken.items()}


def _open(browser, server):
    """A fresh page that shows the task and does not ask again."""
    browser.go("about:blank")
    browser.go(f"{server.url.removesuffix(webserver.MOUNT)}/bkflow-web/#task={TASK}")
    browser.wait_for("document.querySelector('#language').textContent !== ''")
    browser.run(ENTER, {"app": data.APP_CODE, "secret": data.APP_SECRET, "user": data.USERNAME, "task": str(TASK)})
    browser.wait_for("document.querySelector('#result').checkVisibility()")
    browser.click("#auto")
