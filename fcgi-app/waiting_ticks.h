// SPDX-License-Identifier: MIT
// waiting_ticks: when the waiting room asks the watcher for digests, and for which. Each round goes
// once through all watched tasks. A round begins every [server] watch_interval, but rounds take at
// most a fifth of the time; when no task has changed for some seconds, a 40th, unless they then
// came later than every six intervals.
#ifndef BKFLOW_WAITING_TICKS_H
#define BKFLOW_WAITING_TICKS_H

#include "watcher.h"

struct waiting_ticks {
    struct watcher *watcher; // NULL: not started
    struct watcher_job *job; // owned
    bool is_given;           // the watcher has the job
    struct metrics_shard *shard;
    int64_t next_us;     // monotonic; when the next job may begin
    int64_t round_us;    // monotonic; when the round began
    int64_t busy_us;     // how long the watcher has worked in this round
    int64_t work_us;     // what a round costs the database: an estimate
    int64_t interval_us; // from one round to the next
    int64_t changed_us;  // monotonic; when a change was seen last
    unsigned failures;   // in a row
};

// Starts the watcher unless it runs, with FIRST_SHARD of the metrics for the caller and the next
// one for the watcher. WAKE(CONTEXT) is called when waiting_ticks_run has something to do. False
// with errno if that is impossible.
bool waiting_ticks_start(struct waiting_ticks *ticks, struct worker_shared *shared,
                         size_t first_shard, void (*wake)(void *context),
                         void *context) MUST_CHECK NONNULL;

// Frees what it owns. The watcher must have ended.
void waiting_ticks_end(struct waiting_ticks *ticks) NONNULL;

// Takes what the watcher has found, and gives it its next job if it is time.
void waiting_ticks_run(struct waiting_ticks *ticks, struct watch *watch, int64_t now_us) NONNULL;

// Returns when it must be called next; INT64_MAX: when it is woken.
int64_t waiting_ticks_due_us(const struct waiting_ticks *ticks,
                             const struct watch *watch) MUST_CHECK NONNULL;

#endif
