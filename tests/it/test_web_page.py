# SPDX-License-Identifier: MIT
"""conf/web in a real browser: what people see and do, against the demo's data behind a web server."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import time
import urllib.parse

import demo_world
import pytest
import support
from demo_world import APP, SECRET, USER
from lab import client, webserver
from lab.scratch import wait_until
from web_page import (ENGLISH, PHONE, TEMPLATE, active, answer, enter, expected_rows, refresh, requests, rows, seconds, show,
                      show_problem, visit)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = webserver.CONF / "web"
LIMIT = 5  # failed logins a minute: the wait for one more is 12 s


# ---- the web servers' part ----

@pytest.fixture(scope="module", params=["lighttpd", "nginx", "apache2"])
def server(request, lab, demo):
    if request.param == "lighttpd":
        yield demo.server
    else:
        start = start_apache if request.param == "apache2" else demo_world.start_server
        started = start(lab, demo.responder, request.param)
        yield started
        started.stop()


def start_apache(lab, responder, name):
    """The page has a sample of its own there. Apache's processes are another user's, who must be let through."""
    text = "".join((webserver.CONF / part).read_text(encoding="utf-8")
                   for part in ("apache-proxy.conf", "apache-web.conf"))
    lab.folder.chmod(0o711)
    os.chmod(responder.address, 0o666)
    files = shutil.copytree(PAGE, lab.path("page-files"))
    files.chmod(0o755)  # in "make distcheck" the original is read-only
    return webserver.WebServer(lab, name, responder.address, sample=lab.write("with-page", ".conf", text),
                               replacing={demo_world.PAGE_INSTALLED: files})


TYPES = {".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
FILES = {"": "text/html"} | {path.name: TYPES[path.suffix] for path in sorted(PAGE.iterdir())}
POLICY = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
          "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
          "require-trusted-types-for": "'script'"}


def fetch(server, path, method="GET"):
    with contextlib.closing(server.connect()) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize("name", FILES)
def test_every_file_comes_with_the_strict_headers(server, name):
    status, headers, body = fetch(server, "/bkflow-web/" + name)
    assert status == 200
    assert body == (PAGE / (name or "index.html")).read_bytes()
    kind, _semicolon, charset = headers["Content-Type"].partition(";")
    assert kind == FILES[name]
    assert kind == "image/svg+xml" or charset.strip() == "charset=utf-8"
    policy = headers.get_all("Content-Security-Policy")
    assert len(policy) == 1
    assert dict(part.strip().split(" ", 1) for part in policy[0].split(";")) == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-cache"


def test_without_its_slash_it_redirects(server):
    status, headers, _body = fetch(server, "/bkflow-web")
    assert status == 301
    assert urllib.parse.urlsplit(headers["Location"]).path == "/bkflow-web/"


@pytest.mark.parametrize("path", ["/bkflow-web../web/index.html", "/bkflow-web/../conf/nginx.conf",
                                  "/bkflow-web/%2e%2e/nginx.conf", "/bkflow-webs/"])
def test_nothing_but_the_page_is_served(server, path):
    assert fetch(server, path)[0] in (400, 404)


def test_the_api_is_still_there(server):
    assert server.get("/readyz")[0] == 200
    assert json.loads(server.get("/nowhere")[2])["code"] == 40401


# ---- opening ----

def test_opens_without_a_complaint_and_asks_no_other_host(desktop, demo):
    desktop.go("about:blank")
    desktop.network()
    desktop.console()
    desktop.go(demo.page)
    desktop.wait_for("document.querySelector('#secret').checkVisibility()")
    assert desktop.console() == []
    asked = [params["request"]["url"] for method, params in desktop.network() if method == "Network.requestWillBeSent"]
    assert asked[0] == demo.page
    assert len(asked) >= 6
    assert [url for url in asked if not url.startswith(demo.page)] == []


def test_the_policy_is_in_force(desktop, demo):
    """Neither scripts nor styles nor requests that somebody might manage to slip in."""
    visit(desktop, demo.page)
    ran = desktop.run("""
        const image = new Image();
        image.src = 'http://127.0.0.1:9/x.png';
        document.body.setAttribute('style', 'color: red');
        try {
            document.body.innerHTML = '<b>x</b>';
        } catch (error) {
            return error.name;
        }""")
    assert ran == "TypeError"
    said = "\n".join(desktop.console())
    for directive in ("img-src", "style-src"):
        assert directive in said


def test_the_task_may_stand_in_the_address(desktop, demo):
    visit(desktop, demo.page, "#task=3")
    assert desktop.run("return document.querySelector('#task').value") == "3"


# ---- the demo's tasks ----

@pytest.mark.parametrize("task_id", [1, 2, 3, 4, 11])
def test_draws_a_task_of_the_demo(desktop, demo, task_id):
    show(desktop, demo.page, task_id)
    data = answer(demo, task_id)
    assert rows(desktop) == expected_rows(data, task_id, ENGLISH)
    assert desktop.text("#result-title") == f"Task {task_id}"
    assert desktop.text("#result-state") == ENGLISH[data["state"]]
    assert desktop.console() == []


def test_a_task_without_a_tree_is_explained(desktop, demo):
    show(desktop, demo.page, 5)
    assert desktop.text("#result-state") == "not started"
    assert "not started" in desktop.text("#result-words")
    assert not desktop.is_visible("#tree")


def test_states_have_colours_of_their_own(desktop, demo):
    """Finished, running and suspended in the one task, failed in the other."""
    colours = set()
    for task_id in (4, 3):
        show(desktop, demo.page, task_id)
        colours.update(map(tuple, desktop.run("""
            return [...document.querySelectorAll('#tree .state')].map(chip => {
                const style = getComputedStyle(chip);
                return [chip.innerText.replace(/^step /, ''), style.color, style.backgroundColor];
            });""")))
    assert {word for word, *_colours in colours} == {"finished", "running", "suspended", "failed"}
    assert len(colours) == len({pair for _word, *pair in colours for pair in [tuple(pair)]}) == 4


def test_nesting_is_seen_as_indentation(desktop, demo):
    show(desktop, demo.page, 11)
    edges = dict(desktop.run("""
        return [...document.querySelectorAll('#rows > [role=row]')].map(
            row => [row.ariaLevel, row.querySelector('.number').getBoundingClientRect().left]);"""))
    assert edges["2"] < edges["3"] < edges["4"]


def test_retries_are_noted(desktop, demo):
    show(desktop, demo.page, 11)
    assert "2 retries" in desktop.text("#tree")


def test_running_time_ticks_by_itself(desktop, demo):
    show(desktop, demo.page, 2)
    desktop.click("#auto")
    first, done = desktop.text("#result-elapsed"), desktop.text("#rows [aria-level='2'] .c-time")
    assert abs(seconds(first) - demo.states(2)[2]["data"]["elapsed_time"]) <= 2
    desktop.network()
    desktop.run("skipSeconds(3)")
    desktop.wait_for(f"document.querySelector('#result-elapsed').innerText !== {json.dumps(first)}")
    assert 3 <= seconds(desktop.text("#result-elapsed")) - seconds(first) <= 5
    assert desktop.text("#rows [aria-level='2'] .c-time") == done  # what has finished stands still
    assert requests(desktop) == []


def test_bars_show_when_a_node_ran(desktop, demo):
    """prepare: from the start to a fifth or so; roll out: from there to now."""
    show(desktop, demo.page, 2)
    bars = desktop.run("""
        return [...document.querySelectorAll('[aria-level="2"] .span')].map(bar => {
            const [own, all] = [bar.getBoundingClientRect(), bar.parentElement.getBoundingClientRect()];
            return [(own.left - all.left) / all.width, (own.right - all.left) / all.width];
        });""")
    now = desktop.run("return parseFloat(document.querySelector('#lines').style.getPropertyValue('--now')) / 100")
    _start, prepare, roll_out = sorted(bars)
    assert prepare[0] == pytest.approx(0, abs=0.01)
    assert prepare[1] == pytest.approx(roll_out[0], abs=0.02)
    assert roll_out[1] == pytest.approx(now, abs=0.02)
    assert 0.9 < now < 1


# ---- asking again ----

def test_refreshes_with_the_tag_it_has(desktop, demo):
    show(desktop, demo.page, 1)
    (first, status), = requests(desktop)
    assert (first.get("if-none-match"), status) == (None, 200)
    before = rows(desktop)
    refresh(desktop)
    (again, status), = requests(desktop)
    tag = demo.states(1)[1]["ETag"]
    assert again["if-none-match"] in (tag, tag[:-1] + '-gzip"')  # as the web server marks what it has compressed
    assert status == 304
    assert rows(desktop) == before


def test_refreshes_no_more_when_the_task_has_ended(desktop, demo):
    show(desktop, demo.page, 1)
    requests(desktop)
    desktop.run("skipSeconds(60)")
    time.sleep(0.3)
    assert requests(desktop) == []
    assert "Ended" in desktop.text("#freshness")


def test_following_can_be_switched_off(desktop, demo):
    show(desktop, demo.page, 2)
    desktop.click("#auto")
    assert "not following" in desktop.text("#freshness")
    requests(desktop)
    desktop.run("skipSeconds(60)")
    time.sleep(0.3)
    assert requests(desktop) == []


def test_changes_are_drawn_and_spoken(desktop, demo, demo_tasks):
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None),
                          support.node("step", state="RUNNING", archived=None)], template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert [row[2] for row in rows(desktop)] == ["running", "running"]
    demo.database.engine_sql("UPDATE eri_state SET name = 'FAILED', archived_time = UTC_TIMESTAMP(6) "
                      f"WHERE node_id = '{support.node_id(task_id, 'step')}'")
    desktop.press("r")
    desktop.wait_for("document.querySelector('#result-state').innerText === 'failed'")
    assert [row[2] for row in rows(desktop)] == ["failed", "failed"]
    assert f"Task {task_id}: failed" in desktop.text("#status")
    assert desktop.run("return document.querySelector('#status').getAttribute('aria-live')") == "polite"
    assert desktop.run("return document.title").startswith("failed")


# ---- credentials ----

def test_credentials_leave_only_in_the_header(desktop, demo):
    show(desktop, demo.page, 1)
    events = desktop.network()
    (sent, _status), = [(params["request"], None) for method, params in events
                        if method == "Network.requestWillBeSent" and "get_task_states" in params["request"]["url"]]
    assert sent["url"] == demo.api + client.states_path(1) + "?subtasks=1"
    named = {name.lower(): value for name, value in sent["headers"].items()}
    assert json.loads(named.pop("x-bkapi-authorization")) == {
        "bk_app_code": APP, "bk_app_secret": SECRET, "bk_username": USER}
    assert SECRET not in json.dumps(named)


def test_credentials_are_kept_nowhere(desktop, demo):
    show(desktop, demo.page, 1)
    kept = desktop.run("""
        return (async () => JSON.stringify([
            {...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state,
            await indexedDB.databases(), await caches.keys(),
            document.documentElement.outerHTML]))();""")
    assert SECRET not in kept
    assert json.loads(kept)[:3] == [{}, {}, ""]
    assert desktop.run("return location.hash") == "#task=1"


def test_reloading_forgets_them(desktop, demo):
    show(desktop, demo.page, 1)
    desktop.run("location.reload()")
    desktop.wait_for("document.querySelector('#secret')?.checkVisibility()")
    assert desktop.run("return ['app', 'secret', 'user'].map(id => document.getElementById(id).value)") == [""] * 3


def test_coming_back_finds_them_gone(desktop, demo):
    show(desktop, demo.page, 1)
    desktop.go("about:blank")
    desktop.run("history.back()")
    desktop.wait_for("document.querySelector('#secret')?.checkVisibility()")
    assert desktop.run("return document.querySelector('#secret').value") == ""
    assert not desktop.is_visible("#result")


def test_forget_forgets(desktop, demo):
    show(desktop, demo.page, 2)
    assert not desktop.is_visible("#secret")
    assert desktop.text("#known-text") == f"{APP}, as {USER}"
    desktop.click("#forget")
    assert desktop.run("return ['app', 'secret', 'user'].map(id => document.getElementById(id).value)") == [""] * 3
    assert not desktop.is_visible("#result")
    requests(desktop)
    desktop.run("skipSeconds(60)")
    time.sleep(0.3)
    assert requests(desktop) == []


def test_answers_leave_who_changes_the_credentials_alone(desktop, demo):
    show(desktop, demo.page, 2)
    desktop.click("#change")
    desktop.run("document.querySelector('#refresh').click()")
    desktop.wait_for("document.querySelector('#result').ariaBusy === 'false'")
    assert desktop.is_visible("#secret")
    assert desktop.run("return document.activeElement.id") == "app"


def test_another_task_needs_only_its_id(desktop, demo):
    show(desktop, demo.page, 1)
    enter(desktop, 3)
    desktop.wait_for("document.querySelector('#result-title').textContent === 'Task 3'")
    assert desktop.text("#result-state") == "failed"


# ---- mistakes and errors ----

@pytest.mark.parametrize("task_id", ["0", "x", "-1", "1.5", "9223372036854775808"])
def test_what_is_no_task_id_is_not_even_sent(desktop, demo, task_id):
    visit(desktop, demo.page)
    enter(desktop, task_id)
    assert "9223372036854775807" in desktop.text("#task-mistake")
    assert desktop.run("return document.activeElement.id") == "task"
    assert desktop.run("return document.querySelector('#task').ariaInvalid") == "true"
    assert requests(desktop) == []


def test_an_empty_form_points_at_its_first_field(desktop, demo):
    visit(desktop, demo.page)
    desktop.click("#look")
    assert desktop.text("#app-mistake") == "Required"
    assert desktop.run("return document.activeElement.id") == "app"
    assert requests(desktop) == []


PROBLEMS = {
    "wrong secret": (dict(task_id=1, secret="x"), 401, 40102, "do not fit", "secret"),
    "unknown user": (dict(task_id=1, user="nobody"), 401, 40103, "not known", "user"),
    "a user beyond Latin-1": (dict(task_id=1, user="张三 🙂"), 401, 40103, "not known", "user"),
    "other application": (dict(task_id=7), 403, 40303, "another application", "task"),
    "unbound": (dict(task_id=8), 403, 40302, "no application", "task"),
    "template gone": (dict(task_id=9), 404, 40403, "template is gone", "task"),
    "no task": (dict(task_id=10), 404, 40402, "no such task", "task"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_errors_are_explained(desktop, demo, case):
    """In words, with the API's message, its code, and the trace id; and the cursor where the remedy is."""
    entered, status, code, says, focused = PROBLEMS[case]
    show_problem(desktop, demo.page, **entered)
    assert says in desktop.text("#problem-title")
    facts = desktop.text("#problem-facts")
    assert f"{status} / {code}" in facts
    headers = client.credentials(APP, entered.get("secret", SECRET), entered.get("user", USER))
    message = json.loads(demo.server.get(client.states_path(entered["task_id"]), headers)[2])["message"]
    assert message in facts
    assert re.search(r"\b[0-9a-f]{32}\b", facts)
    assert not desktop.is_visible("#result")
    assert desktop.run("return document.activeElement.id") == focused
    assert desktop.text("#problem-title") in desktop.text("#status")


def test_a_problem_goes_when_it_is_solved(desktop, demo):
    show_problem(desktop, demo.page, 1, secret="x")
    desktop.fill("#secret", SECRET)
    desktop.press("Enter")
    desktop.wait_for("document.querySelector('#result').checkVisibility()")
    assert not desktop.is_visible("#problem")


def test_too_many_failures_count_down(desktop, lab, program, demo_database):
    with demo_world.serving(lab, program, demo_database, **{"auth.failure_limit": LIMIT}) as limited:
        for _ in range(LIMIT):
            limited.server.get(client.states_path(1), client.credentials(APP, "x", USER))
        show_problem(desktop, limited.page, 1, secret="x")
        assert "429 / 42901" in desktop.text("#problem-facts")
        wait = seconds(desktop.text("#problem-countdown"))
        assert 9 <= wait <= 12
        assert desktop.run("return document.querySelector('#look').ariaDisabled") == "true"
        assert not desktop.is_visible("#retry")
        requests(desktop)
        desktop.press("Enter")
        desktop.run("skipSeconds(4)")
        desktop.wait_for(f"/in {wait - 5} s|in {wait - 4} s/"
                         ".test(document.querySelector('#problem-countdown').innerText)")
        desktop.run("skipSeconds(9)")
        desktop.wait_for("document.querySelector('#look').ariaDisabled === 'false'")
        assert "now" in desktop.text("#problem-countdown")
        assert desktop.is_visible("#retry")
        assert requests(desktop) == []  # trying again by itself would only make it worse


def test_a_wait_that_others_have_caused_keeps_the_tree(desktop, lab, program, demo_database):
    with demo_world.serving(lab, program, demo_database, **{"auth.failure_limit": LIMIT}) as limited:
        show(desktop, limited.page, 2)
        before = rows(desktop)
        for _ in range(LIMIT):
            limited.server.get(client.states_path(1), client.credentials(APP, "x", USER))
        desktop.press("r")
        desktop.wait_for("document.querySelector('#problem').checkVisibility()")
        assert "429 / 42901" in desktop.text("#problem-facts")
        assert "Trying again in" in desktop.text("#problem-countdown")
        assert rows(desktop) == before
        requests(desktop)
        desktop.press("r")
        time.sleep(0.2)
        assert requests(desktop) == []


def test_an_outage_keeps_the_tree_and_passes_by_itself(desktop, lab, program, demo_database):
    with demo_world.serving(lab, program, demo_database) as away:
        show(desktop, away.page, 2)
        before = rows(desktop)
        good = away.responder.settings
        away.responder.reload(good | demo_world.NOWHERE)
        wait_for_status(away, 503)
        desktop.press("r")
        desktop.wait_for("document.querySelector('#problem').checkVisibility()")
        assert "503 / 50301" in desktop.text("#problem-facts")
        assert "database is away" in desktop.text("#problem-title")
        assert "Not current: last answer" in desktop.text("#freshness")
        assert "What you see is from" in desktop.text("#problem-stale")
        assert rows(desktop) == before
        desktop.wait_for("/Trying again in \\d+ s/.test(document.querySelector('#problem-countdown').innerText)")
        away.responder.reload(good)
        wait_for_status(away, 200)
        desktop.run("skipSeconds(30)")
        desktop.wait_for("!document.querySelector('#problem').checkVisibility()")
        assert rows(desktop) == before


def wait_for_status(served, status):
    wait_until(lambda: served.server.get("/readyz")[0] == status)


def test_a_web_server_without_the_service_is_told_apart(desktop, lab, program, demo_database):
    with demo_world.serving(lab, program, demo_database) as alone:
        show(desktop, alone.page, 2)
        alone.responder.stop()
        desktop.press("r")
        desktop.wait_for("document.querySelector('#problem').checkVisibility()")
        assert "not the states service" in desktop.text("#problem-title")
        assert rows(desktop)
        alone.server.stop()
        desktop.click("#retry")
        desktop.wait_for("document.querySelector('#problem-title').innerText === 'No answer'")


def test_access_withdrawn_takes_the_tree_away(desktop, demo, demo_tasks):
    template_id = demo_tasks.template(APP)
    nodes = [support.node(state="RUNNING", archived=None), support.node("step")]
    task_id = demo_tasks.task(nodes, template_id=template_id)
    show(desktop, demo.page, task_id)
    demo.database.sql(f"UPDATE template_template SET bk_app_code = 'other_app' WHERE id = {template_id}")
    desktop.press("r")
    desktop.wait_for("document.querySelector('#problem').checkVisibility()")
    assert not desktop.is_visible("#result")
    assert rows(desktop) == []


def test_who_is_typing_is_left_alone(desktop, demo, demo_tasks):
    """A refresh that fails does not take the cursor, or the text, away."""
    template_id = demo_tasks.template(APP)
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None)], template_id=template_id)
    show(desktop, demo.page, task_id)
    demo.database.sql(f"UPDATE template_template SET bk_app_code = NULL WHERE id = {template_id}")
    desktop.fill("#task", "12")
    desktop.run("document.querySelector('#refresh').click()")
    desktop.wait_for("document.querySelector('#problem').checkVisibility()")
    desktop.press("3")
    assert desktop.run("return document.querySelector('#task').value") == "123"


def test_there_are_words_for_every_error_of_the_program(desktop, demo):
    """In both languages, and none that falls back on something that is about another status."""
    visit(desktop, demo.page)
    table = re.findall(r"X\(ERR_\w+, (\d+), (\d+), ", (ROOT / "src" / "base" / "error.h").read_text(encoding="utf-8"))
    assert len(table) > 25
    missing = desktop.run("""
        return (async () => {
            const {languages} = await import('./words.js');
            return arguments[0].filter(([status, code]) => Object.values(languages).some(
                ({problems}) => !(code in problems || status in problems
                                  || (Math.floor(status / 100) === 4 && 400 in problems))));
        })();""", table)
    assert missing == []


# ---- languages ----

def test_speaks_the_browsers_language_to_both_sides(chinese, demo):
    show_problem(chinese, demo.page, 10)
    assert chinese.run("return document.documentElement.lang") == "zh-CN"
    assert chinese.text("#problem-title") == "任务不存在"
    assert "任务不存在，task_id=10" in chinese.text("#problem-facts")
    (sent, _status), = requests(chinese)
    assert sent["blueking-language"] == "zh-cn"
    assert "English" in chinese.text("#language")


def test_the_language_can_be_changed(chinese, demo):
    show_problem(chinese, demo.page, 10)
    chinese.click("#language")
    chinese.wait_for("document.querySelector('#problem-facts').innerText.includes('Task does not exist')")
    assert chinese.text("#look") == "Show"
    assert chinese.run("return document.documentElement.lang") == "en"
    enter(chinese, 1)
    chinese.wait_for("document.querySelector('#result').checkVisibility()")
    assert chinese.text("#result-state") == "finished"
    chinese.click("#language")
    assert chinese.text("#result-state") == "已完成"
    assert {row[2] for row in rows(chinese)} == {"已完成"}


# ---- keyboard ----

def test_works_from_the_first_field_to_the_tree_without_a_mouse(desktop, demo):
    visit(desktop, demo.page)
    desktop.press("Tab")
    assert desktop.run("return document.activeElement.id") == "app"
    for text in (APP, SECRET, USER, "11"):
        desktop.press(*text, "Tab")
    assert desktop.run("return document.activeElement.id") == "look"
    desktop.press("Enter")
    desktop.wait_for("document.querySelector('#result').checkVisibility()")
    assert active(desktop) == "Task 11"
    desktop.press("ArrowDown", "ArrowDown", "ArrowDown")
    assert active(desktop, ".number") == "3"
    desktop.press("ArrowRight")
    assert active(desktop, ".number") == "3.1"
    desktop.press("ArrowLeft")
    assert active(desktop, ".number") == "3"
    everything = rows(desktop)
    desktop.press("ArrowLeft")
    assert len(rows(desktop)) == len(everything) - 4
    desktop.press(" ")
    assert rows(desktop) == everything
    desktop.press("End")
    assert active(desktop, ".number") == "3.2.2"
    desktop.press("Home")
    assert active(desktop) == "Task 11"


def test_enter_shows_details_and_escape_closes_them(desktop, demo):
    show(desktop, demo.page, 2)
    desktop.press("ArrowDown", "ArrowDown", "Enter")
    data = list(demo.states(2)[2]["data"]["children"].values())[1]
    facts = desktop.text("#details-facts")
    for value in (data["id"], data["parent_id"], data["version"], data["start_time"][:19], data["finish_time"][:19]):
        assert value in facts
    desktop.press("Escape")
    assert not desktop.is_visible("#details")
    assert active(desktop, ".number") == "2"


def test_f_goes_to_what_failed(desktop, demo):
    show(desktop, demo.page, 3)
    desktop.press("f")
    assert active(desktop, ".number") == "3"
    assert active(desktop, ".word") == "failed"


def test_letters_typed_into_the_form_are_just_letters(desktop, demo):
    show(desktop, demo.page, 3)
    requests(desktop)
    desktop.fill("#task", "")
    desktop.press("r", "f")
    assert desktop.run("return document.querySelector('#task').value") == "rf"
    assert requests(desktop) == []


def test_collapsing_keeps_the_place_over_a_refresh(desktop, demo):
    show(desktop, demo.page, 11)
    desktop.click("#close-all")
    assert len(rows(desktop)) == 4
    desktop.run("document.querySelector('#tree').focus()")
    desktop.press("ArrowDown", "ArrowDown")
    refresh(desktop)
    assert len(rows(desktop)) == 4
    assert active(desktop, ".number") == "2"
    desktop.click("#open-all")
    assert len(rows(desktop)) == 8


def test_focus_can_be_seen(desktop, demo):
    show(desktop, demo.page, 2)
    for selector in ("#tree [aria-selected=true]", "#refresh", "#task", "#auto"):
        desktop.run("document.querySelector(arguments[0]).closest('[tabindex], button, input').focus()", selector)
        width = desktop.run("""
            const style = getComputedStyle(document.querySelector(arguments[0]));
            return style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth);""", selector)
        if selector != "#auto":
            assert width >= 2, selector


# ---- assistive technology, colours, motion, widths ----

def test_roles_and_names_for_assistive_technology(desktop, demo):
    show(desktop, demo.page, 11)
    nodes = [node for node in desktop.devtools("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    assert ("treegrid", "Nodes: Task 11") in named
    assert [name for role, name in named if role == "columnheader"][::3] == ["Node", "Duration"]
    states = [name for role, name in named if role == "gridcell" and name in ENGLISH.values()]
    assert len(states) == 8
    for role, name in named:
        if role in ("button", "textbox", "checkbox", "heading"):
            assert name.strip(), role
    assert any(role == "status" for role, _name in named)


# The contrast of each text with what is painted behind it, as WCAG 2 counts it.
CONTRAST = """
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const rgba = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith('color(') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
};
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const backdrop = element => {
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 || !element.parentElement ? own : over(own, backdrop(element.parentElement));
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility() || element.closest('.hidden, template, noscript')) continue;
    const back = backdrop(element);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), back)), light(back)];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.className || element.id || element.tagName]);
}
return found.sort((a, b) => a[0] - b[0]);
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_is_legible(desktop, demo, scheme):
    """WCAG 2, level AA: at least 4.5 to 1."""
    visit(desktop, demo.page)
    desktop.prefer(scheme)
    page = desktop.run("return getComputedStyle(document.body).backgroundColor")
    shades = sum(map(int, re.findall(r"\d+", page)[:3]))
    assert shades < 120 if scheme == "dark" else shades > 600
    assert_legible(desktop)
    for task_id in (2, 3, 4, 6, 10):
        enter(desktop, task_id)
        desktop.wait_for(f"document.querySelector('#result-title').innerText === 'Task {task_id}'"
                         " || document.querySelector('#problem').checkVisibility()")
        if task_id == 3:
            desktop.press("ArrowDown", "Enter")
        assert_legible(desktop)
    desktop.prefer("light")


def assert_legible(browser):
    contrasts = browser.run(CONTRAST)
    assert len(contrasts) >= 6
    assert contrasts[0][0] >= 4.5, contrasts[:3]


def test_nothing_moves_for_who_does_not_want_it(desktop, demo):
    show(desktop, demo.page, 2)
    running = "return document.getAnimations().length"
    assert desktop.run(running) > 0
    desktop.prefer("light", motion="reduce")
    assert desktop.run(running) == 0
    desktop.prefer("light")


def test_reads_well_at_phone_width(phone, demo):
    visit(phone, demo.page)
    assert_fits(phone)
    show(phone, demo.page, 2)
    assert_fits(phone)
    assert len(rows(phone)) >= 4
    for opener, selectors in (("#tools", ("#refresh", "#open-all", "#search")), ("#account", ("#forget", "#language")),
                              ("#account", (".switch", "#rows > [role=row]", "#tools", "#account"))):
        phone.click(opener)
        assert_large(phone, selectors)
    phone.run("document.querySelector('#tree').focus()")
    phone.press("End", "Enter")
    assert phone.is_visible("#details")
    assert_fits(phone)
    # The node that the details are about is not hidden behind them.
    below = phone.run("""
        const row = document.querySelector('[aria-selected=true]').getBoundingClientRect();
        return document.querySelector('#details').getBoundingClientRect().top - row.bottom;""")
    assert below >= 0
    show_problem(phone, demo.page, 7)
    assert_fits(phone)
    # The problem is what one sees first.
    assert phone.run("return document.querySelector('#problem').getBoundingClientRect().top") < 200


def assert_large(browser, selectors):
    """Enough for a finger."""
    for selector in selectors:
        assert browser.run("return document.querySelector(arguments[0]).offsetHeight", selector) >= 44, selector


def assert_fits(browser):
    assert browser.run("return innerWidth") == PHONE["width"]
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE["width"]
    cut = browser.run("""
        return [...document.querySelectorAll('button, .name, .word, .c-time, label, dd, h2')]
            .filter(element => element.checkVisibility() && element.offsetWidth > 1 && !element.closest('.hidden'))
            .filter(element => element.getBoundingClientRect().right > innerWidth
                || getComputedStyle(element).display !== 'inline' && element.scrollWidth > element.clientWidth + 1)
            .map(element => element.textContent);""")
    assert cut == []


# ---- large and deep ----

def test_twenty_thousand_nodes_take_no_more_rows_than_fit(desktop, demo, demo_tasks):
    """tests/bench measures how long that takes."""
    nodes = [support.node(), *(support.node(f"step {i}") for i in range(19_999))]
    task_id = demo_tasks.task(nodes, template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert "19,999 of 19,999 steps" in desktop.text("#result-words")
    assert len(rows(desktop)) < 80
    for key, number in (("End", "19999"), ("ArrowUp", "19998"), ("Home", ""), ("ArrowDown", "1")):
        desktop.press(key)
        assert active(desktop, ".number") == number
        assert len(rows(desktop)) < 80
    numbers = desktop.run("""
        scrollTo(0, 300000);
        return new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(
            [...document.querySelectorAll('#rows .number')].map(element => Number(element.textContent))))));""")
    assert numbers == sorted(numbers)  # the document has them in their order, wherever they stand
    assert numbers[-1] > 9000


def test_what_is_collapsed_does_not_exist_until_it_is_opened(desktop, demo, demo_tasks):
    """A large task shows its top level, and the way down to what did not go well."""
    nodes = [support.node(state="RUNNING", archived=None)]
    for group in range(20):
        nodes.append(support.node(f"group {group}"))
        states = ["FAILED" if (group, step) == (9, 3) else "FINISHED" for step in range(20)]
        nodes.extend(support.node(f"{group}.{step}", f"group {group}", state) for step, state in enumerate(states))
    task_id = demo_tasks.task(nodes, template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert tree_lines(desktop) == 1 + 20 + 20
    desktop.press("f")
    assert active(desktop, ".number") == "10.4"


def test_thousands_of_levels_are_no_trouble(desktop, demo, demo_tasks):
    depth = 3000
    task_id = demo_tasks.task([support.node(), *(support.node(f"{i}", f"{i - 1}" if i else "") for i in range(depth))],
                         template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    desktop.click("#open-all")
    desktop.run("document.querySelector('#tree').focus()")
    desktop.press("End")
    assert desktop.run("return document.querySelector('[aria-selected=true]').ariaLevel") == str(depth + 1)
    assert desktop.run("return document.documentElement.scrollWidth <= innerWidth")


def tree_lines(browser):
    """How many rows there are to scroll through."""
    return browser.run("""
        const rows = document.querySelector('#rows');
        return rows.offsetHeight / rows.firstElementChild.offsetHeight;""")
