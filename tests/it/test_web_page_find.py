# SPDX-License-Identifier: MIT
"""conf/web for somebody on call: finds what failed in large tasks, follows, shows details and several tasks."""

import json
import re

import demo_world
import pytest
import support
from demo_world import APP, SECRET, USER
from lab.scratch import wait_until
from web_page import PHONE, TEMPLATE, active, answer, enter, opened, requests, rows, seconds, show, visit

GROUPS, STEPS = 20, 20
FAILED = ("10.4", "15.8")


@pytest.fixture(scope="module")
def large_task(demo_tasks):
    """20 groups of 20 steps; two steps failed, deep inside, and the last one runs."""
    nodes = [support.node(state="RUNNING", archived=None)]
    for group in range(GROUPS):
        is_last = group == GROUPS - 1
        nodes.append(support.node(f"group {group}", state="RUNNING" if is_last else "FINISHED"))
        for step in range(STEPS):
            state = "FAILED" if f"{group + 1}.{step + 1}" in FAILED else "FINISHED"
            if is_last and step == STEPS - 1:
                state = "RUNNING"
            nodes.append(support.node(f"{group}.{step}", f"group {group}", state))
    return demo_tasks.task(nodes, template_id=TEMPLATE)


def numbers(browser):
    """The numbers of the rows that are found: those above them are only the way to them."""
    return browser.run("""
        return [...document.querySelectorAll('#rows > [role=row][data-above=false] .number')].map(row => row.textContent);""")


def fragment(browser):
    return browser.run("return location.hash")


def choose(browser, state):
    browser.click(f".switch[data-state={state}]")


def search(browser, text):
    browser.fill("#search", text)
    browser.press("Enter")


# ---- finding ----

def test_a_filter_by_state_keeps_the_way_down(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    choose(desktop, "FAILED")
    assert numbers(desktop) == list(FAILED)
    assert [row[0] for row in rows(desktop)] == [1, 2, 3, 2, 3]
    assert desktop.text("#found-text") == "2 of 421 nodes found"
    assert desktop.run("return document.querySelector('.switch[data-state=FAILED]').ariaPressed") == "true"
    assert fragment(desktop) == f"#task={large_task}&filter=failed"
    choose(desktop, "RUNNING")
    assert numbers(desktop) == [*FAILED, "20.20"]
    assert fragment(desktop) == f"#task={large_task}&filter=failed,running"
    desktop.click("#clear")
    assert fragment(desktop) == f"#task={large_task}"
    assert not desktop.is_visible("#found")


def test_one_switch_shows_what_failed_and_what_runs(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    desktop.click("#urgent")
    assert numbers(desktop) == [*FAILED, "20.20"]
    assert desktop.run("return document.querySelector('#urgent').ariaPressed") == "true"
    desktop.click("#urgent")
    assert not desktop.is_visible("#found")


def test_a_part_of_an_id_is_found_and_the_counts_follow(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    node_id = support.node_id(large_task, "9.3")
    search(desktop, node_id[5:25].upper())
    assert numbers(desktop) == ["10.4"]
    assert active(desktop, ".number") == "10.4"
    assert counts(desktop) == {"FINISHED": "0", "FAILED": "1", "RUNNING": "0"}
    assert node_id[5:25].upper() in fragment(desktop)
    desktop.press("/", "Escape")
    assert counts(desktop) == {"FINISHED": "397", "FAILED": "2", "RUNNING": "1"}
    assert fragment(desktop) == f"#task={large_task}"


def counts(browser):
    return dict(browser.run(
        "return [...document.querySelectorAll('.switch')].map(b => [b.dataset.state, b.querySelector('b').textContent])"))


def test_a_number_is_found(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    search(desktop, "7.3")
    assert numbers(desktop) == ["7.3"]


def test_what_is_not_there_is_said(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    search(desktop, "no such id")
    assert rows(desktop) == []
    assert desktop.text("#found-text") == "No node is found."
    desktop.press("ArrowDown", "f")  # there is nothing to go to but what failed
    assert active(desktop, ".number") == FAILED[0]


def test_the_address_carries_the_filter(desktop, demo, large_task):
    visit(desktop, demo.page, f"#task={large_task}&filter=failed&secret=x")
    enter(desktop, large_task)
    desktop.wait_for("document.querySelector('#result').checkVisibility()")
    assert numbers(desktop) == list(FAILED)
    assert fragment(desktop) == f"#task={large_task}&filter=failed"
    for secret in (SECRET, USER, APP, "secret"):
        assert secret not in desktop.run("return location.href")


def test_the_filter_stays_over_an_answer(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    choose(desktop, "FAILED")
    desktop.run("document.querySelector('#refresh').click()")
    desktop.wait_for("document.querySelector('#result').ariaBusy === 'false'")
    assert numbers(desktop) == list(FAILED)


def test_opens_at_the_first_failed_step_and_leads_to_the_others(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    assert active(desktop, ".number") == FAILED[0]
    assert is_in_view(desktop)
    assert desktop.text("#walk-text") == "2 failed steps"
    assert desktop.text("#walk-place") == "1 of 2"
    desktop.click("#walk-next")
    assert active(desktop, ".number") == FAILED[1]
    assert is_in_view(desktop)
    assert desktop.text("#walk-place") == "2 of 2"
    desktop.press("f")
    assert active(desktop, ".number") == FAILED[0]
    desktop.press("F")
    assert active(desktop, ".number") == FAILED[1]
    desktop.click("#walk-previous")
    assert active(desktop, ".number") == FAILED[0]


def is_in_view(browser):
    """The active row, and not behind what sticks to the window's top."""
    return browser.run("""
        const row = document.querySelector('[aria-selected=true]').getBoundingClientRect();
        return row.top >= document.querySelector('.heads').getBoundingClientRect().bottom - 1 && row.bottom <= innerHeight;""")


def test_a_suspended_task_opens_at_its_suspended_step(desktop, demo):
    show(desktop, demo.page, 4)
    assert active(desktop, ".word") == "suspended"
    assert desktop.text("#walk-text") == "1 suspended step"


def test_a_failed_step_that_is_filtered_out_can_be_gone_to(desktop, demo, large_task):
    show(desktop, demo.page, large_task)
    choose(desktop, "RUNNING")
    desktop.click("#walk-next")
    assert active(desktop, ".number") in FAILED
    assert not desktop.is_visible("#found")


def test_a_task_without_a_failure_has_no_such_line(desktop, demo):
    show(desktop, demo.page, 1)
    assert not desktop.is_visible("#walk")


def test_found_among_twenty_thousand(desktop, demo, demo_tasks):
    nodes = [support.node(state="RUNNING", archived=None),
             *(support.node(f"step {i}", state="FAILED" if i == 12_344 else "FINISHED") for i in range(19_999))]
    task_id = demo_tasks.task(nodes, template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert active(desktop, ".number") == "12345"
    assert counts(desktop) == {"FINISHED": "19,998", "FAILED": "1"}
    choose(desktop, "FAILED")
    assert numbers(desktop) == ["12345"]
    desktop.click("#clear")
    assert active(desktop, ".number") == "12345"
    assert is_in_view(desktop)


def test_a_node_may_stand_in_the_address(desktop, demo, large_task):
    node_id = support.node_id(large_task, "3.4")
    visit(desktop, demo.page, f"#task={large_task}&node={node_id}")
    enter(desktop, large_task)
    desktop.wait_for("document.querySelector('#details').checkVisibility()")
    assert active(desktop, ".number") == "4.5"
    assert node_id in desktop.text("#details-facts")
    desktop.press("Escape")
    assert fragment(desktop) == f"#task={large_task}"


def test_ids_are_text_whatever_they_say(desktop, demo, demo_tasks):
    hostile = "<img src=x onerror=alert(1)>"
    task_id = demo_tasks.task([support.node(state="FAILED"), support.node("a", node_id=hostile, state="FAILED"),
                               support.node("b", node_id="a'\"&<b>c</b>", state="<i>ODD</i>")], template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert [(name, word) for _level, name, word in rows(desktop)[1:]] == [
        (hostile, "failed"), ("a'\"&<b>c</b>", "<i>ODD</i>")]
    desktop.press("Enter")
    assert hostile in desktop.text("#details-facts")
    assert desktop.run("return document.querySelectorAll('main img, main i i, #rows b').length") == 0
    assert desktop.console() == []


# ---- ids, times, details ----

def test_ids_are_whole_where_there_is_room_and_cut_in_the_middle_elsewhere(desktop, phone, demo):
    node_id = list(answer(demo, 1)["children"])[1]
    for width, is_cut in ((1280, False), (PHONE["width"], True)):
        phone.devtools("Emulation.setDeviceMetricsOverride", mobile=False, deviceScaleFactor=1, width=width, height=800)
        show(phone, demo.page, 1)
        names = phone.run("""
            return [...document.querySelectorAll('.name.id')].map(name => [
                name.textContent, name.title, name.querySelector('.head').scrollWidth > name.querySelector('.head').clientWidth,
                name.querySelector('.tail').getBoundingClientRect().width > 20]);""")
        assert [node_id, node_id, is_cut, True] in names


def test_ids_can_be_copied(desktop, demo):
    desktop.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    show(desktop, demo.page, 1)
    desktop.press("ArrowDown", "ArrowDown", "c")
    wait_for_clipboard(desktop, list(answer(demo, 1)["children"])[1])
    desktop.run("document.querySelector('#rows > [aria-level=\"2\"] .copy-id').dispatchEvent("
                "new MouseEvent('click', {bubbles: true}))")
    wait_for_clipboard(desktop, next(iter(answer(demo, 1)["children"])))
    assert desktop.text("#status") == "Copied"


def wait_for_clipboard(browser, text):
    wait_until(lambda: browser.run("return navigator.clipboard.readText()") == text)


def test_copying_works_without_a_clipboard_too(desktop, demo):
    """Over plain HTTP a browser has none."""
    show(desktop, demo.page, 1)
    desktop.run("""
        Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true});
        document.addEventListener('copy', event => { window.copied = event.target.value; });""")
    desktop.press("ArrowDown", "c")
    desktop.wait_for("window.copied")
    assert desktop.run("return window.copied") == next(iter(answer(demo, 1)["children"]))
    assert active(desktop, ".number") == "1"


def test_the_time_zone_is_named_and_the_axis_is_round(desktop, demo, demo_tasks):
    task_id = demo_tasks.task([
        support.node(state="FINISHED", started="2026-01-02 03:04:05", archived="2026-01-02 03:25:00"),
        support.node("a", started="2026-01-02 03:04:05", archived="2026-01-02 03:20:00")], template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    assert desktop.text("#axis-title") == "Timeline, UTC+8"
    labels = desktop.run("return [...document.querySelectorAll('#axis .tick')].map(tick => tick.textContent)")
    assert "11:10" in labels and "11:20" in labels
    assert all(re.fullmatch(r"11:\d[05]", label) for label in labels)
    assert "UTC+8" in desktop.text("#result-words")
    assert "UTC+8" in desktop.text("#freshness")


def test_a_running_task_has_a_now(desktop, demo):
    show(desktop, demo.page, 2)
    assert desktop.text("#axis .now") == "now"
    show(desktop, demo.page, 1)
    assert desktop.run("return document.querySelector('#axis .now')") is None


def test_start_end_and_duration_are_told_on_hover_and_focus(desktop, demo, demo_tasks):
    task_id = demo_tasks.task([
        support.node(started="2026-01-02 03:04:05", archived="2026-01-02 03:25:00"),
        support.node("a", started="2026-01-02 03:05:00", archived="2026-01-02 03:20:10")], template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    told = "11:05:00 to 11:20:10, 15 min 10 s"
    desktop.press("ArrowDown")
    assert told in desktop.text("#tip").replace("2026-01-02 ", "")
    desktop.press("Escape")
    assert not desktop.is_visible("#tip")
    desktop.run("""
        document.querySelector('[aria-level="2"] .c-line').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))""")
    desktop.wait_for("document.querySelector('#tip').checkVisibility()")
    assert told in desktop.text("#tip").replace("2026-01-02 ", "")
    desktop.run("document.querySelector('#rows').dispatchEvent(new PointerEvent('pointerleave'))")
    assert not desktop.is_visible("#tip")


def test_details_explain_every_field(desktop, demo, demo_tasks):
    task_id = demo_tasks.task([support.node(state="FAILED"), support.node(
        "a", state="FAILED", retry=3, loop=2, skip=True, error_ignored=True)], template_id=TEMPLATE)
    show(desktop, demo.page, task_id)
    desktop.press("Enter")
    facts = desktop.text("#details-facts")
    (node,) = answer(demo, task_id)["children"].values()
    for value in (node["id"], node["parent_id"], node["root_id"], node["version"], node["start_time"][:19], "1 s",
                  "3: after failing it was run again 3 times", "2: the flow has come here 2 times",
                  "somebody let the flow go on without it", "the flow went on by itself"):
        assert value in facts
    assert "3 retries · loop 2 · skipped · error ignored" in desktop.text("#rows")


def test_details_can_be_copied_as_json(desktop, demo):
    desktop.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    show(desktop, demo.page, 1)
    desktop.press("ArrowDown", "ArrowDown", "Enter")
    desktop.click("#details-tools button")
    node = list(answer(demo, 1)["children"].values())[1]
    del node["children"]
    wait_for_clipboard(desktop, json.dumps(node, indent=2))
    assert desktop.text("#status") == "Copied"
    desktop.wait_for("document.querySelector('#details-tools').innerText === 'Copy as JSON'")


# ---- sub-processes ----

@pytest.fixture(scope="module")
def parent_task(demo_tasks):
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None), support.node("a"),
                               support.node("b", state="RUNNING", archived=None)], template_id=TEMPLATE)
    subtask = demo_tasks.subtask(task_id, "b", [support.node(state="FAILED"), support.node("x"),
                                                support.node("y", state="FAILED")])
    return task_id, subtask


def test_a_sub_process_opens_in_place(desktop, demo, parent_task):
    task_id, subtask = parent_task
    show(desktop, demo.page, task_id)
    assert [(level, word) for level, _name, word in rows(desktop)] == [
        (1, "running"), (2, "finished"), (2, "running"), (3, "failed"), (4, "finished"), (4, "failed")]
    assert rows(desktop)[3][1] == f"Sub-task {subtask}"
    assert active(desktop) == support.node_id(subtask, "y")  # the failed step inside


def test_a_sub_process_has_a_link_of_its_own(desktop, demo, parent_task):
    task_id, subtask = parent_task
    show(desktop, demo.page, task_id)
    desktop.click("#rows .own:not([hidden])")
    desktop.wait_for(f"document.querySelector('#result-title').textContent === 'Sub-task {subtask}'")
    assert fragment(desktop) == f"#task={task_id}&subtask={subtask}"
    assert desktop.text("#result-state") == "failed"
    assert [level for level, _name, _word in rows(desktop)] == [1, 2, 2]
    desktop.click("#crumb-task")
    desktop.wait_for(f"document.querySelector('#result-title').textContent === 'Task {task_id}'")
    desktop.run("history.back()")
    desktop.wait_for(f"document.querySelector('#result-title').textContent === 'Sub-task {subtask}'")
    visit(desktop, demo.page, f"#task={task_id}&subtask={subtask}")
    enter(desktop, task_id)
    desktop.wait_for(f"document.querySelector('#result-title').textContent === 'Sub-task {subtask}'")


def test_a_sub_process_that_is_not_there_is_said(desktop, demo, parent_task):
    task_id, _subtask = parent_task
    visit(desktop, demo.page, f"#task={task_id}&subtask=1")
    enter(desktop, task_id)
    desktop.wait_for("document.querySelector('#result').checkVisibility()")
    assert f"Task {task_id} has no sub-task 1" in desktop.text("#result-words")


# ---- following ----

def running_task(demo_tasks):
    return demo_tasks.task([support.node(state="RUNNING", archived=None),
                            support.node("step", state="RUNNING", archived=None)], template_id=TEMPLATE)


def end_task(demo, task_id, state="FINISHED"):
    demo.database.engine_sql(f"UPDATE eri_state SET name = '{state}', archived_time = UTC_TIMESTAMP(6) "
                             f"WHERE root_id = '{support.root_id(task_id)}'")


def test_changes_are_shown_by_themselves(desktop, demo, demo_tasks):
    task_id = running_task(demo_tasks)
    show(desktop, demo.page, task_id)
    assert desktop.run("return document.querySelector('#icon').getAttribute('href')") == "icon-running.svg"
    assert desktop.run("return document.querySelector('#freshness').dataset.sign") == "current"
    end_task(demo, task_id)
    desktop.wait_for("document.querySelector('#result-state').innerText === 'finished'")
    assert desktop.run("return document.title").startswith("finished · Task")
    assert desktop.run("return document.querySelector('#icon').getAttribute('href')") == "icon-done.svg"
    assert "Ended" in desktop.text("#freshness")


def test_the_service_is_asked_to_wait_for_another_version(desktop, demo, demo_tasks):
    show(desktop, demo.page, running_task(demo_tasks))
    (first, _status), *_more = requests(desktop)
    assert "wait=" not in first[":url"]
    desktop.run("skipSeconds(5)")
    (waiting, _status), *_more = wait_for_requests(desktop)
    assert re.search(r"[?&]wait=30&version=[0-9a-f]{32}$", waiting[":url"])
    assert waiting["if-none-match"]


def wait_for_requests(browser):
    """What has been asked, as soon as something has."""
    asked = []
    wait_until(lambda: asked.extend(requests(browser)) or asked)
    return asked


def test_a_hidden_tab_follows_too_and_notifies(desktop, demo, demo_tasks):
    task_id = running_task(demo_tasks)
    show(desktop, demo.page, task_id)
    desktop.run("""
        window.told = [];
        window.Notification = class extends EventTarget {
            static permission = 'granted';
            static async requestPermission() { return 'granted'; }
            constructor(title) { super(); told.push(title); }
        };
        document.querySelector('#notify').click();""")
    desktop.wait_for("document.querySelector('#notify').ariaPressed === 'true'")
    desktop.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    desktop.run("document.querySelector('#refresh').click()")  # ends the waiting that began before
    desktop.wait_for("document.querySelector('#result').ariaBusy === 'false'")
    end_task(demo, task_id, "FAILED")
    desktop.wait_for("window.told.length === 1")
    assert desktop.run("return window.told[0]") == f"Task {task_id}: failed"


def test_what_is_old_is_marked_wherever_one_looks(desktop, lab, program, demo_database, large_task):
    with demo_world.serving(lab, program, demo_database) as away:
        show(desktop, away.page, large_task)
        desktop.run("scrollTo(0, 5000)")
        away.responder.stop()
        desktop.run("document.querySelector('#refresh').click()")
        desktop.wait_for("document.querySelector('#problem').checkVisibility()")
        assert desktop.run("return document.querySelector('#freshness').dataset.sign") == "stale"
        assert desktop.run("return document.querySelector('#result').dataset.stale") == "true"
        assert desktop.run("return document.title").startswith("⚠ running · Task")
        top = desktop.run("scrollTo(0, 5000); return document.querySelector('#problem').getBoundingClientRect().top")
        assert top == 0
        assert re.search(r"What you see is from \d\d:\d\d:\d\d UTC\+8", desktop.text("#problem-stale"))


# ---- the first look, and small windows ----

def test_the_empty_page_says_what_it_is_and_where_a_secret_comes_from(desktop, demo):
    visit(desktop, demo.page)
    assert "nodes of a task" in desktop.text("#intro")
    hints = desktop.text("#hints")
    for part in ("bkflow-statesctl app add", "stays in this page", "never stored", "#task=12"):
        assert part in hints
    show(desktop, demo.page, 1)
    assert not desktop.is_visible("#intro")
    assert not desktop.is_visible("#hints")


@pytest.mark.parametrize("fragment_text, field", [("#task=12", "12"), ("#tasks=12,13", "12, 13"), ("#task=x", "")])
def test_a_link_fills_in_the_ids(desktop, demo, fragment_text, field):
    visit(desktop, demo.page, fragment_text)
    assert desktop.run("return document.querySelector('#task').value") == field


def test_the_tree_comes_first_on_a_phone(phone, demo, parent_task):
    for task_id in (2, 3, parent_task[0]):
        show(phone, demo.page, task_id)
        phone.run("scrollTo(0, 0)")
        bottom = phone.run("return document.querySelector('.summary').getBoundingClientRect().bottom")
        assert bottom <= PHONE["height"] / 3
        assert phone.run("return document.querySelector('#rows').getBoundingClientRect().top") < PHONE["height"] * 0.45


def test_nothing_scrolls_sideways_at_320_pixels(phone, demo, large_task, parent_task):
    phone.devtools("Emulation.setDeviceMetricsOverride", mobile=True, deviceScaleFactor=1, width=320, height=640)
    visit(phone, demo.page)
    assert phone.run("return document.documentElement.scrollWidth") == 320
    for task_id in (2, large_task, parent_task[0], "1, 2, 3, 7, 10", 7):
        visit(phone, demo.page)
        enter(phone, task_id)
        phone.wait_for("['#result', '#several', '#problem'].some(id => document.querySelector(id).checkVisibility())")
        phone.run("for (const id of ['tools', 'account']) document.getElementById(id).click()")
        assert phone.run("return document.documentElement.scrollWidth") == 320, task_id


# ---- several tasks ----

def listed(browser):
    return browser.run("""
        return [...document.querySelectorAll('#tasks tr')].map(row => [...row.cells].map(cell => cell.innerText.trim()));""")


def show_several(browser, demo, text):
    visit(browser, demo.page)
    enter(browser, text)
    browser.wait_for("document.querySelector('#several').checkVisibility()")


def test_several_tasks_are_listed_with_state_progress_and_duration(desktop, demo):
    show_several(desktop, demo, "1, 3 5;7")
    assert fragment(desktop) == "#tasks=1,3,5,7"
    one, three, five, seven = listed(desktop)
    data = answer(demo, 1)
    assert one[:2] == ["Task 1", "finished"]
    assert re.fullmatch(r"\d+ of \d+ steps finished", one[2])
    assert seconds(one[3]) == data["elapsed_time"]
    assert three[:2] == ["Task 3", "failed"]
    assert five == ["Task 5", "not started", "", ""]
    assert seven[:3] == ["Task 7", "", "The task belongs to another application"]
    assert desktop.run("return document.title").startswith("1 finished, 1 failed, 1 not started · 4 tasks")


def test_several_tasks_are_one_request_which_waits_afterwards(desktop, demo, demo_tasks):
    first, second = running_task(demo_tasks), running_task(demo_tasks)
    show_several(desktop, demo, f"{first} {second}")
    (sent, status), *_more = requests(desktop)
    assert sent[":url"] == f"{demo.api}/get_tasks_states_by_app/?task_ids={first}%2C{second}&nodes=1"
    assert status == 200
    desktop.run("skipSeconds(5)")
    (waiting, _status), *_more = wait_for_requests(desktop)
    assert re.search(r"&wait=30&version=[0-9a-f]{32}$", waiting[":url"])


def test_a_row_opens_its_task_and_the_way_back_is_there(desktop, demo):
    show_several(desktop, demo, "1,3")
    desktop.click("#tasks tr:nth-child(2) a")
    desktop.wait_for("document.querySelector('#result-title').textContent === 'Task 3'")
    assert fragment(desktop) == "#tasks=1,3&task=3"
    desktop.click("#crumb-list")
    desktop.wait_for("document.querySelector('#several').checkVisibility()")
    assert fragment(desktop) == "#tasks=1,3"
    desktop.run("history.back()")
    desktop.wait_for("document.querySelector('#result-title').textContent === 'Task 3'")


def test_a_pasted_column_of_ids_is_a_list(desktop, demo):
    visit(desktop, demo.page)
    desktop.run("""
        const field = document.querySelector('#task');
        field.focus();
        const data = new DataTransfer();
        data.setData('text/plain', '1\\n3\\r\\n5\\n');
        field.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));""")
    assert desktop.run("return document.querySelector('#task').value") == "1, 3, 5"


def test_a_list_follows_its_tasks(desktop, demo, demo_tasks):
    first, second = running_task(demo_tasks), running_task(demo_tasks)
    show_several(desktop, demo, f"{first} {second}")
    assert [row[1] for row in listed(desktop)] == ["running", "running"]
    end_task(demo, second, "FAILED")
    desktop.wait_for("document.querySelector('#tasks tr:nth-child(2) .t-state').innerText.trim() === 'failed'")
    assert desktop.run("return document.querySelector('#icon').getAttribute('href')") == "icon-failed.svg"


def test_too_many_ids_are_not_sent(desktop, demo):
    visit(desktop, demo.page)
    enter(desktop, " ".join(map(str, range(1, 102))))
    assert "100" in desktop.text("#task-mistake")
    assert requests(desktop) == []


# ---- Chinese ----

def test_chinese_throughout(driver, demo, large_task):
    """Nothing that people read is left in English, apart from names."""
    with opened(driver, language="zh-CN") as browser:
        visit(browser, demo.page)
        assert_chinese(browser)
        show(browser, demo.page, large_task)
        assert browser.text("#walk-text") == "2 个失败节点"
        browser.press("Enter")
        assert_chinese(browser)
        show_several(browser, demo, "1 2 3 4 5 7")
        assert_chinese(browser)


def assert_chinese(browser):
    names = r"BKFlow|English|bkflow-statesctl[\w -]*|bk_\w+|demo_\w+|#tasks?=[\d,]+|UTC\+8|JSON|ID|Shift|[nv][0-9a-f]{6,}|[0-9a-f]{6}|\b[FCR]\b"
    text = re.sub(names, "", browser.run("return document.body.innerText"))
    assert re.findall(r"[A-Za-z]{2,}", text) == []
