// SPDX-License-Identifier: MIT
#include "support.h"
#include "base/utf8.h"

// RFC 3629, section 4, at each edge of its ranges: the length of the sequence at the front.
static void sequences_at_the_edges_have_their_length(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
        size_t expected;
    } rows[] = {
        {"NUL", "\x00", 1, 1},
        {"last of one byte", "\x7F", 1, 1},
        {"continuation alone, first", "\x80", 1, 0},
        {"continuation alone, last", "\xBF", 1, 0},
        {"overlong slash, C0", "\xC0\xAF", 2, 0},
        {"overlong, C1", "\xC1\xBF", 2, 0},
        {"first of two bytes, U+0080", "\xC2\x80", 2, 2},
        {"last of two bytes, U+07FF", "\xDF\xBF", 2, 2},
        {"two bytes, second too low", "\xC2\x7F", 2, 0},
        {"two bytes, second too high", "\xC2\xC0", 2, 0},
        {"overlong in three, E0 9F", "\xE0\x9F\xBF", 3, 0},
        {"first of three bytes, U+0800", "\xE0\xA0\x80", 3, 3},
        {"last before the surrogates, U+D7FF", "\xED\x9F\xBF", 3, 3},
        {"first surrogate, U+D800", "\xED\xA0\x80", 3, 0},
        {"last surrogate, U+DFFF", "\xED\xBF\xBF", 3, 0},
        {"first behind the surrogates, U+E000", "\xEE\x80\x80", 3, 3},
        {"last of three bytes, U+FFFF", "\xEF\xBF\xBF", 3, 3},
        {"three bytes, third bad", "\xE4\xBB\x40", 3, 0},
        {"overlong in four, F0 8F", "\xF0\x8F\xBF\xBF", 4, 0},
        {"first of four bytes, U+10000", "\xF0\x90\x80\x80", 4, 4},
        {"last code point, U+10FFFF", "\xF4\x8F\xBF\xBF", 4, 4},
        {"above the last, U+110000", "\xF4\x90\x80\x80", 4, 0},
        {"F5", "\xF5\x80\x80\x80", 4, 0},
        {"four bytes, fourth bad", "\xF0\x9F\x98\x20", 4, 0},
        {"five bytes", "\xF8\x88\x80\x80\x80", 5, 0},
        {"FE", "\xFE", 1, 0},
        {"FF", "\xFF", 1, 0},
        {"two bytes cut off", "\xC2", 1, 0},
        {"three bytes cut off after one", "\xE4", 1, 0},
        {"three bytes cut off after two", "\xE4\xBB", 2, 0},
        {"four bytes cut off after three", "\xF0\x9F\x98", 3, 0},
        {"what follows is not looked at", "a\xFF", 2, 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].name, utf8_sequence(rows[i].bytes, rows[i].len), rows[i].expected);
    }
}

// The textbook decoder: what the bit patterns say, then what is forbidden. Not the product's way.
static size_t decode(const unsigned char *bytes, size_t len)
{
    const size_t need = bytes[0] < 0x80             ? 1
                        : (bytes[0] & 0xE0) == 0xC0 ? 2
                        : (bytes[0] & 0xF0) == 0xE0 ? 3
                        : (bytes[0] & 0xF8) == 0xF0 ? 4
                                                    : 0;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (need == 0 || len < need) {
        return 0;
    }
    uint32_t code = need == 1 ? bytes[0] : bytes[0] & (0x7FU >> need);
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (bytes[i] & 0x3FU);
    }
    const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[need] || code > 0x10FFFF || is_surrogate ? 0 : need;
}

static void compare(const unsigned char *bytes, size_t len)
{
    if (utf8_sequence((const char *)bytes, len) != decode(bytes, len)) {
        print_error("%02x %02x %02x %02x, length %zu\n", bytes[0], bytes[1], bytes[2], bytes[3],
                    len);
        fail();
    }
}

static void every_three_bytes_are_judged_as_their_code_point(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 1U << 24; word++) {
        const unsigned char bytes[4] = {(unsigned char)(word >> 16), (unsigned char)(word >> 8),
                                        (unsigned char)word, 0x80};
        compare(bytes, 3);
    }
}

static void every_four_bytes_at_the_edges_are_judged_as_their_code_point(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90,
                                          0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            for (size_t i = 0; i < COUNT_OF(edges) * COUNT_OF(edges); i++) {
                const unsigned char bytes[4] = {(unsigned char)first, (unsigned char)second,
                                                edges[i % COUNT_OF(edges)],
                                                edges[i / COUNT_OF(edges)]};
                compare(bytes, 4);
            }
        }
    }
}

static void a_text_is_valid_when_every_sequence_is(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(STR("任务 task \xF0\x9F\x98\x80")));
    assert_true(utf8_is_valid(STR("a\0b")));
    assert_false(utf8_is_valid(STR("good \xC3( bad")));
    assert_false(utf8_is_valid(STR("cut off \xE4\xBB")));
}

static void an_empty_or_absent_text_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(STR("")));
    assert_true(utf8_is_valid(STR_ABSENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_at_the_edges_have_their_length),
        cmocka_unit_test(every_three_bytes_are_judged_as_their_code_point),
        cmocka_unit_test(every_four_bytes_at_the_edges_are_judged_as_their_code_point),
        cmocka_unit_test(a_text_is_valid_when_every_sequence_is),
        cmocka_unit_test(an_empty_or_absent_text_is_valid),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
