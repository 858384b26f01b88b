// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "base/log.h"
#include "states/refusals.h"
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS(n) ((int64_t)(n)*US_PER_SECOND)
#define START      SECONDS(1000)
#define END        (START + SECONDS(REFUSALS_INTERVAL_S))

static struct refusals *refusals;
static char *folder;
static char *path;

static int set_up(void **state)
{
    (void)state;
    char target[256];
    folder = scratch_new();
    path = scratch_path(folder, "log");
    snprintf(target, sizeof target, "file:%s", path);
    refusals = refusals_new();
    assert_non_null(refusals);
    return log_open(&(struct log_options){target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT});
}

static int tear_down(void **state)
{
    (void)state;
    refusals_free(refusals);
    free(path);
    scratch_free(folder);
    return log_open(&(struct log_options){"file:/dev/null", LOG_LEVEL_INFO, LOG_FORMAT_TEXT});
}

static bool count(const char *address, enum error_kind cause, int64_t now_us)
{
    return refusals_count(refusals, cidr_address_parse(str_from(address)), cause, now_us);
}

// Counts TIMES more refusals, none of which is logged.
static void hold_back(const char *address, enum error_kind cause, unsigned times, int64_t now_us)
{
    for (unsigned i = 0; i < times; i++) {
        assert_false(count(address, cause, now_us));
    }
}

// Checks the events so far, without their times, one per line.
static void expect_log(const char *expected)
{
    char *const text = read_whole_file(path);
    char *plain = NULL;
    size_t len = 0;
    FILE *const memory = open_memstream(&plain, &len);
    assert_non_null(memory);
    struct str rest = str_from(text);
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        const char *const message = memmem(line.ptr, line.len, "more ", 5);
        assert_non_null(message);
        fprintf(memory, "%.*s\n", (int)(line.ptr + line.len - message), message);
    }
    fclose(memory);
    assert_string_equal(plain, expected);
    free(plain);
    free(text);
}

static void the_first_refusal_of_each_client_and_cause_is_logged(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_CREDENTIALS_WRONG, START));
    assert_true(count("10.0.0.2", ERR_CREDENTIALS_WRONG, START));
    assert_true(count("10.0.0.1", ERR_UNKNOWN_PATH, START));
    assert_true(count("2001:db8::1", ERR_UNKNOWN_PATH, START));
    assert_true(count("unix:", ERR_UNKNOWN_PATH, START));
    hold_back("::ffff:10.0.0.1", ERR_CREDENTIALS_WRONG, 1, START);
    hold_back("2001:db8::2", ERR_UNKNOWN_PATH, 1, START); // in the same network
    hold_back("", ERR_UNKNOWN_PATH, 1, START);
    expect_log("");
}

static void the_others_of_an_interval_are_logged_as_a_count(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_CREDENTIALS_WRONG, START));
    hold_back("10.0.0.1", ERR_CREDENTIALS_WRONG, 7, END - 1);
    refusals_report(refusals, END - 1);
    expect_log("");
    refusals_report(refusals, END);
    expect_log("more requests refused address=10.0.0.1 cause=credentials_wrong count=7\n");
    refusals_report(refusals, END + SECONDS(3600));
    assert_true(count("10.0.0.1", ERR_CREDENTIALS_WRONG, END)); // a new interval
    hold_back("10.0.0.1", ERR_CREDENTIALS_WRONG, 2, END);
    expect_log("more requests refused address=10.0.0.1 cause=credentials_wrong count=7\n");
}

static void a_single_refusal_is_not_logged_again(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_CREDENTIALS_WRONG, START));
    refusals_report(refusals, END);
    expect_log("");
}

static void a_new_refusal_ends_an_expired_interval(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_NO_TASK, START));
    hold_back("10.0.0.1", ERR_NO_TASK, 1, START);
    assert_true(count("10.0.0.1", ERR_NO_TASK, END));
    expect_log("more requests refused address=10.0.0.1 cause=no_task count=1\n");
}

static void each_interval_ends_at_its_own_time(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_NO_TASK, START));
    hold_back("10.0.0.1", ERR_NO_TASK, 1, START);
    assert_true(count("10.0.0.2", ERR_NO_TASK, START + SECONDS(5)));
    hold_back("10.0.0.2", ERR_NO_TASK, 2, START + SECONDS(5));
    refusals_report(refusals, END + SECONDS(5) - 1);
    expect_log("more requests refused address=10.0.0.1 cause=no_task count=1\n");
    refusals_report(refusals, END + SECONDS(5));
    expect_log("more requests refused address=10.0.0.1 cause=no_task count=1\n"
               "more requests refused address=10.0.0.2 cause=no_task count=2\n");
}

static void a_flood_of_addresses_is_counted_together(void **state)
{
    (void)state;
    unsigned events = 0;
    for (unsigned i = 0; i < 10000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.%u.%u", i >> 8, i & 255);
        events += count(address, ERR_CREDENTIALS_WRONG, START);
    }
    assert_int_equal(events, REFUSALS_CLIENTS + 1);
    assert_true(count("10.0.39.1", ERR_NO_TASK, START));    // of another cause
    hold_back("10.0.0.1", ERR_CREDENTIALS_WRONG, 1, START); // existing entries are kept
    refusals_report(refusals, END);
    char expected[256];
    snprintf(expected, sizeof expected,
             "more requests refused address=10.0.0.1 cause=credentials_wrong count=1\n"
             "more requests refused address=others cause=credentials_wrong count=%d\n",
             10000 - REFUSALS_CLIENTS - 1);
    expect_log(expected);
    assert_true(count("10.0.39.2", ERR_CREDENTIALS_WRONG, END));
}

static void counts_are_logged_at_the_end(void **state)
{
    (void)state;
    assert_true(count("10.0.0.1", ERR_NO_TASK, START));
    hold_back("10.0.0.1", ERR_NO_TASK, 3, START);
    refusals_free(refusals);
    refusals = refusals_new();
    expect_log("more requests refused address=10.0.0.1 cause=no_task count=3\n");
    refusals_free(NULL);
}

enum { THREADS = 4, TIMES = 5000 };

static void *count_in_a_thread(void *events)
{
    for (unsigned i = 0; i < TIMES; i++) {
        *(unsigned *)events += count("10.0.0.1", ERR_NO_TASK, START + i);
        refusals_report(refusals, START + i);
    }
    return NULL;
}

static void threads_may_count_concurrently(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned events[THREADS] = {0};
    unsigned sum = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_a_thread, &events[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += events[i];
    }
    assert_int_equal(sum, 1);
    refusals_report(refusals, INT64_MAX);
    char expected[128];
    snprintf(expected, sizeof expected,
             "more requests refused address=10.0.0.1 cause=no_task count=%d\n",
             THREADS * TIMES - 1);
    expect_log(expected);
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOG(the_first_refusal_of_each_client_and_cause_is_logged),
        WITH_LOG(the_others_of_an_interval_are_logged_as_a_count),
        WITH_LOG(a_single_refusal_is_not_logged_again),
        WITH_LOG(a_new_refusal_ends_an_expired_interval),
        WITH_LOG(each_interval_ends_at_its_own_time),
        WITH_LOG(a_flood_of_addresses_is_counted_together),
        WITH_LOG(counts_are_logged_at_the_end),
        WITH_LOG(threads_may_count_concurrently),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
