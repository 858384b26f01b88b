// SPDX-License-Identifier: MIT
#include "base/json_write.h"
#include "support.h"
#include "base/utf8.h"

struct fixture {
    struct sink *sink;
    struct outbuf out;
    struct json_writer json;
    char *bytes; // GUARDED_MAX of them
};

static struct fixture fixture;

static void begin(size_t capacity)
{
    sink_clear(fixture.sink);
    char *const buffer = fixture.bytes + GUARDED_MAX - capacity; // up to the guard
    outbuf_init(&fixture.out, buffer, capacity, sink_take, fixture.sink);
    json_write_init(&fixture.json, &fixture.out);
}

static int set_up(void **state)
{
    (void)state;
    fixture.sink = sink_new();
    fixture.bytes = guarded_new(GUARDED_MAX);
    begin(OUTBUF_MIN_CAPACITY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sink_free(fixture.sink);
    guarded_free(fixture.bytes, GUARDED_MAX);
    return 0;
}

static struct str finish(void)
{
    assert_int_equal(outbuf_flush(&fixture.out), 0);
    return sink_text(fixture.sink);
}

static struct str written_string(struct str text)
{
    begin(OUTBUF_MIN_CAPACITY);
    json_write_string(&fixture.json, text);
    assert_true(json_write_is_complete(&fixture.json));
    return finish();
}

// ---- strings ----

static void strings_are_escaped_as_rfc_8259_requires(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str text;
        const char *expected;
    } rows[] = {
        {"empty", STR(""), "\"\""},
        {"ordinary", STR("node_1 ~"), "\"node_1 ~\""},
        {"quote and backslash", STR("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {"a slash stays", STR("</script>"), "\"</script>\""},
        {"controls with letters", STR("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
        {"other controls", STR("\0\x01\x0B\x1F"), "\"\\u0000\\u0001\\u000b\\u001f\""},
        {"delete stays", STR("\x7F"), "\"\x7F\""},
        {"two bytes", STR("\xC3\xA9"), "\"\xC3\xA9\""},
        {"three bytes", STR("任务"), "\"任务\""},
        {"four bytes", STR("\xF0\x9F\x98\x80"), "\"\xF0\x9F\x98\x80\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].name, written_string(rows[i].text), rows[i].expected);
    }
}

#define FFFD "\xEF\xBF\xBD"

static void each_byte_that_is_not_utf8_becomes_one_replacement(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str text;
        const char *expected;
    } rows[] = {
        {"a byte alone",
         STR("a\xFF"
             "b"),
         "\"a" FFFD "b\""},
        {"overlong", STR("\xC0\xAF"), "\"" FFFD FFFD "\""},
        {"a surrogate", STR("\xED\xA0\x80"), "\"" FFFD FFFD FFFD "\""},
        {"cut off before a quote", STR("\xE4\xBB\""), "\"" FFFD FFFD "\\\"\""},
        {"cut off at the end", STR("ok\xF0\x9F\x98"), "\"ok" FFFD FFFD FFFD "\""},
        {"above the last code point", STR("\xF4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].name, written_string(rows[i].text), rows[i].expected);
    }
}

static void a_string_is_not_read_past_its_length(void **state)
{
    (void)state;
    // The bytes after the text would complete the sequence.
    assert_text(written_string((struct str){"\xE4\xBB\xBB", 2}), "\"" FFFD FFFD "\"");
}

// Writes what a reader must get: the text with each bad byte replaced.
static size_t repaired(struct str text, char *to)
{
    char *at = to;
    for (size_t i = 0; i < text.len;) {
        const size_t step = utf8_sequence(text.ptr + i, text.len - i);
        memcpy(at, step == 0 ? FFFD : text.ptr + i, step == 0 ? 3 : step);
        at += step == 0 ? 3 : step;
        i += step == 0 ? 1 : step;
    }
    return (size_t)(at - to);
}

static void random_bytes_are_read_back_by_json_c(void **state)
{
    (void)state;
    struct dice dice = {5};
    for (unsigned round = 0; round < 3000; round++) {
        char bytes[600];
        char expected[1800];
        const size_t len = dice_below(&dice, sizeof bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(round % 2 == 0 ? dice_roll(&dice) : dice_below(&dice, 128));
        }
        const struct str text = {bytes, len};
        struct json_object *const string = parse_json(written_string(text));
        const size_t expected_len = repaired(text, expected);
        assert_int_equal(json_object_get_string_len(string), expected_len);
        assert_memory_equal(json_object_get_string(string), expected, expected_len);
        json_object_put(string);
    }
}

static void strings_longer_than_the_buffer_are_complete(void **state)
{
    (void)state;
    static char text[50000];
    memset(text, '\x01', sizeof text); // six bytes each
    const struct str written = written_string((struct str){text, sizeof text});
    assert_int_equal(written.len, 6 * sizeof text + 2);
    struct json_object *const string = parse_json(written);
    assert_memory_equal(json_object_get_string(string), text, sizeof text);
    json_object_put(string);
}

static void the_longest_escapes_stay_within_the_buffer_wherever_they_begin(void **state)
{
    (void)state;
    static char filling[OUTBUF_MIN_CAPACITY];
    static char controls[400];
    memset(filling, 'f', sizeof filling);
    memset(controls, '\x01', sizeof controls);
    for (size_t offset = 0; offset < sizeof filling; offset++) {
        begin(OUTBUF_MIN_CAPACITY);
        json_write_open(&fixture.json);
        json_write_key(&fixture.json, (struct str){filling, offset});
        json_write_string(&fixture.json, (struct str){controls, sizeof controls});
        json_write_key(&fixture.json, (struct str){controls, sizeof controls});
        json_write_number(&fixture.json, INT64_MIN);
        json_write_close(&fixture.json);
        assert_int_equal(finish().len,
                         strlen("{'':'','':-9223372036854775808}") + offset + 12 * sizeof controls);
    }
}

// ---- numbers and words ----

static void numbers_are_written_in_decimal(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *expected;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {10, "10"},
        {-100, "-100"},
        {INT64_C(1234567890123456789), "1234567890123456789"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(OUTBUF_MIN_CAPACITY);
        json_write_number(&fixture.json, rows[i].number);
        assert_text(finish(), rows[i].expected);
    }
}

static void words_are_written_as_in_json(void **state)
{
    (void)state;
    json_write_open(&fixture.json);
    JSON_WRITE_KEY(&fixture.json, "yes");
    json_write_bool(&fixture.json, true);
    JSON_WRITE_KEY(&fixture.json, "no");
    json_write_bool(&fixture.json, false);
    JSON_WRITE_KEY(&fixture.json, "none");
    json_write_null(&fixture.json);
    json_write_close(&fixture.json);
    assert_true(json_write_is_complete(&fixture.json));
    assert_text(finish(), "{\"yes\":true,\"no\":false,\"none\":null}");
}

// ---- objects ----

static void keys_from_data_are_escaped(void **state)
{
    (void)state;
    json_write_open(&fixture.json);
    json_write_key(&fixture.json, STR("a\"\n\xFF"));
    json_write_number(&fixture.json, 1);
    json_write_key(&fixture.json, STR(""));
    json_write_number(&fixture.json, 2);
    json_write_close(&fixture.json);
    assert_text(finish(), "{\"a\\\"\\n" FFFD "\":1,\"\":2}");
}

static void empty_objects_need_no_member(void **state)
{
    (void)state;
    json_write_open(&fixture.json);
    JSON_WRITE_KEY(&fixture.json, "children");
    json_write_open(&fixture.json);
    json_write_close(&fixture.json);
    JSON_WRITE_KEY(&fixture.json, "more");
    json_write_open(&fixture.json);
    json_write_close(&fixture.json);
    json_write_close(&fixture.json);
    assert_true(json_write_is_complete(&fixture.json));
    assert_text(finish(), "{\"children\":{},\"more\":{}}");
}

static void objects_nest_to_any_depth(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    for (unsigned i = 0; i < DEPTH; i++) {
        json_write_open(&fixture.json);
        JSON_WRITE_KEY(&fixture.json, "c");
    }
    json_write_null(&fixture.json);
    for (unsigned i = 0; i < DEPTH; i++) {
        assert_false(json_write_is_complete(&fixture.json));
        json_write_close(&fixture.json);
    }
    assert_true(json_write_is_complete(&fixture.json));
    assert_int_equal(finish().len, DEPTH * strlen("{\"c\":}") + strlen("null"));
}

// Writes a document that uses every function of the writer.
static void write_sample(struct json_writer *json)
{
    static char long_text[3000];
    memset(long_text, 'l', sizeof long_text);
    memcpy(long_text + 1500, "\"\\\x02\xFF任", 7);
    json_write_open(json);
    for (int64_t i = 0; i < 200; i++) {
        json_write_key(json, (struct str){long_text + i, (size_t)i});
        json_write_open(json);
        JSON_WRITE_KEY(json, "number");
        json_write_number(json, INT64_MIN + i);
        JSON_WRITE_KEY(json, "long");
        json_write_string(json, (struct str){long_text, (size_t)(3000 - i)});
        JSON_WRITE_KEY(json, "bool");
        json_write_bool(json, i % 2 == 0);
        json_write_close(json);
    }
    json_write_close(json);
}

static void any_buffer_size_gives_the_same_bytes(void **state)
{
    (void)state;
    static char first[SINK_BYTES];
    begin(GUARDED_MAX);
    write_sample(&fixture.json);
    const struct str whole = finish();
    memcpy(first, whole.ptr, whole.len);
    json_object_put(parse_json(whole));
    for (size_t capacity = OUTBUF_MIN_CAPACITY; capacity < 5000; capacity += 37) {
        begin(capacity);
        write_sample(&fixture.json);
        assert_true(json_write_is_complete(&fixture.json));
        const struct str again = finish();
        assert_int_equal(again.len, whole.len);
        assert_memory_equal(again.ptr, first, again.len);
    }
}

// ---- misuse ----

static void open_with_key(struct json_writer *json)
{
    json_write_open(json);
    JSON_WRITE_KEY(json, "k");
}

static void two_values_at_the_top(struct json_writer *json)
{
    json_write_null(json);
    json_write_null(json);
}

static void an_object_after_a_value_at_the_top(struct json_writer *json)
{
    json_write_null(json);
    json_write_open(json);
}

static void a_value_without_key(struct json_writer *json)
{
    json_write_open(json);
    json_write_number(json, 1);
}

static void an_object_without_key(struct json_writer *json)
{
    json_write_open(json);
    json_write_open(json);
}

static void two_values_for_a_key(struct json_writer *json)
{
    open_with_key(json);
    json_write_bool(json, true);
    json_write_string(json, STR("second"));
}

static void two_keys_in_a_row(struct json_writer *json)
{
    open_with_key(json);
    json_write_key(json, STR("second"));
}

static void two_written_keys_in_a_row(struct json_writer *json)
{
    open_with_key(json);
    JSON_WRITE_KEY(json, "second");
}

static void a_key_at_the_top(struct json_writer *json)
{
    JSON_WRITE_KEY(json, "k");
}

static void a_key_behind_the_document(struct json_writer *json)
{
    json_write_open(json);
    json_write_close(json);
    json_write_key(json, STR("k"));
}

static void closing_without_the_value(struct json_writer *json)
{
    open_with_key(json);
    json_write_close(json);
}

static void closing_what_is_not_open(struct json_writer *json)
{
    json_write_close(json);
}

static void closing_once_too_often(struct json_writer *json)
{
    json_write_open(json);
    json_write_close(json);
    json_write_close(json);
}

static void misuse_is_ignored_and_sticky(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*misuse)(struct json_writer *json);
    } rows[] = {
        {"two values at the top", two_values_at_the_top},
        {"an object after a value at the top", an_object_after_a_value_at_the_top},
        {"a value without key", a_value_without_key},
        {"an object without key", an_object_without_key},
        {"two values for a key", two_values_for_a_key},
        {"two keys in a row", two_keys_in_a_row},
        {"two written keys in a row", two_written_keys_in_a_row},
        {"a key at the top", a_key_at_the_top},
        {"a key behind the document", a_key_behind_the_document},
        {"closing without the value", closing_without_the_value},
        {"closing what is not open", closing_what_is_not_open},
        {"closing once too often", closing_once_too_often},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(OUTBUF_MIN_CAPACITY);
        rows[i].misuse(&fixture.json);
        check(rows[i].name, fixture.json.misused);
        const size_t pending = outbuf_pending(&fixture.out);
        open_with_key(&fixture.json);
        json_write_string(&fixture.json, STR("text"));
        json_write_close(&fixture.json);
        check(rows[i].name, fixture.json.misused);
        check(rows[i].name, !json_write_is_complete(&fixture.json));
        check_number(rows[i].name, outbuf_pending(&fixture.out), pending);
    }
}

static void an_unfinished_document_is_not_complete(void **state)
{
    (void)state;
    assert_false(json_write_is_complete(&fixture.json));
    json_write_open(&fixture.json);
    assert_false(json_write_is_complete(&fixture.json));
    JSON_WRITE_KEY(&fixture.json, "k");
    assert_false(json_write_is_complete(&fixture.json));
    json_write_null(&fixture.json);
    assert_false(json_write_is_complete(&fixture.json));
    json_write_close(&fixture.json);
    assert_true(json_write_is_complete(&fixture.json));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(strings_are_escaped_as_rfc_8259_requires),
        WITH_FIXTURE(each_byte_that_is_not_utf8_becomes_one_replacement),
        WITH_FIXTURE(a_string_is_not_read_past_its_length),
        WITH_FIXTURE(random_bytes_are_read_back_by_json_c),
        WITH_FIXTURE(strings_longer_than_the_buffer_are_complete),
        WITH_FIXTURE(the_longest_escapes_stay_within_the_buffer_wherever_they_begin),
        WITH_FIXTURE(numbers_are_written_in_decimal),
        WITH_FIXTURE(words_are_written_as_in_json),
        WITH_FIXTURE(keys_from_data_are_escaped),
        WITH_FIXTURE(empty_objects_need_no_member),
        WITH_FIXTURE(objects_nest_to_any_depth),
        WITH_FIXTURE(any_buffer_size_gives_the_same_bytes),
        WITH_FIXTURE(misuse_is_ignored_and_sticky),
        WITH_FIXTURE(an_unfinished_document_is_not_complete),
    };
    return cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
