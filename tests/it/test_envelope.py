# SPDX-License-Identifier: MIT
"""Contract 3.2 and 3.3: the shape of a success, its headers, trace ids, entity tags."""

import json
import re

import pytest
import support
from lab import client, orderedjson

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def trace_id(response):
    """The id stands in the body and in the header, and it is the same."""
    in_body = response.json["trace_id"]
    assert response.header("X-Request-Id") == in_body
    return in_body


class TestBody:
    """What a success consists of, to the byte."""

    def test_the_api_documents_example(self, standard, world):
        """Names, order and times of the document's example; ids are those of this task."""
        times = dict(started="2023-06-15 09:29:41", archived="2023-06-15 09:29:41")
        task_id = world.task([support.node(**times), support.node("step", **times)])
        root, child = support.root_id(task_id), support.node_id(task_id, "step")
        assert support.success_text(standard.ask(support.states(task_id))) == (
            f'{{"id":"{root}","state":"FINISHED","root_id:":"{root}","root_id":"{root}","parent_id":"{root}",'
            f'"version":"v{support.md5("")}","loop":1,"retry":0,"skip":false,'
            f'"error_ignorable":false,"error_ignored":false,"children":{{"{child}":'
            f'{{"id":"{child}","state":"FINISHED","root_id:":"{root}","root_id":"{root}","parent_id":"{root}",'
            f'"version":"v{support.md5("step")}","loop":1,"retry":0,"skip":false,'
            '"error_ignorable":false,"error_ignored":false,"children":{},"elapsed_time":0,'
            '"start_time":"2023-06-15 17:29:41 +0800","finish_time":"2023-06-15 17:29:41 +0800"}},'
            '"elapsed_time":0,"start_time":"2023-06-15 17:29:41 +0800","finish_time":"2023-06-15 17:29:41 +0800"}')

    @pytest.mark.parametrize("columns, data", [
        (dict(is_started=False), '{"start_time":null,"state":"CREATED","retry":0,"skip":0,"finish_time":null,'
                                 '"elapsed_time":0,"children":{}}'),
        (dict(), '{"state":"CREATED"}'),
    ], ids=["not-started", "no-rows-yet"])
    def test_tasks_without_a_tree(self, standard, world, columns, data):
        assert support.success_text(standard.ask(support.states(world.task(**columns)))) == data

    def test_no_root_row(self, standard, world):
        task_id = world.task([support.node("step")])
        size = len(standard.log)
        support.assert_error(standard.ask(support.states(task_id, {"X-Request-Id": "rootless"})), 500, 50002)
        standard.wait_for_log("rootless", since=size)

    @pytest.mark.parametrize("wrong", [str.upper, lambda text: text.replace("n", "\u00f1", 1)], ids=["case", "accent"])
    def test_parents_are_matched_byte_for_byte(self, standard, world, database, wrong):
        """MySQL's collation would take these for the root's id; the nodes cannot be reached from it."""
        task_id = world.task([support.node(), support.node("step")])
        parent = wrong(support.root_id(task_id))
        database.engine_sql(f"UPDATE eri_state SET parent_id = _utf8mb4 x'{parent.encode().hex()}' "
                     f"WHERE node_id = '{support.node_id(task_id, 'step')}'")
        assert support.success(standard.ask(support.states(task_id))).value("children") == []

    @pytest.mark.parametrize("archived, seconds", [
        ("10:00:00.500000", 0), ("10:00:01.500000", 2), ("10:00:02.500000", 2), ("10:00:02.500001", 3),
        ("09:59:59.500000", 0), ("09:59:59.499999", -1), ("09:59:58.500000", -2), ("09:59:57.500000", -2),
        ("09:59:57.499999", -3), ("09:59:55.250000", -5), ("09:59:55.750000", -4),
    ])
    def test_elapsed_time_is_rounded_half_to_even(self, standard, world, archived, seconds):
        """Before and after the start; it is what Python's round() gives."""
        root = support.node(started="2026-01-02 10:00:00.000000", archived=f"2026-01-02 {archived}")
        answer = support.success(standard.ask(support.states(world.task([root]))))
        assert answer.value("elapsed_time") == seconds

    @pytest.mark.parametrize("column, value", [("error_ignored", True), ("skip", True), ("retry", 3), ("loop", 7)])
    def test_columns_of_the_row(self, standard, world, column, value):
        task_id = world.task([support.node(**{column: value}), support.node("step")])
        root = support.success(standard.ask(support.states(task_id)))
        child = root.value("children").value(support.node_id(task_id, "step"))
        for name in [column] + (["error_ignorable"] if column == "error_ignored" else []):
            assert root.value(name) == value
            assert type(root.value(name)) is type(value)
            assert child.value(name) != value


class TestHeaders:
    """One set of headers, whatever the answer."""

    @pytest.mark.parametrize("request_of", [
        lambda task_id: support.states(task_id),
        lambda task_id: support.states(404_404),
        lambda task_id: support.states(task_id, credentials={}),
        lambda task_id: support.states("x"),
        lambda task_id: support.states(task_id, method="POST"),
    ], ids=[200, 404, 401, 400, 405])
    def test_of_every_json_answer(self, standard, finished_task, request_of):
        response = standard.ask(request_of(finished_task))
        assert response.header("Content-Type") == "application/json"
        assert response.header("Cache-Control") == "no-cache"
        assert response.header("X-Content-Type-Options") == "nosniff"
        assert support.RANDOM_TRACE_ID.fullmatch(trace_id(response))
        json.loads(response.body)

    def test_only_a_success_has_an_entity_tag(self, standard, finished_task):
        tag = standard.ask(support.states(finished_task)).header("ETag")
        assert re.fullmatch(r'"[\x21\x23-\x7e]+"', tag)
        assert standard.ask(support.states(404_404)).header("ETag") is None

    def test_no_connection_level_noise(self, standard, finished_task):
        response = standard.ask(support.states(finished_task))
        assert response.app_status == 0
        assert response.stderr == b""


class TestTraceId:
    """The trace has its id, the request its own; either is the other's substitute, and without both they are random."""

    @pytest.mark.parametrize("headers, expected", [
        ({"traceparent": PARENT}, TRACE),
        ({"traceparent": PARENT.replace("-01", "-00")}, TRACE),
        ({"X-Request-Id": "req-1", "X-Bkapi-Request-Id": "bk-1"}, "req-1"),
        ({"X-Bkapi-Request-Id": "bk-1"}, "bk-1"),
        ({"X-Request-Id": "a"}, "a"),
        ({"X-Request-Id": "A-Za-z0-9._-"}, "A-Za-z0-9._-"),
        ({"X-Request-Id": "x" * 128}, "x" * 128),
        ({"traceparent": "nonsense", "X-Request-Id": "req-1"}, "req-1"),
        ({"X-Request-Id": "not valid", "X-Bkapi-Request-Id": "bk-1"}, "bk-1"),
    ], ids=["traceparent", "unsampled", "x-request-id-first", "x-bkapi-request-id", "short",
            "all-letters", "longest", "bad-traceparent", "bad-x-request-id"])
    def test_given(self, standard, finished_task, headers, expected):
        assert trace_id(standard.ask(support.states(finished_task, headers))) == expected
        assert trace_id(standard.ask(support.states(404_404, headers))) == expected

    @pytest.mark.parametrize("headers, expected", [
        ({"X-Request-Id": "req-1", "X-Bkapi-Request-Id": "bk-1"}, "req-1"),
        ({"X-Bkapi-Request-Id": "bk-1"}, "bk-1"),
        ({"X-Request-Id": "not valid", "X-Bkapi-Request-Id": "bk-1"}, "bk-1"),
    ], ids=["x-request-id", "x-bkapi-request-id", "bad-x-request-id"])
    def test_a_traced_request_keeps_its_request_id(self, standard, finished_task, headers, expected):
        """The gateway's support looks the returned X-Request-Id up in the gateway's log."""
        for task_id in (finished_task, 404_404):
            response = standard.ask(support.states(task_id, {"traceparent": PARENT} | headers))
            assert response.header("X-Request-Id") == expected
            assert response.json["trace_id"] == TRACE

    @pytest.mark.parametrize("value", [
        "", "x" * 129, "a b", "a/b", "a\"b", "a\nb", "a\r\nX-Injected: 1", "\u00e9", "a,b", "a;b", "<script>", "a\0b",
    ], ids=ascii)
    @pytest.mark.parametrize("name", ["X-Request-Id", "X-Bkapi-Request-Id"])
    def test_invalid_request_ids_are_ignored(self, standard, finished_task, name, value):
        response = standard.ask(support.states(finished_task, {name: value}))
        assert support.RANDOM_TRACE_ID.fullmatch(trace_id(response))
        assert response.header("X-Injected") is None

    @pytest.mark.parametrize("value", [
        "", "00", PARENT[:-1], PARENT + "0", PARENT + "-00",
        PARENT.replace("00-4", "ff-4"), PARENT.replace("00-4", "0-4"),
        PARENT.replace("00-4", "0g-4"), PARENT.replace("4bf9", "4BF9"), PARENT.replace("4bf9", "4bfg"),
        PARENT.replace(TRACE, "0" * 32), PARENT.replace(TRACE, TRACE[:-1]), PARENT.replace(TRACE, TRACE + "0"),
        PARENT.replace("00f067aa0ba902b7", "0" * 16), PARENT.replace("-01", "-0g"), PARENT.replace("-", "_"),
        " " + PARENT + " x", PARENT + "\n",
    ], ids=ascii)
    def test_invalid_traceparents_are_ignored(self, standard, finished_task, value):
        response = standard.ask(support.states(finished_task, {"traceparent": value}))
        assert support.RANDOM_TRACE_ID.fullmatch(trace_id(response))
        assert trace_id(response) != TRACE

    @pytest.mark.parametrize("value", ["01" + PARENT[2:], "01" + PARENT[2:] + "-more"])
    def test_later_versions_of_traceparent_are_understood(self, standard, finished_task, value):
        """W3C Trace Context: a higher version is parsed as version 00 as far as that goes."""
        assert trace_id(standard.ask(support.states(finished_task, {"traceparent": value}))) == TRACE

    def test_random_ids_differ(self, standard, finished_task):
        ids = {trace_id(standard.ask(support.states(finished_task))) for _ in range(20)}
        assert len(ids) == 20

    def test_the_log_has_the_same_id(self, serve):
        responder = serve({"log.access": "on"})
        support.assert_error(responder.ask(support.states(404_404, {"X-Request-Id": "in-the-log-too"})), 404, 40402)
        responder.wait_for_log("request refused trace_id=in-the-log-too address=")
        responder.wait_for_log("request trace_id=in-the-log-too task_id=")

    def test_the_log_has_both_ids_where_they_differ(self, serve):
        responder = serve({"log.access": "on"})
        headers = {"traceparent": PARENT, "X-Request-Id": "known-to-support"}
        support.assert_error(responder.ask(support.states(404_404, headers, credentials={})), 401, 40101)
        responder.wait_for_log(f"request refused trace_id={TRACE} request_id=known-to-support address=")
        responder.wait_for_log(f"request trace_id={TRACE} request_id=known-to-support task_id=")


class TestEntityTag:
    """A tag spares the body where nothing changed, and never a check."""

    @pytest.fixture
    def tag(self, standard, finished_task):
        return standard.ask(support.states(finished_task)).header("ETag")

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{}, "other"', '"a","b" , {} ', "*", 'W/"x", W/{}'])
    def test_match(self, standard, finished_task, tag, form):
        response = standard.ask(support.states(finished_task, {"If-None-Match": form.format(tag)}))
        assert response.status == 304
        assert response.body == b""
        assert response.header("ETag") == tag
        assert response.header("Cache-Control") == "no-cache"
        assert response.header("X-Request-Id")

    @pytest.mark.parametrize("form", [
        '"{bare}-gzip"', '"{bare}-br"', '"{bare};gzip"', 'W/"{bare}-gzip"', '"x-gzip", "{bare}-br"', '"{bare}-zstd"',
    ])
    def test_match_of_a_tag_that_a_compressing_web_server_changed(self, standard, finished_task, tag, form):
        """Apache's mod_deflate and mod_brotli, and lighttpd's mod_deflate do."""
        value = form.format(bare=tag.strip('"'))
        assert standard.ask(support.states(finished_task, {"If-None-Match": value})).status == 304

    @pytest.mark.parametrize("form", [
        "", "{bare}", '"{bare}x"', '"{bare}-"', '"{bare}-gzip', '"{bare}gzip"', '"{bare}-x"', '"x{bare}"', 'w/{tag}', '"other"', '"other", "another"', "W/", '"*"',
    ])
    def test_mismatch(self, standard, finished_task, tag, form):
        value = form.format(tag=tag, bare=tag.strip('"'))
        response = standard.ask(support.states(finished_task, {"If-None-Match": value}))
        support.success(response)
        assert response.header("ETag") == tag

    def test_head(self, standard, finished_task, tag):
        response = standard.ask(support.states(finished_task, {"If-None-Match": tag}, method="HEAD"))
        assert (response.status, response.body) == (304, b"")

    def test_same_body_same_tag(self, serve, finished_task, tag):
        """Over requests, workers and processes."""
        other_process = serve({"log.level": "debug"})
        for responder in [serve(), other_process] * 8:
            assert responder.ask(support.states(finished_task)).header("ETag") == tag

    @pytest.mark.parametrize("column, value", [
        ("name", "'FAILED'"), ("version", "'v0'"), ("`loop`", "2"), ("retry", "1"), ("skip", "1"),
        ("error_ignored", "1"),
        ("started_time", "started_time - INTERVAL 1 SECOND"), ("archived_time", "archived_time + INTERVAL 1 SECOND"),
        ("archived_time", "NULL"), ("started_time", "NULL"), ("parent_id", "'elsewhere'"), ("node_id", "'renamed'"),
    ], ids=lambda value: value)
    def test_changes_with_the_body(self, standard, database, world, column, value):
        task_id = world.task([support.node(), support.node("step"), support.node("last")])
        before = standard.ask(support.states(task_id))
        database.engine_sql(f"UPDATE eri_state SET {column} = {value} WHERE node_id = '{support.node_id(task_id, 'step')}'")
        after = standard.ask(support.states(task_id, {"If-None-Match": before.header("ETag")}))
        assert support.success_text(after) != support.success_text(before)
        assert after.header("ETag") != before.header("ETag")

    def test_changes_with_the_order_of_children(self, standard, database, world):
        task_id = world.task([support.node(), support.node("a"), support.node("b")])
        before = standard.ask(support.states(task_id))
        first = support.node_id(task_id, "a")
        database.engine_sql(f"UPDATE eri_state SET id = id + 1000000000 WHERE node_id = '{first}'")
        after = standard.ask(support.states(task_id))
        assert support.success(after) != support.success(before)
        assert after.header("ETag") != before.header("ETag")

    def test_changes_with_the_shape(self, standard, database, world):
        """The same nodes in the same order from the leaves up, before and after: only a parent differs."""
        task_id = world.task([support.node(), support.node("below", "above"), support.node("above")])
        before = standard.ask(support.states(task_id))
        database.engine_sql(f"UPDATE eri_state SET parent_id = root_id WHERE node_id = '{support.node_id(task_id, 'below')}'")
        after = standard.ask(support.states(task_id))
        assert len(support.success(after).value("children")) == 2
        assert after.header("ETag") != before.header("ETag")

    @pytest.mark.parametrize("change", [
        "UPDATE eri_state SET inner_loop = 9, created_time = '2020-01-01' WHERE root_id = '{root}'",
        "UPDATE eri_state SET started_time = started_time + INTERVAL 1 MICROSECOND WHERE node_id = '{root}'",
        "INSERT INTO eri_state SELECT id + 1000000000, 'unreachable-{task}', root_id, 'nowhere', name, version, `loop`,"
        " inner_loop, retry, skip, error_ignored, created_time, started_time, archived_time FROM eri_state"
        " WHERE node_id = '{root}'",
    ], ids=["unused-columns", "microsecond", "unreachable-node"])
    def test_stays_where_the_body_stays(self, standard, database, world, change):
        task_id = world.task([support.node(), support.node("step")])
        before = standard.ask(support.states(task_id))
        database.engine_sql(change.format(root=support.root_id(task_id), task=task_id))
        after = standard.ask(support.states(task_id))
        assert support.success_text(after) == support.success_text(before)
        assert after.header("ETag") == before.header("ETag")

    def test_changes_when_a_task_starts(self, standard, database, world):
        task_id = world.task(is_started=False)
        before = standard.ask(support.states(task_id)).header("ETag")
        database.engine_sql(f"UPDATE task_taskinstance SET is_started = 1 WHERE id = {task_id}")
        assert standard.ask(support.states(task_id)).header("ETag") not in (before, None)

    def test_changes_while_the_time_of_a_running_node_does(self, standard, database, world):
        task_id = world.task([support.node(state="RUNNING", archived=None)])
        before = standard.ask(support.states(task_id))
        database.engine_sql(f"UPDATE eri_state SET started_time = started_time - INTERVAL 1 HOUR "
                     f"WHERE node_id = '{support.root_id(task_id)}'")
        assert standard.ask(support.states(task_id)).header("ETag") != before.header("ETag")

    def test_all_of_it_depends_on_the_body(self, standard, world):
        """Each half of the digits by itself tells tasks apart."""
        tags = [standard.ask(support.states(world.task([support.node()]))).header("ETag").strip('"') for _ in range(8)]
        for start in range(0, len(tags[0]), len(tags[0]) // 2):
            halves = {tag[start:start + len(tag) // 2] for tag in tags}
            assert len(halves) == len(tags), halves

    def test_depends_on_the_zone(self, serve, finished_task, tag):
        """Another zone is another body."""
        assert serve({"response.timezone": "UTC"}).ask(support.states(finished_task)).header("ETag") != tag

    @pytest.mark.parametrize("form", ["{}", "*"])
    def test_spares_no_authentication(self, standard, finished_task, tag, form):
        headers = {"If-None-Match": form.format(tag)}
        wrong = client.credentials(support.APP, "wrong", support.USER)
        response = standard.ask(support.states(finished_task, headers, credentials=wrong))
        support.assert_error(response, 401, 40102)
        response = standard.ask(support.states(finished_task, headers, credentials={}))
        support.assert_error(response, 401, 40101)

    @pytest.mark.parametrize("form", ["{}", "*"])
    def test_spares_no_binding(self, standard, finished_task, tag, form):
        headers = {"If-None-Match": form.format(tag)}
        others = client.credentials(support.OTHER_APP, support.OTHER_SECRET, support.USER)
        response = standard.ask(support.states(finished_task, headers, credentials=others))
        support.assert_error(response, 403, 40303)

    def test_of_an_error_never_matches(self, standard):
        support.assert_error(standard.ask(support.states(404_404, {"If-None-Match": "*"})), 404, 40402)


ODD_BYTES = [b'"', b"\\", b"\x00", b"\x01", b"\x1f", b"\x7f", "\u2028".encode(), "\ufffe".encode(),
             "\U0010ffff".encode(), b"</script>", b"\t\n\r"]


@pytest.mark.parametrize("odd", ODD_BYTES, ids=ascii)
@pytest.mark.parametrize("column", ["name", "version", "node_id"])
def test_strings_leave_as_valid_json(standard, database, world, column, odd):
    task_id = world.task([support.node(), support.node("step")])
    value = b"o" + odd + str(task_id).encode()
    database.engine_sql(f"UPDATE eri_state SET {column} = x'{value.hex()}' "
                        f"WHERE node_id = '{support.node_id(task_id, 'step')}'")
    root = support.success(standard.ask(support.states(task_id)))
    [(key, child)] = root.value("children")
    sent = child.value({"name": "state", "node_id": "id"}.get(column, column))
    assert sent == value.decode()
    assert key == child.value("id")


def test_text_is_utf8_not_escapes(standard, world):
    task_id = world.task([support.node(version="v\u4efb\u52a1\U0001f600")])
    assert '"version":"v\u4efb\u52a1\U0001f600"' in support.success_text(standard.ask(support.states(task_id)))


def test_parse_is_strict_about_duplicates():
    """The tests' own parser, on which the order checks rest."""
    assert orderedjson.parse('{"a":1,"a":2}') == [("a", 1), ("a", 2)]
    assert orderedjson.first_difference(orderedjson.parse('{"a":1,"b":2}'), orderedjson.parse('{"b":2,"a":1}'))
    assert orderedjson.first_difference(orderedjson.parse('{"a":1}'), orderedjson.parse('{"a":true}'))
    assert orderedjson.first_difference(orderedjson.parse('{"a":{"b":1}}'), orderedjson.parse('{"a":{"b":1}}')) is None
