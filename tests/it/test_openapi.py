# SPDX-License-Identifier: MIT
"""docs/openapi.yaml: valid by OpenAPI's own schema, and true of what the program really answers."""

import json
import pathlib
import re

import demo_world
import jsonschema
import pytest
import support
import yaml
from lab import client, fcgi
from lab import responder as lab_responder

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of Debian's package openapi-specification.
OFFICIAL_SCHEMA = next(pathlib.Path("/usr/share/openapi-specification/schemas/v3.0").glob("schema.[jy]*"), None)
STATES = "/task/{task_id}/get_task_states_by_app/"
DOCUMENT = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
MAX_REQUEST = 4096


def resolved(part):
    """A part of the document, or what it refers to."""
    while "$ref" in part:
        target = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def plain(schema):
    """OpenAPI's dialect as JSON Schema, which says `nullable` in another way."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: plain(value) for name, value in schema.items() if name != "nullable"}
    return changed | {"type": [schema["type"], "null"]} if schema.get("nullable") is True else changed


PLAIN = plain(DOCUMENT)


def mistakes(value, schema):
    """Where the value is not as the schema of the document says."""
    resolver = jsonschema.RefResolver("", PLAIN)
    validator = jsonschema.Draft4Validator(plain(schema), resolver=resolver)
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator.iter_errors(value)]


def documented(path, status, method="get"):
    return resolved(DOCUMENT["paths"][path][method]["responses"][str(status)])


def assert_as_documented(response, path, method="get"):
    """Status, headers and body; nothing that is not documented, and nothing missing."""
    told = documented(path, response.status, method)
    assert_headers(response, told["headers"])
    if "content" not in told or method == "head":
        assert response.body == b""
        return
    content = told["content"][response.header("Content-Type")]
    body = response.body.decode()
    value = body if response.header("Content-Type").startswith("text/") else json.loads(body)
    assert mistakes(value, content["schema"]) == []


def assert_headers(response, told):
    sent = dict(response.headers)
    assert set(sent) - set(told) <= {"Status", "Content-Type"}
    for name, header in told.items():
        header = resolved(header)
        assert name in sent or not header["required"], name
        assert mistakes(sent[name], header["schema"]) == []


# ---- the document itself ----

def test_is_valid_openapi():
    schema = yaml.safe_load(OFFICIAL_SCHEMA.read_text(encoding="utf-8"))  # JSON is YAML
    errors = jsonschema.Draft4Validator(schema).iter_errors(DOCUMENT)
    assert [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors] == []


def operations():
    return [part for path in DOCUMENT["paths"].values() for part in path.values() if isinstance(part, dict)]


def references(part):
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from references(item)


def test_every_reference_leads_somewhere_and_every_component_is_used():
    used = set(references(DOCUMENT))
    there = {f"#/components/{kind}/{name}" for kind, parts in DOCUMENT["components"].items() for name in parts}
    secured = {f"#/components/securitySchemes/{name}"
               for name in DOCUMENT["components"]["securitySchemes"]}
    asked = {f"#/components/securitySchemes/{name}" for operation in operations()
             for way in operation["security"] for name in way}
    assert used == there - secured
    assert asked == secured


def test_operation_ids_are_unique():
    names = [operation["operationId"] for operation in operations()]
    assert len(names) == len(set(names)) == 10


def test_the_examples_are_as_their_schemas_say():
    parts = [*DOCUMENT["components"]["responses"].values(), documented(STATES, 200)]
    seen = 0
    for part in parts:
        for content in part["content"].values():
            for name, example in content.get("examples", {}).items():
                assert mistakes(example["value"], content["schema"]) == [], name
                seen += 1
    assert seen > 30


TIMES = {"start_time", "finish_time", "elapsed_time", "trace_id"}


def without_times(value):
    return {name: without_times(part) if isinstance(part, dict) else part
            for name, part in value.items() if name not in TIMES}


@pytest.mark.parametrize("name, task_id, query", [
    ("running", 2, ""), ("subtasks", 2, "subtasks=1"), ("failed", 3, "failed=1"), ("not_started", 5, "")])
def test_an_example_is_what_the_demo_answers(demo, name, task_id, query):
    """But for times, and for nodes that were left out."""
    example = documented(STATES, 200)["content"]["application/json"]["examples"][name]["value"]
    assert_part_of(without_times(example), without_times(ask(demo.responder, task_id, query=query).json))


def assert_part_of(shown, whole, is_children=False):
    assert is_children or list(shown) == list(whole)
    for name, part in shown.items():
        if isinstance(part, dict):
            assert_part_of(part, whole[name], name == "children")
        else:
            assert part == whole[name], name


def test_a_schema_that_says_no_can_be_trusted():
    """The validation above finds what it should: one thing wrong at a time."""
    good = documented(STATES, 200)["content"]["application/json"]
    schema, example = good["schema"], good["examples"]["running"]["value"]
    for change in (lambda data: data.pop("root_id:"), lambda data: data.update(more=1),
                   lambda data: data.update(loop="1"),
                   lambda data: next(iter(data["children"].values())).update(start_time="yesterday")):
        wrong = json.loads(json.dumps(example))
        change(wrong["data"])
        assert mistakes(wrong, schema)


# ---- the error codes are those of src/base/error.h ----

ERROR_ROW = re.compile(r'X\((ERR_\w+), (\d+), (\d+), "(\w+)"\)')
MESSAGE_ROW = re.compile(r'\[(ERR_\w+)\] =\s*\{((?:\s*"(?:[^"\\]|\\.)*")+),')


def program_errors():
    """Label to (status, code, English message with {placeholders})."""
    table = (ROOT / "src" / "base" / "error.h").read_text(encoding="utf-8")
    words = (ROOT / "src" / "states" / "messages.c").read_text(encoding="utf-8")
    english = {kind: "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)) for kind, text in MESSAGE_ROW.findall(words)}
    found = {label: (int(status), int(code), english[kind])
             for kind, status, code, label in ERROR_ROW.findall(table)}
    assert len(found) == len(english) > 25
    return found


def documented_errors():
    for response in DOCUMENT["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        if "allOf" in schema:
            codes = schema["allOf"][1]["properties"]["code"]["enum"]
            yield response, codes, response["content"]["application/json"]["examples"]


def test_every_cause_has_its_example_with_its_code_and_message():
    told = {label: example["value"] for _response, _codes, examples in documented_errors()
            for label, example in examples.items()}
    errors = program_errors()
    assert set(told) == set(errors)
    for label, (_status, code, words) in errors.items():
        assert told[label]["code"] == code, label
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(words))
        assert re.fullmatch(pattern, told[label]["message"]), label


def test_every_status_lists_its_codes():
    by_status = {}
    for status, code, _words in program_errors().values():
        by_status.setdefault(status, set()).add(code)
    told = {}
    for response, codes, _examples in documented_errors():
        statuses = {codes[0] // 100}
        assert {code // 100 for code in codes} == statuses
        told[statuses.pop()] = set(codes)
        assert response["description"]
    assert told == by_status
    assert set(map(str, told)) <= set(DOCUMENT["paths"][STATES]["get"]["responses"])


# ---- states ----

ENGINE_STATES = {"CREATED", "LOOP_READY", "READY", "RUNNING", "SUSPENDED", "BLOCKED", "FINISHED", "FAILED", "REVOKED",
                 "ROLLING_BACK", "ROLL_BACK_SUCCESS", "ROLL_BACK_FAILED"}
ROLLED_UP = "NODE_SUSPENDED"


def names_in(path, start, end):
    """The words in capitals of the first part of a file from one text to another."""
    text = (ROOT / path).read_text(encoding="utf-8")
    part = text[text.index(start):]
    return set(re.findall(r"\b[A-Z]{4,}(?:_[A-Z]+)*\b", part[:part.index(end)]))


@pytest.mark.parametrize("path, start, end", [
    ("docs/openapi.yaml", "The engine's word for it", "type:"), ("docs/api.md", "- `state` is", "- `elapsed_time`"),
    ("conf/web/model.js", "{\n  FINISHED", "};"), ("conf/web/words.js", "states: {", "}"),
    ("conf/web/words.js", "FINISHED: '已完成'", "}"), ("src/ctl/draw.c", "} colours[]", "};"),
])
def test_the_states_are_the_engines(path, start, end):
    """bamboo_engine/states.py of bamboo-engine cd9f7b8, and the one that BKFlow makes of a RUNNING node."""
    assert {name for name in names_in(path, start, end) if not name.startswith("CTL_")} == ENGINE_STATES | {ROLLED_UP}


# ---- real answers ----

KINDS = {"finished": 1, "running": 2, "failed": 3, "suspended": 4, "not started": 5, "nested": 11}


def ask(responder, task_id, headers=None, credentials=None, **others):
    """One request with the demo's credentials."""
    sent = (demo_world.GOOD if credentials is None else credentials) | (headers or {})
    return responder.ask(client.variables(client.states_path(task_id), headers=sent, **others))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["get", "head"])
def test_states(demo, kind, method):
    response = ask(demo.responder, KINDS[kind], method=method.upper())
    assert response.status == 200
    assert_as_documented(response, STATES, method)


SPACE_STATES = "/space/{space_id}/task/{task_id}/get_task_states/"


def ask_space(responder, space_id, task_id, **others):
    path = client.space_states_path(space_id, task_id)
    return responder.ask(client.variables(path, headers=demo_world.GOOD, **others))


@pytest.mark.parametrize("method", ["get", "head"])
def test_states_by_space(demo, demo_tasks, method):
    task_id = demo_tasks.task([support.node(), support.node("a", state="FAILED")], template_id=None)
    response = ask_space(demo.responder, 1, task_id, method=method.upper(), query="failed=1")
    assert response.status == 200
    assert_as_documented(response, SPACE_STATES, method)


BATCH = "/get_tasks_states_by_app/"


def ask_batch(responder, task_ids, query="", headers=None, **others):
    path_and_query = dict(query=f"task_ids={task_ids}&{query}", headers=demo_world.GOOD | (headers or {}))
    return responder.ask(client.variables(BATCH, **path_and_query, **others))


@pytest.mark.parametrize("query", ["", "nodes=1"])
def test_batch(demo, query):
    for method in ("get", "head"):
        response = ask_batch(demo.responder, "1,2,3,4,5,7,8,9,10", query, method=method.upper())
        assert response.status == 200
        assert_as_documented(response, BATCH, method)
    known = ask_batch(demo.responder, "1,5", query, {"If-None-Match": ask_batch(
        demo.responder, "1,5", query).header("ETag")})
    assert known.status == 304
    assert_as_documented(known, BATCH)


def test_errors_of_batches(demo):
    assert_error(ask_batch(demo.responder, "x"), 40006, BATCH)
    assert_error(ask_batch(demo.responder, "1", method="PUT"), 40501, BATCH)


SPACE_BATCH = "/space/{space_id}/get_tasks_states/"


def post(responder, body, space_id=1, **others):
    return responder.ask(*support.space_batch(space_id, body, credentials=demo_world.GOOD, **others))


def test_space_batch(demo, demo_tasks):
    rootless = demo_tasks.task([support.node("orphan")], template_id=None)
    response = post(demo.responder, [1, 2, 3, 4, 5, rootless, 404_404])
    assert response.status == 200 and len(response.json["data"]) == 6
    assert_as_documented(response, SPACE_BATCH, "post")


def test_errors_of_a_body(demo):
    for response, code in ((post(demo.responder, b"x"), 40007), (post(demo.responder, b"{}"), 40006),
                           (post(demo.responder, [1], 2), 40306), (post(demo.responder, [1], method="GET"), 40501)):
        assert (response.status, response.json["code"]) == (code // 100, code)
        assert_as_documented(response, SPACE_BATCH, "post")


def test_errors_by_space(demo, demo_tasks):
    elsewhere = demo_tasks.task([support.node()], template_id=None, space_id=2)
    for ids, code in ((("x", 1), 40005), ((9, 1), 40305), ((2, 1), 40306), ((1, elsewhere), 40307), ((1, 404_404), 40402)):
        assert_error(ask_space(demo.responder, *ids), code, SPACE_STATES)


def test_subtasks(demo, demo_tasks):
    task_id = demo_tasks.task([support.node(), support.node("a"), support.node("b"), support.node("c")], template_id=1)
    demo_tasks.subtask(task_id, "a", [support.node()])
    demo_tasks.subtask(task_id, "b", is_started=False)
    demo_tasks.subtask(task_id, "c")
    response = ask(demo.responder, task_id, query="subtasks=1")
    assert response.body.count(b'"subtask"') == 3
    assert_as_documented(response, STATES)


@pytest.mark.parametrize("kind", KINDS)
def test_failed_nodes(demo, kind):
    response = ask(demo.responder, KINDS[kind], query="failed=1")
    assert "failed_nodes" in response.json["data"]
    assert_as_documented(response, STATES)


def test_a_started_task_without_nodes(demo, demo_tasks):
    response = ask(demo.responder, demo_tasks.task(template_id=1))
    assert response.json["data"] == {"state": "CREATED"}
    assert_as_documented(response, STATES)


def test_not_modified(demo):
    tag = ask(demo.responder, 1).header("ETag")
    response = ask(demo.responder, 1, {"If-None-Match": tag})
    assert response.status == 304
    assert_as_documented(response, STATES)


WAITING = {
    STATES: lambda responder, query, headers: ask(responder, 1, headers, query=query),
    SPACE_STATES: lambda responder, query, headers: responder.ask(client.variables(
        client.space_states_path(1, 1), headers=demo_world.GOOD | headers, query=query)),
    BATCH: lambda responder, query, headers: ask_batch(responder, "1,10", query, headers),
}


@pytest.mark.parametrize("path", WAITING)
def test_waiting(demo, path):
    """Until the end, as nothing happens in this task."""
    first = WAITING[path](demo.responder, "", {})
    version = first.header("X-States-Version")
    for headers, status in (({}, 200), ({"If-None-Match": first.header("ETag")}, 304)):
        response = WAITING[path](demo.responder, f"wait=300ms&version={version}", headers)
        assert (response.status, response.header("X-States-Version")) == (status, version)
        assert_as_documented(response, path)


def test_how_long_a_request_waits_is_written_as_documented(demo):
    wait = DOCUMENT["components"]["parameters"]["Wait"]
    for example in wait["examples"].values():
        assert mistakes(example["value"], wait["schema"]) == []
        assert ask(demo.responder, 1, query=f"wait={example['value']}").status == 200  # without a version: at once
    for wrong in ("", "-1", "1.5s", "30 s", "soon"):
        assert mistakes(wrong, wait["schema"])
        assert_error(ask(demo.responder, 1, query=f"wait={wrong}"), 40000)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_pages_for_operators(demo, path):
    response = demo.responder.ask(client.variables(path))
    assert response.status == 200
    assert_as_documented(response, path)


def test_credentials_in_the_query(demo):
    names = {scheme["name"] for scheme in DOCUMENT["components"]["securitySchemes"].values() if scheme["in"] == "query"}
    assert names == {pair.split("=")[0] for pair in QUERY.split("&")}
    assert_as_documented(ask(demo.responder, 1, credentials={}, query=QUERY), STATES)


def test_both_spellings_of_the_path_are_served(demo):
    path = client.states_path(1).rstrip("/")
    assert_as_documented(demo.responder.ask(client.variables(path, headers=demo_world.GOOD)), STATES)


def with_credentials(**members):
    return {"X-Bkapi-Authorization": json.dumps(members)}


WRONG = client.credentials(demo_world.APP, "wrong", demo_world.USER)
QUERY = support.query_credentials(demo_world.APP, demo_world.SECRET, demo_world.USER)
ERRORS = {
    40001: dict(task_id="x"),
    40003: dict(task_id=1, credentials={"X-Bkapi-Authorization": "[]"}),
    40004: dict(task_id=1, credentials={}, query="%zz"),
    40101: dict(task_id=1, credentials=with_credentials(bk_app_code="demo_app")),
    40102: dict(task_id=1, credentials=WRONG),
    40103: dict(task_id=1, credentials=client.credentials(demo_world.APP, demo_world.SECRET, "nobody")),
    40302: dict(task_id=8),
    40303: dict(task_id=7),
    40402: dict(task_id=10),
    40403: dict(task_id=9),
    40501: dict(task_id=1, method="POST"),
}


@pytest.mark.parametrize("code", ERRORS)
def test_errors(demo, code):
    assert_error(ask(demo.responder, **ERRORS[code]), code)


def assert_error(response, code, path=STATES):
    assert response.status == code // 100
    assert response.json["code"] == code
    assert_as_documented(response, path)


def test_errors_of_the_data(demo, demo_tasks):
    assert_error(ask(demo.responder, demo_tasks.task(template_id=None)), 40301)
    assert_error(ask(demo.responder, demo_tasks.task([support.node("orphan")], template_id=1)), 50002)


def test_errors_of_the_request(demo):
    variables = client.variables(client.states_path(1), headers=demo_world.GOOD)
    assert_error(demo.responder.ask(variables | {"REQUEST_METHOD": ""}), 40501)
    without_method = {name: value for name, value in variables.items() if name != "REQUEST_METHOD"}
    assert_error(demo.responder.ask(without_method), 40000)
    assert_error(demo.responder.ask(variables | {"PATH_INFO": ""}), 40401)
    name = "HTTP_X_BKAPI_AUTHORIZATION"
    with demo.responder.connect() as connection:
        doubled = fcgi.pairs([*variables.items(), (name, variables[name])])
        connection.send(fcgi.begin() + fcgi.stream(fcgi.PARAMS, doubled) + fcgi.stream(fcgi.STDIN, b""))
        assert_error(connection.response(), 40002)


def test_errors_of_operators_pages(demo):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert "404" in DOCUMENT["paths"][path]["get"]["responses"]
    assert_error(demo.responder.ask(client.variables("/metrics", address="192.0.2.1")), 40304, "/metrics")


@pytest.fixture(scope="module")
def strict(program, demo_database):
    """A responder with every limit low, and little switched on."""
    responder = program.listen(lab_responder.settings_for(demo_database, **{
        "auth.query_credentials": "off", "auth.failure_limit": 3, "server.max_request_bytes": MAX_REQUEST,
        "response.max_nodes": 3, "status.healthz": "off", "database.query_timeout": "500ms"}))
    yield responder
    responder.stop()


def test_errors_of_limits(strict, demo_database):
    variables = client.variables(client.states_path(1), headers=demo_world.GOOD)
    assert_error(strict.ask(variables | {"CONTENT_LENGTH": str(MAX_REQUEST + 1)}, b"x" * (MAX_REQUEST + 1)), 41301)
    assert_error(strict.ask(variables | {"HTTP_X_LARGE": "x" * MAX_REQUEST}), 43101)
    assert_error(ask(strict, 2), 50003)
    assert_error(ask(strict, 1, credentials={}, query=QUERY), 40105)
    assert_error(strict.ask(client.variables("/healthz")), 40401, "/healthz")
    with demo_database.locked("eri_state"):
        assert_error(ask(strict, 1), 50401)
    for _ in range(3):
        assert_error(ask(strict, 1, credentials=WRONG), 40102)
    assert_error(ask(strict, 1, credentials=WRONG), 42901)


def test_errors_of_the_database(program, demo_database):
    responder = program.listen(lab_responder.settings_for(demo_database, **demo_world.NOWHERE))
    assert_error(ask(responder, 1), 50301)
    assert_error(responder.ask(client.variables("/readyz")), 50301, "/readyz")
    responder.stop()
