// SPDX-License-Identifier: MIT
// batch: which ids are taken, what each failure does, and that there is never half an answer.
#include "states/task_ids_priv.h"
#include "stage.h"

#include <stdio.h>

static struct stage *stage;

static int set_up(void **state)
{
    (void)state;
    stage = stage_new(NULL);
    return stage_discard_log();
}

static int tear_down(void **state)
{
    (void)state;
    stage_free(stage);
    return 0;
}

static int get(const char *query)
{
    return stage_get(stage, "/get_tasks_states_by_app/", (struct variable){"QUERY_STRING", query});
}

static void ids_are_a_list_of_distinct_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *subject; // NULL: they are taken
    } rows[] = {
        {"1", NULL},
        {"3,1,2", NULL},
        {"9223372036854775807,1", NULL},
        {"007,8", NULL},
        {"1,2,3,4", "more than 3 ids"},
        {"1,1", "an id is given twice"},
        {"1,2,01", "an id is given twice"},
        {"", "it must be"},
        {",", "it must be"},
        {"1,", "it must be"},
        {",1", "it must be"},
        {"1,,2", "it must be"},
        {"1, 2", "it must be"},
        {"0", "it must be"},
        {"-1", "it must be"},
        {"x", "it must be"},
        {"9223372036854775808", "it must be"},
    };
    struct arena *const arena = arena_new(1 << 16);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_ids ids;
        struct error err = {0};
        const int outcome = task_ids_read_list(str_from(rows[i].text), 3, arena, &ids, &err);
        check(rows[i].text, (outcome == 0) == (rows[i].subject == NULL));
        if (outcome != 0) {
            check_number(rows[i].text, err.kind, ERR_TASK_IDS);
            check(rows[i].text, has_text(err.subject, rows[i].subject));
        }
    }
    struct task_ids ids;
    struct error err = {0};
    assert_int_equal(task_ids_read_list(STR_ABSENT, 3, arena, &ids, &err), -1);
    assert_int_equal(err.kind, ERR_TASK_IDS);
    assert_int_equal(task_ids_read_list(STR("3,1,2"), 3, arena, &ids, &err), 0);
    assert_int_equal(ids.count, 3);
    assert_int_equal(ids.list[0], 3);
    assert_int_equal(ids.list[2], 2);
    arena_free(arena);
}

static void each_task_has_its_entry(void **state)
{
    (void)state;
    assert_int_equal(get("task_ids=11,10"), 200);
    struct json_object *const answer = parse_json(stage_body(stage));
    assert_int_equal(json_number(answer, "data/11/code"), 40402);
    assert_string_equal(json_text(answer, "data/11/message"), "Task does not exist. task_id=11");
    assert_string_equal(json_text(answer, "data/10/state"), "RUNNING");
    json_object_put(answer);
    assert_int_equal(stage->fake.task_look_ups, 1);
    assert_int_equal(stage->fake.loads, 1);
}

static void what_may_not_be_seen_is_not_read(void **state)
{
    (void)state;
    stage->fake.template.app_code = STR("your_app");
    assert_int_equal(get("task_ids=11,10&nodes=1"), 200);
    struct json_object *const answer = parse_json(stage_body(stage));
    assert_int_equal(json_number(answer, "data/10/code"), 40303);
    json_object_put(answer);
    assert_int_equal(stage->fake.loads, 0);
}

static void a_wrong_secret_reads_no_task(void **state)
{
    (void)state;
    app_with_secret(&stage->fake.app, "another");
    assert_int_equal(get("task_ids=10"), 401);
    assert_int_equal(stage->fake.task_look_ups, 0);
}

// The calls are: callers; tasks and nodes of 16 tasks; tasks of the last one.
static void any_statement_that_fails_is_the_answer(void **state)
{
    (void)state;
    static const char query[] = "task_ids=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17";
    stage->fake.failure = ERR_DATABASE_FAULT;
    for (unsigned call = 1; call <= 4; call++) {
        stage->fake.calls = 0;
        stage->fake.fail_at = call;
        assert_int_equal(get(query), 503);
        json_object_put(stage_error(stage, 50303));
    }
    stage->fake.calls = 0;
    stage->fake.fail_at = 5;
    assert_int_equal(get(query), 200);
    assert_int_equal(stage->fake.calls, 4);
}

// Any of the arenas may be too small.
static void without_memory_it_is_500_and_never_half_an_answer(void **state)
{
    (void)state;
    bool has_failed[2] = {false};
    for (size_t which = 0; which < 2; which++) {
        int status = 0;
        for (size_t bytes = 64; status != 200; bytes += 64) {
            assert_true(bytes < 200000);
            if (which == 0) {
                arena_free(stage->service.arena);
                stage->service.arena = arena_new(bytes);
            } else {
                service_group_free(stage->service.group);
                stage->service.group = service_group_new(bytes);
            }
            status = get("task_ids=10,11,12&nodes=1");
            assert_true(status == 200 || status == 500);
            has_failed[which] = has_failed[which] || status == 500;
            if (status == 500) {
                json_object_put(stage_error(stage, 50004));
            }
        }
    }
    assert_true(has_failed[0] && has_failed[1]);
}

static void all_nodes_together_are_limited_if_they_are_shown(void **state)
{
    (void)state;
    static char setting[] = "BKFLOW_STATES_RESPONSE_MAX_NODES=2";
    char *const environment[] = {setting, NULL};
    stage_free(stage);
    stage = stage_new(environment);
    assert_int_equal(get("task_ids=10,11&nodes=1"), 500);
    json_object_put(stage_error(stage, 50003));
    assert_int_equal(stage->fake.limit, 2);
    assert_int_equal(get("task_ids=10,11"), 200);
    struct json_object *const answer = parse_json(stage_body(stage));
    assert_int_equal(json_number(answer, "data/10/code"), 50003);
    assert_int_equal(json_number(answer, "data/11/code"), 40402);
    json_object_put(answer);
}

// ---- in a body ----

#define SPACE_PATH "/space/8/get_tasks_states/"

static void give_the_stage_a_space(void)
{
    stage->fake.space_id = 8;
    stage->fake.space = (struct lookup_space){.exists = true, .app_code = STR(STAGE_APP)};
    stage->fake.task.space_id = 8;
}

static void tasks_of_the_space_have_their_state(void **state)
{
    (void)state;
    give_the_stage_a_space();
    assert_int_equal(
        stage_post(stage, SPACE_PATH, STR("{\"task_ids\": [11, \"10\", 10]}"), NO_VARIABLE), 200);
    assert_non_null(strstr(stage_body(stage).ptr, "\"data\":{\"10\":{\"state\":\"RUNNING\"}},"));
    assert_non_null(strstr(stage_body(stage).ptr, "\"code\":\"0\","));
    stage->fake.task.space_id = 9;
    assert_int_equal(stage_post(stage, SPACE_PATH, STR("{\"task_ids\": [10]}"), NO_VARIABLE), 200);
    assert_non_null(strstr(stage_body(stage).ptr, "\"data\":{},"));
    assert_int_equal(stage->fake.loads, 1);
}

static void bodies_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct str body;
        int code;
    } rows[] = {
        {STR(""), 40007},
        {STR("[10]"), 40007},
        {STR("{\"task_ids\":[10],\"task_ids\":[10]}"), 40007},
        {STR("{\"task_ids\":[[[[[[[[[10]]]]]]]]]}"), 40007},
        {STR("{}"), 40006},
        {STR("{\"task_ids\":\"10\"}"), 40006},
        {STR("{\"task_ids\":[null]}"), 40006},
        {STR("{\"task_ids\":[\"1,0\"]}"), 40006},
        {STR("{\"task_ids\":[\"\\u0031\"]}"), 40006},
        {STR("{\"task_ids\":[\"]}"), 40007},
    };
    give_the_stage_a_space();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].body.ptr, stage_post(stage, SPACE_PATH, rows[i].body, NO_VARIABLE),
                     400);
        json_object_put(stage_error(stage, rows[i].code));
    }
    assert_int_equal(stage->fake.calls, 0);
}

static void a_refused_space_reads_no_task(void **state)
{
    (void)state;
    assert_int_equal(stage_post(stage, SPACE_PATH, STR("{\"task_ids\":[10]}"), NO_VARIABLE), 403);
    json_object_put(stage_error(stage, 40305));
    assert_int_equal(stage->fake.space_look_ups, 1);
    assert_int_equal(stage->fake.calls, 2); // callers and the space
}

#define WITH_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_a_list_of_distinct_decimals),
        WITH_STAGE(each_task_has_its_entry),
        WITH_STAGE(what_may_not_be_seen_is_not_read),
        WITH_STAGE(a_wrong_secret_reads_no_task),
        WITH_STAGE(any_statement_that_fails_is_the_answer),
        WITH_STAGE(without_memory_it_is_500_and_never_half_an_answer),
        WITH_STAGE(all_nodes_together_are_limited_if_they_are_shown),
        WITH_STAGE(tasks_of_the_space_have_their_state),
        WITH_STAGE(bodies_that_cannot_be_used_are_refused),
        WITH_STAGE(a_refused_space_reads_no_task),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
