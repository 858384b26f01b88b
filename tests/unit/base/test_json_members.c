// SPDX-License-Identifier: MIT
// json_members: which texts are objects, and their members. test_authenticate has the use for
// credentials.
#include "base/json_members.h"
#include "support.h"

#include <stdio.h>

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    assert_non_null(arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

// Reads the text from guarded memory, which detects reads past its end. Returns 0 or the error's
// kind.
static int read_members(struct str text, struct json_members *members)
{
    struct error err = {0};
    const struct str copy = guarded_copy(text);
    const int outcome =
        json_members_read(copy, "the test", ERR_CREDENTIALS_FORMAT, arena, members, &err);
    guarded_free_copy(copy);
    return outcome == 0 ? 0 : (int)err.kind;
}

static bool is_read(struct str text)
{
    struct json_members members;
    const int outcome = read_members(text, &members);
    assert_true(outcome == 0 || outcome == ERR_CREDENTIALS_FORMAT);
    return outcome == 0;
}

static void members_are_in_order_with_decoded_strings(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
    } expected[] = {
        {"a", "x\ny"},
        {"empty", ""},
        {"n", NULL},
        {"null", NULL},
        {"o", NULL},
        {"", "\"\\/\b\f\n\r\t"},
        {"名", "任务\xF0\x9F\x98\x80é\x7F"},
        {"l", NULL},
    };
    struct json_members members;
    assert_int_equal(
        read_members(STR(" {\"a\":\"x\\ny\",\r\n\"empty\":\"\",\"n\":-1.5e7,\t\"null\" : null,"
                         "\"o\":{\"b\":\"z\"}, \"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\","
                         "\"\\u540d\":\"\\u4EFB\\u52a1\\ud83d\\uDE00\\u00e9\x7F\",\"l\":[\"s\"]} "),
                     &members),
        0);
    const struct json_member *member = members.first;
    for (size_t i = 0; i < COUNT_OF(expected); i++, member = member->next) {
        assert_non_null(member);
        check_text(expected[i].name, member->name, expected[i].name);
        check_text(expected[i].name, member->text, expected[i].text);
    }
    assert_null(member);
    assert_int_equal(members.count, COUNT_OF(expected) + 1);
    assert_int_equal(members.string_bytes, strlen("ax\nyemptynnullobz\"\\/\b\f\n\r\t名任务l"
                                                  "\xF0\x9F\x98\x80é\x7Fs"));
}

static void each_member_has_its_json_as_it_is_written(void **state)
{
    (void)state;
    static const char text[] = "{ \"a\" : [1, {\"b\":[ ]} ] ,\"c\":-1.5e7,\"d\":\"x\\n\"\t,"
                               "\"e\":{},\"f\":[],\"g\":null\n}";
    static const char *const expected[] = {
        "[1, {\"b\":[ ]} ]", "-1.5e7", "\"x\\n\"", "{}", "[]", "null"};
    struct json_members members;
    struct error err = {0};
    assert_int_equal(json_members_read((struct str){text, sizeof text - 1}, "the test",
                                       ERR_CREDENTIALS_FORMAT, arena, &members, &err),
                     0);
    const struct json_member *member = members.first;
    for (size_t i = 0; i < COUNT_OF(expected); i++, member = member->next) {
        assert_non_null(member);
        assert_text(member->json, expected[i]);
    }
    assert_null(member);
}

static void an_empty_object_has_no_members(void **state)
{
    (void)state;
    struct json_members members;
    assert_int_equal(read_members(STR("{}"), &members), 0);
    assert_null(members.first);
    assert_int_equal(members.count, 0);
}

static void objects_are_read_whatever_their_values(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(" \t\r\n{ } \n"),
        STR("{\"a\":{\"b\":[1,2,{\"c\":null}],\"d\":\"e:f\"},\"g\":[]}"),
        STR("{\"a\":-0,\"b\":1.5e-7,\"c\":12345678901234567890,\"d\":[true,false,null]}"),
        STR("{\"a\":0.5,\"b\":0e1,\"c\":1E+9,\"d\":-10.0E-0,\"e\":[ [ ] , { } ]}"),
        STR("{\"a\":1e999,\"b\":99999999999999999999999999999999}"),
        STR("{\"a\":\"\\\"{}[]:,\\\\\"}"),
        STR("{\"a\":\"u0000\",\"b\":\"\\\\u0000\"}"), // an escaped backslash, not an escaped NUL
        STR("{\"a\":{\"a\":1},\"b\":{\"a\":1}}"),     // the same name in different objects
        STR("{\"a\":[[[[[[[]]]]]]]}"),
        STR("{\"a\":[{\"a\":1},{\"a\":1},[{\"a\":1}]]}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, is_read(rows[i]));
    }
}

static void anything_but_one_object_is_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR_ABSENT,
        STR(""),
        STR("   "),
        STR("[]"),
        STR("\"a\""),
        STR("1"),
        STR("null"),
        STR("{"),
        STR("}"),
        STR("{}}"),
        STR("{}{}"),
        STR("{} x"),
        STR("{\"a\"}"),
        STR("{a:1}"),
        STR("{\"a\":}"),
        STR("{}\0"),
        STR("\0{}"),
        STR("{\"a\":1,}"),
        STR("{,}"),
        STR("{\"a\":1,,}"),
        STR("{\"a\":[1,]}"),
        STR("{\"a\":[,1]}"),
        STR("{\"a\":[1}"),
        STR("{\"a\":{]}"),
        STR("{\"a\":[1 2]}"),
        STR("{\"a\" 1}"),
        STR("{\"a\"::1}"),
        STR("{\"a\":1:2}"),
        STR("{\"a\":1 \"b\":2}"),
        STR("{1:1}"),
        STR("{null:1}"),
        STR("{\xFF}"),
        STR("{\v}"),
        STR("{\"a\":\"\xC0\x80\"}"),
        STR("\xEF\xBB\xBF{}"),
        STR("{}\xC2\xA0"),
        STR("{/**/}"),
        STR("{}//"),
        STR("{'a':1}"),
        STR("{\"a\":'b'}"),
        STR("{\"a\":\"x\",'\"':1,\"a\":\"y\",'\"':2}"),
        STR("{\"a\":\"x\",'b\"':\"\",\"a\":\"y\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr == NULL ? "(absent)" : rows[i].ptr, !is_read(rows[i]));
    }
}

static void values_that_are_not_json_are_refused(void **state)
{
    (void)state;
    static const char *const values[] = {
        "NaN",      "nan",       "Infinity",    "-Infinity", "True",        "FALSE",   "truE",
        "nul",      "nulll",     "t",           "+1",        "1.",          ".5",      "-.5",
        "01",       "-01",       "00",          "0x1",       "-",           "--1",     "1e",
        "1e+",      "1.e1",      "1 2",         "1-2",       "1.2.3",       "1e1.5",   "undefined",
        "\"\\x\"",  "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"",   "\"\\U0041\"", "\"\\'\"", "\"\n\"",
        "\"\x1F\"", "\"",        "\"\\\"",      "\"a",       "\\\"a\"",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"a\":%s}", values[i]);
        check(values[i], !is_read(str_from(text)));
        snprintf(text, sizeof text, "{\"a\":[%s]}", values[i]);
        check(values[i], !is_read(str_from(text)));
    }
}

static void duplicate_members_are_refused_at_any_depth(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{\"a\":1,\"a\":1}"),
        STR("{\"a\":1,\"b\":2,\"\\u0061\":3}"),
        STR("{\"o\":{\"a\":1,\"a\":2}}"),
        STR("{\"l\":[{\"a\":1,\"a\":2}]}"),
        STR("{\"o\":{\"o\":{\"\":1,\"\":2}}}"),
        STR("{\"a\":{\"a\":1},\"a\":1}"),
        STR("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, !is_read(rows[i]));
    }
}

// The names may be sorted or not, the duplicates adjacent or not.
static void one_duplicate_among_many_names_is_found(void **state)
{
    (void)state;
    enum { MEMBERS = 200 };
    char text[MEMBERS * 16];
    for (size_t twin = 0; twin <= MEMBERS; twin += 7) {
        int len = snprintf(text, sizeof text, "{\"0\":0");
        for (size_t i = 1; i < MEMBERS; i++) {
            const size_t number = i == twin ? (i * 31) % i : i;
            len += snprintf(text + len, sizeof text - (size_t)len, ",\"%zu\":0", number);
        }
        text[len++] = '}';
        const bool has_twin = twin > 0 && twin < MEMBERS;
        assert_int_equal(is_read((struct str){text, (size_t)len}), !has_twin);
    }
}

static void nul_and_unpaired_surrogates_are_refused_anywhere(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{\"a\\u0000\":1}"),           STR("{\"a\":\"\\u0000\"}"),
        STR("{\"a\":[\"x\\u0000y\"]}"),    STR("{\"a\":\"\\\\\\u0000\"}"),
        STR("{\"a\":\"\\ud800\"}"),        STR("{\"a\":\"\\udc00\"}"),
        STR("{\"a\":\"\\udfff\"}"),        STR("{\"a\":\"\\ud800x\"}"),
        STR("{\"a\":\"\\ud800\\n\"}"),     STR("{\"a\":\"\\ud800\\ud800\"}"),
        STR("{\"a\":\"\\ud800\\u0041\"}"), STR("{\"a\":\"\\udc00\\ud800\"}"),
        STR("{\"a\":\"\\ud83d"),           STR("{\"a\":\"\\ud83d\\"),
        STR("{\"a\":\"\\ud83d\\u00"),      STR("{\"\\udbff\":1}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, !is_read(rows[i]));
    }
    assert_true(is_read(STR("{\"a\":\"\\ud800\\udc00\\udbff\\udfff\\ud7ff\\ue000\\uffff\"}")));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[256];
    for (size_t depth = 1; depth <= 30; depth++) {
        memcpy(text, "{\"a\":", 5);
        memset(text + 5, '[', depth);
        memset(text + 5 + depth, ']', depth);
        text[5 + 2 * depth] = '}';
        const bool read = is_read((struct str){text, 6 + 2 * depth});
        assert_int_equal(read, depth + 1 <= JSON_DEPTH_MAX);
    }
}

static void text_truncated_anywhere_is_refused(void **state)
{
    (void)state;
    static const char good[] = "{\"a\":{\"b\":[-1.5e7,\"c\\u00e9\",true,{}]}}";
    for (size_t len = 0; len < sizeof good - 1; len++) {
        assert_false(is_read((struct str){good, len}));
    }
    assert_true(is_read(STR(good)));
}

static void the_number_of_members_is_bounded(void **state)
{
    (void)state;
    for (unsigned count = JSON_MEMBERS_MAX - 1; count <= JSON_MEMBERS_MAX + 1; count++) {
        static char text[JSON_MEMBERS_MAX * 16];
        int len = snprintf(text, sizeof text, "{\"o\":{\"\":0");
        for (unsigned i = 2; i < count; i++) {
            len += snprintf(text + len, sizeof text - (size_t)len, ",\"%u\":0", i);
        }
        len += snprintf(text + len, sizeof text - (size_t)len, "}}");
        struct json_members members;
        struct error err = {0};
        const int outcome = json_members_read((struct str){text, (size_t)len}, "the test",
                                              ERR_CREDENTIALS_FORMAT, arena, &members, &err);
        check_number(err.detail, outcome == 0, count <= JSON_MEMBERS_MAX);
    }
}

// Whichever allocation fails, the text is not reported as bad.
static void without_memory_it_is_not_a_bad_text(void **state)
{
    (void)state;
    size_t cap = 0;
    int outcome = ERR_NO_MEMORY;
    for (; outcome != 0; cap++) {
        struct json_members members;
        arena_free(arena);
        arena = arena_new(cap);
        assert_non_null(arena);
        outcome = read_members(STR("{\"a\":\"b\",\"c\":\"d\"}"), &members);
        assert_true(outcome == 0 || outcome == ERR_NO_MEMORY);
    }
    assert_true(cap > 64);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(members_are_in_order_with_decoded_strings),
        WITH_ARENA(each_member_has_its_json_as_it_is_written),
        WITH_ARENA(an_empty_object_has_no_members),
        WITH_ARENA(objects_are_read_whatever_their_values),
        WITH_ARENA(anything_but_one_object_is_refused),
        WITH_ARENA(values_that_are_not_json_are_refused),
        WITH_ARENA(duplicate_members_are_refused_at_any_depth),
        WITH_ARENA(one_duplicate_among_many_names_is_found),
        WITH_ARENA(nul_and_unpaired_surrogates_are_refused_anywhere),
        WITH_ARENA(depth_is_bounded),
        WITH_ARENA(text_truncated_anywhere_is_refused),
        WITH_ARENA(the_number_of_members_is_bounded),
        WITH_ARENA(without_memory_it_is_not_a_bad_text),
    };
    return cmocka_run_group_tests_name("json_members", tests, NULL, NULL);
}
