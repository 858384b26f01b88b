// SPDX-License-Identifier: MIT
// The entity tag of a tree changes exactly when the JSON does, and its version exactly when the
// JSON without the elapsed times of running nodes does.
#include "base/clock.h"
#include "rows.h"
#include "support.h"
#include "states/tree.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1686821400000000)

struct fixture {
    struct arena *arena;
    struct sink *sink;
    struct local_time local_time;
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

// What a client sees of a tree.
struct view {
    char tag[TREE_TAG_BYTES + 1];
    char version[TREE_VERSION_BYTES + 1];
    char *json; // to be freed
};

static struct view view_of_tree(const struct tree *tree)
{
    struct view view = {.json = NULL};
    const struct str tag = tree_tag(tree, false, "Asia/Shanghai", view.tag);
    assert_ptr_equal(tag.ptr, view.tag);
    assert_int_equal(tag.len, TREE_TAG_BYTES);
    assert_int_equal(tree_version(tree, view.version).len, TREE_VERSION_BYTES);
    view.json = strdup(tree_text(tree, &fixture.local_time, fixture.sink).ptr);
    return view;
}

// Returns the view of rows with the root "n0"; without JSON if the root is missing.
static struct view view_of(const struct row *rows, size_t count, int64_t now_us)
{
    struct tree tree;
    struct error err = {0};
    arena_reset(fixture.arena);
    const struct node_list nodes = rows_load(fixture.arena, rows, count);
    if (tree_build(&tree, &nodes, STR("n0"), now_us, 1, fixture.arena, &err) != 0) {
        assert_int_equal(err.kind, ERR_NO_ROOT_ROW);
        return (struct view){.json = NULL};
    }
    return view_of_tree(&tree);
}

static bool is_same_tag(const struct view *a, const struct view *b)
{
    return memcmp(a->tag, b->tag, TREE_TAG_BYTES) == 0;
}

static bool is_same_version(const struct view *a, const struct view *b)
{
    return memcmp(a->version, b->version, TREE_VERSION_BYTES) == 0;
}

// Returns the JSON with the elapsed time of each node that has not finished as zeros, in as many
// digits as another's: "9" and "10" become the same.
static char *without_clock(const char *json)
{
    static const char elapsed[] = "\"elapsed_time\":";
    static const char unfinished[] = "\"finish_time\":\"\"";
    char *const text = calloc(1, strlen(json) + 1);
    char *to = text;
    assert_non_null(text);
    while (*json != '\0') {
        const bool is_elapsed = strncmp(json, elapsed, strlen(elapsed)) == 0;
        const char *const finish = is_elapsed ? strstr(json, "\"finish_time\":") : NULL;
        *to++ = *json++;
        if (finish != NULL && strncmp(finish, unfinished, strlen(unfinished)) == 0) {
            json += strlen(elapsed) - 1;
            json += strspn(json, "-0123456789");
        }
    }
    return text;
}

static void compare_versions(const struct view *before, const struct view *after)
{
    char *const first = without_clock(before->json);
    char *const second = without_clock(after->json);
    const bool is_same = strcmp(first, second) == 0;
    if (is_same != is_same_version(before, after)) {
        print_error("%s, versions %.32s and %.32s\n%s\n%s\n", is_same ? "same" : "different",
                    before->version, after->version, first, second);
        fail();
    }
    free(first);
    free(second);
}

// Counts the cases of a property test, to detect that it only meets one kind.
struct tally {
    unsigned same;
    unsigned different;
};

static void compare_views(struct tally *tally, const struct view *before, const struct view *after)
{
    if (before->json == NULL || after->json == NULL) {
        return;
    }
    const bool is_same_json = strcmp(before->json, after->json) == 0;
    if (is_same_json != is_same_tag(before, after)) {
        print_error("JSON %s, tags %.34s and %.34s\n%s\n%s\n", is_same_json ? "same" : "different",
                    before->tag, after->tag, before->json, after->json);
        fail();
    }
    compare_versions(before, after);
    *(is_same_json ? &tally->same : &tally->different) += 1;
}

// ---- one change by chance ----

static const char *const texts[] = {"RUNNING", "FAILED", "SUSPENDED", "FINISHED", "x", "", "任务"};

static void change_times(struct row *row, struct dice *dice)
{
    static const int64_t steps[] = {1, -1, 499999, 500000, 1000000, -1000000, 86400000000};
    int64_t *const moment = dice_below(dice, 2) == 0 ? &row->started : &row->archived;
    *moment = *moment == 0 || dice_below(dice, 4) == 0
                  ? NOW_US
                  : *moment + steps[dice_below(dice, COUNT_OF(steps))];
}

static void change_field(struct row *row, const struct row *other, struct dice *dice)
{
    switch (dice_below(dice, 9)) {
    case 0:
        row->state = texts[dice_below(dice, COUNT_OF(texts))];
        break;
    case 1:
        row->version = texts[dice_below(dice, COUNT_OF(texts))];
        break;
    case 2:
        row->parent = other->id;
        break;
    case 3:
        row->id = "another";
        break;
    case 4:
        row->loop += dice_below(dice, 2) == 0 ? 1 : INT32_C(0x10000);
        break;
    case 5:
        row->retry ^= 1 << dice_below(dice, 31);
        break;
    case 6:
        row->flags ^= NODE_SKIP;
        break;
    case 7:
        row->flags ^= NODE_ERROR_IGNORED;
        break;
    default:
        change_times(row, dice);
        break;
    }
}

static void changing_a_field_changes_the_tag_exactly_if_visible(void **state)
{
    (void)state;
    struct dice dice = {23};
    struct tally tally = {0, 0};
    for (unsigned round = 0; round < 20000; round++) {
        struct row rows[16];
        const size_t count = 1 + dice_below(&dice, COUNT_OF(rows));
        rows_random(rows, count, &dice);
        const struct view before = view_of(rows, count, NOW_US);
        change_field(&rows[dice_below(&dice, count)], &rows[dice_below(&dice, count)], &dice);
        const struct view after = view_of(rows, count, NOW_US);
        compare_views(&tally, &before, &after);
        free(before.json);
        free(after.json);
    }
    assert_true(tally.same > 1000 && tally.different > 1000);
}

static void changing_the_rows_changes_the_tag_exactly_if_visible(void **state)
{
    (void)state;
    struct dice dice = {29};
    struct tally tally = {0, 0};
    for (unsigned round = 0; round < 10000; round++) {
        struct row rows[16];
        const size_t count = 2 + dice_below(&dice, COUNT_OF(rows) - 1);
        const size_t a = dice_below(&dice, count);
        const size_t b = dice_below(&dice, count);
        rows_random(rows, count, &dice);
        const struct view before = view_of(rows, count, NOW_US);
        const struct row moved = rows[a]; // swaps two rows or removes the last one
        rows[a] = rows[b];
        rows[b] = moved;
        const struct view after = view_of(rows, a == b ? count - 1 : count, NOW_US);
        compare_views(&tally, &before, &after);
        free(before.json);
        free(after.json);
    }
    assert_true(tally.same > 500 && tally.different > 500);
}

static void passing_time_changes_the_tag_exactly_if_visible(void **state)
{
    (void)state;
    struct dice dice = {31};
    struct tally tally = {0, 0};
    for (unsigned round = 0; round < 5000; round++) {
        struct row rows[4];
        rows_random(rows, COUNT_OF(rows), &dice);
        const struct view before = view_of(rows, COUNT_OF(rows), NOW_US);
        const int64_t later = NOW_US + (int64_t)dice_below(&dice, 1500000);
        const struct view after = view_of(rows, COUNT_OF(rows), later);
        compare_views(&tally, &before, &after);
        free(before.json);
        free(after.json);
    }
    assert_true(tally.same > 500 && tally.different > 500);
}

static void passing_time_does_not_change_the_version(void **state)
{
    (void)state;
    static const struct row running[] = {
        ROW("n0", "", .state = "RUNNING", .started = NOW_US - 9 * US_PER_SECOND)};
    const struct view before = view_of(running, COUNT_OF(running), NOW_US);
    const struct view after = view_of(running, COUNT_OF(running), NOW_US + US_PER_SECOND);
    assert_false(is_same_tag(&before, &after));
    assert_true(is_same_version(&before, &after));
    free(before.json);
    free(after.json);
}

// ---- every bit ----

static const struct row family[] = {
    ROW("n0", "", .state = "FINISHED", .version = "0123456789abcdef0123456789abcdef"),
    ROW("n1", "n0", .state = "FINISHED", .version = "v1", .started = NOW_US, .archived = NOW_US),
    ROW("n2", "n1", .state = "READY", .version = "v2"),
};

static void expect_change(const struct row *changed, const char *name)
{
    const struct view before = view_of(family, COUNT_OF(family), NOW_US);
    const struct view after = view_of(changed, COUNT_OF(family), NOW_US);
    check(name, strcmp(before.json, after.json) != 0);
    check(name, !is_same_tag(&before, &after));
    check(name, !is_same_version(&before, &after));
    free(before.json);
    free(after.json);
}

static void every_bit_of_the_numbers_changes_the_tag(void **state)
{
    (void)state;
    for (size_t node = 0; node < COUNT_OF(family); node++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            struct row rows[COUNT_OF(family)];
            memcpy(rows, family, sizeof rows);
            rows[node].loop ^= (int32_t)(UINT32_C(1) << bit);
            expect_change(rows, "loop");
            rows[node].loop = 0;
            rows[node].retry ^= (int32_t)(UINT32_C(1) << bit);
            expect_change(rows, "retry");
        }
    }
}

static void every_bit_of_the_times_seconds_changes_the_tag(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 37; bit++) { // up to some thousand years
        struct row rows[COUNT_OF(family)];
        memcpy(rows, family, sizeof rows);
        rows[1].started += (INT64_C(1) << bit) * US_PER_SECOND;
        expect_change(rows, "started");
        rows[1].started = NOW_US;
        rows[1].archived -= (INT64_C(1) << bit) * US_PER_SECOND;
        expect_change(rows, "archived");
    }
}

// Flips each bit of TEXT that keeps it ASCII.
static void flip_bits_of(size_t node, size_t member, const char *text)
{
    for (size_t bit = 0; bit < strlen(text) * 8; bit++) {
        char *const changed = strdup(text);
        changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
        struct row rows[COUNT_OF(family)];
        memcpy(rows, family, sizeof rows);
        memcpy((char *)&rows[node] + member, &changed, sizeof changed);
        if (bit % 8 != 7) {
            expect_change(rows, text);
        }
        free(changed);
    }
}

static void every_bit_of_the_texts_changes_the_tag(void **state)
{
    (void)state;
    for (size_t node = 0; node < COUNT_OF(family); node++) {
        flip_bits_of(node, offsetof(struct row, state), family[node].state);
        flip_bits_of(node, offsetof(struct row, version), family[node].version);
    }
    flip_bits_of(2, offsetof(struct row, id), family[2].id);
}

static void flags_change_the_tag(void **state)
{
    (void)state;
    for (size_t node = 0; node < COUNT_OF(family); node++) {
        struct row rows[COUNT_OF(family)];
        memcpy(rows, family, sizeof rows);
        rows[node].flags = NODE_SKIP;
        expect_change(rows, "skip");
        rows[node].flags = NODE_ERROR_IGNORED;
        expect_change(rows, "error_ignored");
    }
}

static void a_time_differs_from_none(void **state)
{
    (void)state;
    struct row rows[COUNT_OF(family)];
    memcpy(rows, family, sizeof rows);
    rows[2].archived = -US_PER_SECOND; // the second before 1970: all bits set
    expect_change(rows, "archived");
    memcpy(rows, family, sizeof rows);
    rows[2].started = NOW_US; // elapsed 0, as without a start
    expect_change(rows, "started");
}

static void moving_bytes_between_texts_changes_the_tag(void **state)
{
    (void)state;
    const struct row a[] = {ROW("n0", "", .state = "AB", .version = "C"), family[1], family[2]};
    const struct row b[] = {ROW("n0", "", .state = "A", .version = "BC"), family[1], family[2]};
    const struct view first = view_of(a, COUNT_OF(a), NOW_US);
    const struct view second = view_of(b, COUNT_OF(b), NOW_US);
    assert_false(is_same_tag(&first, &second));
    free(first.json);
    free(second.json);
}

// ---- the text, kinds and zones ----

static void a_tag_is_32_hex_digits_in_quotes(void **state)
{
    (void)state;
    const struct view view = view_of(family, COUNT_OF(family), NOW_US);
    assert_int_equal(view.tag[0], '"');
    assert_int_equal(view.tag[TREE_TAG_BYTES - 1], '"');
    assert_int_equal(strspn(view.tag + 1, "0123456789abcdef"), 32);
    free(view.json);
}

static void each_kind_has_its_own_constant_tag(void **state)
{
    (void)state;
    static const enum tree_kind kinds[] = {TREE_NOT_STARTED, TREE_CREATED};
    struct view views[COUNT_OF(kinds) + 1];
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct tree tree;
        tree_of_kind(&tree, kinds[i]);
        views[i] = view_of_tree(&tree);
        tree_of_kind(&tree, kinds[i]);
        const struct view again = view_of_tree(&tree);
        assert_true(is_same_tag(&views[i], &again));
        free(again.json);
    }
    views[COUNT_OF(kinds)] = view_of(family, COUNT_OF(family), NOW_US);
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        for (size_t k = i + 1; k < COUNT_OF(views); k++) {
            assert_false(is_same_tag(&views[i], &views[k]));
            assert_false(is_same_version(&views[i], &views[k]));
        }
    }
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        free(views[i].json);
    }
}

static void the_zone_is_part_of_the_tag(void **state)
{
    (void)state;
    static const char *const zones[] = {"Asia/Shanghai", "Asia/Hong_Kong", "UTC", "Etc/UTC",
                                        "America/Argentina/ComodRivadavia"};
    char tags[COUNT_OF(zones)][TREE_TAG_BYTES];
    struct tree tree;
    struct error err = {0};
    const struct node_list nodes = rows_load(fixture.arena, family, COUNT_OF(family));
    assert_int_equal(tree_build(&tree, &nodes, STR("n0"), NOW_US, 1, fixture.arena, &err), 0);
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        (void)tree_tag(&tree, false, zones[i], tags[i]);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(tags[i], tags[k], TREE_TAG_BYTES);
        }
    }
}

static int compare_halves(const void *left, const void *right)
{
    return memcmp(left, right, 16);
}

// Either half of the 128 bits must distinguish trees by itself.
static void either_half_of_the_tag_distinguishes_trees(void **state)
{
    (void)state;
    enum { TREES = 20000 };
    static char halves[2][TREES][16];
    for (int32_t i = 0; i < TREES; i++) {
        struct row rows[COUNT_OF(family)];
        memcpy(rows, family, sizeof rows);
        rows[i % 3].loop = i;
        const struct view view = view_of(rows, COUNT_OF(rows), NOW_US);
        memcpy(halves[0][i], view.tag + 1, 16);
        memcpy(halves[1][i], view.tag + 17, 16);
        free(view.json);
    }
    for (size_t half = 0; half < 2; half++) {
        qsort(halves[half], TREES, 16, compare_halves);
        for (size_t i = 1; i < TREES; i++) {
            assert_memory_not_equal(halves[half][i - 1], halves[half][i], 16);
        }
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(changing_a_field_changes_the_tag_exactly_if_visible),
        WITH_FIXTURE(changing_the_rows_changes_the_tag_exactly_if_visible),
        WITH_FIXTURE(passing_time_changes_the_tag_exactly_if_visible),
        WITH_FIXTURE(passing_time_does_not_change_the_version),
        WITH_FIXTURE(every_bit_of_the_numbers_changes_the_tag),
        WITH_FIXTURE(every_bit_of_the_times_seconds_changes_the_tag),
        WITH_FIXTURE(every_bit_of_the_texts_changes_the_tag),
        WITH_FIXTURE(flags_change_the_tag),
        WITH_FIXTURE(a_time_differs_from_none),
        WITH_FIXTURE(moving_bytes_between_texts_changes_the_tag),
        WITH_FIXTURE(a_tag_is_32_hex_digits_in_quotes),
        WITH_FIXTURE(each_kind_has_its_own_constant_tag),
        WITH_FIXTURE(the_zone_is_part_of_the_tag),
        WITH_FIXTURE(either_half_of_the_tag_distinguishes_trees),
    };
    return cmocka_run_group_tests_name("tree_tag", tests, NULL, NULL);
}
