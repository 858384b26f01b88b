// SPDX-License-Identifier: MIT
// json_read: the tree, and that json-c has no influence on what is valid. test_json_members has the
// invalid texts.
#include "base/json_read.h"
#include "support.h"

#include <json.h>
#include <math.h>

// ---- between the product and json-c: see UNIT_WRAP_JSON ----

json_tokener *__real_json_tokener_new_ex(int depth);
json_tokener *__wrap_json_tokener_new_ex(int depth);
json_object *__real_json_tokener_parse_ex(json_tokener *tokener, const char *text, int len);
json_object *__wrap_json_tokener_parse_ex(json_tokener *tokener, const char *text, int len);

static struct {
    bool has_no_tokener;
    const char *instead; // what json-c reads instead of the text; empty: nothing
} fault;

json_tokener *__wrap_json_tokener_new_ex(int depth)
{
    return fault.has_no_tokener ? NULL : __real_json_tokener_new_ex(depth);
}

json_object *__wrap_json_tokener_parse_ex(json_tokener *tokener, const char *text, int len)
{
    if (fault.instead != NULL) {
        text = fault.instead;
        len = (int)strlen(fault.instead);
    }
    return len == 0 ? NULL : __real_json_tokener_parse_ex(tokener, text, len);
}

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    fault.has_no_tokener = false;
    fault.instead = NULL;
    arena = arena_new(1 << 20);
    assert_non_null(arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

// Returns 0 or the error's kind.
static int read_object(struct str text, struct json_value **object)
{
    struct error err = {0};
    const int outcome = json_read_object(text, "the test", ERR_TOKEN_REFUSED, arena, object, &err);
    return outcome == 0 ? 0 : (int)err.kind;
}

static void members_are_found_with_their_types(void **state)
{
    (void)state;
    struct json_value *object;
    double number = 0;
    assert_int_equal(
        read_object(STR("{\"s\":\"x\\ny\",\"empty\":\"\",\"n\":1,\"d\":-1.5e3,\"null\":null,"
                        "\"yes\":true,\"no\":false,\"o\":{\"s\":\"z\"},\"l\":[\"s\"]}"),
                    &object),
        0);
    assert_text(json_read_string(json_read_member(object, "s")), "x\ny");
    assert_text(json_read_string(json_read_member(object, "empty")), "");
    assert_text(json_read_string(json_read_member(object, "n")), NULL);
    assert_text(json_read_string(json_read_member(object, "null")), NULL);
    assert_text(json_read_string(json_read_member(object, "o")), NULL);
    assert_text(json_read_string(json_read_member(object, "missing")), NULL);
    assert_text(json_read_string(json_read_member(json_read_member(object, "o"), "s")), "z");
    assert_null(json_read_member(json_read_member(object, "l"), "s"));
    assert_null(json_read_member(json_read_member(object, "missing"), "s"));
    assert_true(json_read_has(object, "null"));
    assert_false(json_read_has(object, "missing"));
    assert_false(json_read_has(json_read_member(object, "s"), "s"));
    assert_false(json_read_has(NULL, "s"));
    assert_true(json_read_number(json_read_member(object, "n"), &number) && number == 1);
    assert_true(json_read_number(json_read_member(object, "d"), &number) && number == -1500);
    assert_false(json_read_number(json_read_member(object, "s"), &number));
    assert_false(json_read_number(json_read_member(object, "yes"), &number));
    assert_false(json_read_number(NULL, &number));
    assert_true(json_read_is_true(json_read_member(object, "yes")));
    assert_false(json_read_is_true(json_read_member(object, "no")));
    assert_false(json_read_is_true(json_read_member(object, "n")));
    assert_false(json_read_is_true(NULL));
    json_read_free(object);
}

// In strict mode json-c 0.18 refuses the first text, and from then on the others.
static void text_that_strict_json_c_refuses_is_read(void **state)
{
    (void)state;
    struct json_value *object;
    double number = 0;
    assert_int_equal(read_object(STR("{\"用户\":\"张三\xF0\x9F\x98\x80\"}"), &object), 0);
    assert_text(json_read_string(json_read_member(object, "用户")), "张三\xF0\x9F\x98\x80");
    json_read_free(object);
    static const struct str large[] = {
        STR("{\"n\":99999999999999999999999999}"),
        STR("{\"n\":9223372036854775808}"),
        STR("{\"n\":18446744073709551616}"),
        STR("{\"n\":1e300}"),
    };
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        assert_int_equal(read_object(large[i], &object), 0);
        check(large[i].ptr, json_read_number(json_read_member(object, "n"), &number));
        check(large[i].ptr, number > 9e18);
        json_read_free(object);
    }
    assert_int_equal(read_object(STR("{\"n\":1e999}"), &object), 0);
    assert_true(json_read_number(json_read_member(object, "n"), &number) && isinf(number));
    json_read_free(object);
}

// json-c 0.16 mistakes them for surrogates.
static void characters_whose_low_bits_look_like_surrogates_are_read(void **state)
{
    (void)state;
    struct json_value *object;
    assert_int_equal(read_object(STR("{\"\\ud836\\udc00\":\"\\ud837\\uDE00\\ud876\\udC00\","
                                     "\"b\":\"\\\\ud836\\u0041\\u00e9\\n\\\"\"}"),
                                 &object),
                     0);
    assert_text(json_read_string(json_read_member(object, "\U0001D800")), "\U0001DE00\U0002D800");
    assert_text(json_read_string(json_read_member(object, "b")), "\\ud836A\u00e9\n\"");
    json_read_free(object);
}

static void the_depth_limit_is_that_of_json_members(void **state)
{
    (void)state;
    struct json_value *object;
    assert_int_equal(read_object(STR("{\"a\":[[[[[[{}]]]]]]}"), &object), 0);
    json_read_free(object);
    assert_int_equal(read_object(STR("{\"a\":[[[[[[[{}]]]]]]]}"), &object), ERR_TOKEN_REFUSED);
}

// Texts that json-c accepts although they are not JSON.
static void text_that_is_not_json_is_refused_whatever_json_c_says(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("[]"),
        STR("{'a':1}"),
        STR("{\"a\":1,}"),
        STR("{\"a\":NaN}"),
        STR("{\"a\":TRUE}"),
        STR("{\"a\":1} x"),
        STR("{\"a\":1,\"a\":2}"),
        STR("{/**/}"),
        STR("{\"a\":\"\\u0000\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_value *object = NULL;
        check_number(rows[i].ptr, read_object(rows[i], &object), ERR_TOKEN_REFUSED);
    }
}

static void without_memory_in_json_c_it_is_not_a_bad_text(void **state)
{
    (void)state;
    static const struct str text = STR("{\"app\":{\"code\":\"demo_app\"},\"l\":[\"x\"]}");
    // Nothing, or what json-c up to 0.16 reads if a buffer cannot grow.
    static const char *const read_instead[] = {
        "",
        "{\"app\":{\"code\":\"demo\"},\"l\":[\"x\"]}",
        "{\"app\":{\"cod\":\"demo_app\"},\"l\":[\"x\"]}",
        "{\"app\":{\"code\":\"demo_app\"},\"l\":[\"\"]}",
        "{\"app\":{\"code\":\"demo_app\"}}",
        "{\"app\":{}}",
        "[]",
    };
    struct json_value *object = NULL;
    for (size_t i = 0; i < COUNT_OF(read_instead); i++) {
        fault.instead = read_instead[i];
        check_number(read_instead[i], read_object(text, &object), ERR_NO_MEMORY);
    }
    fault.instead = NULL;
    fault.has_no_tokener = true;
    assert_int_equal(read_object(text, &object), ERR_NO_MEMORY);
    fault.has_no_tokener = false;
    assert_int_equal(read_object(text, &object), 0);
    json_read_free(object);
}

static void without_memory_in_the_arena_it_is_not_a_bad_text(void **state)
{
    (void)state;
    struct json_value *object = NULL;
    arena_free(arena);
    arena = arena_new(8);
    assert_int_equal(read_object(STR("{\"a\":1}"), &object), ERR_NO_MEMORY);
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    json_read_free(NULL);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(members_are_found_with_their_types),
        WITH_ARENA(text_that_strict_json_c_refuses_is_read),
        WITH_ARENA(characters_whose_low_bits_look_like_surrogates_are_read),
        WITH_ARENA(the_depth_limit_is_that_of_json_members),
        WITH_ARENA(text_that_is_not_json_is_refused_whatever_json_c_says),
        WITH_ARENA(without_memory_in_json_c_it_is_not_a_bad_text),
        WITH_ARENA(without_memory_in_the_arena_it_is_not_a_bad_text),
        WITH_ARENA(freeing_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
