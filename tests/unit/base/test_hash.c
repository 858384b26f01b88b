// SPDX-License-Identifier: MIT
#include "base/hash.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { IDS = 200000 };

static struct hash digest(const char *bytes, size_t len)
{
    struct hash hash = hash_start(42);
    hash_text(&hash, bytes, len);
    return hash;
}

static int compare_words(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static size_t count_equal(uint64_t *words, size_t count)
{
    size_t equal = 0;
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 1; i < count; i++) {
        equal += words[i] == words[i - 1];
    }
    return equal;
}

// Tables use both lanes folded into 32 bits, and tags use both lanes, so each lane must distinguish
// ids by itself.
static void no_two_ids_collide_in_either_lane(int width)
{
    static uint64_t a[IDS];
    static uint64_t b[IDS];
    for (size_t i = 0; i < IDS; i++) {
        char id[64];
        const int len = snprintf(id, sizeof id, "n%0*zx", width, i);
        const struct hash hash = digest(id, (size_t)len);
        a[i] = hash.a;
        b[i] = hash.b;
    }
    assert_int_equal(count_equal(a, IDS), 0);
    assert_int_equal(count_equal(b, IDS), 0);
}

static void short_ids_do_not_collide_in_either_lane(void **state)
{
    (void)state;
    no_two_ids_collide_in_either_lane(1);
}

static void ids_of_16_bytes_do_not_collide_in_either_lane(void **state)
{
    (void)state;
    no_two_ids_collide_in_either_lane(15);
}

static void ids_of_33_bytes_do_not_collide_in_either_lane(void **state)
{
    (void)state;
    no_two_ids_collide_in_either_lane(32);
}

static void table_hashes_of_ids_spread_like_random_numbers(void **state)
{
    (void)state;
    // 200,000 random hashes in 2^19 places: 17 % hit an occupied one.
    static uint8_t places[1 << 19];
    unsigned met = 0;
    memset(places, 0, sizeof places);
    for (size_t i = 0; i < IDS; i++) {
        char id[64];
        const int len = snprintf(id, sizeof id, "n%032zx", i);
        const struct hash hash = digest(id, (size_t)len);
        uint8_t *const place = &places[(hash.a ^ hash.b) & (COUNT_OF(places) - 1)];
        met += *place;
        *place = 1;
    }
    assert_uint_in_range(met, IDS * 15 / 100, IDS * 19 / 100);
}

static void every_bit_of_a_text_changes_both_lanes(void **state)
{
    (void)state;
    char text[80];
    for (size_t len = 1; len <= sizeof text; len++) {
        memset(text, 'x', len);
        const struct hash before = digest(text, len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            const struct hash after = digest(text, len);
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            assert_true(before.a != after.a);
            assert_true(before.b != after.b);
        }
    }
}

static void texts_of_one_byte_repeated_differ_by_their_length(void **state)
{
    (void)state;
    static const char zeros[100] = {0};
    uint64_t a[COUNT_OF(zeros)];
    uint64_t b[COUNT_OF(zeros)];
    for (size_t len = 0; len < COUNT_OF(zeros); len++) {
        a[len] = digest(zeros, len).a;
        b[len] = digest(zeros, len).b;
    }
    assert_int_equal(count_equal(a, COUNT_OF(zeros)), 0);
    assert_int_equal(count_equal(b, COUNT_OF(zeros)), 0);
}

static void all_texts_of_one_and_two_bytes_differ(void **state)
{
    (void)state;
    enum { TEXTS = 256 + 65536 };
    static uint64_t a[TEXTS];
    static uint64_t b[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t len = i < 256 ? 1 : 2;
        const size_t value = i < 256 ? i : i - 256;
        const char bytes[2] = {(char)value, (char)(value >> 8)};
        a[i] = digest(bytes, len).a;
        b[i] = digest(bytes, len).b;
    }
    assert_int_equal(count_equal(a, TEXTS), 0);
    assert_int_equal(count_equal(b, TEXTS), 0);
}

// Seeds are often small: numbers of objects and kinds.
static void short_texts_differ_with_every_seed(void **state)
{
    (void)state;
    enum { TEXTS = 10000, WIDTHS = 3 };
    static const int widths[WIDTHS] = {4, 8, 16};
    static uint64_t a[TEXTS];
    static uint64_t b[TEXTS];
    for (uint64_t seed = 0; seed < 64; seed++) {
        for (size_t width = 0; width < WIDTHS; width++) {
            for (unsigned i = 0; i < TEXTS; i++) {
                char text[32];
                const int len = snprintf(text, sizeof text, "%0*u", widths[width], i);
                struct hash hash = hash_start(seed);
                hash_text(&hash, text, (size_t)len);
                a[i] = hash.a;
                b[i] = hash.b;
            }
            assert_int_equal(count_equal(a, TEXTS), 0);
            assert_int_equal(count_equal(b, TEXTS), 0);
        }
    }
}

static void moving_bytes_between_texts_changes_the_hash(void **state)
{
    (void)state;
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t a[30];
    uint64_t b[30];
    for (size_t cut = 0; cut < COUNT_OF(a); cut++) {
        struct hash hash = hash_start(42);
        hash_text(&hash, bytes, cut);
        hash_text(&hash, bytes + cut, 30 - cut);
        a[cut] = hash.a;
        b[cut] = hash.b;
    }
    assert_int_equal(count_equal(a, COUNT_OF(a)), 0);
    assert_int_equal(count_equal(b, COUNT_OF(b)), 0);
}

// Earlier texts must affect both lanes, whatever follows.
static void no_text_erases_a_lane(void **state)
{
    (void)state;
    static const char later[] = "FINISHED and more than thirty-two bytes of it";
    for (size_t len = 0; len < sizeof later; len++) {
        struct hash one = hash_start(1);
        struct hash two = hash_start(2);
        hash_text(&one, later, len);
        hash_text(&two, later, len);
        assert_true(one.a != two.a);
        assert_true(one.b != two.b);
    }
}

static void no_common_word_erases_a_lane(void **state)
{
    (void)state;
    static const uint64_t words[] = {0, 1, 2, 3, 255, 256, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(words) * COUNT_OF(words); i++) {
        struct hash one = hash_start(1);
        struct hash two = hash_start(2);
        hash_words(&one, words[i % COUNT_OF(words)], words[i / COUNT_OF(words)]);
        hash_words(&two, words[i % COUNT_OF(words)], words[i / COUNT_OF(words)]);
        assert_true(one.a != two.a);
        assert_true(one.b != two.b);
    }
}

static void another_seed_gives_another_digest(void **state)
{
    (void)state;
    uint64_t a[1000];
    for (uint64_t seed = 0; seed < COUNT_OF(a); seed++) {
        struct hash hash = hash_start(seed);
        hash_text(&hash, "n0123456789abcdef", 17);
        a[seed] = hash.a;
    }
    assert_int_equal(count_equal(a, COUNT_OF(a)), 0);
}

static void a_compiler_without_128_bits_gives_the_same_digests(void **state)
{
    (void)state;
    // (2^64 - 1)^2 is 2^128 - 2^65 + 1, and 2^63 * 6 is 3 * 2^64.
    assert_true(hash_fold_by_halves(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(hash_fold_by_halves(UINT64_C(1) << 63, 6) == 3);
    for (uint64_t i = 0; i < IDS; i++) {
        const uint64_t x = (i + 1) * HASH_KEY_A;
        const uint64_t y = ~(i * HASH_KEY_B) >> i % 64;
        assert_true(hash_fold_by_halves(x, y) == hash_fold(x, y));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_ids_do_not_collide_in_either_lane),
        cmocka_unit_test(ids_of_16_bytes_do_not_collide_in_either_lane),
        cmocka_unit_test(ids_of_33_bytes_do_not_collide_in_either_lane),
        cmocka_unit_test(table_hashes_of_ids_spread_like_random_numbers),
        cmocka_unit_test(every_bit_of_a_text_changes_both_lanes),
        cmocka_unit_test(texts_of_one_byte_repeated_differ_by_their_length),
        cmocka_unit_test(all_texts_of_one_and_two_bytes_differ),
        cmocka_unit_test(short_texts_differ_with_every_seed),
        cmocka_unit_test(moving_bytes_between_texts_changes_the_hash),
        cmocka_unit_test(no_text_erases_a_lane),
        cmocka_unit_test(no_common_word_erases_a_lane),
        cmocka_unit_test(another_seed_gives_another_digest),
        cmocka_unit_test(a_compiler_without_128_bits_gives_the_same_digests),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
