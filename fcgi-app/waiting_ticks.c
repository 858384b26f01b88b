// SPDX-License-Identifier: MIT
#include "waiting_ticks.h"

#include <stdlib.h>

enum {
    FIRST_INTERVAL_US = 250 * 1000, // until the watcher has told
    // The least rest after a round, in multiples of its work: while tasks change,
    REST_PER_WORK = 4,
    // and when none has changed for some time, as long as the interval is no longer than so many
    // configured ones.
    CALM_REST_PER_WORK = 39,
    CALM_INTERVALS = 6,
    CALM_AFTER_US = 5 * 1000 * 1000,
    RETRY_US = 250 * 1000, // after a failure, doubling
    RETRY_SHIFT_MAX = 4,   // up to 4 seconds
};

bool waiting_ticks_start(struct waiting_ticks *ticks, struct worker_shared *shared,
                         size_t first_shard, void (*wake)(void *context), void *context)
{
    if (ticks->watcher != NULL) {
        return true;
    }
    if (ticks->job == NULL) {
        ticks->job = calloc(1, sizeof(struct watcher_job));
        ticks->interval_us = FIRST_INTERVAL_US;
        ticks->shard = &shared->metrics->shards[first_shard];
    }
    ticks->watcher =
        ticks->job == NULL ? NULL : watcher_start(shared, first_shard + 1, wake, context);
    return ticks->watcher != NULL;
}

void waiting_ticks_end(struct waiting_ticks *ticks)
{
    free(ticks->job);
}

static void take_failure(struct waiting_ticks *ticks, int64_t now_us)
{
    const unsigned shift = ticks->failures < RETRY_SHIFT_MAX ? ticks->failures : RETRY_SHIFT_MAX;
    ticks->next_us = now_us + ((int64_t)RETRY_US << shift);
    ticks->failures++;
    metrics_add(&ticks->shard->watch_failures, 1);
}

static void take_digests(struct waiting_ticks *ticks, struct watch *watch, int64_t now_us)
{
    const struct watcher_job *const job = ticks->job;
    ticks->failures = 0;
    const size_t changes = watch_take_batch(watch, &job->batch, job->ended_us, job->place, now_us);
    ticks->changed_us = changes > 0 ? now_us : ticks->changed_us;
    metrics_add(&ticks->shard->watch_changes, changes);
}

static void take_job(struct waiting_ticks *ticks, struct watch *watch, int64_t now_us)
{
    if (!ticks->is_given || watcher_take(ticks->watcher) == NULL) {
        return;
    }
    ticks->is_given = false;
    ticks->interval_us = ticks->job->interval_us;
    ticks->busy_us += ticks->job->ended_us - ticks->job->began_us;
    if (ticks->job->has_failed) {
        take_failure(ticks, now_us);
    } else {
        take_digests(ticks, watch, now_us);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// Returns when the next round begins.
static int64_t next_round_us(const struct waiting_ticks *ticks, int64_t now_us)
{
    const bool is_calm = now_us - ticks->changed_us > CALM_AFTER_US;
    const int64_t due_us = ticks->round_us + ticks->interval_us;
    const int64_t late_us = ticks->round_us + CALM_INTERVALS * ticks->interval_us;
    const int64_t calm_us = now_us + CALM_REST_PER_WORK * ticks->work_us;
    const int64_t next_us = is_calm ? later(due_us, earlier(calm_us, late_us)) : due_us;
    return later(next_us, now_us + REST_PER_WORK * ticks->work_us);
}

// A round that takes longer than the ones before has mostly waited for a processor, not worked.
static void estimate_work(struct waiting_ticks *ticks)
{
    const int64_t most_us = ticks->work_us + ticks->work_us / 4 + 1000;
    ticks->work_us = ticks->busy_us < most_us ? ticks->busy_us : most_us;
}

static void end_round(struct waiting_ticks *ticks, int64_t now_us)
{
    estimate_work(ticks);
    ticks->next_us = next_round_us(ticks, now_us);
    metrics_add(&ticks->shard->watch_ticks, 1);
    metrics_add(&ticks->shard->watch_us, (uint64_t)ticks->busy_us);
    ticks->round_us = 0;
    ticks->busy_us = 0;
}

static void give_job(struct waiting_ticks *ticks, struct watch *watch, int64_t now_us)
{
    const bool is_new_round = ticks->round_us == 0;
    watch_next_batch(watch, &ticks->job->batch, now_us);
    if (ticks->job->batch.count > 0) {
        ticks->round_us = is_new_round ? now_us : ticks->round_us;
        ticks->is_given = true;
        watcher_give(ticks->watcher, ticks->job);
    } else if (!is_new_round) {
        end_round(ticks, now_us);
    }
}

void waiting_ticks_run(struct waiting_ticks *ticks, struct watch *watch, int64_t now_us)
{
    take_job(ticks, watch, now_us);
    if (!ticks->is_given && watch_root_count(watch) > 0 && ticks->next_us <= now_us) {
        give_job(ticks, watch, now_us);
    }
}

int64_t waiting_ticks_due_us(const struct waiting_ticks *ticks, const struct watch *watch)
{
    return ticks->is_given || watch_root_count(watch) == 0 ? INT64_MAX : ticks->next_us;
}
