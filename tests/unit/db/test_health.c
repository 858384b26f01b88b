// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "db/health.h"
#include "support.h"

#include <pthread.h>
#include <unistd.h>

enum { HOST = 7, OTHER = 8, REFUSED = 2002, DENIED = 1045, MANY_HOSTS = 1000 };

static struct db_health *health;

static int set_up(void **state)
{
    (void)state;
    health = db_health_new();
    assert_non_null(health);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_health_free(health);
    return 0;
}

// The pause from now on, in milliseconds.
static int64_t pause_after_failure(uint64_t key)
{
    const int64_t before_us = clock_monotonic_us();
    db_health_failed(health, key, REFUSED);
    return (db_health_retry_at(health, key) - before_us + 999) / 1000;
}

static void pauses_double_up_to_a_limit(void **state)
{
    (void)state;
    static const int64_t whole_ms[] = {50, 100, 200, 400, 800, 800, 800};
    assert_int_equal(db_health_retry_at(health, HOST), 0);
    for (size_t i = 0; i < COUNT_OF(whole_ms); i++) {
        const int64_t pause_ms = pause_after_failure(HOST);
        assert_in_range(pause_ms, whole_ms[i] / 2, whole_ms[i] + 20); // a slow machine adds to it
    }
    assert_int_equal(db_health_retry_at(health, OTHER), 0);
}

static void pauses_differ(void **state)
{
    (void)state;
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (uint64_t key = 1; key <= 50; key++) {
        const int64_t before_us = clock_monotonic_us();
        db_health_failed(health, key, REFUSED);
        const int64_t pause_us = db_health_retry_at(health, key) - before_us;
        least = pause_us < least ? pause_us : least;
        most = pause_us > most ? pause_us : most;
    }
    assert_true(most - least > 10 * 1000); // of the 25 ms that chance may take off
}

static void success_forgets_all(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        db_health_failed(health, HOST, REFUSED);
    }
    db_health_set_unresponsive(health, HOST);
    assert_true(db_health_is_unresponsive(health, HOST));
    assert_false(db_health_is_unresponsive(health, OTHER));
    db_health_succeeded(health, HOST);
    assert_int_equal(db_health_retry_at(health, HOST), 0);
    assert_false(db_health_is_unresponsive(health, HOST));
    assert_in_range(pause_after_failure(HOST), 25, 70);
}

static void an_outage_is_told_once_for_each_cause(void **state)
{
    (void)state;
    assert_false(db_health_succeeded(health, HOST));
    assert_true(db_health_failed(health, HOST, REFUSED));
    assert_false(db_health_failed(health, HOST, REFUSED));
    assert_true(db_health_failed(health, HOST, DENIED));
    assert_false(db_health_failed(health, HOST, DENIED));
    assert_true(db_health_succeeded(health, HOST));
    assert_false(db_health_succeeded(health, HOST));
    assert_true(db_health_failed(health, HOST, DENIED));
}

static void who_is_suspected_is_looked_at_at_once(void **state)
{
    (void)state;
    db_health_set_probed(health);
    assert_true(db_health_suspect(health, HOST));
    assert_true(db_health_retry_at(health, HOST) != 0);
    assert_true(db_health_retry_at(health, HOST) <= clock_monotonic_us());
    assert_false(db_health_suspect(health, HOST));
}

static void who_is_suspected_has_a_pause_where_nobody_scouts(void **state)
{
    (void)state;
    const int64_t before_us = clock_monotonic_us();
    assert_true(db_health_suspect(health, HOST));
    assert_true(db_health_retry_at(health, HOST) >= before_us + 25 * 1000);
}

static void more_hosts_than_it_keeps_push_the_oldest_out(void **state)
{
    (void)state;
    for (uint64_t key = 1; key <= MANY_HOSTS; key++) {
        db_health_failed(health, key, REFUSED);
        db_health_set_unresponsive(health, key);
        usleep(1); // the clock gets on: which is oldest is told by it
    }
    assert_true(db_health_is_unresponsive(health, MANY_HOSTS));
    assert_int_equal(db_health_retry_at(health, 1), 0);
    assert_false(db_health_is_unresponsive(health, 1));
}

static void *fail_later(void *unused)
{
    (void)unused;
    usleep(20 * 1000);
    db_health_failed(health, HOST, REFUSED);
    return NULL;
}

static void a_failure_wakes_who_waits(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t seen = 0;
    db_health_wait(health, &seen, clock_monotonic_us() + 1000); // comes back although nothing fails
    assert_int_equal(seen, 0);
    assert_int_equal(pthread_create(&thread, NULL, fail_later, NULL), 0);
    db_health_wait(health, &seen, -1);
    assert_int_equal(seen, 1);
    pthread_join(thread, NULL);
}

static void closing_wakes_who_waits_and_ends_scouting(void **state)
{
    (void)state;
    uint64_t seen = 0;
    db_health_set_probed(health);
    assert_false(db_health_is_closed(health));
    db_health_close(health);
    db_health_wait(health, &seen, -1);
    assert_true(db_health_is_closed(health));
    assert_false(db_health_is_probed(health));
}

int main(void)
{
#define WITH_BOARD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BOARD(pauses_double_up_to_a_limit),
        WITH_BOARD(pauses_differ),
        WITH_BOARD(success_forgets_all),
        WITH_BOARD(an_outage_is_told_once_for_each_cause),
        WITH_BOARD(who_is_suspected_is_looked_at_at_once),
        WITH_BOARD(who_is_suspected_has_a_pause_where_nobody_scouts),
        WITH_BOARD(more_hosts_than_it_keeps_push_the_oldest_out),
        WITH_BOARD(a_failure_wakes_who_waits),
        WITH_BOARD(closing_wakes_who_waits_and_ends_scouting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
