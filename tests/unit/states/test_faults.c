// SPDX-License-Identifier: MIT
// Whatever single operation fails during a request - an allocation, a write of the sink, a call of
// the store - the answer is complete or truncated by the sink's failure, nothing leaks, and the
// next request works. Each operation is made to fail in turn until none is left.
#include "alloc.h"
#include "stage.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

// ---- a task large enough to make the arena grow and fill the buffer several times ----

enum { NODES = 1500 };

static struct row rows[NODES];
static char ids[NODES][40];

static void make_rows(void)
{
    for (size_t i = 0; i < NODES; i++) {
        snprintf(ids[i], sizeof ids[i], "n%031zx", i);
        rows[i] = (struct row){
            .id = i == 0 ? STAGE_ROOT : ids[i],
            .parent = i < 10 ? STAGE_ROOT : ids[i / 3],
            .state = i == NODES - 1 ? "FAILED" : "RUNNING",
            .version = "0123456789abcdef0123456789abcdef",
            .started = STAGE_NOW_US - US_PER_SECOND * (int64_t)i,
        };
    }
}

// ---- a gateway, its key, and a token that it has signed ----

enum { TOKEN_BYTES = 2048 };

static char *folder;
static char *key_setting;
static char token[TOKEN_BYTES];

static size_t put_base64url(char *to, const unsigned char *bytes, size_t len)
{
    size_t end = (size_t)EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
    while (to[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
    }
    to[end] = '\0';
    return end;
}

static void make_token(EVP_PKEY *key)
{
    static const char header[] = "{\"alg\":\"RS512\",\"kid\":\"gw\"}";
    static const char claims[] = "{\"exp\":1686825000,"
                                 "\"app\":{\"app_code\":\"demo_app\",\"verified\":true},"
                                 "\"user\":{\"username\":\"admin\",\"verified\":true}}";
    unsigned char signature[512];
    size_t signature_len = sizeof signature;
    size_t len = put_base64url(token, (const unsigned char *)header, strlen(header));
    token[len++] = '.';
    len += put_base64url(token + len, (const unsigned char *)claims, strlen(claims));
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, "SHA512", NULL, NULL, key, NULL), 1);
    assert_int_equal(
        EVP_DigestSign(context, signature, &signature_len, (const unsigned char *)token, len), 1);
    EVP_MD_CTX_free(context);
    token[len++] = '.';
    put_base64url(token + len, signature, signature_len);
}

static int make_gateway(void **state)
{
    (void)state;
    EVP_PKEY *const key = EVP_RSA_gen(2048);
    folder = scratch_new();
    char *const path = scratch_path(folder, "gateway.pem");
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, key), 1);
    fclose(file);
    assert_true(asprintf(&key_setting, "BKFLOW_STATES_AUTH_GATEWAY_KEY_gw=%s", path) > 0);
    make_token(key);
    EVP_PKEY_free(key);
    free(path);
    return 0;
}

static int free_gateway(void **state)
{
    (void)state;
    free(key_setting);
    scratch_free(folder);
    return 0;
}

static struct stage *stage;

static int set_up(void **state)
{
    (void)state;
    static char on[] = "BKFLOW_STATES_AUTH_GATEWAY=on";
    static char no_limit[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=0";
    char *const environment[] = {on, key_setting, no_limit, NULL};
    make_rows();
    stage = stage_new(environment);
    stage->fake.rows = rows;
    stage->fake.row_count = NODES;
    return stage_discard_log();
}

static int tear_down(void **state)
{
    (void)state;
    alloc_watch_stop();
    stage_free(stage);
    return 0;
}

// ---- requests, each with what it is answered when nothing fails ----

struct request {
    const char *name;
    const char *method;
    const char *path;
    const char *header; // credentials, NULL: none
    const char *query;
    int status;
};

static const struct request nested_task = {
    "a nested task", "GET", STAGE_PATH, STAGE_CREDENTIALS, "", 200,
};

static const struct request nested_task_by_query = {
    "a nested task by query",
    "GET",
    STAGE_PATH,
    NULL,
    "bk_app_code=demo_app&bk_app_secret=demo-secret&bk_username=admin",
    200,
};

static const struct request nested_task_by_token = {
    "a nested task by token", "GET", STAGE_PATH, NULL, "", 200,
};

static const struct request head_of_task = {
    "the head of a task", "HEAD", STAGE_PATH, STAGE_CREDENTIALS, "", 200,
};

static const struct request no_such_task = {
    "no such task", "GET", "/task/11/get_task_states_by_app", STAGE_CREDENTIALS, "", 404,
};

static const struct request no_credentials = {
    "no credentials", "GET", STAGE_PATH, NULL, "", 401,
};

static const struct request wrong_secret = {
    "a wrong secret",
    "GET",
    STAGE_PATH,
    NULL,
    "bk_app_code=demo_app&bk_app_secret=wrong&bk_username=admin",
    401,
};

static const struct request no_query = {
    "a query that is none", "GET", STAGE_PATH, NULL, "x=%", 400,
};

static const struct request no_path = {"no such path", "GET", "/x", NULL, "", 404};
static const struct request ready = {"readyz", "GET", "/readyz", NULL, "", 200};
static const struct request metrics = {"metrics", "GET", "/metrics", NULL, "", 200};

static const struct request *const requests[] = {
    &nested_task,
    &nested_task_by_query,
    &nested_task_by_token,
    &head_of_task,
    &no_such_task,
    &no_credentials,
    &wrong_secret,
    &no_query,
    &no_path,
    &ready,
    &metrics,
};

// Answers without stage_handle, whose own allocations must not count.
static int handle(const struct request *request)
{
    struct http_var vars[8] = {
        {STR("REQUEST_METHOD"), str_from(request->method)},
        {STR("PATH_INFO"), str_from(request->path)},
        {STR("QUERY_STRING"), str_from(request->query)},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
        {STR("HTTP_X_REQUEST_ID"), STR("id-1")},
    };
    size_t count = 5;
    if (request->header != NULL) {
        vars[count++] =
            (struct http_var){STR("HTTP_X_BKAPI_AUTHORIZATION"), str_from(request->header)};
    }
    if (request == &nested_task_by_token) {
        vars[count++] = (struct http_var){STR("HTTP_X_BKAPI_JWT"), str_from(token)};
    }
    stage_begin(stage);
    service_handle(&stage->service, vars, count, STR(""), &stage->response);
    return stage_end(stage);
}

// Checks that the last answer is complete: a head, and a body that is valid JSON; metrics end with
// a line end.
static void expect_complete(const struct request *request)
{
    const struct str body = stage_body(stage);
    if (strcmp(request->method, "HEAD") == 0) {
        check_text(request->name, body, "");
    } else if (request == &metrics && stage->response.status == 200) {
        check(request->name, has_text(body, "bkflow_states_build_info{version=\"test\"} 1\n"));
    } else {
        json_object_put(parse_json(body));
    }
}

static void use_fresh_arena(size_t cap)
{
    arena_free(stage->service.arena);
    service_group_free(stage->service.group);
    stage->service.arena = arena_new(cap);
    stage->service.group = service_group_new(cap);
    assert_non_null(stage->service.arena);
    assert_non_null(stage->service.group);
}

// Checks the answer when nothing fails.
static void expect_usual(const struct request *request)
{
    stage->sink->fail_at = 0;
    stage->fake.fail_at = 0;
    check_number(request->name, handle(request), request->status);
    expect_complete(request);
    check_number(request->name, arena_used(stage->service.arena), 0);
}

// ---- allocations ----

// Makes allocation N fail, in an arena that has not grown; false if there was none.
static bool fail_allocation(const struct request *request, unsigned long n)
{
    use_fresh_arena(STAGE_ARENA_BYTES);
    alloc_watch_start(n);
    const int status = handle(request);
    alloc_watch_stop();
    if (!alloc_watch.has_failed) {
        check_number(request->name, status, request->status);
        return false;
    }
    expect_complete(request);
    check_number(request->name, status, 500);
    if (strcmp(request->method, "HEAD") != 0) {
        json_object_put(stage_error(stage, 50004));
    }
    expect_usual(request);
    return true;
}

static void a_failing_allocation_is_500_and_nothing_else_breaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        unsigned long n = 1;
        while (fail_allocation(requests[i], n)) {
            n++;
        }
        // A large task makes the arena grow at least three times; small requests need no heap.
        const bool is_large = requests[i]->status == 200 && requests[i]->path[1] == 't';
        check(requests[i]->name, is_large ? n > 3 : n == 1);
    }
}

static void the_answer_is_complete_whatever_the_arenas_cap(void **state)
{
    (void)state;
    unsigned served = 0;
    unsigned refused = 0;
    for (size_t cap = 0; cap < 700000; cap += cap < 4000 ? 61 : 20011) {
        use_fresh_arena(cap);
        const int status = handle(&nested_task);
        expect_complete(&nested_task);
        served += status == 200;
        refused += status == 500;
        assert_true(status == 200 || status == 500);
        assert_int_equal(arena_used(stage->service.arena), 0);
    }
    assert_true(served > 3 && refused > 50);
}

// Answers with an arena of CAP bytes; false if the answer is the usual one.
static bool lack_arena(const struct request *request, size_t cap)
{
    use_fresh_arena(cap);
    const int status = handle(request);
    expect_complete(request);
    check_number(request->name, arena_used(stage->service.arena), 0);
    if (status == request->status) {
        return false;
    }
    // A lack of memory must not be reported as a bad login or anything else.
    check_number(request->name, status, 500);
    if (strcmp(request->method, "HEAD") != 0) {
        json_object_put(stage_error(stage, 50004));
    }
    return true;
}

// Steps smaller than any allocation there, so that each allocation from the arena fails once, for
// every kind of request.
static void each_allocation_from_the_arena_may_fail(void **state)
{
    (void)state;
    enum { NODES_HERE = 50 };
    stage->fake.row_count = NODES_HERE;
    rows[NODES_HERE - 1].state = "FAILED";
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        size_t cap = 0;
        while (lack_arena(requests[i], cap)) {
            cap += cap < 1000 ? 1 : 13;
        }
        check(requests[i]->name, !lack_arena(requests[i], cap + 1));
        // Requests with credentials need memory; others need none.
        const bool needs_memory = requests[i]->path[1] == 't' && requests[i] != &no_credentials;
        check(requests[i]->name, needs_memory ? cap > 0 : cap == 0);
    }
}

static void without_memory_there_are_no_tools_for_authentication(void **state)
{
    (void)state;
    unsigned long n = 0;
    struct auth *auth = NULL;
    while (auth == NULL) {
        alloc_watch_start(++n);
        auth = auth_new();
        alloc_watch_stop();
        assert_true(alloc_watch.has_failed == (auth == NULL));
    }
    auth_free(auth);
    assert_true(n > 4);
}

// Writes a file with COUNT public keys; the path must be freed.
static char *write_keys(const char *keys_folder, size_t count)
{
    char *const path = scratch_path(keys_folder, "keys.pem");
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        EVP_PKEY *const key = EVP_EC_gen("P-256");
        assert_int_equal(PEM_write_PUBKEY(file, key), 1);
        EVP_PKEY_free(key);
    }
    fclose(file);
    return path;
}

static void count_complaint(void *context, const char *sentence)
{
    (void)sentence;
    ++*(unsigned *)context;
}

static void without_memory_no_gateway_is_loaded_in_part(void **state)
{
    (void)state;
    char *const keys_folder = scratch_new();
    char *const path = write_keys(keys_folder, 3);
    char on[] = "BKFLOW_STATES_AUTH_GATEWAY=on";
    char *key = NULL;
    assert_true(asprintf(&key, "BKFLOW_STATES_AUTH_GATEWAY_KEY_gw=%s", path) > 0);
    char *const environment[] = {on, key, NULL};
    unsigned complaints = 0;
    struct conf *const conf = conf_load(NULL, environment, count_complaint, &complaints);
    assert_non_null(conf);
    unsigned long n = 0;
    struct gateways *gateways = NULL;
    while (gateways == NULL) {
        complaints = 0;
        alloc_watch_start(++n);
        gateways = gateways_load(conf, count_complaint, &complaints);
        alloc_watch_stop();
        assert_true((gateways == NULL) == (complaints > 0));
    }
    // The first load without a failure; a lack of memory must not have dropped a key.
    const bool has_lacked = alloc_watch.has_failed;
    gateways_free(gateways);
    conf_free(conf);
    free(key);
    free(path);
    scratch_free(keys_folder);
    assert_false(has_lacked);
    assert_int_equal(n, 7); // the gateways, the file, three keys, the cache, and none left to fail
}

// ---- the output ----

// Makes call N of the sink and all later ones fail; false if there was none.
static bool fail_sink(const struct request *request, unsigned n, const char *usual,
                      size_t usual_len)
{
    stage->sink->fail_at = n;
    const int status = handle(request);
    const bool has_failed = outbuf_has_failed(&stage->response.out);
    check_number(request->name, status, request->status);
    check_number(request->name, has_failed, stage->sink->calls >= n);
    // What was delivered is the beginning of the usual answer: no second answer, and no error
    // within it.
    check(request->name, stage->sink->len <= usual_len);
    check(request->name, memcmp(stage->sink->bytes, usual, stage->sink->len) == 0);
    check(request->name, has_failed == (stage->sink->len < usual_len));
    // The sink is not called again after a failure.
    check(request->name, !has_failed || stage->sink->calls == n);
    return has_failed;
}

static void a_failing_sink_ends_the_answer_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        if (requests[i] == &metrics) {
            continue; // its answers differ each time
        }
        expect_usual(requests[i]);
        const size_t usual_len = stage->sink->len;
        char *const usual = strndup(stage->sink->bytes, usual_len);
        unsigned n = 1;
        while (fail_sink(requests[i], n, usual, usual_len)) {
            stage->sink->fail_at = 0;
            check_number(requests[i]->name, handle(requests[i]), requests[i]->status);
            check_text(requests[i]->name, sink_text(stage->sink), usual);
            n++;
        }
        check(requests[i]->name, requests[i] == &nested_task ? n > 50 : n > 1);
        free(usual);
    }
}

static void a_hangup_is_counted_once_and_the_outcome_stays(void **state)
{
    (void)state;
    struct metrics_shard *const shard = &stage->metrics->shards[0];
    stage->sink->fail_at = 2;
    assert_int_equal(handle(&nested_task), 200);
    assert_int_equal(atomic_load(&shard->hangups), 1);
    assert_int_equal(atomic_load(&shard->outcomes[METRICS_OK]), 1);
    expect_usual(&nested_task);
    assert_int_equal(atomic_load(&shard->hangups), 1);
}

// ---- the store ----

static bool fail_store(const struct request *request, unsigned n, enum error_kind kind)
{
    stage->fake.calls = 0;
    stage->fake.fail_at = n;
    stage->fake.failure = kind;
    const int status = handle(request);
    if (stage->fake.calls < n) {
        check_number(request->name, status, request->status);
        return false;
    }
    expect_complete(request);
    check_number(request->name, status, error_status(kind));
    expect_usual(request);
    return true;
}

static void a_failing_store_is_answered_with_its_cause(void **state)
{
    (void)state;
    static const enum error_kind kinds[] = {ERR_DATABASE_DOWN,  ERR_DATABASE_FAULT,
                                            ERR_QUERY_TIMEOUT,  ERR_NO_MEMORY,
                                            ERR_TOO_MANY_NODES, ERR_INTERNAL};
    static const struct {
        const struct request *request;
        unsigned calls; // of the store
    } rows_of_calls[] = {
        {&nested_task, 3},
        {&nested_task_by_query, 3},
        {&nested_task_by_token, 2},
        {&head_of_task, 3},
        {&no_such_task, 2},
        {&no_credentials, 0},
        {&wrong_secret, 1},
        {&no_query, 0},
        {&no_path, 0},
        {&ready, 1},
        {&metrics, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows_of_calls) * COUNT_OF(kinds); i++) {
        const struct request *const request = rows_of_calls[i / COUNT_OF(kinds)].request;
        unsigned n = 1;
        while (fail_store(request, n, kinds[i % COUNT_OF(kinds)])) {
            n++;
        }
        check_number(request->name, n - 1, rows_of_calls[i / COUNT_OF(kinds)].calls);
    }
}

// ---- all at once ----

static void random_failures_leave_the_service_working(void **state)
{
    (void)state;
    struct dice dice = {53};
    for (unsigned round = 0; round < 500; round++) {
        const struct request *const request = requests[dice_below(&dice, COUNT_OF(requests))];
        stage->sink->fail_at = dice_below(&dice, 3) == 0 ? 1 + (unsigned)dice_below(&dice, 200) : 0;
        stage->fake.fail_at = dice_below(&dice, 3) == 0 ? 1 + (unsigned)dice_below(&dice, 2) : 0;
        stage->fake.calls = 0;
        alloc_watch_start(dice_below(&dice, 3) == 0 ? 1 + dice_below(&dice, 8) : 0);
        (void)handle(request);
        alloc_watch_stop();
        if (!outbuf_has_failed(&stage->response.out)) {
            expect_complete(request);
        }
        assert_int_equal(arena_used(stage->service.arena), 0);
    }
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        expect_usual(requests[i]);
    }
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_failing_allocation_is_500_and_nothing_else_breaks),
        ON_STAGE(the_answer_is_complete_whatever_the_arenas_cap),
        ON_STAGE(each_allocation_from_the_arena_may_fail),
        ON_STAGE(without_memory_there_are_no_tools_for_authentication),
        ON_STAGE(without_memory_no_gateway_is_loaded_in_part),
        ON_STAGE(a_failing_sink_ends_the_answer_and_nothing_else),
        ON_STAGE(a_hangup_is_counted_once_and_the_outcome_stays),
        ON_STAGE(a_failing_store_is_answered_with_its_cause),
        ON_STAGE(random_failures_leave_the_service_working),
    };
    return cmocka_run_group_tests_name("faults", tests, make_gateway, free_gateway);
}
