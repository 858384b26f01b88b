// SPDX-License-Identifier: MIT
#include "progress.h"
#include "support.h"

enum { TICK_US = 100 * 1000, SECOND_US = 1000 * 1000, LIMIT_US = 30 * SECOND_US };

static struct progress progress_of_nobody(void)
{
    return (struct progress){.looked_us = 0, .limit_us = LIMIT_US, .watchdog_us = SECOND_US};
}

// Looks at every tick until NOW_US, while nothing is answered.
static void wait_until_us(struct progress *progress, bool all_busy, int64_t now_us)
{
    while (progress->looked_us < now_us) {
        progress_look(progress, progress->requests_done, all_busy, progress->looked_us + TICK_US);
    }
}

static void busy_workers_without_an_answer_are_stuck_after_a_second(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    wait_until_us(&progress, true, SECOND_US - TICK_US);
    assert_false(progress_is_stuck(&progress));
    wait_until_us(&progress, true, SECOND_US);
    assert_true(progress_is_stuck(&progress));
}

static void one_answer_is_progress(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    wait_until_us(&progress, true, 3 * SECOND_US);
    assert_true(progress_is_stuck(&progress));
    progress_look(&progress, 1, true, 3 * SECOND_US + 1);
    assert_false(progress_is_stuck(&progress));
}

static void one_idle_worker_is_progress(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    wait_until_us(&progress, true, 3 * SECOND_US);
    progress_look(&progress, 0, false, 3 * SECOND_US + 1);
    assert_false(progress_is_stuck(&progress));
}

static void a_suspended_machine_counts_as_one_look(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    for (int64_t halt = 1; halt <= 4; halt++) {
        progress_look(&progress, 0, true, halt * 3600 * SECOND_US);
        assert_int_equal(progress.waiting_us, halt * PROGRESS_LONGEST_LOOK_US);
    }
    assert_false(progress_is_stuck(&progress));
}

static void the_watchdog_is_fed_once_per_interval(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    unsigned fed = 0;
    for (int64_t now_us = TICK_US; now_us <= 10 * SECOND_US; now_us += TICK_US) {
        fed += progress_feeds_watchdog(&progress, now_us);
        assert_int_equal(fed, now_us / SECOND_US);
    }
}

static void without_a_watchdog_nothing_is_fed(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    progress.watchdog_us = 0;
    assert_false(progress_feeds_watchdog(&progress, 100 * (int64_t)SECOND_US));
}

static void the_watchdog_is_fed_while_workers_wait_within_their_limits(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    wait_until_us(&progress, true, LIMIT_US - TICK_US);
    assert_true(progress_is_stuck(&progress));
    assert_false(progress_is_hung(&progress));
    assert_true(progress_feeds_watchdog(&progress, progress.looked_us));
}

static void the_watchdog_is_not_fed_while_workers_hang(void **state)
{
    (void)state;
    struct progress progress = progress_of_nobody();
    wait_until_us(&progress, true, LIMIT_US);
    assert_true(progress_is_hung(&progress));
    assert_false(progress_feeds_watchdog(&progress, progress.looked_us));
    progress_look(&progress, 1, true, progress.looked_us + TICK_US);
    assert_true(progress_feeds_watchdog(&progress, progress.looked_us));
}

static void the_limit_is_above_all_time_limits_of_the_configuration(void **state)
{
    (void)state;
    struct conf conf = {.database = {.connect_timeout_ms = 1, .query_timeout_ms = 2},
                        .engine_database = {.connect_timeout_ms = 10, .query_timeout_ms = 20},
                        .server = {.client_timeout_ms = 100}};
    assert_int_equal(progress_limit_us(&conf), (40 * 30 + 100 + 10000) * 1000);
    conf.database.query_timeout_ms = 200;
    assert_int_equal(progress_limit_us(&conf), (40 * 201 + 100 + 10000) * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_workers_without_an_answer_are_stuck_after_a_second),
        cmocka_unit_test(one_answer_is_progress),
        cmocka_unit_test(one_idle_worker_is_progress),
        cmocka_unit_test(a_suspended_machine_counts_as_one_look),
        cmocka_unit_test(the_watchdog_is_fed_once_per_interval),
        cmocka_unit_test(without_a_watchdog_nothing_is_fed),
        cmocka_unit_test(the_watchdog_is_fed_while_workers_wait_within_their_limits),
        cmocka_unit_test(the_watchdog_is_not_fed_while_workers_hang),
        cmocka_unit_test(the_limit_is_above_all_time_limits_of_the_configuration),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
