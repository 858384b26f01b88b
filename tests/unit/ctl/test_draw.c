// SPDX-License-Identifier: MIT
#include "ctl/draw.h"
#include "../rows.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECONDS(n) ((int64_t)(n)*US_PER_SECOND)
#define NOW_US     SECONDS(INT64_C(1686821400)) // 2023-06-15 17:30:00 +0800

enum { TEXT_MAX = 64 * 1024, DEEPEST = 40 };

static char text[TEXT_MAX];

// Draws the rows, whose root is "r", as ASCII or with lines. Returns the number of nodes.
static size_t draw(const struct row *rows, size_t count, bool has_utf8)
{
    struct arena *const arena = arena_new(1 << 20);
    const struct node_list nodes = rows_load(arena, rows, count);
    struct local_time zone = {0};
    struct tree tree;
    struct error err;
    struct ctl_out out;
    const int fd = memfd_create("page", 0);
    assert_int_equal(tree_build(&tree, &nodes, STR("r"), NOW_US, 1, arena, &err), 0);
    ctl_out_init(&out, fd);
    out.has_utf8 = has_utf8;
    const size_t drawn = ctl_draw_tree(&out, &tree, &zone, SIZE_MAX);
    assert_int_equal(ctl_out_finish(&out), 0);
    const ssize_t len = pread(fd, text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    close(fd);
    arena_free(arena);
    return drawn;
}

static void a_tree_is_drawn_with_lines_or_in_ascii(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING", .started = NOW_US - SECONDS(3661)),
        ROW("a", "r", .state = "FINISHED", .started = NOW_US - SECONDS(3661),
            .archived = NOW_US - SECONDS(3541), .retry = 2),
        ROW("b", "r", .state = "RUNNING", .started = NOW_US - SECONDS(5), .loop = 3),
        ROW("b1", "b", .state = "CREATED"),
        ROW("b2", "b", .state = "FINISHED", .started = NOW_US - SECONDS(5),
            .archived = NOW_US - SECONDS(2), .loop = 1, .flags = NODE_SKIP | NODE_ERROR_IGNORED),
        ROW("b21", "b2", .state = "FINISHED", .started = NOW_US - SECONDS(5),
            .archived = NOW_US - SECONDS(5)),
        ROW("c", "r", .state = "CREATED"),
        ROW("orphan", "nowhere", .state = "CREATED"),
    };
    static const char *const lines[] = {
        "r             RUNNING   1h01m01s  2023-06-15 16:28:59 +0800",
        "|- a          FINISHED     2m00s  2023-06-15 16:28:59 +0800  retried 2x",
        "|- b          RUNNING         5s  2023-06-15 17:29:55 +0800  loop 3",
        "|  |- b1      CREATED          -  not started",
        "|  `- b2      FINISHED        3s  2023-06-15 17:29:55 +0800  skipped  error ignored",
        "|     `- b21  FINISHED        0s  2023-06-15 17:29:55 +0800",
        "`- c          CREATED          -  not started",
    };
    assert_int_equal(draw(rows, COUNT_OF(rows), false), COUNT_OF(lines));
    struct str rest = str_from(text);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        check_text(lines[i], str_cut(&rest, '\n'), lines[i]);
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(draw(rows, COUNT_OF(rows), true), COUNT_OF(lines));
    assert_true(has_text(str_from(text), "\n├─ b "));
    assert_true(has_text(str_from(text), "\n│     └─ b21 "));
    assert_true(has_text(str_from(text), "\n└─ c "));
}

static void all_columns_begin_at_the_same_place(void **state)
{
    (void)state;
    const struct row rows[] = {
        ROW("r", "", .state = "RUNNING", .started = NOW_US - SECONDS(7200)),
        ROW("a-long-name", "r", .state = "FAILED", .started = NOW_US - SECONDS(59),
            .archived = NOW_US),
        ROW("b", "a-long-name", .state = "NODE_SUSPENDED", .started = NOW_US),
    };
    (void)draw(rows, COUNT_OF(rows), false);
    struct str rest = str_from(text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct str line = str_cut(&rest, '\n');
        const char *const date = memmem(line.ptr, line.len, "2023-06-15", 10);
        assert_non_null(date);
        // Labels and states take 14 columns each, times 8, separated by two spaces.
        assert_int_equal(date - line.ptr, 14 + 2 + 14 + 2 + 8 + 2);
    }
}

static void nodes_deeper_than_24_levels_show_their_depth(void **state)
{
    (void)state;
    struct row rows[DEEPEST];
    char names[DEEPEST][8] = {"r"};
    rows[0] = (struct row)ROW("r", "", .state = "RUNNING");
    for (size_t i = 1; i < DEEPEST; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        rows[i] = (struct row)ROW(names[i], names[i - 1], .state = "RUNNING");
    }
    assert_int_equal(draw(rows, DEEPEST, false), DEEPEST);
    assert_true(has_text(str_from(text), "`- n24 "));
    assert_true(has_text(str_from(text), "`- [1 deeper] n25 "));
    assert_true(has_text(str_from(text), "`- [15 deeper] n39 "));
    assert_false(has_text(str_from(text), "[0 deeper]"));
}

static void a_duration_has_two_digits_after_the_first_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {59, "59s"},
        {60, "1m00s"},
        {61, "1m01s"},
        {3599, "59m59s"},
        {3600, "1h00m00s"},
        {3661, "1h01m01s"},
        {86400, "24h00m00s"},
        {-1, "-1s"},
        {-3600, "-1h00m00s"},
        {INT64_MAX, "2562047788015215h30m07s"},
        {INT64_MIN, "-2562047788015215h30m08s"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char buffer[CTL_DRAW_DURATION_BYTES];
        check_text(rows[i].text, ctl_draw_duration(rows[i].seconds, buffer), rows[i].text);
    }
}

static void each_state_has_a_colour(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        const char *colour;
    } rows[] = {
        {"FINISHED", "\033[32m"},
        {"RUNNING", "\033[34m"},
        {"FAILED", "\033[31m"},
        {"SUSPENDED", "\033[33m"},
        {"NODE_SUSPENDED", "\033[33m"},
        {"REVOKED", "\033[35m"},
        {"CREATED", "\033[2m"},
        {"READY", "\033[2m"},
        {"BLOCKED", "\033[2m"},
        {"LOOP_READY", "\033[2m"},
        {"ROLLING_BACK", "\033[34m"},
        {"ROLL_BACK_SUCCESS", "\033[35m"},
        {"ROLL_BACK_FAILED", "\033[31m"},
        {"FINISHED2", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const int fd = memfd_create("page", 0);
        struct ctl_out out;
        char expected[64];
        ctl_out_init(&out, fd);
        out.has_colour = true;
        ctl_draw_state(&out, str_from(rows[i].state), 0);
        assert_int_equal(ctl_out_finish(&out), 0);
        snprintf(expected, sizeof expected, "%s%s%s", rows[i].colour, rows[i].state,
                 rows[i].colour[0] == '\0' ? "" : "\033[0m");
        const ssize_t len = pread(fd, text, sizeof text, 0);
        check_text(rows[i].state, ((struct str){text, (size_t)len}), expected);
        close(fd);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_drawn_with_lines_or_in_ascii),
        cmocka_unit_test(all_columns_begin_at_the_same_place),
        cmocka_unit_test(nodes_deeper_than_24_levels_show_their_depth),
        cmocka_unit_test(a_duration_has_two_digits_after_the_first_unit),
        cmocka_unit_test(each_state_has_a_colour),
    };
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_int_equal(local_time_use_zone("Asia/Shanghai"), 0);
    return cmocka_run_group_tests_name("draw", tests, NULL, NULL);
}
