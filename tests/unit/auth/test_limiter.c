// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "auth/limiter.h"
#include "support.h"

#include <pthread.h>
#include <stdio.h>

enum { LIMIT = 6 }; // per minute: one failure expires in ten seconds

#define SECONDS(n) ((int64_t)(n)*US_PER_SECOND)
#define START      SECONDS(1000)

static struct limiter *limiter;

static int set_up(void **state)
{
    (void)state;
    limiter = limiter_new(42);
    assert_non_null(limiter);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    limiter_free(limiter);
    return 0;
}

static void fail_login(const char *address, const char *app_code, unsigned times, int64_t now_us)
{
    for (unsigned i = 0; i < times; i++) {
        limiter_count_failure(limiter, cidr_address_parse(str_from(address)), str_from(app_code),
                              LIMIT, now_us);
    }
}

static unsigned wait_of(const char *address, const char *app_code, int64_t now_us)
{
    return limiter_wait_seconds(limiter, cidr_address_parse(str_from(address)), str_from(app_code),
                                LIMIT, now_us);
}

static void clients_without_failures_do_not_wait(void **state)
{
    (void)state;
    assert_int_equal(wait_of("10.0.0.1", "app", START), 0);
    assert_int_equal(wait_of("10.0.0.1", NULL, START), 0);
    assert_int_equal(wait_of(NULL, NULL, START), 0);
}

static void failures_up_to_the_limit_are_free(void **state)
{
    (void)state;
    fail_login("10.0.0.1", NULL, LIMIT - 1, START);
    assert_int_equal(wait_of("10.0.0.1", NULL, START), 0);
    fail_login("10.0.0.1", NULL, 1, START);
    assert_int_equal(wait_of("10.0.0.1", NULL, START), 10);
}

static void waiting_ends_as_time_passes(void **state)
{
    (void)state;
    fail_login("10.0.0.1", NULL, LIMIT, START);
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(1)), 9);
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(9) + 1), 1);
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(10)), 0);
    fail_login("10.0.0.1", NULL, 1, START + SECONDS(10)); // one was free, the next one is not
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(10)), 10);
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(1000)), 0);
}

static void the_wait_is_bounded_however_many_failures(void **state)
{
    (void)state;
    fail_login("10.0.0.1", NULL, 100000, START);
    assert_int_equal(wait_of("10.0.0.1", NULL, START), 10);
}

static void everything_is_forgotten_after_a_quiet_minute(void **state)
{
    (void)state;
    fail_login("10.0.0.1", "app", 100, START);
    const int64_t later = START + SECONDS(60);
    assert_int_equal(wait_of("10.0.0.1", "app", later), 0);
    fail_login("10.0.0.1", "app", LIMIT - 1, later);
    assert_int_equal(wait_of("10.0.0.1", "app", later), 0);
}

static void one_address_does_not_stop_another(void **state)
{
    (void)state;
    fail_login("10.0.0.1", NULL, 100, START);
    assert_int_equal(wait_of("10.0.0.2", NULL, START), 0);
    assert_int_equal(wait_of("unix:", NULL, START), 0);
    assert_int_equal(wait_of("2001:db8::1", NULL, START), 0);
}

static void an_ipv6_network_is_one_client(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMIT; i++) {
        char address[64];
        snprintf(address, sizeof address, "2001:db8:0:7::%x", i);
        fail_login(address, NULL, 1, START);
    }
    assert_true(wait_of("2001:db8:0:7:ffff::1", NULL, START) > 0);
    assert_int_equal(wait_of("2001:db8:0:8::1", NULL, START), 0);
}

static void all_spellings_of_an_address_are_one_client(void **state)
{
    (void)state;
    static const char *const spellings[] = {"10.0.0.1",         "10.0.0.1:2001",
                                            "::ffff:10.0.0.1",  "[::ffff:10.0.0.1]:7",
                                            "::ffff:0a00:0001", "10.0.0.1:2002"};
    for (unsigned i = 0; i < LIMIT; i++) {
        fail_login(spellings[i], NULL, 1, START);
    }
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_true(wait_of(spellings[i], NULL, START) > 0);
    }
}

// Otherwise each new text would be a new client.
static void all_invalid_addresses_are_one_client(void **state)
{
    (void)state;
    fail_login("unix:1", NULL, LIMIT - 2, START);
    fail_login(NULL, NULL, 1, START);
    fail_login("", NULL, 1, START);
    assert_true(wait_of("unix:2", NULL, START) > 0);
    assert_int_equal(wait_of("::", NULL, START), 0);
}

// Codes may have any length, and differ only at the end.
static void long_codes_are_distinguished(void **state)
{
    (void)state;
    char one[400];
    char other[400];
    memset(one, 'x', sizeof one);
    memset(other, 'x', sizeof other);
    one[sizeof one - 1] = other[sizeof other - 1] = '\0';
    other[sizeof other - 2] = 'y';
    for (unsigned i = 0; i < LIMIT; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.2.%u", i);
        fail_login(address, one, 1, START);
    }
    assert_true(wait_of("10.0.2.0", one, START) > 0);
    assert_int_equal(wait_of("10.0.2.0", other, START), 0);
}

enum { BUCKETS = 4096 };

// New addresses replace the bucket that empties first: a stopped address survives any number of
// them, but not one that has been quiet for long.
static void the_oldest_failure_makes_room(void **state)
{
    (void)state;
    fail_login("192.0.2.1", NULL, LIMIT, START);                   // empty after a minute
    fail_login("192.0.2.2", NULL, LIMIT - 1, START - SECONDS(49)); // empty in a second
    for (unsigned i = 0; i < 4 * BUCKETS; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        fail_login(address, NULL, 1, START + 1); // empty after ten seconds
    }
    assert_true(wait_of("192.0.2.1", NULL, START + 2) > 0);
    // Its bucket was replaced, so it starts again.
    fail_login("192.0.2.2", NULL, LIMIT - 1, START + 2);
    assert_int_equal(wait_of("192.0.2.2", NULL, START + 2), 0);
}

static void guessing_a_secret_does_not_lock_an_application_out(void **state)
{
    (void)state;
    fail_login("10.0.0.1", "app", 100, START);
    assert_int_equal(wait_of("10.0.0.2", "app", START), 0);
}

static void many_addresses_guessing_one_secret_are_stopped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMIT; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i);
        assert_int_equal(wait_of(address, "app", START), 0);
        fail_login(address, "app", 1, START);
    }
    assert_true(wait_of("10.0.0.0", "app", START) > 0);
    assert_int_equal(wait_of("10.0.0.0", "other_app", START), 0);
    assert_int_equal(wait_of("10.0.0.0", NULL, START), 0);
}

static void a_code_like_an_address_is_not_an_address(void **state)
{
    (void)state;
    fail_login("10.0.0.1", "10.0.0.2", 100, START);
    assert_int_equal(wait_of("10.0.0.2", NULL, START), 0);
}

static void without_a_limit_nothing_is_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        limiter_count_failure(limiter, cidr_address_parse(STR("10.0.0.1")), STR("app"), 0, START);
    }
    assert_int_equal(
        limiter_wait_seconds(limiter, cidr_address_parse(STR("10.0.0.1")), STR("app"), 0, START),
        0);
    assert_int_equal(wait_of("10.0.0.1", "app", START), 0);
}

static void any_limit_allows_that_many_failures_in_a_row(void **state)
{
    (void)state;
    static const int64_t limits[] = {1, 2, 7, 20, 59, 61, 1000, 100000};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.1.%zu", i);
        int64_t failures = 0;
        while (limiter_wait_seconds(limiter, cidr_address_parse(str_from(address)), STR_ABSENT,
                                    limits[i], START) == 0) {
            limiter_count_failure(limiter, cidr_address_parse(str_from(address)), STR_ABSENT,
                                  limits[i], START);
            failures++;
            assert_true(failures <= limits[i] + 1);
        }
        assert_uint_in_range(failures, limits[i], limits[i] + 1);
    }
}

// Memory is fixed. With many more addresses than fit, those that keep failing stay known, and those
// that never failed are never stopped.
static void a_flood_of_addresses_affects_nobody_else(void **state)
{
    (void)state;
    unsigned stopped = 0;
    for (unsigned i = 0; i < 50000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        fail_login(address, NULL, 1, START + i);
        snprintf(address, sizeof address, "11.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        stopped += wait_of(address, NULL, START + i) > 0;
    }
    assert_int_equal(stopped, 0);
}

static void a_stopped_client_stays_stopped_in_a_small_flood(void **state)
{
    (void)state;
    fail_login("192.0.2.1", NULL, 100, START);
    for (unsigned i = 0; i < 500; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.%u.%u", i >> 8, i & 255);
        fail_login(address, NULL, 1, START);
    }
    assert_true(wait_of("192.0.2.1", NULL, START) > 0);
}

enum { THREADS = 4 };

static void *fail_in_a_thread(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 5000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i % 100);
        fail_login(address, "app", 1, START + i);
        (void)wait_of(address, "app", START + i);
    }
    return NULL;
}

static void threads_may_count_failures_concurrently(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, fail_in_a_thread, NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(wait_of("10.0.0.1", NULL, START + 5000) > 0);
    assert_int_equal(wait_of("10.0.0.1", NULL, START + SECONDS(120)), 0);
}

#define WITH_LIMITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LIMITER(clients_without_failures_do_not_wait),
        WITH_LIMITER(failures_up_to_the_limit_are_free),
        WITH_LIMITER(waiting_ends_as_time_passes),
        WITH_LIMITER(the_wait_is_bounded_however_many_failures),
        WITH_LIMITER(everything_is_forgotten_after_a_quiet_minute),
        WITH_LIMITER(one_address_does_not_stop_another),
        WITH_LIMITER(an_ipv6_network_is_one_client),
        WITH_LIMITER(all_spellings_of_an_address_are_one_client),
        WITH_LIMITER(all_invalid_addresses_are_one_client),
        WITH_LIMITER(long_codes_are_distinguished),
        WITH_LIMITER(the_oldest_failure_makes_room),
        WITH_LIMITER(guessing_a_secret_does_not_lock_an_application_out),
        WITH_LIMITER(many_addresses_guessing_one_secret_are_stopped),
        WITH_LIMITER(a_code_like_an_address_is_not_an_address),
        WITH_LIMITER(without_a_limit_nothing_is_counted),
        WITH_LIMITER(any_limit_allows_that_many_failures_in_a_row),
        WITH_LIMITER(a_flood_of_addresses_affects_nobody_else),
        WITH_LIMITER(a_stopped_client_stays_stopped_in_a_small_flood),
        WITH_LIMITER(threads_may_count_failures_concurrently),
    };
    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
