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

// Returns the remaining pause in milliseconds.
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
        assert_uint_in_range(pause_ms, whole_ms[i] / 2,
                             whole_ms[i] + 20); // with room for a slow machine
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
    assert_true(most - least > 10 * 1000); // of the 25 ms of possible jitter
}

static void success_resets_the_host(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        db_health_failed(health, HOST, REFUSED);
    }
    db_health_set_unresponsive(health, HOST);
    assert_true(db_health_is_unresponsive(health, HOST));
    assert_false(db_health_is_unresponsive(health, OTHER));
    struct db_outage ended;
    db_health_succeeded(health, HOST, &ended);
    assert_int_equal(db_health_retry_at(health, HOST), 0);
    assert_false(db_health_is_unresponsive(health, HOST));
    assert_uint_in_range(pause_after_failure(HOST), 25, 70);
}

static void an_outage_begins_once_and_ends_once(void **state)
{
    (void)state;
    struct db_outage ended;
    assert_int_equal(db_health_succeeded(health, HOST, &ended), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, HOST, REFUSED), DB_NEWS_BEGIN);
    assert_int_equal(db_health_failed(health, HOST, REFUSED), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, OTHER, REFUSED), DB_NEWS_BEGIN);
    assert_int_equal(db_health_succeeded(health, HOST, &ended), DB_NEWS_END);
    assert_int_equal(ended.failures, 2);
    assert_int_equal(db_health_succeeded(health, HOST, &ended), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, HOST, REFUSED), DB_NEWS_BEGIN);
}

static void the_length_of_an_outage_counts_from_its_first_failure(void **state)
{
    (void)state;
    struct db_outage ended;
    db_health_failed(health, HOST, REFUSED);
    usleep(20 * 1000);
    const int64_t before_us = clock_monotonic_us();
    db_health_failed(health, HOST, REFUSED);
    db_health_succeeded(health, HOST, &ended);
    assert_true(ended.duration_us >= 20 * 1000);
    assert_true(ended.duration_us >= clock_monotonic_us() - before_us);
}

static void another_cause_is_reported_once(void **state)
{
    (void)state;
    db_health_failed(health, HOST, REFUSED);
    assert_int_equal(db_health_failed(health, HOST, DENIED), DB_NEWS_CAUSE);
    assert_int_equal(db_health_failed(health, HOST, DENIED), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, HOST, REFUSED), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, HOST, DENIED), DB_NEWS_NONE);
}

static void the_causes_of_an_outage_are_bounded(void **state)
{
    (void)state;
    int news = 0;
    for (unsigned code = 1000; code < 1100; code++) {
        news += db_health_failed(health, HOST, code) != DB_NEWS_NONE;
    }
    assert_int_equal(news, 4);
}

static void unreachable_codes_are_one_cause(void **state)
{
    (void)state;
    static const unsigned codes[] = {2002, 2003, 2006, 2013, 2026, 0};
    assert_int_equal(db_health_failed(health, HOST, 2013), DB_NEWS_BEGIN);
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_int_equal(db_health_failed(health, HOST, codes[i]), DB_NEWS_NONE);
    }
    assert_int_equal(db_health_failed(health, HOST, 2005), DB_NEWS_CAUSE); // unknown host name
}

static void an_unresponsive_host_begins_an_outage(void **state)
{
    (void)state;
    struct db_outage ended;
    assert_int_equal(db_health_set_unresponsive(health, HOST), DB_NEWS_BEGIN);
    assert_int_equal(db_health_set_unresponsive(health, HOST), DB_NEWS_NONE);
    assert_int_equal(db_health_failed(health, HOST, 2013), DB_NEWS_NONE);
    assert_int_equal(db_health_succeeded(health, HOST, &ended), DB_NEWS_END);
    assert_int_equal(ended.failures, 2);
    assert_false(db_health_is_unresponsive(health, HOST));
}

static void a_suspected_host_is_probed_at_once(void **state)
{
    (void)state;
    struct db_outage ended;
    db_health_set_probed(health);
    db_health_suspect(health, HOST);
    const int64_t at_us = db_health_retry_at(health, HOST);
    assert_true(at_us != 0 && at_us <= clock_monotonic_us());
    db_health_suspect(health, HOST);
    assert_int_equal(db_health_retry_at(health, HOST), at_us);
    assert_int_equal(db_health_succeeded(health, HOST, &ended),
                     DB_NEWS_NONE); // there was no outage
    assert_int_equal(db_health_retry_at(health, HOST), 0);
}

static void without_a_prober_a_suspected_host_has_a_pause(void **state)
{
    (void)state;
    const int64_t before_us = clock_monotonic_us();
    db_health_suspect(health, HOST);
    assert_true(db_health_retry_at(health, HOST) >= before_us + 25 * 1000);
}

static void too_many_hosts_replace_the_oldest(void **state)
{
    (void)state;
    for (uint64_t key = 1; key <= MANY_HOSTS; key++) {
        db_health_failed(health, key, REFUSED);
        db_health_set_unresponsive(health, key);
        usleep(1); // the clock must advance to show which is oldest
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

static void a_failure_wakes_the_prober(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t seen = 0;
    db_health_wait(health, &seen, clock_monotonic_us() + 1000); // returns although nothing fails
    assert_int_equal(seen, 0);
    assert_int_equal(pthread_create(&thread, NULL, fail_later, NULL), 0);
    db_health_wait(health, &seen, -1);
    assert_int_equal(seen, 1);
    pthread_join(thread, NULL);
}

static void closing_wakes_and_ends_the_prober(void **state)
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

static void a_server_without_a_time_limit_is_reported_once(void **state)
{
    (void)state;
    assert_true(db_health_has_no_time_limit(health, HOST));
    assert_false(db_health_has_no_time_limit(health, HOST));
    assert_true(db_health_has_no_time_limit(health, OTHER));
}

int main(void)
{
#define WITH_HEALTH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_HEALTH(pauses_double_up_to_a_limit),
        WITH_HEALTH(pauses_differ),
        WITH_HEALTH(success_resets_the_host),
        WITH_HEALTH(an_outage_begins_once_and_ends_once),
        WITH_HEALTH(the_length_of_an_outage_counts_from_its_first_failure),
        WITH_HEALTH(another_cause_is_reported_once),
        WITH_HEALTH(the_causes_of_an_outage_are_bounded),
        WITH_HEALTH(unreachable_codes_are_one_cause),
        WITH_HEALTH(an_unresponsive_host_begins_an_outage),
        WITH_HEALTH(a_suspected_host_is_probed_at_once),
        WITH_HEALTH(without_a_prober_a_suspected_host_has_a_pause),
        WITH_HEALTH(too_many_hosts_replace_the_oldest),
        WITH_HEALTH(a_failure_wakes_the_prober),
        WITH_HEALTH(closing_wakes_and_ends_the_prober),
        WITH_HEALTH(a_server_without_a_time_limit_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
