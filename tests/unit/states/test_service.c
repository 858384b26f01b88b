// SPDX-License-Identifier: MIT
// service: from literal variables to the bytes of the answer.
#include "base/log.h"
#include "stage.h"
#include "states/store_overloaded.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct stage *stage;

static int set_up_with(char *const *environment)
{
    stage = stage_new(environment);
    return stage_discard_log();
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(NULL);
}

static int tear_down(void **state)
{
    (void)state;
    stage_free(stage);
    return 0;
}

// Recreates the stage with one configuration key: "BKFLOW_STATES_...=...".
static void configure(const char *entry)
{
    char *const copy = strdup(entry);
    char *const environment[] = {copy, NULL};
    stage_free(stage);
    assert_int_equal(set_up_with(environment), 0);
    free(copy);
}

#define VARIABLE(name, value) ((struct variable){(name), (value)})

static int get(const char *path)
{
    return stage_get(stage, path, NO_VARIABLE);
}

static int get_with(const char *name, const char *value)
{
    return stage_get(stage, STAGE_PATH, VARIABLE(name, value));
}

// Sends a request without credentials.
static int ask(const char *method, const char *path, const char *remote_addr)
{
    const struct variable variables[] = {
        {"REQUEST_METHOD", method},   {"PATH_INFO", path}, {"QUERY_STRING", ""},
        {"REMOTE_ADDR", remote_addr}, NO_VARIABLE,
    };
    return stage_handle(stage, variables);
}

static int get_with_credentials(const char *header)
{
    const struct variable variables[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", STAGE_PATH},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"HTTP_X_BKAPI_AUTHORIZATION", header},
        NO_VARIABLE,
    };
    return stage_handle(stage, variables);
}

#define WRONG_CREDENTIALS                                                                          \
    "{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"guess\",\"bk_username\":\"admin\"}"

// Checks that the last answer is an error with this code.
static void expect_error(int code)
{
    json_object_put(stage_error(stage, code));
}

// Returns the envelope of the last answer, which must be 200; free it with json_object_put.
static struct json_object *success(void)
{
    static const char *const members[] = {"result", "data", "message", "code", "trace_id"};
    struct json_object *const envelope = stage_envelope(stage, members);
    assert_true(json_object_get_boolean(json_at(envelope, "result")));
    assert_string_equal(json_text(envelope, "message"), "");
    assert_int_equal(json_number(envelope, "code"), 0);
    return envelope;
}

// ---- success ----

#define N(n) "n000000000000000000000000000000" n
#define NODE(n, state, version)                                                                    \
    "{\"id\":\"" N(                                                                                \
        n) "\",\"state\":\"" state                                                                 \
           "\",\"root_id:\":\"" N("1") "\",\"root_id\":\"" N("1") "\",\"parent_id\":\"" N(         \
               "1") "\",\"version\":\"" version                                                    \
                    "\",\"loop\":0,\"retry\":0,\"skip\":false,\"error_ignorable\":false,"          \
                    "\"error_ignored\":false,\"children\":{"

static void a_started_task_is_answered_with_its_tree(void **state)
{
    (void)state;
    assert_int_equal(get_with("HTTP_X_REQUEST_ID", "id-1"), 200);
    assert_text(
        stage_body(stage),
        "{\"result\":true,\"data\":" NODE("1", "RUNNING", "v0") "\"" N("2") "\":" NODE(
            "2", "FINISHED",
            "v1") "},\"elapsed_time\":8,\"start_time\":\"2023-06-15 17:29:42 +0800\","
                  "\"finish_time\":\"2023-06-15 17:29:50 +0800\"},"
                  "\"" N("3") "\":" NODE(
                      "3", "RUNNING",
                      "v2") "},\"elapsed_time\":9,\"start_time\":\"2023-06-15 17:29:51 +0800\","
                            "\"finish_time\":\"\"}"
                            "},\"elapsed_time\":19,\"start_time\":\"2023-06-15 17:29:41 +0800\","
                            "\"finish_time\":\"\"},\"message\":\"\",\"code\":0,\"trace_id\":\"id-1\"}");
}

static void an_answer_has_its_headers_and_no_others(void **state)
{
    (void)state;
    assert_int_equal(get_with("HTTP_X_REQUEST_ID", "id-1"), 200);
    assert_text(stage_header(stage, "Status"), "200 OK");
    assert_text(stage_header(stage, "Content-Type"), "application/json");
    assert_text(stage_header(stage, "Cache-Control"), "no-cache");
    assert_text(stage_header(stage, "X-Content-Type-Options"), "nosniff");
    assert_text(stage_header(stage, "X-Request-Id"), "id-1");
    assert_int_equal(stage_header(stage, "ETag").len, 34);
    assert_int_equal(stage_header(stage, "X-States-Version").len, 32);
    unsigned lines = 0;
    const char *const body = stage_body(stage).ptr;
    for (const char *c = stage->sink->bytes; c < body; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, 8); // these seven and the empty one
}

static void a_task_that_has_not_started_is_created(void **state)
{
    (void)state;
    stage->fake.task.is_started = false;
    assert_int_equal(get_with("HTTP_X_REQUEST_ID", "i"), 200);
    assert_text(stage_body(stage),
                "{\"result\":true,\"data\":{\"start_time\":null,\"state\":\"CREATED\",\"retry\":0,"
                "\"skip\":0,\"finish_time\":null,\"elapsed_time\":0,\"children\":{}},"
                "\"message\":\"\",\"code\":0,\"trace_id\":\"i\"}");
    assert_int_equal(stage->fake.loads, 0);
}

static void a_started_task_without_rows_is_created(void **state)
{
    (void)state;
    stage->fake.row_count = 0;
    assert_int_equal(get_with("HTTP_X_REQUEST_ID", "i"), 200);
    assert_text(stage_body(stage), "{\"result\":true,\"data\":{\"state\":\"CREATED\"},"
                                   "\"message\":\"\",\"code\":0,\"trace_id\":\"i\"}");
}

static void an_expired_task_does_not_exist(void **state)
{
    (void)state;
    stage->fake.task.is_expired = true;
    assert_int_equal(get_with("HTTP_X_REQUEST_ID", "i"), 404);
    assert_text(stage_body(stage),
                "{\"result\":false,\"message\":\"Task does not exist. task_id=10\","
                "\"code\":40402,\"data\":null,\"trace_id\":\"i\"}");
    assert_int_equal(stage->fake.loads, 0);
}

static void credentials_may_be_in_the_query(void **state)
{
    (void)state;
    const struct variable variables[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", STAGE_PATH},
        {"QUERY_STRING", "bk_app_code=demo_app&bk_app_secret=demo-secret&bk_username=admin"},
        NO_VARIABLE,
    };
    assert_int_equal(stage_handle(stage, variables), 200);
}

static void a_large_answer_passes_through_a_small_buffer(void **state)
{
    (void)state;
    enum { NODES = 3000 };
    static struct row rows[NODES];
    static char ids[NODES][16];
    for (size_t i = 0; i < NODES; i++) {
        snprintf(ids[i], sizeof ids[i], "n%zu", i);
        rows[i] = (struct row){
            .id = i == 0 ? STAGE_ROOT : ids[i],
            .parent = STAGE_ROOT,
            .state = "RUNNING",
            .started = STAGE_NOW_US,
        };
    }
    stage->fake.rows = rows;
    stage->fake.row_count = NODES;
    assert_int_equal(get(STAGE_PATH), 200);
    assert_true(stage->sink->calls > 100);
    assert_uint_in_range(stage->sink->largest, STAGE_BUFFER_BYTES / 2, STAGE_BUFFER_BYTES);
    struct json_object *const envelope = success();
    assert_int_equal(json_object_object_length(json_at(envelope, "data/children")), NODES - 1);
    json_object_put(envelope);
}

// ---- routes ----

static void a_trailing_slash_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(get("/task/10/get_task_states_by_app"), 200);
    assert_int_equal(get("/task/10/get_task_states_by_app/"), 200);
    assert_int_equal(get("/healthz/"), 200);
}

static void good_task_ids_reach_the_store(void **state)
{
    (void)state;
    static const struct {
        const char *digits;
        int64_t id;
    } rows[] = {
        {"1", 1},
        {"10", 10},
        {"0010", 10},
        {"0000000000000000000000000000000000000000010", 10},
        {"9223372036854775807", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char path[128];
        snprintf(path, sizeof path, "/task/%s/get_task_states_by_app/", rows[i].digits);
        stage->fake.task_id = rows[i].id;
        check_number(rows[i].digits, get(path), 200);
        check_number(rows[i].digits, stage->fake.permitted_task, rows[i].id);
    }
}

// Runs in a child process: reading past the path's end crashes.
static int get_in_child(void *path)
{
    return get(path) == 400 && stage->fake.calls == 0 &&
                   has_text(stage_body(stage), "\"code\":40001,")
               ? 0
               : 1;
}

static void everything_else_below_task_is_400(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/task/",
        "/task//",
        "/task//get_task_states_by_app/",
        "/task/10",
        "/task/10/",
        "/task/10//",
        "/task/10/get_task_states",
        "/task/10/get_task_states_by_app//",
        "/task/10/get_task_states_by_app/x",
        "/task/10/GET_TASK_STATES_BY_APP/",
        "/task/10//get_task_states_by_app/",
        "/task//10/get_task_states_by_app/",
        "/task/10/healthz",
        "/task/0/get_task_states_by_app/",
        "/task/000/get_task_states_by_app/",
        "/task/-10/get_task_states_by_app/",
        "/task/+10/get_task_states_by_app/",
        "/task/ 10/get_task_states_by_app/",
        "/task/10 /get_task_states_by_app/",
        "/task/1O/get_task_states_by_app/",
        "/task/0x10/get_task_states_by_app/",
        "/task/1e1/get_task_states_by_app/",
        "/task/10.0/get_task_states_by_app/",
        "/task/１０/get_task_states_by_app/",
        "/task/9223372036854775808/get_task_states_by_app/",
        "/task/18446744073709551626/get_task_states_by_app/",
        "/task/99999999999999999999999999999999/get_task_states_by_app/",
        "/task/%31%30/get_task_states_by_app/",
    };
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s", paths[i]);
        const int outcome = run_in_child(get_in_child, path);
        if (outcome != 0) {
            print_error("%s: outcome %d\n", path, outcome);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void unknown_paths_are_404(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",
        "//",
        "/task",
        "/tasks/10/get_task_states_by_app/",
        "/TASK/10/",
        "healthz",
        "/healthz/x",
        "/HEALTHZ",
        "//healthz",
        "/healthz//",
        "/metrics.",
        "/favicon.ico",
        "/get_task_states_by_app",
        "task/10/get_task_states_by_app/",
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        check_number(paths[i], get(paths[i]), 404);
        expect_error(40401);
    }
    assert_int_equal(stage->fake.calls, 0);
}

static void a_missing_or_empty_path_is_404_with_advice(void **state)
{
    (void)state;
    const struct variable missing[] = {
        {"REQUEST_METHOD", "GET"}, {"SCRIPT_NAME", "/x"}, NO_VARIABLE};
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(round == 0 ? stage_handle(stage, missing) : get(""), 404);
        struct json_object *const error = stage_error(stage, 40401);
        assert_non_null(strstr(json_text(error, "message"), "PATH_INFO"));
        json_object_put(error);
    }
}

static void other_methods_are_405_on_every_route(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT",  "DELETE", "OPTIONS",
                                          "get",  "GET ", "GETX",   ""};
    static const char *const paths[] = {STAGE_PATH, "/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; i < COUNT_OF(methods) * COUNT_OF(paths); i++) {
        const char *const method = methods[i % COUNT_OF(methods)];
        check_number(method, ask(method, paths[i / COUNT_OF(methods)], "127.0.0.1"), 405);
        assert_text(stage_header(stage, "Allow"), "GET, HEAD");
        expect_error(40501);
    }
    assert_int_equal(stage->fake.calls, 0);
}

static void an_unknown_path_is_404_whatever_the_method(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/nowhere", "127.0.0.1"), 404);
    assert_text(stage_header(stage, "Allow"), NULL);
}

static void head_is_answered_like_get_without_a_body(void **state)
{
    (void)state;
    static const char *const paths[] = {STAGE_PATH, "/healthz", "/metrics", "/nowhere", "/task/0/"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const int status = stage_get(stage, paths[i], VARIABLE("HTTP_X_REQUEST_ID", "i"));
        const size_t head = stage->sink->len - stage_body(stage).len;
        char *const get_head = strndup(stage->sink->bytes, head);
        const struct variable variables[] = {
            {"REQUEST_METHOD", "HEAD"},   {"PATH_INFO", paths[i]},
            {"REMOTE_ADDR", "127.0.0.1"}, {"HTTP_X_BKAPI_AUTHORIZATION", STAGE_CREDENTIALS},
            {"HTTP_X_REQUEST_ID", "i"},   NO_VARIABLE,
        };
        check_number(paths[i], stage_handle(stage, variables), status);
        check_text(paths[i], sink_text(stage->sink), get_head);
        free(get_head);
    }
}

// ---- entity tags ----

static char *tag_of_task(void)
{
    assert_int_equal(get(STAGE_PATH), 200);
    const struct str tag = stage_header(stage, "ETag");
    return strndup(tag.ptr, tag.len);
}

static void a_known_tag_is_answered_304_without_a_body(void **state)
{
    (void)state;
    char *const tag = tag_of_task();
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", tag), 304);
    assert_text(stage_body(stage), "");
    assert_text(stage_header(stage, "ETag"), tag);
    assert_text(stage_header(stage, "Cache-Control"), "no-cache");
    assert_text(stage_header(stage, "Content-Type"), NULL);
    assert_false(str_is_absent(stage_header(stage, "X-Request-Id")));
    free(tag);
}

static void an_unknown_tag_is_answered_in_full(void **state)
{
    (void)state;
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", "\"00000000000000000000000000000000\""), 200);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", ""), 200);
}

static void lists_of_tags_and_any_tag_are_understood(void **state)
{
    (void)state;
    char *const tag = tag_of_task();
    char list[128];
    snprintf(list, sizeof list, "\"other\", W/%s", tag);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", list), 304);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", "*"), 304);
    free(tag);
}

static void the_tag_lasts_as_long_as_the_answer(void **state)
{
    (void)state;
    char *const first = tag_of_task();
    char *const again = tag_of_task();
    assert_string_equal(first, again);
    stage->fake.row_count--;
    char *const changed = tag_of_task();
    assert_string_not_equal(first, changed);
    free(first);
    free(again);
    free(changed);
}

static void every_kind_of_task_has_a_tag(void **state)
{
    (void)state;
    stage->fake.task.is_started = false;
    char *const not_started = tag_of_task();
    stage->fake.task.is_started = true;
    stage->fake.row_count = 0;
    char *const created = tag_of_task();
    assert_string_not_equal(not_started, created);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", created), 304);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", not_started), 200);
    free(not_started);
    free(created);
}

static void a_tag_skips_no_check(void **state)
{
    (void)state;
    const struct variable stranger[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", STAGE_PATH},
        {"HTTP_X_BKAPI_AUTHORIZATION", WRONG_CREDENTIALS},
        {"HTTP_IF_NONE_MATCH", "*"},
        NO_VARIABLE,
    };
    assert_int_equal(stage_handle(stage, stranger), 401);
    stage->fake.template.app_code = STR("your_app");
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", "*"), 403);
    assert_text(stage_header(stage, "ETag"), NULL);
    assert_int_equal(stage->fake.loads, 0);
}

// ---- errors ----

static void expect_message(int status, int code, const char *message)
{
    assert_int_equal(get(STAGE_PATH), status);
    struct json_object *const error = stage_error(stage, code);
    assert_string_equal(json_text(error, "message"), message);
    json_object_put(error);
}

static void binding_refusals_are_worded_like_bkflows(void **state)
{
    (void)state;
    stage->fake.template.app_code = STR("your_app");
    expect_message(403, 40303,
                   "The current application does not have permission to operate this task, "
                   "app=demo_app, template bindedapp=your_app");
    stage->fake.template.app_code = STR_ABSENT;
    expect_message(403, 40302,
                   "Template associated with task is not bindedto any bk_app_code. task_id=10, "
                   "template_id=3");
    stage->fake.template.is_deleted = true;
    expect_message(404, 40403,
                   "Template associated with task does not exist. task_id=10, template_id=3");
    stage->fake.task.template_id = 0;
    expect_message(403, 40301, "Task is not associated with any template. task_id=10");
    stage->fake.task.exists = false;
    expect_message(404, 40402, "Task does not exist. task_id=10");
    assert_int_equal(stage->fake.loads, 0); // no state has been read
}

static void refused_logins_do_not_say_which_half_is_wrong(void **state)
{
    (void)state;
    static const char *const headers[] = {
        WRONG_CREDENTIALS,
        "{\"bk_app_code\":\"nobody\",\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}",
        "{\"bk_app_code\":\"nobody\",\"bk_app_secret\":\"guess\",\"bk_username\":\"nobody\"}",
        "{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"guess\",\"bk_username\":\"nobody\"}",
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        check_number(headers[i], get_with_credentials(headers[i]), 401);
        struct json_object *const error = stage_error(stage, 40102);
        assert_string_equal(json_text(error, "message"), "bk_app_code or bk_app_secret is wrong");
        json_object_put(error);
        assert_text(stage_header(stage, "WWW-Authenticate"), "Bkapi realm=\"bkflow-states\"");
    }
    assert_int_equal(stage->fake.loads, 0);
}

static void an_inactive_user_is_401(void **state)
{
    (void)state;
    stage->fake.username = "somebody_else";
    assert_int_equal(get(STAGE_PATH), 401);
    expect_error(40103);
}

static void without_a_user_table_any_name_is_accepted(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_USER_TABLE_CHECK=off");
    stage->fake.username = "somebody_else";
    assert_int_equal(get(STAGE_PATH), 200);
}

static void a_request_without_credentials_is_401(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", STAGE_PATH, "127.0.0.1"), 401);
    struct json_object *const error = stage_error(stage, 40101);
    assert_string_equal(json_text(error, "message"),
                        "Authentication is required: X-Bkapi-Authorization is missing");
    json_object_put(error);
    assert_int_equal(stage->fake.calls, 0);
}

static void with_gateway_off_a_token_is_refused(void **state)
{
    (void)state;
    assert_int_equal(get_with("HTTP_X_BKAPI_JWT", "a.b.c"), 401);
    expect_error(40105);
    assert_int_equal(stage->fake.calls, 0);
}

static void a_duplicate_credential_header_is_400(void **state)
{
    (void)state;
    assert_int_equal(get_with("HTTP_X_BKAPI_AUTHORIZATION", STAGE_CREDENTIALS), 400);
    struct json_object *const error = stage_error(stage, 40002);
    assert_string_equal(json_text(error, "message"),
                        "Header X-Bkapi-Authorization was sent more than once");
    json_object_put(error);
    assert_int_equal(stage->fake.calls, 0);
}

static void errors_of_the_store_are_answered(void **state)
{
    (void)state;
    static const struct {
        enum error_kind kind;
        int status;
        const char *retry_after;
    } rows[] = {
        {ERR_DATABASE_DOWN, 503, "1"}, {ERR_DATABASE_FAULT, 503, "1"},
        {ERR_QUERY_TIMEOUT, 504, "1"}, {ERR_OVERLOADED, 503, "1"},
        {ERR_INTERNAL, 500, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows) * 3; i++) { // in each of its three calls
        const char *const name = error_label(rows[i / 3].kind);
        stage->fake.failure = rows[i / 3].kind;
        stage->fake.calls = 0;
        stage->fake.fail_at = 1 + (unsigned)(i % 3);
        check_number(name, get(STAGE_PATH), rows[i / 3].status);
        check_text(name, stage_header(stage, "Retry-After"), rows[i / 3].retry_after);
        check_text(name, stage_header(stage, "ETag"), NULL);
        check(name, !has_text(stage_body(stage), "fake store"));
        expect_error(error_code(rows[i / 3].kind));
    }
    stage->fake.fail_at = 0;
    assert_int_equal(get(STAGE_PATH), 200);
}

static void rows_without_a_root_are_500(void **state)
{
    (void)state;
    stage->fake.rows++;
    stage->fake.row_count--;
    assert_int_equal(get(STAGE_PATH), 500);
    expect_error(50002);
}

static void more_nodes_than_allowed_are_500(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_RESPONSE_MAX_NODES=2");
    assert_int_equal(get(STAGE_PATH), 500);
    expect_error(50003);
    assert_int_equal(stage->fake.limit, 2);
    configure("BKFLOW_STATES_RESPONSE_MAX_NODES=3");
    assert_int_equal(get(STAGE_PATH), 200);
}

static void more_memory_than_allowed_is_500_and_the_next_request_works(void **state)
{
    (void)state;
    arena_free(stage->service.arena);
    stage->service.arena = arena_new(200); // not enough for a chunk of nodes
    assert_int_equal(get(STAGE_PATH), 500);
    expect_error(50004);
    assert_int_equal(arena_used(stage->service.arena), 0);
    stage->fake.task.is_started = false;
    assert_int_equal(get(STAGE_PATH), 200);
}

static void a_request_that_the_transport_refused_is_answered(void **state)
{
    (void)state;
    static const enum error_kind kinds[] = {ERR_HEAD_TOO_LARGE, ERR_BODY_TOO_LARGE,
                                            ERR_MALFORMED_VARIABLES, ERR_OVERLOADED};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        stage_begin(stage);
        stage_refuse(stage, kinds[i]);
        check_number(error_label(kinds[i]), stage_end(stage), error_status(kinds[i]));
        expect_error(error_code(kinds[i]));
    }
}

static void a_request_without_method_is_400(void **state)
{
    (void)state;
    const struct variable variables[] = {{"PATH_INFO", STAGE_PATH}, NO_VARIABLE};
    assert_int_equal(stage_handle(stage, variables), 400);
    expect_error(40000);
}

static void invalid_bytes_in_an_application_code_become_json(void **state)
{
    (void)state;
    stage->fake.app_code = "de\"mo任";
    stage->fake.template.app_code = STR("<\n\xFF>");
    assert_int_equal(get_with_credentials("{\"bk_app_code\":\"de\\\"mo\\u4efb\",\"bk_app_secret\":"
                                          "\"demo-secret\",\"bk_username\":\"admin\"}"),
                     403);
    struct json_object *const error = stage_error(stage, 40303);
    assert_non_null(
        strstr(json_text(error, "message"), "app=de\"mo任, template bindedapp=<\n\xEF\xBF\xBD>"));
    json_object_put(error);
}

// ---- failed logins ----

static int login_from(const char *address, const char *forwarded_for, const char *credentials)
{
    const struct variable variables[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", STAGE_PATH},
        {"REMOTE_ADDR", address},
        {"HTTP_X_BKAPI_AUTHORIZATION", credentials},
        {forwarded_for == NULL ? NULL : "HTTP_X_FORWARDED_FOR", forwarded_for},
        NO_VARIABLE,
    };
    return stage_handle(stage, variables);
}

static void too_many_failures_have_to_wait(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=3");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(login_from("10.0.0.1", NULL, WRONG_CREDENTIALS), 401);
    }
    const unsigned look_ups = stage->fake.look_ups;
    assert_int_equal(login_from("10.0.0.1", NULL, STAGE_CREDENTIALS), 429);
    expect_error(42901);
    const struct str wait = stage_header(stage, "Retry-After");
    assert_uint_in_range(strtol(wait.ptr, NULL, 10), 1, 60);
    assert_int_equal(stage->fake.look_ups, look_ups);
}

static void too_many_failures_do_not_stop_others(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=3");
    for (unsigned i = 0; i < 100; i++) {
        (void)login_from("10.0.0.1", NULL, WRONG_CREDENTIALS);
    }
    assert_int_equal(login_from("10.0.0.2", NULL, STAGE_CREDENTIALS), 200);
    assert_int_equal(login_from("10.0.0.2", NULL, WRONG_CREDENTIALS), 401);
}

static void successes_do_not_count_as_failures(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=1");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(login_from("10.0.0.1", NULL, STAGE_CREDENTIALS), 200);
    }
}

static void refusals_that_are_not_guesses_do_not_count(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=1");
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(login_from("10.0.0.1", NULL, "{}"), 401);
        assert_int_equal(login_from("10.0.0.1", NULL, "not json"), 400);
    }
    assert_int_equal(login_from("10.0.0.1", NULL, STAGE_CREDENTIALS), 200);
}

static void without_a_limit_nobody_waits(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=0");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(login_from("10.0.0.1", NULL, WRONG_CREDENTIALS), 401);
    }
    assert_int_equal(login_from("10.0.0.1", NULL, STAGE_CREDENTIALS), 200);
}

static void a_forged_forwarded_for_changes_no_address(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_AUTH_FAILURE_LIMIT=3");
    for (unsigned i = 0; i < 3; i++) {
        char made_up[32];
        snprintf(made_up, sizeof made_up, "10.1.1.%u", i);
        assert_int_equal(login_from("10.0.0.1", made_up, WRONG_CREDENTIALS), 401);
    }
    assert_int_equal(login_from("10.0.0.1", "10.1.1.99", STAGE_CREDENTIALS), 429);
}

static void behind_a_trusted_proxy_the_forwarded_address_counts(void **state)
{
    (void)state;
    char limit[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=3";
    char proxies[] = "BKFLOW_STATES_SERVER_TRUSTED_PROXIES=10.0.0.1";
    char *const environment[] = {limit, proxies, NULL};
    stage_free(stage);
    assert_int_equal(set_up_with(environment), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(login_from("10.0.0.1", "1.1.1.1, 10.1.1.1", WRONG_CREDENTIALS), 401);
    }
    assert_int_equal(login_from("10.0.0.1", "2.2.2.2, 10.1.1.1", STAGE_CREDENTIALS), 429);
    assert_int_equal(login_from("10.0.0.1", "10.1.1.2", STAGE_CREDENTIALS), 200);
}

// ---- language and trace id ----

static void messages_are_in_the_requested_language(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *configured;
        struct variable variable;
        bool is_chinese;
    } rows[] = {
        {"nothing said", "en", {"X", ""}, false},
        {"nothing said, Chinese configured", "zh-cn", {"X", ""}, true},
        {"header", "en", {"HTTP_BLUEKING_LANGUAGE", "zh-cn"}, true},
        {"header in capitals", "en", {"HTTP_BLUEKING_LANGUAGE", "ZH-CN"}, true},
        {"Django's name", "en", {"HTTP_BLUEKING_LANGUAGE", "zh-hans"}, true},
        {"English where Chinese is configured", "zh-cn", {"HTTP_BLUEKING_LANGUAGE", "en"}, false},
        {"an unknown language", "zh-cn", {"HTTP_BLUEKING_LANGUAGE", "fr"}, true},
        {"an unknown language", "en", {"HTTP_BLUEKING_LANGUAGE", "zh-tw"}, false},
        {"a cookie", "en", {"HTTP_COOKIE", "a=b; blueking_language=zh-cn"}, true},
        {"a cookie for English", "zh-cn", {"HTTP_COOKIE", "blueking_language=en"}, false},
        {"another cookie", "en", {"HTTP_COOKIE", "language=zh-cn"}, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "BKFLOW_STATES_RESPONSE_LANGUAGE=%s", rows[i].configured);
        configure(entry);
        stage->fake.task.exists = false;
        check_number(rows[i].name, stage_get(stage, STAGE_PATH, rows[i].variable), 404);
        struct json_object *const error = stage_error(stage, 40402);
        check_text(rows[i].name, str_from(json_text(error, "message")),
                   rows[i].is_chinese ? "任务不存在，task_id=10"
                                      : "Task does not exist. task_id=10");
        json_object_put(error);
    }
}

static void the_header_precedes_the_cookie(void **state)
{
    (void)state;
    const struct variable variables[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", "/nowhere"},
        {"HTTP_BLUEKING_LANGUAGE", "en"},
        {"HTTP_COOKIE", "blueking_language=zh-cn"},
        NO_VARIABLE,
    };
    assert_int_equal(stage_handle(stage, variables), 404);
    assert_true(has_text(stage_body(stage), "\"message\":\"Unknown path\""));
}

static void the_clients_trace_id_is_used(void **state)
{
    (void)state;
    assert_int_equal(
        get_with("HTTP_TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        200);
    assert_text(stage_header(stage, "X-Request-Id"), "0af7651916cd43dd8448eb211c80319c");
    json_object_put(success());
}

static void without_a_trace_id_each_request_gets_one(void **state)
{
    (void)state;
    enum { REQUESTS = 200 };
    static char ids[REQUESTS][33];
    for (unsigned i = 0; i < REQUESTS; i++) {
        assert_int_equal(get_with("HTTP_X_REQUEST_ID", "not a good id"), 200);
        const struct str id = stage_header(stage, "X-Request-Id");
        assert_int_equal(id.len, 32);
        memcpy(ids[i], id.ptr, 32);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(ids[i], ids[k]);
        }
    }
}

// ---- health, readiness, metrics ----

static void healthz_answers_without_the_store(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/healthz", "203.0.113.9"), 200);
    struct json_object *const envelope = success();
    assert_string_equal(json_text(envelope, "data/status"), "alive");
    json_object_put(envelope);
    assert_int_equal(stage->fake.calls, 0);
}

static void readyz_asks_the_store(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/readyz", "203.0.113.9"), 200);
    struct json_object *const envelope = success();
    assert_string_equal(json_text(envelope, "data/status"), "ready");
    json_object_put(envelope);
    assert_int_equal(stage->fake.pings, 1);
    stage->fake.fail_at = 2;
    assert_int_equal(ask("GET", "/readyz", "203.0.113.9"), 503);
    expect_error(50301);
}

static void metrics_are_for_allowed_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int status;
    } rows[] = {
        {"127.0.0.1", 200}, {"127.9.9.9", 200}, {"::1", 200},   {"::ffff:127.0.0.1", 200},
        {"10.0.0.1", 403},  {"", 403},          {"unix:", 403}, {"localhost", 403},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].address, ask("GET", "/metrics", rows[i].address), rows[i].status);
    }
    expect_error(40304);
    const struct variable no_address[] = {
        {"REQUEST_METHOD", "GET"}, {"PATH_INFO", "/metrics"}, NO_VARIABLE};
    assert_int_equal(stage_handle(stage, no_address), 403);
}

static void metrics_are_text(void **state)
{
    (void)state;
    assert_int_equal(get(STAGE_PATH), 200);
    assert_int_equal(ask("GET", "/metrics", "127.0.0.1"), 200);
    assert_text(stage_header(stage, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_true(has_text(stage_body(stage),
                         "bkflow_states_requests_total{status=\"200\",cause=\"ok\"} 1\n"));
}

static void disabled_routes_are_unknown(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"BKFLOW_STATES_STATUS_HEALTHZ=off", "/healthz"},
        {"BKFLOW_STATES_STATUS_READYZ=off", "/readyz"},
        {"BKFLOW_STATES_STATUS_METRICS=off", "/metrics"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        configure(rows[i][0]);
        check_number(rows[i][1], ask("GET", rows[i][1], "127.0.0.1"), 404);
        expect_error(40401);
        for (size_t k = 0; k < COUNT_OF(rows); k++) {
            check_number(rows[k][1], ask("GET", rows[k][1], "127.0.0.1"), i == k ? 404 : 200);
        }
    }
}

// ---- overload ----

static void an_overloaded_service_answers_so_and_stays_alive(void **state)
{
    (void)state;
    stage->service.store = store_overloaded();
    assert_int_equal(get(STAGE_PATH), 503);
    assert_text(stage_header(stage, "Retry-After"), "1");
    expect_error(50302);
    assert_int_equal(ask("GET", "/readyz", "127.0.0.1"), 503);
    expect_error(50302);
    assert_int_equal(ask("GET", "/healthz", "127.0.0.1"), 200);
    assert_int_equal(ask("GET", "/metrics", "127.0.0.1"), 200);
    assert_int_equal(ask("GET", STAGE_PATH, "127.0.0.1"), 401); // needs no store
}

// ---- what is counted and logged ----

static uint64_t counted(int outcome)
{
    return atomic_load(&stage->metrics->shards[0].outcomes[outcome]);
}

static void each_request_is_counted_by_outcome(void **state)
{
    (void)state;
    assert_int_equal(get(STAGE_PATH), 200);
    assert_int_equal(get_with("HTTP_IF_NONE_MATCH", "*"), 304);
    assert_int_equal(get("/nowhere"), 404);
    assert_int_equal(get("/nowhere"), 404);
    assert_int_equal(counted(METRICS_OK), 1);
    assert_int_equal(counted(METRICS_NOT_MODIFIED), 1);
    assert_int_equal(counted(METRICS_FAILED + ERR_UNKNOWN_PATH), 2);
    assert_int_equal(atomic_load(&stage->metrics->shards[0].rows), 6);
    assert_false(atomic_load(&stage->metrics->shards[0].busy));
}

static void bytes_are_counted_including_heads(void **state)
{
    (void)state;
    assert_int_equal(get(STAGE_PATH), 200);
    assert_int_equal(atomic_load(&stage->metrics->shards[0].bytes), stage->sink->len);
    assert_int_equal(atomic_load(&stage->metrics->shards[0].hangups), 0);
}

static void a_hangup_is_counted_and_the_next_request_is_answered(void **state)
{
    (void)state;
    static char long_state[8000]; // larger than the buffer
    memset(long_state, 'x', sizeof long_state - 1);
    const struct row row = ROW(STAGE_ROOT, "", .state = long_state);
    stage->fake.rows = &row;
    stage->fake.row_count = 1;
    stage->sink->fail_at = 1;
    assert_int_equal(get(STAGE_PATH), 200);
    assert_int_equal(stage->sink->len, 0);
    assert_int_equal(atomic_load(&stage->metrics->shards[0].hangups), 1);
    stage->sink->fail_at = 0;
    assert_int_equal(get(STAGE_PATH), 200);
    json_object_put(success());
}

// Returns what the requests of REQUESTS write to the log; to be freed.
static char *logged(enum log_level level, void (*requests)(void))
{
    char *const folder = scratch_new();
    char *const path = scratch_path(folder, "log");
    char *target = NULL;
    assert_true(asprintf(&target, "file:%s", path) > 0);
    assert_int_equal(log_open(&(struct log_options){target, level, LOG_FORMAT_TEXT}), 0);
    requests();
    assert_int_equal(stage_discard_log(), 0);
    char *const text = read_whole_file(path);
    free(target);
    free(path);
    scratch_free(folder);
    return text;
}

static void one_good_and_one_bad_request(void)
{
    (void)get_with("HTTP_X_REQUEST_ID", "good-1");
    stage->fake.task.exists = false;
    (void)get_with("HTTP_X_REQUEST_ID", "bad-1");
    stage->fake.task.exists = true;
}

static void successful_requests_are_logged_only_on_request(void **state)
{
    (void)state;
    char *const text = logged(LOG_LEVEL_DEBUG, one_good_and_one_bad_request);
    assert_null(strstr(text, "good-1"));
    assert_non_null(strstr(text,
                           "request refused trace_id=bad-1 address=127.0.0.1 "
                           "cause=no_task detail=\"no such task\" task_id=10 app=demo_app\n"));
    free(text);
}

static void refused_requests(void)
{
    for (int i = 0; i < 3; i++) {
        (void)ask("GET", "/nowhere/%s", "10.1.0.1");
    }
    (void)ask("GET", "/x?bk_app_secret=demo-secret", "10.1.0.2");
    (void)ask("GET", "/y&bk_app_secret=demo-secret", "10.1.0.3");
    (void)ask("GET", "/bk_app_secret=demo-secret", "10.1.0.4");
    (void)ask("GET", "/task/x/get_task_states_by_app", "10.1.0.5");
    (void)ask("POST", STAGE_PATH, "unix:");
    (void)get_with_credentials("{\"bk_app_code\":\"demo-secret\",\"bk_app_secret\":\"demo_app\","
                               "\"bk_username\":\"admin\"}");
    (void)get_with_credentials(
        "{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}");
    (void)get_with_credentials("{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"demo-secret\","
                               "\"bk_username\":\"nobody\"}");
}

static void refusals_are_logged_with_their_reason_and_without_secrets(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "address=10.1.0.1 cause=unknown_path detail=\"unknown path\" path=",
        "address=10.1.0.2 cause=unknown_path detail=\"unknown path\" path=/x\n",
        "address=10.1.0.3 cause=unknown_path detail=\"unknown path\" path=/y\n",
        "address=10.1.0.4 cause=unknown_path detail=\"unknown path\" path=/bk_app_secret\n",
        "address=10.1.0.5 cause=task_id detail=\"no task id, or no such call\" path=/task/x/",
        "address=unknown cause=method detail=\"method not allowed\" task_id=10\n",
        "cause=credentials_wrong detail=\"unknown application\" task_id=10\n",
        "cause=user_unknown detail=\"unknown or inactive user\" task_id=10 app=demo_app\n",
    };
    char *const text = logged(LOG_LEVEL_INFO, refused_requests);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (strstr(text, lines[i]) == NULL) {
            print_error("no \"%s\" in:\n%s", lines[i], text);
            fail();
        }
    }
    assert_null(strstr(text, "demo-secret"));
    const char *const first = strstr(text, "10.1.0.1");
    assert_null(strstr(first + 1, "10.1.0.1 ")); // only the first one in a minute is logged
    free(text);
}

static void with_access_on_each_request_is_logged(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_LOG_ACCESS=on");
    char *const text = logged(LOG_LEVEL_INFO, one_good_and_one_bad_request);
    assert_true(has_text(str_from(text), " info: request trace_id=good-1 task_id=10 app=demo_app "
                                         "status=200 cause=ok bytes="));
    assert_true(has_text(str_from(text), " rows=3 "));
    assert_true(has_text(str_from(text), " info: request trace_id=bad-1 task_id=10 app=demo_app "
                                         "status=404 cause=no_task bytes="));
    free(text);
}

static void a_request_without_root_row(void)
{
    stage->fake.rows++;
    stage->fake.row_count--;
    (void)get_with("HTTP_X_REQUEST_ID", "fault-1");
}

static void a_fault_is_logged_with_its_trace_id_and_detail(void **state)
{
    (void)state;
    char *const text = logged(LOG_LEVEL_ERROR, a_request_without_root_row);
    assert_true(has_text(str_from(text),
                         " error: request failed trace_id=fault-1 task_id=10 "
                         "cause=no_root_row detail=\"2 rows, none of the root\"\n"));
    free(text);
}

static void requests_during_an_outage(void)
{
    stage->fake.fail_at = 1;
    stage->fake.calls = 0;
    stage->fake.failure = ERR_DATABASE_DOWN;
    (void)get_with("HTTP_X_REQUEST_ID", "outage-1");
}

static void an_outage_does_not_fill_the_log(void **state)
{
    (void)state;
    char *const text = logged(LOG_LEVEL_INFO, requests_during_an_outage);
    assert_string_equal(text, "");
    free(text);
    char *const verbose = logged(LOG_LEVEL_DEBUG, requests_during_an_outage);
    assert_true(has_text(str_from(verbose), " debug: request failed trace_id=outage-1 "));
    free(verbose);
}

enum { SLOW_STORE_NS = 250000000 };

// A slow store.
static int find_callers_slowly(void *store, struct lookup *const lookups[], size_t count,
                               struct error *err)
{
    nanosleep(&(struct timespec){.tv_nsec = SLOW_STORE_NS}, NULL);
    return fake_store_ops.find_callers(store, lookups, count, err);
}

static void a_slow_and_a_quick_request(void)
{
    struct store_ops slow = fake_store_ops;
    slow.find_callers = find_callers_slowly;
    stage->service.store.ops = &slow;
    (void)get_with("HTTP_X_REQUEST_ID", "slow-1");
    (void)stage_get(stage, "/healthz", VARIABLE("HTTP_X_REQUEST_ID", "quick-1"));
    stage->service.store.ops = &fake_store_ops;
}

static void a_slow_request_is_logged_with_where_the_time_went(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_LOG_SLOW=200ms");
    char *const text = logged(LOG_LEVEL_WARNING, a_slow_and_a_quick_request);
    assert_true(has_text(str_from(text), " warning: slow request trace_id=slow-1 task_id=10 "
                                         "status=200 rows=3 database_us="));
    assert_false(has_text(str_from(text), "quick-1"));
    const char *const waited = strstr(text, "database_us=") + strlen("database_us=");
    assert_true(strtol(waited, NULL, 10) >= SLOW_STORE_NS / 1000);
    free(text);
}

static void requests_of_every_kind(void)
{
    one_good_and_one_bad_request();
    a_request_without_root_row();
    requests_during_an_outage();
    (void)get_with_credentials(WRONG_CREDENTIALS);
    (void)get_with_credentials("{\"bk_app_secret\":\"guess\"}");
    const struct variable query[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", STAGE_PATH},
        {"QUERY_STRING", "bk_app_code=demo_app&bk_app_secret=demo-secret&bk_username=%"},
        NO_VARIABLE,
    };
    (void)stage_handle(stage, query);
}

static void no_secret_reaches_the_log(void **state)
{
    (void)state;
    configure("BKFLOW_STATES_LOG_ACCESS=on");
    char *const text = logged(LOG_LEVEL_DEBUG, requests_of_every_kind);
    assert_true(strlen(text) > 500);
    assert_false(has_text(str_from(text), STAGE_SECRET));
    assert_false(has_text(str_from(text), "guess"));
    free(text);
}

// ---- one request after another ----

static void every_request_leaves_the_arena_empty_and_wiped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get(STAGE_PATH), 200); // until one block is large enough for a request
    }
    char *const first = arena_text(stage->service.arena, 4096);
    assert_non_null(first);
    memset(first, 'x', 4096);
    arena_reset(stage->service.arena);
    assert_int_equal(get(STAGE_PATH), 200);
    assert_int_equal(arena_used(stage->service.arena), 0);
    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(first[i], 0); // the arena still owns its block
    }
}

static void requests_do_not_affect_each_other(void **state)
{
    (void)state;
    static const char *const paths[] = {STAGE_PATH, "/healthz", "/nowhere", "/task/0/"};
    static char first[COUNT_OF(paths)][8192];
    struct dice dice = {47};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        (void)stage_get(stage, paths[i], VARIABLE("HTTP_X_REQUEST_ID", "i"));
        memcpy(first[i], stage->sink->bytes, stage->sink->len + 1);
    }
    for (unsigned round = 0; round < 500; round++) {
        const size_t i = dice_below(&dice, COUNT_OF(paths));
        (void)stage_get(stage, paths[i], VARIABLE("HTTP_X_REQUEST_ID", "i"));
        check_text(paths[i], sink_text(stage->sink), first[i]);
    }
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_started_task_is_answered_with_its_tree),
        ON_STAGE(an_answer_has_its_headers_and_no_others),
        ON_STAGE(a_task_that_has_not_started_is_created),
        ON_STAGE(a_started_task_without_rows_is_created),
        ON_STAGE(an_expired_task_does_not_exist),
        ON_STAGE(credentials_may_be_in_the_query),
        ON_STAGE(a_large_answer_passes_through_a_small_buffer),
        ON_STAGE(a_trailing_slash_does_not_matter),
        ON_STAGE(good_task_ids_reach_the_store),
        ON_STAGE(everything_else_below_task_is_400),
        ON_STAGE(unknown_paths_are_404),
        ON_STAGE(a_missing_or_empty_path_is_404_with_advice),
        ON_STAGE(other_methods_are_405_on_every_route),
        ON_STAGE(an_unknown_path_is_404_whatever_the_method),
        ON_STAGE(head_is_answered_like_get_without_a_body),
        ON_STAGE(a_known_tag_is_answered_304_without_a_body),
        ON_STAGE(an_unknown_tag_is_answered_in_full),
        ON_STAGE(lists_of_tags_and_any_tag_are_understood),
        ON_STAGE(the_tag_lasts_as_long_as_the_answer),
        ON_STAGE(every_kind_of_task_has_a_tag),
        ON_STAGE(a_tag_skips_no_check),
        ON_STAGE(binding_refusals_are_worded_like_bkflows),
        ON_STAGE(refused_logins_do_not_say_which_half_is_wrong),
        ON_STAGE(an_inactive_user_is_401),
        ON_STAGE(without_a_user_table_any_name_is_accepted),
        ON_STAGE(a_request_without_credentials_is_401),
        ON_STAGE(with_gateway_off_a_token_is_refused),
        ON_STAGE(a_duplicate_credential_header_is_400),
        ON_STAGE(errors_of_the_store_are_answered),
        ON_STAGE(rows_without_a_root_are_500),
        ON_STAGE(more_nodes_than_allowed_are_500),
        ON_STAGE(more_memory_than_allowed_is_500_and_the_next_request_works),
        ON_STAGE(a_request_that_the_transport_refused_is_answered),
        ON_STAGE(a_request_without_method_is_400),
        ON_STAGE(invalid_bytes_in_an_application_code_become_json),
        ON_STAGE(too_many_failures_have_to_wait),
        ON_STAGE(too_many_failures_do_not_stop_others),
        ON_STAGE(successes_do_not_count_as_failures),
        ON_STAGE(refusals_that_are_not_guesses_do_not_count),
        ON_STAGE(without_a_limit_nobody_waits),
        ON_STAGE(a_forged_forwarded_for_changes_no_address),
        ON_STAGE(behind_a_trusted_proxy_the_forwarded_address_counts),
        ON_STAGE(messages_are_in_the_requested_language),
        ON_STAGE(the_header_precedes_the_cookie),
        ON_STAGE(the_clients_trace_id_is_used),
        ON_STAGE(without_a_trace_id_each_request_gets_one),
        ON_STAGE(healthz_answers_without_the_store),
        ON_STAGE(readyz_asks_the_store),
        ON_STAGE(metrics_are_for_allowed_addresses),
        ON_STAGE(metrics_are_text),
        ON_STAGE(disabled_routes_are_unknown),
        ON_STAGE(an_overloaded_service_answers_so_and_stays_alive),
        ON_STAGE(each_request_is_counted_by_outcome),
        ON_STAGE(bytes_are_counted_including_heads),
        ON_STAGE(a_hangup_is_counted_and_the_next_request_is_answered),
        ON_STAGE(successful_requests_are_logged_only_on_request),
        ON_STAGE(refusals_are_logged_with_their_reason_and_without_secrets),
        ON_STAGE(with_access_on_each_request_is_logged),
        ON_STAGE(a_fault_is_logged_with_its_trace_id_and_detail),
        ON_STAGE(an_outage_does_not_fill_the_log),
        ON_STAGE(a_slow_request_is_logged_with_where_the_time_went),
        ON_STAGE(no_secret_reaches_the_log),
        ON_STAGE(every_request_leaves_the_arena_empty_and_wiped),
        ON_STAGE(requests_do_not_affect_each_other),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
