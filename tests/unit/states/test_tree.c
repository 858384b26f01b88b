// SPDX-License-Identifier: MIT
// tree: nesting, roll-up, times and JSON. test_tree_tag and test_tree_limits have the rest.
#include "base/clock.h"
#include "rows.h"
#include "support.h"
#include "states/tree.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// 2023-06-15 09:30:00 UTC, which is 17:30:00 in Shanghai.
#define NOW_US     INT64_C(1686821400000000)
#define SECONDS(n) ((int64_t)(n)*US_PER_SECOND)

struct fixture {
    struct arena *arena;
    struct sink *sink;
    struct local_time local_time;
    struct tree tree;
    struct error err;
};

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.arena = arena_new(16 << 20), .sink = sink_new()};
    return local_time_use_zone("Asia/Shanghai");
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(fixture.arena);
    sink_free(fixture.sink);
    return 0;
}

static struct str write_tree(void)
{
    return tree_text(&fixture.tree, &fixture.local_time, fixture.sink);
}

static int build(const struct row *rows, size_t count, const char *root_id, uint64_t seed)
{
    arena_reset(fixture.arena);
    const struct node_list nodes = rows_load(fixture.arena, rows, count);
    fixture.err = (struct error){0};
    return tree_build(&fixture.tree, &nodes, str_from(root_id), NOW_US, seed, fixture.arena,
                      &fixture.err);
}

// The JSON text of the tree of ROWS, an array whose root is "r".
#define text_of(rows) (assert_int_equal(build((rows), COUNT_OF(rows), "r", 1), 0), write_tree())

// The same parsed; to be put.
#define json_of(rows) parse_json(text_of(rows))

// ---- the text ----

static void a_node_has_all_members_in_their_order(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING", .version = "v0", .started = NOW_US - SECONDS(19),
            .loop = 2, .retry = 1),
        ROW("a", "r", .state = "FINISHED", .version = "v1",
            .started = NOW_US - SECONDS(18) + 999999, .archived = NOW_US - SECONDS(10),
            .flags = NODE_SKIP | NODE_ERROR_IGNORED),
    };
    assert_text(
        text_of(rows),
        "{\"id\":\"r\",\"state\":\"RUNNING\",\"root_id:\":\"r\",\"root_id\":\"r\",\"parent_id\":\"r\","
        "\"version\":\"v0\",\"loop\":2,\"retry\":1,\"skip\":false,\"error_ignorable\":false,"
        "\"error_ignored\":false,\"children\":{"
        "\"a\":{\"id\":\"a\",\"state\":\"FINISHED\",\"root_id:\":\"r\",\"root_id\":\"r\","
        "\"parent_id\":\"r\",\"version\":\"v1\",\"loop\":0,\"retry\":0,\"skip\":true,"
        "\"error_ignorable\":true,\"error_ignored\":true,\"children\":{},\"elapsed_time\":7,"
        "\"start_time\":\"2023-06-15 17:29:42 +0800\",\"finish_time\":\"2023-06-15 17:29:50 +0800\"}"
        "},\"elapsed_time\":19,\"start_time\":\"2023-06-15 17:29:41 +0800\",\"finish_time\":\"\"}");
}

static void a_task_that_has_not_started_has_its_own_form(void **state)
{
    (void)state;
    tree_of_kind(&fixture.tree, TREE_NOT_STARTED);
    assert_text(write_tree(), "{\"start_time\":null,\"state\":\"CREATED\",\"retry\":0,\"skip\":0,"
                              "\"finish_time\":null,\"elapsed_time\":0,\"children\":{}}");
}

static void a_started_task_without_rows_is_created(void **state)
{
    (void)state;
    const struct node_list none = {0};
    assert_int_equal(
        tree_build(&fixture.tree, &none, STR("r"), NOW_US, 1, fixture.arena, &fixture.err), 0);
    assert_text(write_tree(), "{\"state\":\"CREATED\"}");
}

static void rows_without_the_root_are_an_error(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("a", "r", .state = "RUNNING"),
                               ROW("b", "a", .state = "RUNNING")};
    assert_int_equal(build(rows, COUNT_OF(rows), "r", 1), -1);
    assert_int_equal(fixture.err.kind, ERR_NO_ROOT_ROW);
}

static void the_roots_parent_is_itself_whatever_its_row_says(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "elsewhere", .state = "RUNNING"),
                               ROW("a", "r", .state = "RUNNING")};
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "parent_id"), "r");
    assert_string_equal(json_text(data, "children/a/parent_id"), "r");
    json_object_put(data);
}

static void ids_and_states_of_any_bytes_make_json(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "STATE \"\\\n\x01", .version = "\xFF"),
        ROW("任务\"\\", "r", .state = "RUNNING", .version = ""),
        ROW("", "任务\"\\", .state = "RUNNING", .version = ""),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "state"), "STATE \"\\\n\x01");
    assert_string_equal(json_text(data, "version"), "\xEF\xBF\xBD");
    struct json_object *const child = json_at(data, "children/任务\"\\");
    struct json_object *grandchild = NULL;
    assert_true(json_object_object_get_ex(json_at(child, "children"), "", &grandchild));
    assert_string_equal(json_text(grandchild, "parent_id"), "任务\"\\");
    json_object_put(data);
}

static void numbers_are_written_unchanged(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "", .loop = INT32_MAX, .retry = INT32_MIN)};
    struct json_object *const data = json_of(rows);
    assert_int_equal(json_number(data, "loop"), INT32_MAX);
    assert_int_equal(json_number(data, "retry"), INT32_MIN);
    json_object_put(data);
}

static void each_node_has_its_own_flags(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .flags = NODE_SKIP),
        ROW("a", "r", .flags = NODE_ERROR_IGNORED),
        ROW("b", "r"),
    };
    struct json_object *const data = json_of(rows);
    assert_true(json_object_get_boolean(json_at(data, "skip")));
    assert_false(json_object_get_boolean(json_at(data, "error_ignored")));
    assert_false(json_object_get_boolean(json_at(data, "error_ignorable")));
    assert_false(json_object_get_boolean(json_at(data, "children/a/skip")));
    assert_true(json_object_get_boolean(json_at(data, "children/a/error_ignored")));
    assert_true(json_object_get_boolean(json_at(data, "children/a/error_ignorable")));
    assert_false(json_object_get_boolean(json_at(data, "children/b/error_ignored")));
    json_object_put(data);
}

static void a_root_id_of_any_length_and_bytes_is_shown_in_every_node(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\n", "\"", "任", "\xFF"};
    for (size_t i = 0; i < COUNT_OF(units) * 60; i++) {
        char id[600] = "";
        const size_t count = 1 + i / COUNT_OF(units) * 3;
        const size_t unit_len = strlen(units[i % COUNT_OF(units)]);
        for (size_t k = 0; k < count && (k + 1) * unit_len < sizeof id; k++) {
            memcpy(id + k * unit_len, units[i % COUNT_OF(units)], unit_len + 1);
        }
        const struct row rows[] = {ROW(id, ""), ROW("child", id)};
        assert_int_equal(build(rows, COUNT_OF(rows), id, 1), 0);
        struct json_object *const data = parse_json(write_tree());
        const char *const shown = json_text(data, "id");
        assert_string_equal(json_text(data, "root_id:"), shown);
        assert_string_equal(json_text(data, "root_id"), shown);
        assert_string_equal(json_text(data, "parent_id"), shown);
        assert_string_equal(json_text(data, "children/child/root_id:"), shown);
        assert_string_equal(json_text(data, "children/child/root_id"), shown);
        assert_string_equal(json_text(data, "children/child/parent_id"), shown);
        json_object_put(data);
    }
}

// ---- nesting ----

// Returns the ids of the children at PATH in order, separated by commas.
static const char *children_at(struct json_object *data, const char *path)
{
    static char text[256];
    size_t len = 0;
    text[0] = '\0';
    json_object_object_foreach(json_at(data, path), key, value)
    {
        (void)value;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len == 0 ? "" : ",", key);
    }
    return text;
}

static void children_come_in_row_order(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", ""), ROW("z", "r"), ROW("a", "r"), ROW("m1", "a"), ROW("m", "r"), ROW("m0", "a"),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "z,a,m");
    assert_string_equal(children_at(data, "children/a/children"), "m1,m0");
    json_object_put(data);
}

static void rows_may_come_before_their_parents(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("c", "b"), ROW("b", "a"), ROW("d", "b"), ROW("a", "r"),
                               ROW("r", "")};
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children/a/children/b/children"), "c,d");
    json_object_put(data);
}

static void orphans_are_left_out_with_their_descendants(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING"),
        ROW("lost", "nowhere", .state = "FAILED"),
        ROW("below", "lost", .state = "FAILED"),
        ROW("a", "r"),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "a");
    assert_string_equal(json_text(data, "state"), "RUNNING");
    json_object_put(data);
}

static void cycles_without_the_root_are_left_out(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING"),
        ROW("a", "b", .state = "FAILED"),
        ROW("b", "a", .state = "FAILED"),
        ROW("c", "d"),
        ROW("d", "e"),
        ROW("e", "c"),
        ROW("f", "e"),
        ROW("x", "r"),
        ROW("self", "self", .state = "FAILED"),
        ROW("child", "self"),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "x");
    assert_string_equal(json_text(data, "state"), "RUNNING");
    json_object_put(data);
}

static void a_cycle_through_the_root_ends_at_the_root(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "b"), ROW("a", "r"), ROW("b", "a")};
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "a");
    assert_string_equal(children_at(data, "children/a/children"), "b");
    assert_string_equal(children_at(data, "children/a/children/b/children"), "");
    json_object_put(data);
}

static void a_root_that_is_its_own_parent_is_not_a_child(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "r"), ROW("a", "r")};
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "a");
    json_object_put(data);
}

static void the_last_of_several_rows_with_one_id_counts(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "FAILED", .version = "old"),
        ROW("a", "r", .state = "FAILED", .version = "old"),
        ROW("b", "r"),
        ROW("r", "", .state = "RUNNING", .version = "new"),
        ROW("a", "b", .state = "FINISHED", .version = "new"),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "version"), "new");
    assert_string_equal(json_text(data, "state"), "RUNNING");
    assert_string_equal(children_at(data, "children"), "b");
    assert_string_equal(json_text(data, "children/b/children/a/version"), "new");
    json_object_put(data);
}

static void ids_are_compared_byte_for_byte(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", ""),  ROW("a", "R"), ROW("b", "r "),
                               ROW("c", "r"), ROW("C", "r"), ROW("c ", "r")};
    struct json_object *const data = json_of(rows);
    assert_string_equal(children_at(data, "children"), "c,C,c ");
    json_object_put(data);
}

// ---- roll-up ----

static void parents_roll_up_like_bkflows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *root;    // the states in the rows
        const char *child;   // of the root
        const char *sibling; // of the child
        const char *below;   // of the child
        const char *root_reads;
        const char *child_reads;
    } rows[] = {
        {"nothing to take over", "RUNNING", "FINISHED", "READY", "FINISHED", "RUNNING", "FINISHED"},
        {"a failed child", "RUNNING", "FAILED", "RUNNING", "READY", "FAILED", "FAILED"},
        {"a failed sibling", "RUNNING", "RUNNING", "FAILED", "READY", "FAILED", "RUNNING"},
        {"a suspended child", "RUNNING", "SUSPENDED", "RUNNING", "READY", "NODE_SUSPENDED",
         "SUSPENDED"},
        {"failed before suspended", "RUNNING", "FAILED", "SUSPENDED", "READY", "FAILED", "FAILED"},
        {"failed after suspended", "RUNNING", "SUSPENDED", "FAILED", "READY", "FAILED",
         "SUSPENDED"},
        {"failed goes up through running", "RUNNING", "RUNNING", "READY", "FAILED", "FAILED",
         "FAILED"},
        {"failed stops at finished", "RUNNING", "FINISHED", "READY", "FAILED", "RUNNING",
         "FINISHED"},
        {"failed stops at suspended, which goes on", "RUNNING", "SUSPENDED", "READY", "FAILED",
         "NODE_SUSPENDED", "SUSPENDED"},
        {"suspended goes up one step only", "RUNNING", "RUNNING", "READY", "SUSPENDED", "RUNNING",
         "NODE_SUSPENDED"},
        {"node suspended in a row is not taken over", "RUNNING", "NODE_SUSPENDED", "READY", "READY",
         "RUNNING", "NODE_SUSPENDED"},
        {"failed below beats suspended beside", "RUNNING", "RUNNING", "SUSPENDED", "FAILED",
         "FAILED", "FAILED"},
        {"a root that does not run", "FINISHED", "FAILED", "SUSPENDED", "READY", "FINISHED",
         "FAILED"},
        {"a suspended root", "SUSPENDED", "FAILED", "READY", "READY", "SUSPENDED", "FAILED"},
        {"a revoked root", "REVOKED", "RUNNING", "READY", "FAILED", "REVOKED", "FAILED"},
        {"a blocked root", "BLOCKED", "FAILED", "READY", "READY", "BLOCKED", "FAILED"},
        {"states count to the letter", "RUNNING", "failed", "FAILED ", "Suspended", "RUNNING",
         "failed"},
        {"a root that runs in small letters", "running", "FAILED", "READY", "READY", "running",
         "FAILED"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row tree[] = {
            ROW("r", "", .state = rows[i].root),
            ROW("child", "r", .state = rows[i].child),
            ROW("sibling", "r", .state = rows[i].sibling),
            ROW("below", "child", .state = rows[i].below),
        };
        struct json_object *const data = json_of(tree);
        check_text(rows[i].name, str_from(json_text(data, "state")), rows[i].root_reads);
        check_text(rows[i].name, str_from(json_text(data, "children/child/state")),
                   rows[i].child_reads);
        check_text(rows[i].name, str_from(json_text(data, "children/sibling/state")),
                   rows[i].sibling);
        check_text(rows[i].name, str_from(json_text(data, "children/child/children/below/state")),
                   rows[i].below);
        json_object_put(data);
    }
}

static void failed_rolls_up_through_any_number_of_running_nodes(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING"),  ROW("a", "r", .state = "RUNNING"),
        ROW("b", "a", .state = "RUNNING"), ROW("c", "b", .state = "RUNNING"),
        ROW("d", "c", .state = "FAILED"),
    };
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "state"), "FAILED");
    assert_string_equal(json_text(data, "children/a/state"), "FAILED");
    assert_string_equal(json_text(data, "children/a/children/b/children/c/state"), "FAILED");
    json_object_put(data);
}

// ---- times ----

static void seconds_are_rounded_half_to_even(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        int64_t seconds;
    } rows[] = {
        {0, 0},         {1, 0},         {499999, 0},    {500000, 0},    {500001, 1},
        {999999, 1},    {1000000, 1},   {1499999, 1},   {1500000, 2},   {2500000, 2},
        {2500001, 3},   {3500000, 4},   {-1, 0},        {-499999, 0},   {-500000, 0},
        {-500001, -1},  {-1000000, -1}, {-1500000, -2}, {-2500000, -2}, {-2500001, -3},
        {-3500000, -4},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[32];
        snprintf(name, sizeof name, "%lld us", (long long)rows[i].us);
        check_number(name, tree_elapsed_seconds(NOW_US, NOW_US + rows[i].us), rows[i].seconds);
        check_number(name, tree_elapsed_seconds(-rows[i].us, 0), rows[i].seconds);
    }
}

static void seconds_are_rounded_like_the_c_library(void **state)
{
    (void)state;
    struct dice dice = {13};
    assert_int_equal(fegetround(), FE_TONEAREST);
    for (unsigned round = 0; round < 200000; round++) {
        // Half seconds and their neighbours, within 30 years.
        const int64_t half_seconds = (int64_t)dice_below(&dice, 4000000000) - 2000000000;
        const int64_t us = half_seconds * 500000 + (int64_t)dice_below(&dice, 3) - 1;
        assert_int_equal(tree_elapsed_seconds(NOW_US, NOW_US + us), llrint((double)us / 1e6));
    }
}

static void elapsed_time_runs_until_the_end_or_now(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .started = NOW_US - SECONDS(100)),
        ROW("ended", "r", .started = NOW_US - SECONDS(90), .archived = NOW_US - SECONDS(50)),
        ROW("half", "r", .started = NOW_US - SECONDS(90),
            .archived = NOW_US - SECONDS(50) + 500000),
        ROW("new", "r"),
        ROW("odd", "r", .archived = NOW_US),
        ROW("reversed", "r", .started = NOW_US, .archived = NOW_US - SECONDS(5)),
        ROW("ahead", "r", .started = NOW_US + SECONDS(7)),
    };
    struct json_object *const data = json_of(rows);
    assert_int_equal(json_number(data, "elapsed_time"), 100);
    assert_int_equal(json_number(data, "children/ended/elapsed_time"), 40);
    assert_int_equal(json_number(data, "children/half/elapsed_time"), 40);
    assert_int_equal(json_number(data, "children/new/elapsed_time"), 0);
    assert_int_equal(json_number(data, "children/odd/elapsed_time"), 0);
    assert_int_equal(json_number(data, "children/reversed/elapsed_time"), -5);
    assert_int_equal(json_number(data, "children/ahead/elapsed_time"), -7);
    json_object_put(data);
}

static void missing_times_are_empty(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", ""), ROW("a", "r", .archived = NOW_US)};
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "start_time"), "");
    assert_string_equal(json_text(data, "finish_time"), "");
    assert_string_equal(json_text(data, "children/a/start_time"), "");
    assert_string_equal(json_text(data, "children/a/finish_time"), "2023-06-15 17:30:00 +0800");
    json_object_put(data);
}

static void fractions_of_seconds_are_dropped(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "", .started = NOW_US - 1, .archived = -1)};
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "start_time"), "2023-06-15 17:29:59 +0800");
    assert_string_equal(json_text(data, "finish_time"), "1970-01-01 07:59:59 +0800");
    json_object_put(data);
}

static void times_are_in_the_zone_of_the_process(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "", .started = NOW_US)};
    assert_int_equal(local_time_use_zone("Europe/Berlin"), 0);
    struct json_object *const data = json_of(rows);
    assert_string_equal(json_text(data, "start_time"), "2023-06-15 11:30:00 +0200");
    json_object_put(data);
}

// ---- against a second opinion: the same answer made the simple way, with recursion and search
// ----

struct opinion {
    const struct row *rows;
    size_t count;
    FILE *text;
};

static bool is_superseded(const struct opinion *opinion, size_t index)
{
    for (size_t i = index + 1; i < opinion->count; i++) {
        if (strcmp(opinion->rows[i].id, opinion->rows[index].id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_child(const struct opinion *opinion, size_t index, const struct row *parent)
{
    const struct row *const row = &opinion->rows[index];
    return strcmp(row->parent, parent->id) == 0 && strcmp(row->id, parent->id) != 0 &&
           strcmp(row->id, "n0") != 0 && !is_superseded(opinion, index);
}

static const char *state_in_opinion(const struct opinion *opinion, const struct row *row)
{
    bool has_failed = false;
    bool has_suspended = false;
    if (strcmp(row->state, "RUNNING") != 0) {
        return row->state;
    }
    for (size_t i = 0; i < opinion->count; i++) {
        if (is_child(opinion, i, row)) {
            const char *const state = state_in_opinion(opinion, &opinion->rows[i]);
            has_failed = has_failed || strcmp(state, "FAILED") == 0;
            has_suspended = has_suspended || strcmp(state, "SUSPENDED") == 0;
        }
    }
    return has_failed ? "FAILED" : has_suspended ? "NODE_SUSPENDED" : "RUNNING";
}

static void write_moment(FILE *text, int64_t us)
{
    // These rows have no times before 1970, so plain division works.
    const time_t seconds = (time_t)(us / US_PER_SECOND);
    struct tm local;
    char moment[64] = "";
    if (us != 0) {
        strftime(moment, sizeof moment, "%Y-%m-%d %H:%M:%S %z", localtime_r(&seconds, &local));
    }
    fprintf(text, "\"%s\"", moment);
}

static void write_opinion(const struct opinion *opinion, const struct row *row)
{
    FILE *const text = opinion->text;
    const bool is_root = strcmp(row->id, "n0") == 0;
    const char *const ignored = (row->flags & NODE_ERROR_IGNORED) != 0 ? "true" : "false";
    const char *separator = "";
    fprintf(text,
            "{\"id\":\"%s\",\"state\":\"%s\",\"root_id:\":\"n0\",\"root_id\":\"n0\","
            "\"parent_id\":\"%s\",\"version\":\"%s\",\"loop\":%d,\"retry\":%d,\"skip\":%s,"
            "\"error_ignorable\":%s,\"error_ignored\":%s,\"children\":{",
            row->id, state_in_opinion(opinion, row), is_root ? "n0" : row->parent, row->version,
            row->loop, row->retry, (row->flags & NODE_SKIP) != 0 ? "true" : "false", ignored,
            ignored);
    for (size_t i = 0; i < opinion->count; i++) {
        if (is_child(opinion, i, row)) {
            fprintf(text, "%s\"%s\":", separator, opinion->rows[i].id);
            write_opinion(opinion, &opinion->rows[i]);
            separator = ",";
        }
    }
    const int64_t end = row->archived == 0 ? NOW_US : row->archived;
    const double elapsed = row->started == 0 ? 0 : (double)(end - row->started) / 1e6;
    fprintf(text, "},\"elapsed_time\":%lld,\"start_time\":", (long long)llrint(elapsed));
    write_moment(text, row->started);
    fputs(",\"finish_time\":", text);
    write_moment(text, row->archived);
    fputs("}", text);
}

static const struct row *root_in_opinion(const struct opinion *opinion)
{
    for (size_t i = opinion->count; i > 0; i--) {
        if (strcmp(opinion->rows[i - 1].id, "n0") == 0) {
            return &opinion->rows[i - 1];
        }
    }
    return NULL;
}

static void random_trees_match_the_reference(void **state)
{
    (void)state;
    struct dice dice = {17};
    for (unsigned round = 0; round < 3000; round++) {
        struct row rows[16];
        const size_t count = 1 + dice_below(&dice, COUNT_OF(rows));
        char *expected = NULL;
        size_t len = 0;
        rows_random(rows, count, &dice);
        const struct opinion opinion = {rows, count, open_memstream(&expected, &len)};
        write_opinion(&opinion, root_in_opinion(&opinion));
        fclose(opinion.text);
        assert_int_equal(build(rows, count, "n0", round), 0);
        assert_text(write_tree(), expected);
        free(expected);
    }
}

// Each string of a node, with lengths around the fast path's limit, plain and unusual.
static void unusual_texts_come_back_unchanged(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "\"", "\\", "\n", "\x01", "\xE6\xB5\x81", "\x7F"};
    char text[128];
    for (size_t len = 0; len < 110; len++) {
        for (size_t i = 0; i < COUNT_OF(odd); i++) {
            memset(text, 'x', len);
            strcpy(text + len, odd[i]);
            const struct row rows[] = {
                ROW(text, "", .state = text, .version = text),
                ROW("child", text, .state = "FINISHED", .version = text),
            };
            assert_int_equal(build(rows, COUNT_OF(rows), text, 0), 0);
            struct json_object *const root = parse_json(write_tree());
            assert_string_equal(json_text(root, "id"), text);
            assert_string_equal(json_text(root, "state"), text);
            assert_string_equal(json_text(root, "root_id:"), text);
            assert_string_equal(json_text(root, "parent_id"), text);
            assert_string_equal(json_text(root, "version"), text);
            assert_string_equal(json_text(root, "children/child/parent_id"), text);
            assert_string_equal(json_text(root, "children/child/root_id"), text);
            json_object_put(root);
        }
    }
}

// ---- the list of failed nodes ----

static void check_failed(const char *list)
{
    struct str plain = write_tree();
    char *const expected = malloc(plain.len + strlen(list) + 32);
    sprintf(expected, "%.*s,\"failed_nodes\":%s}", (int)plain.len - 1, plain.ptr, list);
    assert_text(tree_text_with_failed(&fixture.tree, &fixture.local_time, fixture.sink), expected);
    free(expected);
}

static void failed_nodes_are_listed_parents_first_in_the_answers_order(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("lost", "nowhere", .state = "FAILED"), ROW("b1", "b", .state = "FAILED"),
        ROW("r", "", .state = "RUNNING"),          ROW("a", "r", .state = "FINISHED"),
        ROW("b", "r", .state = "RUNNING"),         ROW("c", "r", .state = "FAILED"),
        ROW("b2", "b", .state = "SUSPENDED"),      ROW("a\"1", "a", .state = "FAILED"),
    };
    assert_int_equal(build(rows, COUNT_OF(rows), "r", 1), 0);
    check_failed("[\"r\",\"a\\\"1\",\"b\",\"b1\",\"c\"]");
}

static void without_failed_nodes_the_list_is_empty(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "", .state = "FAILED_NOT"), ROW("a", "r", .state = "")};
    assert_int_equal(build(rows, COUNT_OF(rows), "r", 1), 0);
    check_failed("[]");
    assert_int_equal(build(rows, 0, "r", 1), 0);
    check_failed("[]");
    tree_of_kind(&fixture.tree, TREE_NOT_STARTED);
    check_failed("[]");
}

// More ids than the buffer holds, one of them longer than what is written at once.
static void a_long_list_of_failed_nodes_is_complete(void **state)
{
    (void)state;
    enum { COUNT = 200, ID = 120 };
    static struct row rows[COUNT];
    static char ids[COUNT][ID + 1];
    static char list[COUNT * (ID + 3) + 3];
    char *at = list;
    for (int i = 0; i < COUNT; i++) {
        memset(ids[i], 'a' + i % 26, ID);
        snprintf(ids[i] + i % ID, sizeof ids[i] - (size_t)(i % ID), "%d", i);
        rows[i] = (struct row){.id = ids[i], .parent = ids[0], .state = "FAILED", .version = ""};
        at += sprintf(at, "%c\"%s\"", i == 0 ? '[' : ',', ids[i]);
    }
    strcpy(at, "]");
    assert_int_equal(build(rows, COUNT, ids[0], 1), 0);
    check_failed(list);
}

static void the_tag_tells_answers_with_the_list_from_those_without(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", "", .state = "RUNNING")};
    char plain[TREE_TAG_BYTES];
    char with_list[TREE_TAG_BYTES];
    assert_int_equal(build(rows, COUNT_OF(rows), "r", 1), 0);
    assert_false(str_equal(tree_tag(&fixture.tree, false, "UTC", plain),
                           tree_tag(&fixture.tree, true, "UTC", with_list)));
}

static void the_seed_changes_nothing_visible(void **state)
{
    (void)state;
    struct dice dice = {19};
    struct row rows[16];
    char first_tag[TREE_TAG_BYTES];
    char tag[TREE_TAG_BYTES];
    rows_random(rows, COUNT_OF(rows), &dice);
    assert_int_equal(build(rows, COUNT_OF(rows), "n0", 0), 0);
    const struct str first = tree_tag(&fixture.tree, false, "UTC", first_tag);
    char *const expected = strdup(write_tree().ptr);
    for (unsigned round = 0; round < 500; round++) {
        assert_int_equal(build(rows, COUNT_OF(rows), "n0", dice_roll(&dice)), 0);
        assert_text(write_tree(), expected);
        assert_true(str_equal(tree_tag(&fixture.tree, false, "UTC", tag), first));
    }
    free(expected);
}

static void without_memory_there_is_no_tree(void **state)
{
    (void)state;
    const struct row rows[] = {ROW("r", ""), ROW("a", "r")};
    const struct node_list nodes = rows_load(fixture.arena, rows, COUNT_OF(rows));
    struct arena *const small = arena_new(16);
    assert_int_equal(tree_build(&fixture.tree, &nodes, STR("r"), NOW_US, 1, small, &fixture.err),
                     -1);
    assert_int_equal(fixture.err.kind, ERR_NO_MEMORY);
    arena_free(small);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_node_has_all_members_in_their_order),
        WITH_FIXTURE(a_task_that_has_not_started_has_its_own_form),
        WITH_FIXTURE(a_started_task_without_rows_is_created),
        WITH_FIXTURE(rows_without_the_root_are_an_error),
        WITH_FIXTURE(the_roots_parent_is_itself_whatever_its_row_says),
        WITH_FIXTURE(ids_and_states_of_any_bytes_make_json),
        WITH_FIXTURE(numbers_are_written_unchanged),
        WITH_FIXTURE(each_node_has_its_own_flags),
        WITH_FIXTURE(a_root_id_of_any_length_and_bytes_is_shown_in_every_node),
        WITH_FIXTURE(children_come_in_row_order),
        WITH_FIXTURE(rows_may_come_before_their_parents),
        WITH_FIXTURE(orphans_are_left_out_with_their_descendants),
        WITH_FIXTURE(cycles_without_the_root_are_left_out),
        WITH_FIXTURE(a_cycle_through_the_root_ends_at_the_root),
        WITH_FIXTURE(a_root_that_is_its_own_parent_is_not_a_child),
        WITH_FIXTURE(the_last_of_several_rows_with_one_id_counts),
        WITH_FIXTURE(ids_are_compared_byte_for_byte),
        WITH_FIXTURE(parents_roll_up_like_bkflows),
        WITH_FIXTURE(failed_rolls_up_through_any_number_of_running_nodes),
        WITH_FIXTURE(seconds_are_rounded_half_to_even),
        WITH_FIXTURE(seconds_are_rounded_like_the_c_library),
        WITH_FIXTURE(elapsed_time_runs_until_the_end_or_now),
        WITH_FIXTURE(missing_times_are_empty),
        WITH_FIXTURE(fractions_of_seconds_are_dropped),
        WITH_FIXTURE(times_are_in_the_zone_of_the_process),
        WITH_FIXTURE(random_trees_match_the_reference),
        WITH_FIXTURE(unusual_texts_come_back_unchanged),
        WITH_FIXTURE(failed_nodes_are_listed_parents_first_in_the_answers_order),
        WITH_FIXTURE(without_failed_nodes_the_list_is_empty),
        WITH_FIXTURE(a_long_list_of_failed_nodes_is_complete),
        WITH_FIXTURE(the_tag_tells_answers_with_the_list_from_those_without),
        WITH_FIXTURE(the_seed_changes_nothing_visible),
        WITH_FIXTURE(without_memory_there_is_no_tree),
    };
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
