// SPDX-License-Identifier: MIT
// Requests that may wait for a change: their parameters, and the version that they name.
#include "base/clock.h"
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

static struct stage *stage;

// A client that can be parked, and what it was parked with.
static struct {
    bool accepts;
    unsigned parked;
    unsigned ended;
    int64_t until_us;
    int64_t reread_us;
    bool has_failed;
    size_t root_count;
    char root[64]; // the first one
    // Of a request that has waited:
    int64_t waiting_since_us;
    int64_t waiting_until_us;
} client;

static int set_up(void **state)
{
    (void)state;
    static char off[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=0";
    static char *const environment[] = {off, NULL};
    stage = stage_new(environment);
    memset(&client, 0, sizeof client);
    return stage_discard_log();
}

static int tear_down(void **state)
{
    (void)state;
    stage_free(stage);
    return 0;
}

static struct http_response *open_response(void *context)
{
    return context;
}

static bool is_ready(void *context)
{
    (void)context;
    return true;
}

static void end(void *context)
{
    (void)context;
    client.ended++;
}

static bool park(void *context, const struct service_parking *parking)
{
    (void)context;
    client.parked += client.accepts;
    client.until_us = parking->until_us;
    client.reread_us = parking->reread_us;
    client.has_failed = parking->has_failed;
    client.root_count = parking->root_count;
    if (parking->root_count > 0) {
        assert_true(parking->roots[0].len < sizeof client.root);
        memcpy(client.root, parking->roots[0].ptr, parking->roots[0].len);
    }
    assert_true(parking->has_failed || str_equal(parking->app_code, STR(STAGE_APP)));
    return client.accepts;
}

// Returns the status; 0 if the request was parked.
static int ask(const char *path, const char *query)
{
    const struct http_var vars[] = {
        {STR("REQUEST_METHOD"), STR("GET")},
        {STR("PATH_INFO"), str_from(path)},
        {STR("QUERY_STRING"), str_from(query)},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
        {STR("HTTP_X_BKAPI_AUTHORIZATION"), STR(STAGE_CREDENTIALS)},
    };
    stage_begin(stage);
    service_add(&stage->service, vars, COUNT_OF(vars), STR(""),
                (struct service_client){open_response, is_ready, end, &stage->response, park,
                                        client.waiting_since_us, client.waiting_until_us});
    service_run(&stage->service);
    assert_true(service_group_is_empty(stage->service.group));
    return stage_end(stage);
}

// ---- parameters ----

static void each_parameter_has_its_values(void **state)
{
    (void)state;
#define BYTES_8   "12345678"
#define BYTES_64  BYTES_8 BYTES_8 BYTES_8 BYTES_8 BYTES_8 BYTES_8 BYTES_8 BYTES_8
#define BYTES_128 BYTES_64 BYTES_64
    static const struct {
        const char *query;
        int status;
    } rows[] = {
        {"wait=0", 200},
        {"wait=30", 200},
        {"wait=030s", 200},
        {"wait=500ms", 200},
        {"wait=60m", 200},
        {"wait=1h", 200},
        {"wait=3600000ms", 200},
        {"wait=0h", 200},
        {"wait=%33%30%73", 200},
        {"wait", 400},
        {"wait=", 400},
        {"wait=s", 400},
        {"wait=-1", 400},
        {"wait=%2B1", 400},
        {"wait=+1", 400},
        {"wait=1.5s", 400},
        {"wait=1S", 400},
        {"wait=1 s", 400},
        {"wait=1d", 400},
        {"wait=0x10", 400},
        {"wait=2h", 400},
        {"wait=61m", 400},
        {"wait=3601", 400},
        {"wait=3600001ms", 400},
        {"wait=9223372036854775808", 400},
        {"wait=99999999999999999999999999999999999999h", 400},
        {"wait=5124095576030432h", 400}, // 64 bits overflow
        {"wait=1&wait=1", 400},
        {"wait=0&wait=0", 400},
        {"version=", 200},
        {"version", 200},
        {"version=%F0%9F%98%80%01%22", 200},
        {"version=" BYTES_128, 200},
        {"version=" BYTES_128 "9", 400},
        {"version=1&version=1", 400},
        {"wait=1&version=1", 200},
        {"version=1&subtasks=1&wait=1", 200},
        {"waits=x", 200},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].query, ask(STAGE_PATH, rows[i].query), rows[i].status);
    }
}

static void a_message_says_what_is_expected(void **state)
{
    (void)state;
    assert_int_equal(ask(STAGE_PATH, "wait=x"), 400);
    struct json_object *const envelope = stage_error(stage, 40000);
    assert_string_equal(
        json_text(envelope, "message"),
        "Malformed request: wait must be a duration of at most 1h such as 30s, once");
    json_object_put(envelope);
}

static void only_calls_for_states_can_wait(void **state)
{
    (void)state;
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        check_number(paths[i], ask(paths[i], "wait=1s"), 400);
        check_number(paths[i], ask(paths[i], "wait=0&version=1&version=2"), 200);
    }
}

static void plain_cgi_cannot_wait(void **state)
{
    (void)state;
    assert_int_equal(stage_get(stage, STAGE_PATH, (struct variable){"QUERY_STRING", "wait=1s"}),
                     400);
    struct json_object *const envelope = stage_error(stage, 40000);
    assert_string_equal(json_text(envelope, "message"),
                        "Malformed request: wait is not possible in plain CGI");
    json_object_put(envelope);
    assert_int_equal(stage_get(stage, STAGE_PATH, (struct variable){"QUERY_STRING", "wait=0"}),
                     200);
}

// ---- the end of a wait ----

// Returns when the wait of a request that knows the states ends, in microseconds from now.
static int64_t end_of_wait(const char *wait)
{
    char query[64];
    client.accepts = true;
    assert_int_equal(ask(STAGE_PATH, ""), 200);
    const struct str version = stage_header(stage, "X-States-Version");
    snprintf(query, sizeof query, "version=%.*s&wait=%s", (int)version.len, version.ptr, wait);
    const int64_t before_us = clock_monotonic_us();
    assert_int_equal(ask(STAGE_PATH, query), 0);
    return client.until_us - before_us;
}

static void waits_end_together_in_steps(void **state)
{
    (void)state;
    static const struct {
        const char *wait;
        int64_t wait_us, step_us;
    } rows[] = {
        {"50s", 50000000, 1 << 19}, {"40s", 40000000, 1 << 19}, {"30s", 30000000, 1 << 18},
        {"1s", 1000000, 1 << 13},   {"1ms", 1000, 1 << 3},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const int64_t end_us = end_of_wait(rows[i].wait);
        check_number(rows[i].wait, client.until_us % rows[i].step_us, 0);
        check(rows[i].wait, end_us >= rows[i].wait_us);
        check(rows[i].wait, rows[i].step_us <= rows[i].wait_us / 64);
    }
    assert_int_equal(client.parked, COUNT_OF(rows));
}

// ---- who waits ----

// The query of a client that has the states as they are.
static const char *known_states(const char *more)
{
    static char query[128];
    const int64_t since_us = client.waiting_since_us;
    client.waiting_since_us = 0;
    assert_int_equal(ask(STAGE_PATH, more), 200);
    client.waiting_since_us = since_us;
    const struct str version = stage_header(stage, "X-States-Version");
    snprintf(query, sizeof query, "%s&wait=10s&version=%.*s", more, (int)version.len, version.ptr);
    return query;
}

static void who_has_the_states_waits_for_their_root(void **state)
{
    (void)state;
    const char *const query = known_states("");
    client.accepts = true;
    client.ended = 0;
    assert_int_equal(ask(STAGE_PATH, query), 0);
    assert_int_equal(client.parked, 1);
    assert_int_equal(client.ended, 0);
    assert_int_equal(client.root_count, 1);
    assert_string_equal(client.root, STAGE_ROOT);
    assert_int_equal(client.reread_us, 0);
    assert_false(client.has_failed);
}

static void who_may_not_wait_is_answered_at_once(void **state)
{
    (void)state;
    assert_int_equal(ask(STAGE_PATH, known_states("")), 200);
    assert_int_equal(client.ended, 2);
}

static void who_has_other_states_or_an_error_does_not_wait(void **state)
{
    (void)state;
    client.accepts = true;
    assert_int_equal(ask(STAGE_PATH, "wait=10s&version=x"), 200);
    assert_int_equal(ask(STAGE_PATH, "wait=10s&version="), 200);
    assert_int_equal(ask(STAGE_PATH, "wait=10s"), 200);
    const char *const query = known_states("");
    stage->fake.failure = ERR_DATABASE_DOWN;
    stage->fake.fail_at = stage->fake.calls + 1;
    assert_int_equal(ask(STAGE_PATH, query), 503);
    stage->fake.template.app_code = STR("other");
    assert_int_equal(ask(STAGE_PATH, query), 403);
    assert_int_equal(client.parked, 0);
}

static void what_no_row_shows_is_read_again(void **state)
{
    (void)state;
    client.accepts = true;
    assert_int_equal(ask(STAGE_PATH, known_states("subtasks=1")), 0);
    assert_int_equal(client.reread_us, 2000000);
    stage->fake.task.is_started = false;
    assert_int_equal(ask(STAGE_PATH, known_states("")), 0);
    assert_int_equal(client.reread_us, 10000000);
}

static void subtasks_are_watched_too(void **state)
{
    (void)state;
    static const struct row rows[] = {ROW("c", "c", .state = "RUNNING", .version = "vc")};
    static const struct fake_subtask subtasks[] = {
        {.id = 20,
         .parent = STAGE_TASK,
         .root = "c",
         .rows = rows,
         .row_count = COUNT_OF(rows),
         .extra_info =
             "{\"node_id\":\"n0000000000000000000000000000002\",\"node_version\":\"v1\"}"},
        {.id = 21,
         .parent = STAGE_TASK,
         .root = "d",
         .is_not_started = true,
         .extra_info =
             "{\"node_id\":\"n0000000000000000000000000000003\",\"node_version\":\"v2\"}"},
    };
    stage->fake.subtasks = subtasks;
    stage->fake.subtask_count = COUNT_OF(subtasks);
    client.accepts = true;
    assert_int_equal(ask(STAGE_PATH, known_states("subtasks=1")), 0);
    assert_int_equal(client.root_count, 3);
    assert_string_equal(client.root, STAGE_ROOT);
}

static void a_database_that_fails_does_not_end_a_wait(void **state)
{
    (void)state;
    static const enum error_kind kinds[] = {ERR_DATABASE_DOWN, ERR_DATABASE_FAULT, ERR_OVERLOADED,
                                            ERR_QUERY_TIMEOUT};
    const char *const query = known_states("");
    client.accepts = true;
    client.waiting_since_us = clock_monotonic_us();
    client.waiting_until_us = client.waiting_since_us + INT64_C(3600000000);
    for (size_t i = 0; i < COUNT_OF(kinds) * 3; i++) { // in each of its three calls
        stage->fake.failure = kinds[i / 3];
        stage->fake.fail_at = stage->fake.calls + 1 + (unsigned)(i % 3);
        check_number(error_label(kinds[i / 3]), ask(STAGE_PATH, query), 0);
        check(error_label(kinds[i / 3]), client.has_failed);
        check_number(error_label(kinds[i / 3]), client.until_us, client.waiting_until_us);
    }
    stage->fake.failure = ERR_INTERNAL;
    stage->fake.fail_at = stage->fake.calls + 1;
    assert_int_equal(ask(STAGE_PATH, query), 500);
    client.waiting_until_us = client.waiting_since_us; // its time is over
    stage->fake.failure = ERR_DATABASE_DOWN;
    stage->fake.fail_at = stage->fake.calls + 1;
    assert_int_equal(ask(STAGE_PATH, query), 503);
}

static void a_wait_keeps_its_end(void **state)
{
    (void)state;
    const char *const query = known_states("");
    client.accepts = true;
    client.waiting_since_us = clock_monotonic_us() - 1000000;
    client.waiting_until_us = client.waiting_since_us + INT64_C(3600000000);
    assert_int_equal(ask(STAGE_PATH, query), 0);
    assert_int_equal(client.until_us, client.waiting_until_us);
    client.waiting_until_us = client.waiting_since_us;
    assert_int_equal(ask(STAGE_PATH, query), 200);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(each_parameter_has_its_values),
        ON_STAGE(a_message_says_what_is_expected),
        ON_STAGE(only_calls_for_states_can_wait),
        ON_STAGE(plain_cgi_cannot_wait),
        ON_STAGE(waits_end_together_in_steps),
        ON_STAGE(who_has_the_states_waits_for_their_root),
        ON_STAGE(who_may_not_wait_is_answered_at_once),
        ON_STAGE(who_has_other_states_or_an_error_does_not_wait),
        ON_STAGE(what_no_row_shows_is_read_again),
        ON_STAGE(subtasks_are_watched_too),
        ON_STAGE(a_database_that_fails_does_not_end_a_wait),
        ON_STAGE(a_wait_keeps_its_end),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
