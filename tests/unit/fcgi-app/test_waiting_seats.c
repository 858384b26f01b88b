// SPDX-License-Identifier: MIT
// waiting_seats: the places in total and of one application, and what is counted when one is left.
#include "alloc.h"
#include "support.h"
#include "waiting_seats.h"

#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 5 };

static struct waiting_seats *seats;

static int set_up(void **state)
{
    (void)state;
    seats = waiting_seats_new(PLACES, 1);
    return seats == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    waiting_seats_free(seats);
    return 0;
}

static struct waiting_seat *take(const char *code)
{
    return waiting_seats_take(seats, str_from(code));
}

static void half_is_for_one_application_and_no_more_than_all(void **state)
{
    (void)state;
    struct waiting_seat *taken[PLACES];
    for (size_t i = 0; i < PLACES; i++) {
        taken[i] = take(i < 3 ? "a" : "b");
        assert_non_null(taken[i]);
        assert_true(i != 2 || take("a") == NULL);
    }
    assert_null(take("b"));
    assert_null(take("c"));
    waiting_seats_give_back(seats, taken[0]);
    taken[0] = take("c");
    assert_non_null(taken[0]);
    for (size_t i = 0; i < PLACES; i++) {
        waiting_seats_give_back(seats, taken[i]);
    }
}

static void codes_are_compared_to_the_byte(void **state)
{
    (void)state;
    struct waiting_seat *taken[4];
    static const char *const codes[] = {"a", "a", "a", "A"};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        taken[i] = take(codes[i]);
        assert_non_null(taken[i]);
    }
    assert_null(take("a"));
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        waiting_seats_give_back(seats, taken[i]);
    }
}

static void applications_that_left_leave_nothing(void **state)
{
    (void)state;
    alloc_watch_start(0);
    for (unsigned i = 0; i < 1000; i++) {
        char code[16];
        snprintf(code, sizeof code, "app-%u", i);
        struct waiting_seat *const seat = take(code);
        assert_non_null(seat);
        waiting_seats_give_back(seats, seat);
    }
    alloc_watch_stop();
}

static void without_memory_nobody_sits_down(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        alloc_watch_start(n);
        struct waiting_seat *const seat = take("a");
        alloc_watch_stop();
        assert_true((seat == NULL) == alloc_watch.has_failed);
        if (seat != NULL) {
            assert_true(n > 2);
            waiting_seats_give_back(seats, seat);
            break;
        }
    }
    struct waiting_seat *taken[3];
    for (size_t i = 0; i < COUNT_OF(taken); i++) { // all places of one are free
        taken[i] = take("a");
        assert_non_null(taken[i]);
    }
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        waiting_seats_give_back(seats, taken[i]);
    }
}

static void an_ended_wait_is_over_and_counted(void **state)
{
    (void)state;
    static const struct {
        enum watch_reason reason;
        size_t counted;
    } rows[] = {
        {WATCH_CHANGE, METRICS_WAIT_CHANGE}, {WATCH_DOUBT, METRICS_WAIT_CHANGE},
        {WATCH_TIMER, METRICS_WAIT_CHANGE},  {WATCH_TIME, METRICS_WAIT_TIME},
        {WATCH_ENDED, METRICS_WAIT_ENDED},
    };
    struct metrics *const metrics = metrics_new(1, 0, "test", 0);
    assert_non_null(metrics);
    struct metrics_shard *const shard = &metrics->shards[0];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct waiting_seat *const seat = take("a");
        const uint64_t before = atomic_load(&shard->waits[rows[i].counted]);
        assert_non_null(seat);
        seat->waiter.until_us = INT64_MAX;
        seat->waiter.reason = rows[i].reason;
        waiting_seats_count_end(seat, shard);
        assert_int_equal(atomic_load(&shard->waits[rows[i].counted]), before + 1);
        assert_true((waiting_seats_until_us(seat) < INT64_MAX) == (rows[i].reason == WATCH_ENDED));
        waiting_seats_give_back(seats, seat);
    }
    assert_int_equal(atomic_load(&shard->wake_count), 1);
    metrics_free(metrics);
}

#define SEATED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEATED(half_is_for_one_application_and_no_more_than_all),
        SEATED(codes_are_compared_to_the_byte),
        SEATED(applications_that_left_leave_nothing),
        SEATED(without_memory_nobody_sits_down),
        SEATED(an_ended_wait_is_over_and_counted),
    };
    return cmocka_run_group_tests_name("waiting_seats", tests, NULL, NULL);
}
