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
    service_add(
        &stage->service, vars, COUNT_OF(vars), STR(""),
        (struct service_client){open_response, is_ready, end, &stage->response, park, 0, 0});
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

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(each_parameter_has_its_values),  ON_STAGE(a_message_says_what_is_expected),
        ON_STAGE(only_calls_for_states_can_wait), ON_STAGE(plain_cgi_cannot_wait),
        ON_STAGE(waits_end_together_in_steps),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
