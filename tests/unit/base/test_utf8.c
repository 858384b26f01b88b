// SPDX-License-Identifier: MIT
#include "support.h"
#include "base/utf8.h"

// RFC 3629, section 4, at each limit of its ranges: the length of the first sequence.
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

// A textbook decoder, unlike the product's: decode the bit pattern, then reject what is forbidden.
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

static void every_three_bytes_are_checked_as_their_code_point(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 1U << 24; word++) {
        const unsigned char bytes[4] = {(unsigned char)(word >> 16), (unsigned char)(word >> 8),
                                        (unsigned char)word, 0x80};
        compare(bytes, 3);
    }
}

static void every_four_bytes_at_the_edges_are_checked_as_their_code_point(void **state)
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

static void a_text_is_valid_if_every_sequence_is(void **state)
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

// ASCII is read in words of eight bytes: no position may be skipped.
static void one_bad_byte_anywhere_makes_a_text_invalid(void **state)
{
    (void)state;
    enum { LONGEST = 40 };
    for (size_t len = 1; len <= LONGEST; len++) {
        for (size_t at = 0; at < len; at++) {
            char bytes[LONGEST];
            memset(bytes, 'a', sizeof bytes);
            const struct str good = guarded_copy((struct str){bytes, len});
            bytes[at] = '\x80';
            const struct str bad = guarded_copy((struct str){bytes, len});
            assert_true(utf8_is_valid(good));
            assert_false(utf8_is_valid(bad));
            guarded_free_copy(good);
            guarded_free_copy(bad);
        }
    }
}

static void every_code_point_is_encoded_as_it_is_decoded(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char sequence[UTF8_MAX];
        const size_t len = utf8_encode(point, sequence);
        const bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
        assert_int_equal(utf8_sequence(sequence, len), is_surrogate ? 0 : len);
        assert_int_equal(utf8_code_point(sequence, len), point);
    }
}

static void invisible_characters_are_known(void **state)
{
    (void)state;
    static const uint32_t unseen[] = {
        0x00,   0x09,   0x0A,   0x1F,   0x7F,    0x80,    0x9B,    0x9F,    0xA0,    0xAD,
        0x34F,  0x61C,  0x115F, 0x1160, 0x1680,  0x17B4,  0x180E,  0x2000,  0x200A,  0x200B,
        0x200C, 0x200D, 0x200E, 0x200F, 0x2028,  0x2029,  0x202A,  0x202E,  0x202F,  0x205F,
        0x2060, 0x2066, 0x2069, 0x206F, 0x2800,  0x3000,  0x3164,  0xFDD0,  0xFE0F,  0xFEFF,
        0xFFA0, 0xFFF9, 0xFFFC, 0xFFFE, 0x13430, 0x1BCA0, 0x1D173, 0xE0001, 0xE007F, 0xE0FFF,
    };
    static const uint32_t seen[] = {
        ' ',    '!',    '~',    0xA1,   0xE9,    0x34E,   0x3B1,   0x5D0,   0x627,
        0x1FFF, 0x2010, 0x2027, 0x2030, 0x205E,  0x2070,  0x20AC,  0x3001,  0x4E00,
        0xAC00, 0xFEFE, 0xFF01, 0xFFFD, 0x10000, 0x1F600, 0x20000, 0xDFFFF, 0xE1000,
    };
    for (size_t i = 0; i < COUNT_OF(unseen); i++) {
        check_number("unseen", utf8_is_visible(unseen[i]) ? unseen[i] : 0, 0);
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        check_number("seen", utf8_is_visible(seen[i]) ? seen[i] : 0, seen[i]);
    }
}

static void a_text_is_visible_if_every_character_is(void **state)
{
    (void)state;
    assert_true(utf8_all_visible(STR("a")));
    assert_true(utf8_all_visible(STR("my app-1_\u4efb\u52a1 \U0001F600")));
    assert_true(utf8_all_visible(STR("")));
    assert_true(utf8_all_visible(STR_ABSENT));
    static const struct str bad[] = {
        STR("\0"),          STR("\n"),          STR("\xFF"),          STR("app\u200b"),
        STR("\ufeffapp"),   STR("a\u202epp"),   STR("app\u3000"),     STR("app\xC2\xA0"),
        STR("app\xE3\x80"), STR("a\xC2\x85pp"), STR("app\U000E0041"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        check(bad[i].ptr, !utf8_all_visible(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_at_the_edges_have_their_length),
        cmocka_unit_test(every_three_bytes_are_checked_as_their_code_point),
        cmocka_unit_test(every_four_bytes_at_the_edges_are_checked_as_their_code_point),
        cmocka_unit_test(a_text_is_valid_if_every_sequence_is),
        cmocka_unit_test(an_empty_or_absent_text_is_valid),
        cmocka_unit_test(one_bad_byte_anywhere_makes_a_text_invalid),
        cmocka_unit_test(every_code_point_is_encoded_as_it_is_decoded),
        cmocka_unit_test(invisible_characters_are_known),
        cmocka_unit_test(a_text_is_visible_if_every_character_is),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
