// SPDX-License-Identifier: MIT
// watcher: the thread that reads the digests of watched tasks, with database connections of its
// own. It does one job at a time, sleeps without one, and then gives its connections back.
#ifndef BKFLOW_WATCHER_H
#define BKFLOW_WATCHER_H

#include "states/watch.h"
#include "worker.h"

// The digests of a batch. Whoever has it may use all of it.
struct watcher_job {
    struct watch_batch batch;
    // Set by the watcher:
    bool has_failed;
    uint64_t place;   // identifies the connection that was used
    int64_t began_us; // monotonic
    int64_t ended_us;
    int64_t interval_us; // [server] watch_interval
};

struct watcher;

// Starts the thread, which uses SHARD of the metrics, and calls DONE(CONTEXT) when a job is done.
// NULL if that is impossible.
struct watcher *watcher_start(struct worker_shared *shared, size_t shard,
                              void (*done)(void *context), void *context) MUST_CHECK
    __attribute__((nonnull(1, 3)));

// Gives the watcher a job; it must have none.
void watcher_give(struct watcher *watcher, struct watcher_job *job) NONNULL;

// Returns the job if it is done, else NULL.
struct watcher_job *watcher_take(struct watcher *watcher) MUST_CHECK NONNULL;

// Has it release an old configuration.
void watcher_refresh(struct watcher *watcher) NONNULL;

// Whether the thread is running; it should until it is asked to end.
bool watcher_runs(struct watcher *watcher) MUST_CHECK NONNULL;

// Asks the thread to end. Returns true, and frees it, when it has; call again until then.
bool watcher_has_ended(struct watcher **watcher) MUST_CHECK NONNULL;

#endif
