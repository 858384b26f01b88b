// SPDX-License-Identifier: MIT
// jsonr: what is read. What is refused in credentials is told by test_auth.
#include "base/json_read.h"
#include "support.h"

static struct json_reader *reader;

static int set_up(void **state)
{
    (void)state;
    reader = json_read_new();
    assert_non_null(reader);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_read_free(reader);
    return 0;
}

static bool is_read(struct str text)
{
    json_object *const object = json_read_object(reader, text);
    const bool is_object = object != NULL;
    json_read_release(object);
    return is_object;
}

static void members_that_are_strings_are_found(void **state)
{
    (void)state;
    json_object *const object = json_read_object(
        reader, STR("{\"a\":\"x\\ny\",\"empty\":\"\",\"n\":1,\"null\":null,\"o\":{\"b\":\"z\"}}"));
    assert_non_null(object);
    assert_text(json_read_string(object, "a"), "x\ny");
    assert_text(json_read_string(object, "empty"), "");
    assert_text(json_read_string(object, "n"), NULL);
    assert_text(json_read_string(object, "null"), NULL);
    assert_text(json_read_string(object, "o"), NULL);
    assert_text(json_read_string(object, "b"), NULL);
    assert_text(json_read_string(object, "missing"), NULL);
    json_read_release(object);
}

// What is read may not depend on what was read before, by whoever.
static void nothing_is_left_of_a_text_that_was_given_up(void **state)
{
    (void)state;
    static const struct str given_up[] = {
        STR("{\"a\":\"\\ud83d"), STR("{\"a\":\"\\ud83d\\"), STR("{\"a\":\"\\ud83d\\u00"),
        STR("{\"a\":\"\\ud83"),  STR("{\"\\ud83d"),         STR("{\"a\":[{\"b"),
        STR("{\"a\":\"x"),       STR("{\"a\":-1.5e"),
    };
    for (size_t i = 0; i < COUNT_OF(given_up); i++) {
        assert_false(is_read(given_up[i]));
        json_object *const object =
            json_read_object(reader, STR("{\"\\u0062\":\"\\u0063\",\"d\":\"\\ude00\"}"));
        assert_non_null(object);
        check_text(given_up[i].ptr, json_read_string(object, "b"), "c");
        check_text(given_up[i].ptr, json_read_string(object, "d"), "\xEF\xBF\xBD");
        json_read_release(object);
    }
}

static void objects_are_read_whatever_their_values(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{}"),
        STR(" { } "),
        STR("{\"a\":{\"b\":[1,2,{\"c\":null}],\"d\":\"e:f\"},\"g\":[]}"),
        STR("{\"a\":-0,\"b\":1.5e-7,\"c\":12345678901234567890,\"d\":[true,false,null]}"),
        STR("{\"a\":\"\\\"{}[]:,\\\\\"}"),
        STR("{\"a\":\"u0000\",\"b\":\"\\\\u0000\"}"), // no escaped NUL: the backslash is
        STR("{\"a\":{\"a\":1},\"b\":{\"a\":1}}"),     // doubled names, but not in one object
        STR("{\"a\":[[[[[[1]]]]]]}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, is_read(rows[i]));
    }
}

static void what_is_no_object_alone_is_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR_ABSENT,
        STR(""),
        STR("[]"),
        STR("\"a\""),
        STR("1"),
        STR("null"),
        STR("{"),
        STR("{}}"),
        STR("{}{}"),
        STR("{} x"),
        STR("{\"a\"}"),
        STR("{a:1}"),
        STR("{\"a\":}"),
        STR("{}\0"),
        STR("{\"a\":1,}"),
        STR("{\xFF}"),
        STR("{\"a\":\"\xC0\x80\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr == NULL ? "(absent)" : rows[i].ptr, !is_read(rows[i]));
    }
}

static void doubled_members_are_refused_at_any_depth(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{\"a\":1,\"a\":1}"),
        STR("{\"a\":1,\"b\":2,\"\\u0061\":3}"),
        STR("{\"o\":{\"a\":1,\"a\":2}}"),
        STR("{\"l\":[{\"a\":1,\"a\":2}]}"),
        STR("{\"o\":{\"o\":{\"\":1,\"\":2}}}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, !is_read(rows[i]));
    }
}

static void escaped_nuls_are_refused_anywhere(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{\"a\\u0000\":1}"),
        STR("{\"a\":\"\\u0000\"}"),
        STR("{\"a\":[\"x\\u0000y\"]}"),
        STR("{\"a\":\"\\\\\\u0000\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, !is_read(rows[i]));
    }
}

// json-c takes names in single quotes even when it is strict. Besides not being JSON, a double
// quote or an escaped NUL in such a name hides doubled members and cut names from whoever counts
// quotes.
static void names_in_single_quotes_are_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{'a':1}"),
        STR("{'':1}"),
        STR("{\"a\":1,'b':{}}"),
        STR("{\"a\":{'b':1}}"),
        STR("{\"a\":\"x\",'\"':1,\"a\":\"y\",'\"':2}"),
        STR("{\"a\":\"x\",'b\"':\"\",\"a\":\"y\"}"),
        STR("{'a\\u0000b':\"x\"}"),
    };
    unsigned taken = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (is_read(rows[i])) {
            print_error("taken for JSON: %s\n", rows[i].ptr);
            taken++;
        }
    }
    assert_int_equal(taken, 0);
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
        assert_true(depth > 6 || read);
        assert_false(depth > 10 && read);
    }
}

static void a_bad_document_does_not_spoil_the_next(void **state)
{
    (void)state;
    static const char good[] = "{\"a\":{\"b\":[1,\"c\"]}}";
    for (size_t len = 0; len < sizeof good - 1; len++) {
        const struct str cut = guarded_copy((struct str){good, len});
        assert_false(is_read(cut));
        assert_true(is_read(STR(good)));
        guarded_free_copy(cut);
    }
}

static void releasing_nothing_is_allowed(void **state)
{
    (void)state;
    json_read_release(NULL);
    json_read_free(NULL);
}

#define WITH_READER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_READER(members_that_are_strings_are_found),
        WITH_READER(objects_are_read_whatever_their_values),
        WITH_READER(what_is_no_object_alone_is_refused),
        WITH_READER(doubled_members_are_refused_at_any_depth),
        WITH_READER(escaped_nuls_are_refused_anywhere),
        WITH_READER(names_in_single_quotes_are_refused),
        WITH_READER(depth_is_bounded),
        WITH_READER(nothing_is_left_of_a_text_that_was_given_up),
        WITH_READER(a_bad_document_does_not_spoil_the_next),
        WITH_READER(releasing_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("jsonr", tests, NULL, NULL);
}
