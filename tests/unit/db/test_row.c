// SPDX-License-Identifier: MIT
// Rows as a server sends them, and as only a broken or hostile one would. They end where memory
// ends.
#include "db/row.h"
#include "support.h"

struct packet {
    char *bytes;
    size_t size;
    NET net;
    struct db_row row;
};

static const struct db_column column_of[] = {
    [DB_BIGINT] = {DB_BIGINT, 0}, [DB_INT] = {DB_INT, 0},   [DB_TINYINT] = {DB_TINYINT, 0},
    [DB_TEXT] = {DB_TEXT, 70000}, [DB_TIME] = {DB_TIME, 0},
};

static struct packet *packet_new(enum db_type type, const void *bytes, size_t size)
{
    struct packet *const packet = calloc(1, sizeof *packet);
    packet->bytes = guarded_new(size);
    packet->size = size;
    if (size > 0) {
        memcpy(packet->bytes, bytes, size);
    }
    packet->net.buff_end = (unsigned char *)packet->bytes + size;
    packet->row.columns = &column_of[type];
    packet->row.net = &packet->net;
    return packet;
}

static void packet_free(struct packet *packet)
{
    guarded_free(packet->bytes, packet->size);
    free(packet);
}

// Takes the one value of the packet; how many bytes that took.
static size_t take(struct packet *packet)
{
    unsigned char *at = (unsigned char *)packet->bytes;
    db_row_take_value(&packet->row, 0, &at);
    return (size_t)(at - (unsigned char *)packet->bytes);
}

static void assert_number(enum db_type type, const char *bytes, size_t size, int64_t expected)
{
    struct packet *const packet = packet_new(type, bytes, size);
    assert_int_equal(take(packet), size);
    assert_false(packet->row.is_broken);
    assert_false(packet->row.values[0].is_null);
    assert_int_equal(packet->row.values[0].number, expected);
    packet_free(packet);
}

static void assert_broken(enum db_type type, const void *bytes, size_t size)
{
    struct packet *const packet = packet_new(type, bytes, size);
    assert_true(take(packet) <= size);
    assert_true(packet->row.is_broken);
    assert_int_equal(take(packet), 0); // nothing more is read
    packet_free(packet);
}

static void numbers_have_their_sign(void **state)
{
    (void)state;
    assert_number(DB_TINYINT, "\x00", 1, 0);
    assert_number(DB_TINYINT, "\x7F", 1, 127);
    assert_number(DB_TINYINT, "\x80", 1, -128);
    assert_number(DB_INT, "\x01\x02\x00\x00", 4, 0x201);
    assert_number(DB_INT, "\xFF\xFF\xFF\x7F", 4, INT32_MAX);
    assert_number(DB_INT, "\x00\x00\x00\x80", 4, INT32_MIN);
    assert_number(DB_BIGINT, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, -1);
    assert_number(DB_BIGINT, "\x00\x00\x00\x00\x00\x00\x00\x80", 8, INT64_MIN);
}

static void times_may_lack_parts(void **state)
{
    (void)state;
    // 2023-06-15 17:29:41.000042
    static const char whole[] = "\x0B\xE7\x07\x06\x0F\x11\x1D\x29\x2A\x00\x00\x00";
    assert_number(DB_TIME, whole, 12, INT64_C(1686850181000042));
    assert_number(DB_TIME, "\x07\xE7\x07\x06\x0F\x11\x1D\x29", 8, INT64_C(1686850181000000));
    assert_number(DB_TIME, "\x04\xE7\x07\x06\x0F", 5, INT64_C(1686787200000000));
    for (size_t len = 0; len < 12; len++) {
        assert_broken(DB_TIME, whole, len);
    }
    assert_broken(DB_TIME, "\x0C\xE7\x07\x06\x0F\x11\x1D\x29\x2A\x00\x00\x00\x00", 13);
}

static void the_zero_date_is_null(void **state)
{
    (void)state;
    struct packet *const packet = packet_new(DB_TIME, "\x00", 1);
    assert_int_equal(take(packet), 1);
    assert_true(packet->row.values[0].is_null);
    assert_false(packet->row.is_broken);
    packet_free(packet);
}

static void null_has_no_bytes(void **state)
{
    (void)state;
    struct packet *const packet = packet_new(DB_TEXT,
                                             "\x03"
                                             "abc",
                                             4);
    assert_int_equal(take(packet), 4);
    assert_text(packet->row.values[0].text, "abc");
    db_row_take_value(&packet->row, 0, NULL);
    assert_true(packet->row.values[0].is_null);
    assert_text(packet->row.values[0].text, NULL);
    packet_free(packet);
}

// LEN bytes of text as they are sent, in BYTES; how many that makes.
static size_t put_text(unsigned char *bytes, size_t len)
{
    size_t at = 0;
    if (len >= 251) {
        bytes[at++] = 0xFC;
        bytes[at++] = (unsigned char)len;
        bytes[at++] = (unsigned char)(len >> 8);
    } else {
        bytes[at++] = (unsigned char)len;
    }
    memset(bytes + at, 'x', len);
    return at + len;
}

static void texts_of_every_length_end_where_they_end(void **state)
{
    (void)state;
    static unsigned char bytes[66000];
    static const size_t lengths[] = {0, 1, 7, 8, 250, 251, 252, 255, 256, 1020, 60000};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        const size_t size = put_text(bytes, lengths[i]);
        struct packet *const packet = packet_new(DB_TEXT, bytes, size);
        assert_int_equal(take(packet), size);
        assert_false(packet->row.is_broken);
        assert_int_equal(packet->row.values[0].text.len, lengths[i]);
        packet_free(packet);
        assert_broken(DB_TEXT, bytes, size - 1);
    }
}

static void lengths_that_no_column_has_are_refused(void **state)
{
    (void)state;
    static const char *const odd[] = {"\xFB",
                                      "\xFD\x01\x00\x00x",
                                      "\xFE\x01\x00\x00\x00\x00\x00\x00\x00x",
                                      "\xFF",
                                      "\xFC",
                                      "\xFC\x01",
                                      "\xFC\xFF\xFF"
                                      "abc",
                                      "\xFA"
                                      "abc"};
    static const size_t sizes[] = {1, 5, 10, 1, 1, 2, 6, 4};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        assert_broken(DB_TEXT, odd[i], sizes[i]);
    }
    assert_broken(DB_TEXT, "", 0);
    assert_broken(DB_BIGINT, "\x01\x02\x03\x04\x05\x06\x07", 7);
    assert_broken(DB_INT, "\x01\x02\x03", 3);
    assert_broken(DB_TINYINT, "", 0);
}

static void a_text_longer_than_its_column_is_refused(void **state)
{
    (void)state;
    static const struct db_column short_column = {DB_TEXT, 3};
    struct packet *const packet = packet_new(DB_TEXT,
                                             "\x04"
                                             "abcd",
                                             5);
    packet->row.columns = &short_column;
    (void)take(packet);
    assert_true(packet->row.is_broken);
    packet_free(packet);
}

static void random_bytes_are_taken_or_refused(void **state)
{
    (void)state;
    struct dice dice = {23};
    for (unsigned round = 0; round < 20000; round++) {
        unsigned char bytes[16];
        const size_t size = dice_below(&dice, sizeof bytes + 1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (unsigned char)dice_roll(&dice);
        }
        struct packet *const packet = packet_new((enum db_type)dice_below(&dice, 5), bytes, size);
        assert_true(take(packet) <= size);
        packet_free(packet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_sign),
        cmocka_unit_test(times_may_lack_parts),
        cmocka_unit_test(the_zero_date_is_null),
        cmocka_unit_test(null_has_no_bytes),
        cmocka_unit_test(texts_of_every_length_end_where_they_end),
        cmocka_unit_test(lengths_that_no_column_has_are_refused),
        cmocka_unit_test(a_text_longer_than_its_column_is_refused),
        cmocka_unit_test(random_bytes_are_taken_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
