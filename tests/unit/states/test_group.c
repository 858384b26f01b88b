// SPDX-License-Identifier: MIT
// A group of requests: what its requests share, what they must not, and in which order they are
// answered.
#include "auth/authorize.h"
#include "stage.h"
#include "states/loading_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALL = 10, MIDDLE, LARGE, NOT_STARTED, OTHERS, UNKNOWN, LARGE_ROWS = LOADING_GROUP_ROWS };

#define PATH(task)       "/task/" task "/get_task_states_by_app/"
#define PATH_SMALL       PATH("10")
#define PATH_MIDDLE      PATH("11")
#define PATH_LARGE       PATH("12")
#define PATH_NOT_STARTED PATH("13")
#define PATH_OTHERS      PATH("14")
#define PATH_UNKNOWN     PATH("15")

static const struct {
    int64_t id;
    size_t rows; // 0: not started
    struct str app_code;
} tasks[] = {
    {SMALL, 3, STR(STAGE_APP)},          {MIDDLE, 5, STR(STAGE_APP)},
    {LARGE, LARGE_ROWS, STR(STAGE_APP)}, {NOT_STARTED, 0, STR(STAGE_APP)},
    {OTHERS, 3, STR("other")},
};

// The fake store, but with these tasks.
struct store_of_tasks {
    struct fake_store fake; // first: its own functions take this as context
    size_t queries;         // of the last load
    bool is_slow;           // the large task alone takes too long
    struct row rows[LARGE_ROWS];
    char ids[LARGE_ROWS][8];
};

// One client of the group.
struct guest {
    struct http_response response;
    struct sink *sink;
    char buffer[STAGE_BUFFER_BYTES];
    bool is_busy;   // not ready to read
    unsigned place; // in the order of answers, from 1
    unsigned ended;
};

static struct {
    struct stage *stage;
    struct store_of_tasks store;
    struct guest guests[SERVICE_GROUP_MAX];
    size_t count;
    unsigned opened;
} fixture;

// ---- the store ----

static size_t rows_of(int64_t task_id)
{
    size_t i = 0;
    while (i < COUNT_OF(tasks) && tasks[i].id != task_id) {
        i++;
    }
    assert_true(i < COUNT_OF(tasks));
    return tasks[i].rows;
}

static int find_tasks(void *context, struct lookup *const lookups[], size_t count,
                      struct error *err)
{
    (void)context, (void)err;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(tasks); j++) {
            if (lookups[i]->task_id == tasks[j].id) {
                lookups[i]->result.task = (struct lookup_task){.exists = true,
                                                               .is_started = tasks[j].rows > 0,
                                                               .instance_id = STR(STAGE_ROOT),
                                                               .template_id = 3};
                lookups[i]->result.template =
                    (struct lookup_template){.exists = true, .app_code = tasks[j].app_code};
            }
        }
    }
    return 0;
}

// With the first task that does not fit, the limit is used up.
static int load_nodes(void *context, struct node_query queries[], size_t count, size_t row_limit,
                      struct arena *arena, struct error *err)
{
    struct store_of_tasks *const store = context;
    const struct store_ops *const one = &fake_store_ops;
    size_t left = row_limit;
    store->queries = count;
    if (store->is_slow && count == 1 && permit_task_id(queries[0].permit) == LARGE) {
        return error_set(err, ERR_QUERY_TIMEOUT, "too slow");
    }
    const unsigned loads = store->fake.loads;
    for (size_t i = 0; i < count; i++) {
        store->fake.row_count = rows_of(permit_task_id(queries[i].permit));
        if (one->load_nodes(context, &queries[i], 1, left, arena, err) != 0) {
            return -1;
        }
        left = queries[i].is_complete ? left - store->fake.row_count : 0;
    }
    store->fake.loads = loads + 1;
    store->fake.limit = row_limit;
    return 0;
}

static void fill_rows(struct store_of_tasks *store)
{
    store->rows[0] = (struct row)ROW(STAGE_ROOT, "", .state = "RUNNING");
    for (size_t i = 1; i < LARGE_ROWS; i++) {
        snprintf(store->ids[i], sizeof store->ids[i], "n%zu", i);
        store->rows[i] = (struct row)ROW(store->ids[i], STAGE_ROOT, .state = "FINISHED");
    }
}

// ---- the clients ----

static struct http_response *open_response(void *context)
{
    struct guest *const guest = context;
    guest->place = ++fixture.opened;
    outbuf_init(&guest->response.out, guest->buffer, sizeof guest->buffer, sink_take, guest->sink);
    return &guest->response;
}

static bool is_ready(void *context)
{
    const struct guest *const guest = context;
    return !guest->is_busy;
}

static void end(void *context)
{
    struct guest *const guest = context;
    assert_int_equal(outbuf_flush(&guest->response.out), 0);
    guest->ended++;
}

static struct guest *add(const char *method, const char *path, const char *credentials)
{
    const struct http_var vars[] = {
        {STR("REQUEST_METHOD"), str_from(method)},
        {STR("PATH_INFO"), str_from(path)},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
        {STR("HTTP_X_BKAPI_AUTHORIZATION"), str_from(credentials)},
    };
    struct guest *const guest = &fixture.guests[fixture.count++];
    guest->sink = sink_new();
    service_add(&fixture.stage->service, vars, COUNT_OF(vars), STR(""),
                (struct service_client){open_response, is_ready, end, guest, NULL, 0, 0});
    return guest;
}

static struct guest *add_get(const char *path)
{
    return add("GET", path, STAGE_CREDENTIALS);
}

// Answers the group; everybody is answered once.
static void run(void)
{
    service_run(&fixture.stage->service);
    assert_int_equal(fixture.opened, fixture.count);
    for (size_t i = 0; i < fixture.count; i++) {
        assert_int_equal(fixture.guests[i].ended, 1);
    }
    assert_true(service_group_is_empty(fixture.stage->service.group));
    assert_int_equal(arena_used(fixture.stage->service.arena), 0);
}

static struct str body_of(const struct guest *guest)
{
    const struct str text = sink_text(guest->sink);
    const char *const head_end = memmem(text.ptr, text.len, "\r\n\r\n", 4);
    assert_non_null(head_end);
    return str_skip(text, (size_t)(head_end - text.ptr) + 4);
}

// How many nodes the answer shows below the root.
static int children_of(const struct guest *guest)
{
    assert_int_equal(guest->response.status, 200);
    struct json_object *const envelope = parse_json(body_of(guest));
    const int count = json_object_object_length(json_at(json_at(envelope, "data"), "children"));
    json_object_put(envelope);
    return count;
}

static int code_of(const struct guest *guest)
{
    struct json_object *const envelope = parse_json(body_of(guest));
    const int code = (int)json_number(envelope, "code");
    json_object_put(envelope);
    return code;
}

static int set_up(void **state)
{
    static struct store_ops ops;
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    fixture.stage = stage_new(NULL);
    fixture.store.fake = fixture.stage->fake;
    fixture.store.fake.rows = fixture.store.rows;
    fill_rows(&fixture.store);
    ops = fake_store_ops;
    ops.find_tasks = find_tasks;
    ops.load_nodes = load_nodes;
    fixture.stage->service.store = (struct store){&ops, &fixture.store};
    return stage_discard_log();
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixture.count; i++) {
        sink_free(fixture.guests[i].sink);
    }
    stage_free(fixture.stage);
    return 0;
}

// ---- what is shared ----

static void one_statement_of_each_kind_serves_the_group(void **state)
{
    (void)state;
    const struct guest *const small = add_get(PATH_SMALL);
    const struct guest *const middle = add_get(PATH_MIDDLE);
    run();
    assert_int_equal(children_of(small), 2);
    assert_int_equal(children_of(middle), 4);
    assert_int_equal(fixture.store.fake.look_ups, 1);
    assert_int_equal(fixture.store.fake.loads, 1);
    assert_int_equal(fixture.store.queries, 2);
    assert_int_equal(fixture.store.fake.limit, LOADING_GROUP_ROWS);
}

static void requests_of_one_task_share_its_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERVICE_GROUP_MAX; i++) {
        add_get(PATH_MIDDLE);
    }
    run();
    assert_int_equal(fixture.store.queries, 1);
    assert_int_equal(fixture.stage->service.shard->rows, rows_of(MIDDLE));
    for (size_t i = 0; i < SERVICE_GROUP_MAX; i++) {
        assert_int_equal(children_of(&fixture.guests[i]), 4);
    }
}

static void a_head_request_takes_no_body_from_its_neighbour(void **state)
{
    (void)state;
    const struct guest *const head = add("HEAD", PATH_SMALL, STAGE_CREDENTIALS);
    const struct guest *const get = add_get(PATH_SMALL);
    run();
    assert_int_equal(head->response.status, 200);
    assert_int_equal(body_of(head).len, 0);
    assert_int_equal(children_of(get), 2);
}

// ---- what is not ----

static void who_is_refused_changes_nothing_for_the_others(void **state)
{
    (void)state;
    const struct guest *const first = add_get(PATH_SMALL);
    const struct guest *const guess =
        add("GET", PATH_SMALL,
            "{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"guess\",\"bk_username\":\"admin\"}");
    const struct guest *const others = add_get(PATH_OTHERS);
    const struct guest *const unknown = add_get(PATH_UNKNOWN);
    const struct guest *const post = add("POST", PATH_SMALL, STAGE_CREDENTIALS);
    const struct guest *const not_started = add_get(PATH_NOT_STARTED);
    const struct guest *const last = add_get(PATH_MIDDLE);
    run();
    assert_int_equal(children_of(first), 2);
    assert_int_equal(code_of(guess), 40102);
    assert_int_equal(others->response.status, 403);
    assert_int_equal(unknown->response.status, 404);
    assert_int_equal(post->response.status, 405);
    assert_int_equal(not_started->response.status, 200);
    assert_int_equal(children_of(last), 4);
    assert_int_equal(fixture.store.queries, 2);
}

static void a_failed_statement_fails_those_it_was_for(void **state)
{
    (void)state;
    fixture.store.fake.fail_at = 2; // after the look-up of callers
    const struct guest *const small = add_get(PATH_SMALL);
    const struct guest *const not_started = add_get(PATH_NOT_STARTED);
    const struct guest *const healthz = add_get("/healthz");
    const struct guest *const middle = add_get(PATH_MIDDLE);
    run();
    assert_int_equal(small->response.status, 503);
    assert_int_equal(middle->response.status, 503);
    assert_int_equal(not_started->response.status, 200);
    assert_int_equal(healthz->response.status, 200);
}

// ---- the order ----

static void small_answers_go_first(void **state)
{
    (void)state;
    const struct guest *const middle = add_get(PATH_MIDDLE);
    const struct guest *const small = add_get(PATH_SMALL);
    const struct guest *const refused = add_get(PATH_UNKNOWN);
    const struct guest *const healthz = add_get("/healthz");
    run();
    assert_int_equal(refused->place, 1);
    assert_int_equal(healthz->place, 2); // as light, and came later
    assert_int_equal(small->place, 3);
    assert_int_equal(middle->place, 4);
}

static void a_client_that_is_not_ready_goes_last(void **state)
{
    (void)state;
    struct guest *const busy_small = add_get(PATH_SMALL);
    struct guest *const busy_refused = add_get(PATH_UNKNOWN);
    const struct guest *const middle = add_get(PATH_MIDDLE);
    busy_small->is_busy = true;
    busy_refused->is_busy = true;
    run();
    assert_int_equal(middle->place, 1);
    assert_int_equal(busy_refused->place, 2);
    assert_int_equal(busy_small->place, 3);
}

static void a_task_beyond_the_groups_rows_is_loaded_alone_after_the_others(void **state)
{
    (void)state;
    const struct guest *const small = add_get(PATH_SMALL);
    const struct guest *const large = add_get(PATH_LARGE);
    const struct guest *const again = add_get(PATH_LARGE);
    run();
    assert_int_equal(small->place, 1);
    assert_int_equal(children_of(small), 2);
    assert_int_equal(children_of(large), LARGE_ROWS - 1);
    assert_int_equal(children_of(again), LARGE_ROWS - 1);
    assert_int_equal(fixture.store.fake.loads, 2);
    assert_int_equal(fixture.store.queries, 1);
    assert_int_equal(fixture.store.fake.limit, fixture.stage->conf->response.max_nodes);
}

static void a_large_task_that_takes_too_long_fails_alone(void **state)
{
    (void)state;
    fixture.store.is_slow = true;
    const struct guest *const small = add_get(PATH_SMALL);
    const struct guest *const middle = add_get(PATH_MIDDLE);
    const struct guest *const large = add_get(PATH_LARGE);
    run();
    assert_int_equal(children_of(small), 2);
    assert_int_equal(children_of(middle), 4);
    assert_int_equal(large->response.status, 504);
    assert_int_equal(large->place, 3);
}

static void a_task_alone_is_limited_by_the_configuration_only(void **state)
{
    (void)state;
    const struct guest *const large = add_get(PATH_LARGE);
    run();
    assert_int_equal(children_of(large), LARGE_ROWS - 1);
    assert_int_equal(fixture.store.fake.loads, 1);
    assert_int_equal(fixture.store.fake.limit, fixture.stage->conf->response.max_nodes);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_statement_of_each_kind_serves_the_group),
        CASE(requests_of_one_task_share_its_rows),
        CASE(a_head_request_takes_no_body_from_its_neighbour),
        CASE(who_is_refused_changes_nothing_for_the_others),
        CASE(a_failed_statement_fails_those_it_was_for),
        CASE(small_answers_go_first),
        CASE(a_client_that_is_not_ready_goes_last),
        CASE(a_task_beyond_the_groups_rows_is_loaded_alone_after_the_others),
        CASE(a_large_task_that_takes_too_long_fails_alone),
        CASE(a_task_alone_is_limited_by_the_configuration_only),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
