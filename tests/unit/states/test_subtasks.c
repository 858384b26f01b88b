// SPDX-License-Identifier: MIT
// subtasks: what is followed, what is left out, and what each failure does.
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

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

// The stage's task has the nodes "...1", "...2" (v1) and "...3" (v2).
#define N(n)             "n000000000000000000000000000000" n
#define LINK(n, version) "{\"node_id\": \"" N(n) "\", \"node_version\": \"" version "\"}"

static const struct row child_rows[] = {
    ROW("c", "c", .state = "RUNNING", .version = "vc"),
    ROW("d", "c", .state = "FINISHED", .version = "vd"),
};
#define CHILD(its_id, its_parent, info)                                                            \
    {                                                                                              \
        .id = (its_id), .parent = (its_parent), .extra_info = (info), .root = "c",                 \
        .rows = child_rows, .row_count = COUNT_OF(child_rows)                                      \
    }

static void put_subtasks(const struct fake_subtask *subtasks, size_t count)
{
    stage->fake.subtasks = subtasks;
    stage->fake.subtask_count = count;
}

static int get(const char *query)
{
    return stage_get(stage, STAGE_PATH, (struct variable){"QUERY_STRING", query});
}

static size_t count_shown(void)
{
    static const char member[] = "\"subtask\":{";
    const struct str body = stage_body(stage);
    size_t count = 0;
    for (const char *at = body.ptr;
         (at = memmem(at, (size_t)(body.ptr + body.len - at), member, sizeof member - 1)) != NULL;
         at++) {
        count++;
    }
    return count;
}

static void a_subtask_is_shown_if_it_is_asked_for(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {CHILD(20, STAGE_TASK, LINK("2", "v1"))};
    put_subtasks(subtasks, COUNT_OF(subtasks));
    assert_int_equal(get("subtasks=1"), 200);
    assert_int_equal(count_shown(), 1);
    assert_non_null(strstr(stage_body(stage).ptr,
                           "\"children\":{},\"subtask\":{\"task_id\":20,\"states\":{\"id\":\"c\""));
    assert_int_equal(stage->fake.link_look_ups, 2); // of the task, and of the subtask
    assert_int_equal(stage->fake.permitted_task, 20);
    assert_int_equal(get("subtasks=0"), 200);
    assert_int_equal(count_shown(), 0);
    assert_int_equal(get(""), 200);
    assert_int_equal(count_shown(), 0);
    assert_int_equal(stage->fake.link_look_ups, 2);
}

static void links_that_lead_nowhere_are_left_out(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {
        CHILD(20, STAGE_TASK, NULL),
        CHILD(20, STAGE_TASK, ""),
        CHILD(20, STAGE_TASK, "null"),
        CHILD(20, STAGE_TASK, "{\"node_id\": \"" N("2") "\"}"),
        CHILD(20, STAGE_TASK, "{\"node_version\": \"v1\"}"),
        CHILD(20, STAGE_TASK, LINK("2", "v9")),
        CHILD(20, STAGE_TASK, LINK("9", "v1")),
        {.id = 20, .parent = STAGE_TASK, .extra_info = LINK("2", "v1"), .is_missing = true},
        {.id = 20, .parent = STAGE_TASK, .extra_info = LINK("2", "v1"), .is_deleted = true},
        {.id = 20, .parent = STAGE_TASK, .extra_info = LINK("2", "v1"), .is_expired = true},
        {.id = 20, .parent = STAGE_TASK, .extra_info = LINK("2", "v1"), .space_id = 2},
        CHILD(STAGE_TASK, STAGE_TASK, LINK("2", "v1")), // in a circle
    };
    for (size_t i = 0; i < COUNT_OF(subtasks); i++) {
        put_subtasks(&subtasks[i], 1);
        check_number(subtasks[i].extra_info == NULL ? "NULL" : subtasks[i].extra_info,
                     get("subtasks=1"), 200);
        assert_int_equal(count_shown(), 0);
    }
}

static void a_task_is_shown_once(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {
        CHILD(20, STAGE_TASK, LINK("2", "v1")),
        CHILD(20, STAGE_TASK, LINK("3", "v2")),
        CHILD(20, 20, "{\"node_id\": \"d\", \"node_version\": \"vd\"}"),
        CHILD(STAGE_TASK, 20, "{\"node_id\": \"c\", \"node_version\": \"vc\"}"),
    };
    put_subtasks(subtasks, COUNT_OF(subtasks));
    assert_int_equal(get("subtasks=1"), 200);
    assert_int_equal(count_shown(), 1);
}

static void the_newest_link_counts(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {
        CHILD(20, STAGE_TASK, LINK("2", "v1")),
        CHILD(21, STAGE_TASK, LINK("2", "v1")),
        CHILD(22, STAGE_TASK, LINK("2", "v0")),
    };
    put_subtasks(subtasks, COUNT_OF(subtasks));
    assert_int_equal(get("subtasks=1"), 200);
    assert_non_null(strstr(stage_body(stage).ptr, "\"task_id\":21,"));
}

static void all_nodes_together_are_limited(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {
        CHILD(20, STAGE_TASK, LINK("2", "v1")),
        {.id = 21, .parent = STAGE_TASK, .extra_info = LINK("3", "v2"), .is_not_started = true},
    };
    static char enough[] = "BKFLOW_STATES_RESPONSE_MAX_NODES=6";
    static char too_few[] = "BKFLOW_STATES_RESPONSE_MAX_NODES=5";
    char *const settings[] = {enough, too_few};
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        char *const environment[] = {settings[i], NULL};
        stage_free(stage);
        assert_int_equal(set_up_with(environment), 0);
        put_subtasks(subtasks, COUNT_OF(subtasks));
        check_number(settings[i], get("subtasks=1"), settings[i] == enough ? 200 : 500);
    }
    json_object_put(stage_error(stage, 50003));
}

// The calls are: callers, tasks, nodes; then links, tasks, nodes of each level.
static void any_statement_that_fails_is_the_answer(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {CHILD(20, STAGE_TASK, LINK("2", "v1"))};
    put_subtasks(subtasks, COUNT_OF(subtasks));
    stage->fake.failure = ERR_DATABASE_FAULT;
    for (unsigned call = 1; call <= 7; call++) {
        stage->fake.calls = 0;
        stage->fake.fail_at = call;
        assert_int_equal(get("subtasks=1"), 503);
        json_object_put(stage_error(stage, 50303));
    }
    stage->fake.calls = 0;
    stage->fake.fail_at = 8;
    assert_int_equal(get("subtasks=1"), 200);
    assert_int_equal(stage->fake.calls, 7);
}

static void without_memory_it_is_500_and_never_half_an_answer(void **state)
{
    (void)state;
    static const struct fake_subtask subtasks[] = {CHILD(20, STAGE_TASK, LINK("2", "v1"))};
    put_subtasks(subtasks, COUNT_OF(subtasks));
    bool has_failed = false;
    int status = 0;
    for (size_t bytes = 100; status != 200; bytes += 64) {
        assert_true(bytes < 100000);
        arena_free(stage->service.arena);
        stage->service.arena = arena_new(bytes);
        status = get("subtasks=1");
        assert_true(status == 200 || status == 500);
        has_failed = has_failed || status == 500;
    }
    assert_true(has_failed);
    assert_int_equal(count_shown(), 1);
}

static void the_tag_covers_what_is_shown(void **state)
{
    (void)state;
    static const struct row other_rows[] = {ROW("c", "c", .state = "FINISHED", .version = "vc")};
    const struct fake_subtask one = CHILD(20, STAGE_TASK, LINK("2", "v1"));
    struct fake_subtask variants[4] = {one, one, one, one};
    char *tags[COUNT_OF(variants) + 1];
    variants[1].id = 21;
    variants[2].extra_info = LINK("3", "v2");
    variants[3].rows = other_rows;
    variants[3].row_count = COUNT_OF(other_rows);
    for (size_t i = 0; i <= COUNT_OF(variants); i++) {
        put_subtasks(variants + i, i < COUNT_OF(variants) ? 1 : 0);
        assert_int_equal(get("subtasks=1"), 200);
        const struct str tag = stage_header(stage, "ETag");
        tags[i] = strndup(tag.ptr, tag.len);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(tags[i], tags[k]);
        }
    }
    assert_int_equal(get(""), 200); // without subtasks, the same body as with none
    assert_text(stage_header(stage, "ETag"), tags[COUNT_OF(variants)]);
    for (size_t i = 0; i <= COUNT_OF(variants); i++) {
        free(tags[i]);
    }
}

static void other_values_are_400(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int status;
    } rows[] = {
        {"subtasks=1", 200},     {"subtasks=0", 200},       {"subtasks=2", 400},
        {"subtasks=", 400},      {"subtasks", 400},         {"subtasks=1&subtasks=0", 400},
        {"subtask=2", 200},      {"a=%zz&subtasks=2", 400}, {"a=%zz", 200},
        {"%73ubtasks=%32", 400}, {"subtasks=%zz", 200}, // cannot be decoded
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].query, get(rows[i].query), rows[i].status);
    }
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_subtask_is_shown_if_it_is_asked_for),
        ON_STAGE(links_that_lead_nowhere_are_left_out),
        ON_STAGE(a_task_is_shown_once),
        ON_STAGE(the_newest_link_counts),
        ON_STAGE(all_nodes_together_are_limited),
        ON_STAGE(any_statement_that_fails_is_the_answer),
        ON_STAGE(without_memory_it_is_500_and_never_half_an_answer),
        ON_STAGE(the_tag_covers_what_is_shown),
        ON_STAGE(other_values_are_400),
    };
    return cmocka_run_group_tests_name("subtasks", tests, NULL, NULL);
}
