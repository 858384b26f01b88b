# SPDX-License-Identifier: MIT
"""Headless Chromium, driven over the WebDriver protocol (W3C WebDriver 2) with nothing but urllib."""

import base64
import functools
import json
import time
import urllib.error
import urllib.request

from . import scratch as lab

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the protocol gives element references
# Neither profile nor network beyond the page: nothing is fetched, updated or synchronised.
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
            "--font-render-hinting=none")

# Private use characters of the protocol, by the names that KeyboardEvent.key has for them.
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "PageUp": "\ue00e", "PageDown": "\ue00f",
        "End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014",
        "ArrowDown": "\ue015", "Shift": "\ue008"}


class WebDriverError(Exception):
    """What the driver says went wrong."""


class Driver:
    """A chromedriver process, which starts browsers."""

    def __init__(self, scratch):
        self.scratch = scratch
        port = lab.free_port()
        # Its profile folders go where TMPDIR says, into our scratch folder.
        self._service = scratch.start("chromedriver", [
            "env", f"TMPDIR={scratch.folder}", f"HOME={scratch.folder}",
            lab.find_program("chromedriver"), f"--port={port}", "--log-level=WARNING"])
        self._service.wait_until(functools.partial(lab.accepts, ("127.0.0.1", port)))
        self.url = f"http://127.0.0.1:{port}"

    def open(self, width=1280, height=900, language="en-GB"):
        return Browser(self, width, height, language)

    def call(self, method, path, body=None, timeout=60):
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Content-Type": "application/json"},
            data=json.dumps(body or {}).encode() if method == "POST" else None)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message']}") from None

    def stop(self):
        self._service.stop()


class Browser:
    """One window of one browser with a fresh profile."""

    def __init__(self, driver, width, height, language):
        self._driver = driver
        options = {"args": [*SWITCHES, f"--window-size={width},{height}", f"--lang={language}",
                            f"--user-data-dir={driver.scratch.path('profile')}"],
                   "prefs": {"intl.accept_languages": language}}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = driver.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._path = f"/session/{session['sessionId']}"

    def close(self):
        self._call("DELETE", "")

    def go(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value that JavaScript returns; a promise is waited for."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        return {ELEMENT: self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]}

    def click(self, selector):
        self._call("POST", f"/element/{self.find(selector)[ELEMENT]}/click")

    def fill(self, selector, text):
        """What a person would do: empty the field, type."""
        path = f"/element/{self.find(selector)[ELEMENT]}"
        self._call("POST", path + "/clear")
        self._call("POST", path + "/value", {"text": text})

    def press(self, *names):
        """Keys one after the other, to whatever has the focus."""
        actions = [{"type": kind, "value": KEYS.get(name, name)} for name in names for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def is_visible(self, selector):
        return self.run("return document.querySelector(arguments[0])?.checkVisibility() ?? false", selector)

    def wait_for(self, script, timeout=lab.PATIENCE_SECONDS):
        """Wait until a JavaScript expression is true, and return its value."""
        deadline = time.monotonic() + timeout
        while not (value := self.run(f"return {script}")):
            if time.monotonic() > deadline:
                shown = self.run("return document.body.innerText")
                raise AssertionError(f"not so after {timeout} s: {script}\n{shown}")
            time.sleep(lab.POLL_SECONDS)
        return value

    def devtools(self, command, **parameters):
        """A command of the Chrome DevTools Protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self):
        """What the console has said since it was last asked."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def network(self):
        """The DevTools network events since they were last asked for, as (method, params)."""
        entries = self._call("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [(event["method"], event["params"]) for event in events if event["method"].startswith("Network.")]

    def prefer(self, scheme="light", motion="no-preference"):
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}])

    def screenshot(self):
        return base64.b64decode(self._call("GET", "/screenshot"))

    def _call(self, method, path, body=None):
        return self._driver.call(method, self._path + path, body)
