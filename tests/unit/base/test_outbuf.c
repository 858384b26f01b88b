// SPDX-License-Identifier: MIT
#include "base/outbuf.h"
#include "support.h"

enum { TEXT_BYTES = 300000 };

static char text[TEXT_BYTES];

static void fill_text(void)
{
    struct dice dice = {11};
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)dice_roll(&dice);
    }
}

struct fixture {
    struct sink *sink;
    struct outbuf out;
    char bytes[8192];
};

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fill_text();
    fixture.sink = sink_new();
    outbuf_init(&fixture.out, fixture.bytes, OUTBUF_MIN_CAPACITY, sink_take, fixture.sink);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sink_free(fixture.sink);
    return 0;
}

static void nothing_is_delivered_before_the_buffer_is_full(void **state)
{
    (void)state;
    outbuf_write(&fixture.out, text, OUTBUF_MIN_CAPACITY);
    assert_int_equal(fixture.sink->calls, 0);
    assert_int_equal(outbuf_pending(&fixture.out), OUTBUF_MIN_CAPACITY);
    outbuf_write(&fixture.out, "x", 1);
    assert_int_equal(fixture.sink->calls, 1);
    assert_int_equal(fixture.sink->largest, OUTBUF_MIN_CAPACITY);
    assert_int_equal(outbuf_pending(&fixture.out), 1);
}

static void pieces_of_any_size_arrive_unchanged(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 100, 1023, 1024, 1025, 4096, 100000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        sink_clear(fixture.sink);
        outbuf_init(&fixture.out, fixture.bytes, OUTBUF_MIN_CAPACITY, sink_take, fixture.sink);
        const size_t total = sizes[i] < 100 ? 20000 : TEXT_BYTES;
        for (size_t at = 0; at < total; at += sizes[i]) {
            const size_t left = total - at;
            outbuf_write(&fixture.out, text + at, sizes[i] < left ? sizes[i] : left);
        }
        assert_int_equal(outbuf_flush(&fixture.out), 0);
        assert_int_equal(fixture.sink->len, total);
        assert_memory_equal(fixture.sink->bytes, text, total);
    }
}

static void any_capacity_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t capacity = OUTBUF_MIN_CAPACITY; capacity <= sizeof fixture.bytes; capacity += 511) {
        sink_clear(fixture.sink);
        outbuf_init(&fixture.out, fixture.bytes, capacity, sink_take, fixture.sink);
        for (size_t at = 0; at + 700 <= 100000; at += 700) {
            outbuf_write(&fixture.out, text + at, 700);
        }
        assert_int_equal(outbuf_flush(&fixture.out), 0);
        assert_int_equal(fixture.sink->largest, capacity);
        assert_memory_equal(fixture.sink->bytes, text, fixture.sink->len);
    }
}

static void reserving_makes_room(void **state)
{
    (void)state;
    outbuf_write(&fixture.out, text, 1000);
    (void)outbuf_reserve(&fixture.out, 24);
    assert_int_equal(fixture.sink->calls, 0);
    (void)outbuf_reserve(&fixture.out, 25);
    assert_int_equal(fixture.sink->len, 1000);
    char *const to = outbuf_reserve(&fixture.out, OUTBUF_MIN_CAPACITY);
    memset(to, 'r', OUTBUF_MIN_CAPACITY);
    outbuf_claim(&fixture.out, to + OUTBUF_MIN_CAPACITY);
    assert_int_equal(outbuf_flush(&fixture.out), 0);
    assert_int_equal(fixture.sink->len, 1000 + OUTBUF_MIN_CAPACITY);
    assert_int_equal(fixture.sink->bytes[1000], 'r');
}

static void flushing_an_empty_buffer_delivers_nothing(void **state)
{
    (void)state;
    assert_int_equal(outbuf_flush(&fixture.out), 0);
    assert_int_equal(fixture.sink->calls, 0);
}

static void delivered_counts_what_the_sink_took(void **state)
{
    (void)state;
    outbuf_write(&fixture.out, text, 5000);
    assert_int_equal(outbuf_delivered(&fixture.out) + outbuf_pending(&fixture.out), 5000);
    assert_int_equal(outbuf_flush(&fixture.out), 0);
    assert_int_equal(outbuf_delivered(&fixture.out), 5000);
}

static void an_error_is_sticky(void **state)
{
    (void)state;
    fixture.sink->fail_at = 2;
    outbuf_write(&fixture.out, text, 100000);
    assert_true(outbuf_has_failed(&fixture.out));
    assert_int_equal(outbuf_flush(&fixture.out), -1);
    assert_int_equal(outbuf_flush(&fixture.out), -1);
    fixture.sink->fail_at = 0; // the sink would work again, but must not be called
    outbuf_write(&fixture.out, text, 100000);
    assert_int_equal(outbuf_flush(&fixture.out), -1);
    assert_int_equal(fixture.sink->calls, 2);
    assert_int_equal(fixture.sink->len, OUTBUF_MIN_CAPACITY);
}

static void an_error_of_the_last_flush_is_reported(void **state)
{
    (void)state;
    fixture.sink->fail_at = 1;
    outbuf_write(&fixture.out, text, 10);
    assert_false(outbuf_has_failed(&fixture.out));
    assert_int_equal(outbuf_flush(&fixture.out), -1);
    assert_true(outbuf_has_failed(&fixture.out));
    assert_int_equal(outbuf_delivered(&fixture.out), 0);
}

static void after_an_error_writes_stay_within_the_buffer(void **state)
{
    (void)state;
    fixture.sink->fail_at = 1;
    memset(fixture.bytes, '#', sizeof fixture.bytes);
    for (unsigned i = 0; i < 100; i++) {
        outbuf_write(&fixture.out, "0123456789abcdef", 16);
        char *const to = outbuf_reserve(&fixture.out, OUTBUF_MIN_CAPACITY);
        memset(to, 'r', OUTBUF_MIN_CAPACITY);
        outbuf_claim(&fixture.out, to + OUTBUF_MIN_CAPACITY);
    }
    for (size_t i = OUTBUF_MIN_CAPACITY; i < sizeof fixture.bytes; i++) {
        assert_int_equal(fixture.bytes[i], '#');
    }
}

static void the_last_call_is_made_once_even_without_bytes(void **state)
{
    (void)state;
    assert_int_equal(outbuf_finish(&fixture.out), 0);
    assert_int_equal(fixture.sink->calls, 1);
    assert_true(fixture.sink->is_finished);
    assert_int_equal(fixture.sink->len, 0);
}

// Writes a mark into head and tail room.
static int mark_rooms(void *context, char *bytes, size_t len, bool is_last)
{
    memset(bytes - 8, 'h', 8);
    memset(bytes + len, 't', 24);
    return sink_take(context, bytes, len, is_last);
}

static void the_sink_may_write_into_head_and_tail_room(void **state)
{
    (void)state;
    outbuf_init_with_rooms(&fixture.out, fixture.bytes, 8, OUTBUF_MIN_CAPACITY, mark_rooms,
                           fixture.sink);
    for (size_t at = 0; at < 10000; at += 100) {
        outbuf_write(&fixture.out, text + at, 100);
    }
    assert_int_equal(outbuf_finish(&fixture.out), 0);
    assert_int_equal(fixture.sink->len, 10000);
    assert_memory_equal(fixture.sink->bytes, text, 10000);
    assert_int_equal(fixture.sink->largest, OUTBUF_MIN_CAPACITY);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(nothing_is_delivered_before_the_buffer_is_full),
        WITH_FIXTURE(pieces_of_any_size_arrive_unchanged),
        WITH_FIXTURE(any_capacity_gives_the_same_bytes),
        WITH_FIXTURE(reserving_makes_room),
        WITH_FIXTURE(flushing_an_empty_buffer_delivers_nothing),
        WITH_FIXTURE(delivered_counts_what_the_sink_took),
        WITH_FIXTURE(an_error_is_sticky),
        WITH_FIXTURE(an_error_of_the_last_flush_is_reported),
        WITH_FIXTURE(the_last_call_is_made_once_even_without_bytes),
        WITH_FIXTURE(the_sink_may_write_into_head_and_tail_room),
        WITH_FIXTURE(after_an_error_writes_stay_within_the_buffer),
    };
    return cmocka_run_group_tests_name("outbuf", tests, NULL, NULL);
}
