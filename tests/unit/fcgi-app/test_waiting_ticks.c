// SPDX-License-Identifier: MIT
// waiting_ticks: when the watcher looks at the tasks again. The watcher is the test: it takes the
// job, and the time that it takes is an argument.
#include "support.h"
#include "waiting_ticks.h"

enum { MS = 1000, INTERVAL_US = 250 * MS, CALM_US = 10 * 1000 * MS };

static struct {
    struct metrics *metrics;
    struct worker_shared shared;
    struct watch *watch;
    struct watch_waiter waiter;
    struct waiting_ticks ticks;
    struct watcher_job *given;
    struct watcher_job *finished;
    int64_t now_us;
    uint64_t digest;
} fixture;

// ---- the watcher ----

struct watcher *watcher_start(struct worker_shared *shared, size_t shard,
                              void (*done)(void *context), void *context)
{
    (void)shared, (void)shard, (void)done, (void)context;
    return (struct watcher *)&fixture;
}

void watcher_give(struct watcher *watcher, struct watcher_job *job)
{
    (void)watcher;
    assert_null(fixture.given);
    fixture.given = job;
}

struct watcher_job *watcher_take(struct watcher *watcher)
{
    (void)watcher;
    struct watcher_job *const job = fixture.finished;
    fixture.finished = NULL;
    return job;
}

// ---- the room ----

static void do_nothing(void *context)
{
    (void)context;
}

static int set_up(void **state)
{
    (void)state;
    const struct str root = STR("n1");
    fixture.metrics = metrics_new(2, 0, "test", 0);
    fixture.shared.metrics = fixture.metrics;
    fixture.watch = watch_new(1);
    fixture.now_us = CALM_US;
    fixture.waiter = (struct watch_waiter){.until_us = INT64_MAX, .read_us = INT64_MAX};
    return fixture.metrics != NULL && fixture.watch != NULL &&
                   watch_set_roots(&fixture.waiter, &root, 1) == 0 &&
                   watch_add(fixture.watch, &fixture.waiter, fixture.now_us) == 0 &&
                   waiting_ticks_start(&fixture.ticks, &fixture.shared, 0, do_nothing, &fixture)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    waiting_ticks_end(&fixture.ticks);
    watch_remove(fixture.watch, &fixture.waiter, fixture.now_us);
    watch_drop_roots(&fixture.waiter);
    watch_free(fixture.watch);
    metrics_free(fixture.metrics);
    memset(&fixture, 0, sizeof fixture);
    return 0;
}

// Runs a round that takes TOOK_US and sees the present digest. Returns how long it is from its
// beginning to that of the next one.
static int64_t interval_after(int64_t took_us)
{
    const int64_t began_us = fixture.now_us;
    waiting_ticks_run(&fixture.ticks, fixture.watch, fixture.now_us);
    struct watcher_job *const job = fixture.given;
    assert_non_null(job);
    fixture.given = NULL;
    job->has_failed = false;
    job->began_us = began_us;
    job->ended_us = began_us + took_us;
    job->interval_us = INTERVAL_US;
    job->batch.digests[0] = (struct store_digest){.has_rows = true, .a = fixture.digest};
    fixture.finished = job;
    waiting_ticks_run(&fixture.ticks, fixture.watch, fixture.now_us + took_us);
    fixture.now_us = waiting_ticks_due_us(&fixture.ticks, fixture.watch);
    return fixture.now_us - began_us;
}

// As the one above, and a task has changed.
static int64_t interval_after_change(int64_t took_us)
{
    fixture.digest++;
    return interval_after(took_us);
}

// The estimate of what a round costs follows within some rounds.
static int64_t settled(int64_t (*interval)(int64_t took_us), int64_t took_us)
{
    for (int i = 0; i < 100; i++) {
        (void)interval(took_us);
    }
    return interval(took_us);
}

static void a_cheap_look_comes_at_each_interval(void **state)
{
    (void)state;
    assert_int_equal(settled(interval_after, 1 * MS), INTERVAL_US);
    assert_int_equal(settled(interval_after_change, 1 * MS), INTERVAL_US);
}

static void while_tasks_change_looking_takes_at_most_a_fifth_of_the_time(void **state)
{
    (void)state;
    assert_int_equal(settled(interval_after_change, 50 * MS), INTERVAL_US);
    assert_int_equal(settled(interval_after_change, 60 * MS), 5 * 60 * MS);
    assert_int_equal(settled(interval_after_change, 1000 * MS), 5 * 1000 * MS);
}

static void
when_none_changes_looking_takes_a_fortieth_of_the_time_or_comes_every_six_intervals(void **state)
{
    (void)state;
    assert_int_equal(settled(interval_after, 10 * MS), 40 * 10 * MS);
    assert_int_equal(settled(interval_after, 60 * MS), 6 * INTERVAL_US);
    assert_int_equal(settled(interval_after, 1000 * MS), 5 * 1000 * MS);
}

static void a_change_ends_the_calm_at_once(void **state)
{
    (void)state;
    assert_int_equal(settled(interval_after, 20 * MS), 40 * 20 * MS);
    assert_int_equal(interval_after_change(20 * MS), INTERVAL_US);
}

static void one_slow_look_does_not_put_off_the_next_one_for_long(void **state)
{
    (void)state;
    assert_int_equal(settled(interval_after_change, 20 * MS), INTERVAL_US);
    assert_int_equal(interval_after_change(150 * MS), 150 * MS + 4 * (20 * MS * 5 / 4 + 1 * MS));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_cheap_look_comes_at_each_interval),
        CASE(while_tasks_change_looking_takes_at_most_a_fifth_of_the_time),
        CASE(when_none_changes_looking_takes_a_fortieth_of_the_time_or_comes_every_six_intervals),
        CASE(a_change_ends_the_calm_at_once),
        CASE(one_slow_look_does_not_put_off_the_next_one_for_long),
    };
    return cmocka_run_group_tests_name("waiting_ticks", tests, NULL, NULL);
}
