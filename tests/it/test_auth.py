# SPDX-License-Identifier: MIT
"""Contract 2.1 and 2.3: application code, secret and user name, by header or by query."""

import json
import urllib.parse

import pytest
import support
from lab import client, mariadb

NAMES = ("bk_app_code", "bk_app_secret", "bk_username")
GOOD = dict(zip(NAMES, (support.APP, support.SECRET, support.USER)))

MISSING, WRONG, NO_USER, SWITCHED_OFF = 40101, 40102, 40103, 40105


def by_header(task_id, value, **others):
    return support.states(task_id, credentials={"X-Bkapi-Authorization": value}, **others)


def by_query(task_id, query):
    return support.states(task_id, credentials={}, query=query)


def encoded(credentials):
    return urllib.parse.urlencode(credentials)


WAYS = {
    "header": lambda task_id, credentials: by_header(task_id, json.dumps(credentials)),
    "query": lambda task_id, credentials: by_query(task_id, encoded(credentials)),
}


@pytest.fixture(params=WAYS)
def ask(request, standard, finished_task):
    """A function from credentials to the answer, for each way of giving them."""
    return lambda credentials: standard.ask(WAYS[request.param](finished_task, credentials))


def test_good_credentials(ask):
    support.success(ask(GOOD))


def test_no_credentials_at_all(standard, finished_task):
    response = standard.ask(support.states(finished_task, credentials={}))
    support.assert_error(response, 401, MISSING)
    assert response.header("WWW-Authenticate"), "RFC 9110 wants it in every 401"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", ["absent", "empty"])
def test_missing_credential_is_named(ask, name, change):
    credentials = {key: value for key, value in GOOD.items() if key != name}
    if change == "empty":
        credentials[name] = ""
    message = support.assert_error(ask(credentials), 401, MISSING)
    assert name in message
    assert not any(other in message for other in NAMES if other != name)


@pytest.mark.parametrize("code", [
    "nobody", "Worker_app", "WORKER_APP", "worker_app ", " worker_app", "worker_app\t", "w\u00f6rker_app",
    "worker_ap", "worker_appx", "worker_app\u200b", "worker\\_app", "worker_ap_", "%", "worker_app%", "*",
    "' OR 1=1 -- ", "x" * 129, "x" * 3000, support.OTHER_APP, "\U0001f600",
], ids=lambda code: ascii(code)[:40])
def test_wrong_application_code(ask, code):
    support.assert_error(ask(GOOD | {"bk_app_code": code}), 401, WRONG)


@pytest.mark.parametrize("secret", [
    "wrong", support.SECRET + " ", " " + support.SECRET, support.SECRET[:-1], support.SECRET.upper(),
    support.OTHER_SECRET, "x" * 3000, support.digest(support.SECRET).hex(), "null", "\u00e9",
], ids=lambda secret: ascii(secret)[:40])
def test_wrong_secret(ask, secret):
    support.assert_error(ask(GOOD | {"bk_app_secret": secret}), 401, WRONG)


def test_secret_of_another_application_is_good_for_that_one_only(standard, world):
    task_id = world.task([support.node()], template_id=world.template(support.OTHER_APP))
    others = {"bk_app_code": support.OTHER_APP, "bk_app_secret": support.OTHER_SECRET, "bk_username": support.USER}
    support.success(standard.ask(by_header(task_id, json.dumps(others))))


def test_disabled_application_looks_like_an_unknown_one(ask):
    disabled = GOOD | {"bk_app_code": support.DISABLED_APP, "bk_app_secret": support.DISABLED_SECRET}
    support.assert_error(ask(disabled), 401, WRONG)


@pytest.mark.parametrize("username", [
    "nobody", support.INACTIVE_USER, "Alice", "ALICE", "alice ", " alice", "alic\u00e9", "alice\t", "alic", "alicee",
    "al_ce", "%", "' OR 1=1 -- ", "x" * 256, "x" * 3000, "\u0391lice",
], ids=lambda username: ascii(username)[:40])
def test_wrong_user(ask, username):
    support.assert_error(ask(GOOD | {"bk_username": username}), 401, NO_USER)


@pytest.mark.parametrize("code, secret, username", [
    ("\u5e94\u7528-\u4e00", "\u79d8\u5bc6 \U0001f511", "\u5f20\u4e09"),
    ("a.b-c_d", "quote\" back\\slash / <>&+%25", "o'neill@example.com"),
    ("c" * 128, "s" * 1000, "u" * 255),
], ids=["cjk", "punctuation", "longest"])
def test_unusual_but_good_credentials(standard, database, world, code, secret, username):
    database.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, secret)])
                 + mariadb.insert("account_user", [{"username": username, "is_active": True}]))
    task_id = world.task([support.node()], template_id=world.template(code))
    credentials = dict(zip(NAMES, (code, secret, username)))
    for way in WAYS.values():
        support.success(standard.ask(way(task_id, credentials)))


@pytest.mark.parametrize("odd", ["\u202e", "\u200b", "\ufeff", "\u00a0", "\u3000", "\u2066", "\x85", "\x7f"], ids=ascii)
def test_a_code_that_looks_like_another_is_unknown_whatever_the_table_holds(standard, database, world, odd):
    code = f"looks_good{odd}"
    database.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, "s3cret")]))
    task_id = world.task([support.node()], template_id=world.template(code))
    for way in WAYS.values():
        response = standard.ask(way(task_id, dict(zip(NAMES, (code, "s3cret", support.USER)))))
        support.assert_error(response, 401, WRONG)


def test_header_in_utf8_without_escapes(standard, database, world):
    """Some versions of json-c refuse that."""
    code, secret, username = "\u4efb\u52a1_app", "\u79d8\u5bc6\U0001f511", "\u738b\u4e94\u516d"
    database.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, secret)])
                 + mariadb.insert("account_user", [{"username": username, "is_active": True}]))
    task_id = world.task([support.node()], template_id=world.template(code))
    header = json.dumps(dict(zip(NAMES, (code, secret, username))), ensure_ascii=False)
    support.success(standard.ask(by_header(task_id, header.encode())))


def test_unknown_application_and_wrong_secret_get_the_same_answer(standard, finished_task):
    same_id = {"X-Request-Id": "the-same-for-both"}
    answers = [
        standard.ask(support.states(finished_task, same_id, credentials=client.credentials(code, secret, support.USER)))
        for code, secret in [("nobody", "wrong"), (support.APP, "wrong"),
                             (support.DISABLED_APP, support.DISABLED_SECRET), (support.DISABLED_APP, "wrong")]
    ]
    assert {answer.raw for answer in answers} == {answers[0].raw}


def test_wrong_secret_comes_before_unknown_user_and_unknown_task(standard):
    """Somebody without a good secret learns nothing of users or tasks."""
    credentials = client.credentials(support.APP, "wrong", "nobody")
    support.assert_error(standard.ask(support.states(404_404, credentials=credentials)), 401, WRONG)


def test_unknown_user_comes_before_unknown_task(standard):
    credentials = client.credentials(support.APP, support.SECRET, "nobody")
    support.assert_error(standard.ask(support.states(404_404, credentials=credentials)), 401, NO_USER)


@pytest.mark.parametrize("value", [
    "null", "true", "1", '"text"', "[]", json.dumps([GOOD]), json.dumps(list(GOOD.values())),
    json.dumps({"credentials": GOOD})[:-1], json.dumps(GOOD)[:-1], json.dumps(GOOD)[1:], json.dumps(GOOD) + "}",
    json.dumps(GOOD) + json.dumps(GOOD), json.dumps(GOOD) + " x", "{", "}", "{}{}", "not json", "''",
    str(GOOD), json.dumps(GOOD).replace(":", "="), json.dumps(GOOD)[:-1] + ",}", "{,}", "// x\n" + json.dumps(GOOD),
    "\ufeff" + json.dumps(GOOD), "[" * 5000, '{"a":' * 5000, "NaN", "Infinity", "\\", '{"bk_app_code":"\\x"}',
    '{"bk_app_code":"\\u12"}', '{"bk_app_code":"' + "a" * 20,
], ids=lambda value: ascii(value)[:40])
def test_header_that_is_no_json_object(standard, finished_task, value):
    support.assert_error(standard.ask(by_header(finished_task, value)), 400, 40003)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [1, 1.5, True, None, [], ["x"], {}, {"x": "y"}], ids=json.dumps)
def test_members_must_be_strings(standard, finished_task, name, value):
    response = standard.ask(by_header(finished_task, json.dumps(GOOD | {name: value})))
    support.assert_error(response, 400, 40003)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first, second", [("good", "good"), ("good", "wrong"), ("wrong", "good")])
def test_duplicate_members_are_refused(standard, finished_task, name, first, second):
    values = {"good": GOOD[name], "wrong": "wrong"}
    others = [(key, value) for key, value in GOOD.items() if key != name]
    members = [(name, values[first]), *others, (name, values[second])]
    text = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in members) + "}"
    support.assert_error(standard.ask(by_header(finished_task, text)), 400, 40003)


def test_duplicate_member_spelt_with_an_escape_is_refused(standard, finished_task):
    text = json.dumps(GOOD)[:-1] + r',"bk_app_c\u006fde":"other_app"}'
    support.assert_error(standard.ask(by_header(finished_task, text)), 400, 40003)


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"], ids=ascii)
def test_header_of_invalid_utf8(standard, finished_task, raw):
    value = json.dumps(GOOD).encode().replace(b"alice", b"alice" + raw)
    support.assert_error(standard.ask(by_header(finished_task, value)), 400, 40003)


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800x", r"\udc00\ud800"])
def test_lone_surrogates_are_refused(standard, finished_task, escape):
    value = json.dumps(GOOD).replace("alice", "alice" + escape)
    assert standard.ask(by_header(finished_task, value)).status in (400, 401)


@pytest.mark.parametrize("name", NAMES)
def test_escaped_nul_never_ends_a_value(standard, finished_task, name):
    """If the NUL cut the value, the rest before it would be good."""
    value = json.dumps(GOOD).replace(json.dumps(GOOD[name]), json.dumps(GOOD[name] + "\0x"))
    assert standard.ask(by_header(finished_task, value)).status in (400, 401)


def test_name_with_an_escaped_nul_is_another_name(standard, finished_task):
    value = json.dumps(GOOD).replace('"bk_app_code"', '"bk_app_code\\u0000x"')
    assert standard.ask(by_header(finished_task, value)).status in (400, 401)


def test_raw_nul_in_the_header(standard, finished_task):
    value = json.dumps(GOOD).encode() + b"\0"
    assert standard.ask(by_header(finished_task, value)).status in (400, 401)


def test_escapes_in_the_header_are_decoded(standard, finished_task):
    text = "{" + ",".join(f'"{key}":"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"'
                          for key, value in GOOD.items()) + "}"
    support.success(standard.ask(by_header(finished_task, text)))


def test_space_around_json_and_other_members_are_fine(standard, finished_task):
    members = {"access_token": "x", "extra": "y"} | GOOD
    text = json.dumps(members, indent=2).replace("\n", " ")
    support.success(standard.ask(by_header(finished_task, f" {text} ")))


def test_empty_header_is_no_way_around_the_checks(standard, finished_task):
    assert standard.ask(by_header(finished_task, "")).status in (400, 401)


def test_one_megabyte_in_the_header(standard, finished_task):
    response = standard.ask(by_header(finished_task, json.dumps(GOOD | {"bk_username": "x" * 1_000_000})))
    support.assert_error(response, 431, 43101)


def test_doubled_header_is_refused(standard, finished_task):
    """What lighttpd makes of X-Bkapi-Authorization and X_Bkapi_Authorization."""
    name = client.header_variable("X-Bkapi-Authorization")
    variables = [*support.states(finished_task).items(), (name, json.dumps(GOOD))]
    support.assert_error(standard.ask(variables), 400, 40002)


def test_doubled_gateway_token_is_refused(standard, finished_task):
    name = client.header_variable("X-Bkapi-JWT")
    variables = [*support.states(finished_task).items(), (name, "a.b.c"), (name, "a.b.c")]
    support.assert_error(standard.ask(variables), 400, 40002)


def test_gateway_token_is_not_passed_over(standard, finished_task):
    """A request that brings a token is judged by it alone, whatever else it brings."""
    response = standard.ask(support.states(finished_task, {"X-Bkapi-JWT": "a.b.c"}))
    assert response.status == 401


class TestQuery:
    """The query string as a way in."""

    @pytest.mark.parametrize("query", [
        encoded(GOOD),
        "&".join(f"{key}=" + "".join(f"%{byte:02x}" for byte in value.encode()) for key, value in GOOD.items()),
        "&".join(f"{key}=" + "".join(f"%{byte:02X}" for byte in value.encode()) for key, value in GOOD.items()),
        encoded(GOOD).replace("bk_app_code", "%62k_app_c%6Fde"),
        "a=1&&b&=&" + encoded(GOOD) + "&",
        encoded(GOOD).replace("+", "%20"),
        "%E4%BB%BB=%26&" + encoded(GOOD),
    ], ids=["urlencode", "all-lower", "all-upper", "name", "others", "space", "utf8"])
    def test_decoding(self, standard, finished_task, query):
        support.success(standard.ask(by_query(finished_task, query)))

    @pytest.mark.parametrize("query", [
        encoded(GOOD) + "&x=%", encoded(GOOD) + "&x=%4", encoded(GOOD) + "&x=%zz", encoded(GOOD) + "&%=x",
        encoded(GOOD) + "&x=%4g", encoded(GOOD) + "&x=%%34%31", encoded(GOOD) + "%", encoded(GOOD) + "&x=%-1",
        encoded(GOOD) + "&x=% 1", encoded(GOOD) + "&x=%0x",
        encoded(GOOD) + "%00", encoded(GOOD) + "&x=%00", encoded(GOOD) + "&x=%FF", encoded(GOOD) + "&x=%C0%80",
        encoded(GOOD) + "&x=%ED%A0%80", encoded(GOOD) + "&x=%E4%BB",
    ], ids=lambda query: query[len(encoded(GOOD)):])
    def test_malformed(self, standard, finished_task, query):
        support.assert_error(standard.ask(by_query(finished_task, query)), 400, 40004)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("order", ["good-good", "good-wrong", "wrong-good", "good-empty", "empty-good"])
    def test_doubled_parameter(self, standard, finished_task, name, order):
        values = {"good": GOOD[name], "wrong": "wrong", "empty": ""}
        others = [(key, value) for key, value in GOOD.items() if key != name]
        first, second = order.split("-")
        query = urllib.parse.urlencode([(name, values[first]), *others, (name, values[second])])
        support.assert_error(standard.ask(by_query(finished_task, query)), 400, 40004)

    def test_names_are_case_sensitive(self, standard, finished_task):
        query = encoded(GOOD).replace("bk_app_code", "BK_APP_CODE")
        support.assert_error(standard.ask(by_query(finished_task, query)), 401, MISSING)

    def test_is_not_looked_at_beside_the_header(self, standard, finished_task):
        """Whatever it holds: good, wrong or malformed."""
        for query in (encoded(GOOD), encoded(GOOD | {"bk_app_secret": "wrong"}), "%", "bk_app_code=x&bk_app_code=y"):
            support.success(standard.ask(by_header(finished_task, json.dumps(GOOD), query=query)))

    @pytest.mark.parametrize("value, status, code", [
        ("{}", 401, MISSING),
        (json.dumps({"bk_app_code": support.APP}), 401, MISSING),
        (json.dumps(GOOD | {"bk_app_secret": "wrong"}), 401, WRONG),
        ("not json", 400, 40003),
    ], ids=["empty", "part", "wrong", "malformed"])
    def test_never_completes_or_replaces_the_header(self, standard, finished_task, value, status, code):
        response = standard.ask(by_header(finished_task, value, query=encoded(GOOD)))
        support.assert_error(response, status, code)

    def test_switched_off(self, serve, finished_task):
        responder = serve({"auth.query_credentials": "off"})
        for credentials in (GOOD, GOOD | {"bk_app_secret": "wrong"}, {"bk_app_secret": support.SECRET}):
            response = responder.ask(by_query(finished_task, encoded(credentials)))
            support.assert_error(response, 401, SWITCHED_OFF)
        support.success(responder.ask(by_header(finished_task, json.dumps(GOOD))))

    def test_switched_off_and_nothing_given(self, serve, finished_task):
        responder = serve({"auth.query_credentials": "off"})
        support.assert_error(responder.ask(by_query(finished_task, "a=b")), 401, MISSING)

    def test_body_is_no_way_in(self, standard, finished_task):
        body = encoded(GOOD).encode()
        variables = by_query(finished_task, "") | {
            "CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(body))}
        support.assert_error(standard.ask(variables, body), 401, MISSING)


class TestRotation:
    """For a while after a rotation the previous secret is accepted."""

    def app(self, database, world, code, expires):
        """An application whose previous secret's time is given as an SQL expression."""
        row = support.app_row(code, "new-secret", previous_digest=support.digest("previous-secret"))
        database.sql(mariadb.insert("bkflow_states_app", [row])
                     + f"UPDATE bkflow_states_app SET previous_expires_at = {expires} WHERE bk_app_code = '{code}'")
        return world.task([support.node()], template_id=world.template(code))

    def ask(self, responder, task_id, code, secret):
        return responder.ask(support.states(task_id, credentials=client.credentials(code, secret, support.USER)))

    def test_both_secrets_before_the_end(self, standard, database, world):
        task_id = self.app(database, world, "rotating", "UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
        support.success(self.ask(standard, task_id, "rotating", "new-secret"))
        support.success(self.ask(standard, task_id, "rotating", "previous-secret"))
        support.assert_error(self.ask(standard, task_id, "rotating", "older-secret"), 401, WRONG)

    def test_only_the_new_one_after_the_end(self, standard, database, world):
        task_id = self.app(database, world, "rotated", "UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
        support.success(self.ask(standard, task_id, "rotated", "new-secret"))
        support.assert_error(self.ask(standard, task_id, "rotated", "previous-secret"), 401, WRONG)

    def test_no_end_means_not_accepted(self, standard, database, world):
        task_id = self.app(database, world, "endless", "NULL")
        support.success(self.ask(standard, task_id, "endless", "new-secret"))
        support.assert_error(self.ask(standard, task_id, "endless", "previous-secret"), 401, WRONG)

    def test_a_rotation_counts_at_once(self, standard, database, world):
        """Nothing is remembered between two requests."""
        task_id = self.app(database, world, "fresh", "NULL")
        support.success(self.ask(standard, task_id, "fresh", "new-secret"))
        database.sql(f"UPDATE bkflow_states_app SET secret_digest = x'{support.digest('newest').hex()}' "
                     "WHERE bk_app_code = 'fresh'")
        support.assert_error(self.ask(standard, task_id, "fresh", "new-secret"), 401, WRONG)
        support.success(self.ask(standard, task_id, "fresh", "newest"))

    def test_another_salt_counts_at_once(self, standard, database, world):
        """As when an application is removed and added again."""
        task_id = self.app(database, world, "salted", "NULL")
        for _ in range(8):  # every worker has seen the old salt
            support.success(self.ask(standard, task_id, "salted", "new-secret"))
        salt = bytes(reversed(range(16)))
        database.sql(f"UPDATE bkflow_states_app SET salt = x'{salt.hex()}', "
                     f"secret_digest = x'{support.digest('new-secret', salt).hex()}' WHERE bk_app_code = 'salted'")
        for _ in range(8):
            support.success(self.ask(standard, task_id, "salted", "new-secret"))
            support.assert_error(self.ask(standard, task_id, "salted", "previous-secret"), 401, WRONG)

    def test_disabling_counts_at_once(self, standard, database, world):
        task_id = self.app(database, world, "leaving", "UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
        database.sql("UPDATE bkflow_states_app SET is_enabled = 0 WHERE bk_app_code = 'leaving'")
        for secret in ("new-secret", "previous-secret"):
            support.assert_error(self.ask(standard, task_id, "leaving", secret), 401, WRONG)


def test_secrets_appear_in_no_answer_and_no_log(serve, finished_task):
    """The most talkative log there is, and requests that fail in every way around a secret."""
    responder = serve({"log.level": "debug", "log.access": "on", "log.format": "json"})
    wrong = "a-wrong-secret-of-its-own"
    requests = [way(finished_task, GOOD | change) for way in WAYS.values()
                for change in ({}, {"bk_app_secret": wrong}, {"bk_username": "nobody"}, {"bk_app_code": ""})]
    requests += [by_header(finished_task, json.dumps(GOOD)[:-1]), by_header(finished_task, json.dumps(wrong)),
                 by_query(finished_task, encoded(GOOD) + "&x=%"), by_query(finished_task, f"bk_app_secret={wrong}")]
    answers = b"".join(responder.ask(request).raw for request in requests)
    last_id = {"X-Request-Id": "the-last-request"}
    responder.ask(support.states(finished_task, last_id))
    responder.wait_for_log("the-last-request")
    for secret in (support.SECRET, encoded({"x": support.SECRET})[2:], json.dumps(support.SECRET)[1:-1], wrong,
                   support.digest(support.SECRET).hex(), responder.settings["database.password"]):
        assert secret not in responder.log
        assert secret.encode() not in answers
