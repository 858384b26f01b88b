// SPDX-License-Identifier: MIT
#include "watcher.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/library.h"
#include "states/store_mysql.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

// How long it keeps its database connections without work.
enum { REST_AFTER_S = 10 };

struct watcher {
    struct worker_shared *shared;
    void (*done)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex; // protects the next members
    pthread_cond_t has_news;
    struct watcher_job *given;
    struct watcher_job *finished;
    bool refreshes;
    bool closes;
    // The thread's own:
    struct metrics_shard *shard;
    struct snapshot *snapshot;
    unsigned generation; // of the snapshot
    struct store store;
    bool is_connected; // perhaps
    bool has_reported; // that it fails
};

// ---- a job ----

static void refresh(struct watcher *watcher)
{
    struct config_ref *const place = watcher->shared->snapshots;
    const unsigned generation = atomic_load(&place->generation);
    if (generation == watcher->generation) {
        return;
    }
    struct snapshot *const old = watcher->snapshot;
    watcher->generation = generation;
    watcher->snapshot = snapshot_take(place);
    watcher->store.ops->reconfigure(watcher->store.context, watcher->snapshot->conf);
    snapshot_drop(old);
}

// Outages are logged where they are noticed, for all that need the database.
static void report(struct watcher *watcher, const struct error *err)
{
    if (err->kind != ERR_DATABASE_DOWN && !watcher->has_reported) {
        LOG_EVENT(LOG_LEVEL_WARNING,
                  "changes cannot be watched: requests with wait are answered when it ends",
                  LOG_TEXT("cause", str_from(error_label(err->kind))),
                  LOG_TEXT("detail", str_from(err->detail)));
        watcher->has_reported = true;
    }
}

static void run_job(struct watcher *watcher, struct watcher_job *job)
{
    const struct store_ops *const ops = watcher->store.ops;
    struct error err = {0};
    job->began_us = clock_monotonic_us();
    job->has_failed = ops->find_digests(watcher->store.context, job->batch.roots, job->batch.count,
                                        job->batch.digests, &err) != 0;
    job->ended_us = clock_monotonic_us();
    job->interval_us = watcher->snapshot->conf->server.watch_interval_ms * 1000;
    job->place = atomic_load(&watcher->shard->database_connects);
    watcher->is_connected = true;
    if (job->has_failed) {
        report(watcher, &err);
    } else {
        watcher->has_reported = false;
    }
}

// ---- the thread ----

// Under the mutex. False: it has waited for REST_AFTER_S.
static bool await_news(struct watcher *watcher)
{
    struct timespec until;
    if (!watcher->is_connected) {
        pthread_cond_wait(&watcher->has_news, &watcher->mutex);
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += REST_AFTER_S;
    return pthread_cond_timedwait(&watcher->has_news, &watcher->mutex, &until) != ETIMEDOUT;
}

// Under the mutex, which is released meanwhile.
static void do_job(struct watcher *watcher)
{
    struct watcher_job *const job = watcher->given;
    watcher->given = NULL;
    pthread_mutex_unlock(&watcher->mutex);
    refresh(watcher);
    run_job(watcher, job);
    pthread_mutex_lock(&watcher->mutex);
    watcher->finished = job;
    watcher->done(watcher->context);
    pthread_mutex_unlock(&watcher->mutex);
    watcher->store.ops->failback(watcher->store.context);
    pthread_mutex_lock(&watcher->mutex);
}

// Under the mutex, which is released meanwhile.
static void rest(struct watcher *watcher)
{
    watcher->is_connected = false;
    pthread_mutex_unlock(&watcher->mutex);
    watcher->store.ops->disconnect(watcher->store.context);
    pthread_mutex_lock(&watcher->mutex);
}

static void work(struct watcher *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    while (!watcher->closes) {
        if (watcher->given != NULL) {
            do_job(watcher);
        } else if (watcher->refreshes) {
            watcher->refreshes = false;
            refresh(watcher);
        } else if (!await_news(watcher)) {
            rest(watcher);
        }
    }
    pthread_mutex_unlock(&watcher->mutex);
}

static void *run(void *argument)
{
    struct watcher *const watcher = argument;
    if (db_library_thread_init() != 0) {
        return NULL; // waiting_room_runs then ends the process
    }
    work(watcher);
    // The client library's data of this thread are needed to close the connections.
    watcher->store.ops->free(watcher->store.context);
    watcher->store.ops = NULL;
    db_library_thread_end();
    return NULL;
}

// ---- for its owner ----

static void free_watcher(struct watcher *watcher)
{
    if (watcher->store.ops != NULL) {
        watcher->store.ops->free(watcher->store.context);
    }
    snapshot_drop(watcher->snapshot);
    pthread_cond_destroy(&watcher->has_news);
    pthread_mutex_destroy(&watcher->mutex);
    free(watcher);
}

static void init_news(struct watcher *watcher)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watcher->has_news, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watcher->mutex, NULL);
}

struct watcher *watcher_start(struct worker_shared *shared, size_t shard,
                              void (*done)(void *context), void *context)
{
    struct watcher *const watcher = calloc(1, sizeof(struct watcher));
    if (watcher == NULL) {
        return NULL;
    }
    init_news(watcher);
    watcher->shared = shared;
    watcher->done = done;
    watcher->context = context;
    watcher->shard = &shared->metrics->shards[shard];
    watcher->generation = atomic_load(&shared->snapshots->generation);
    watcher->snapshot = snapshot_take(shared->snapshots);
    if (store_mysql_new(&watcher->store, watcher->snapshot->conf, shared->health, watcher->shard) !=
            0 ||
        pthread_create(&watcher->thread, NULL, run, watcher) != 0) {
        free_watcher(watcher);
        return NULL;
    }
    return watcher;
}

void watcher_give(struct watcher *watcher, struct watcher_job *job)
{
    pthread_mutex_lock(&watcher->mutex);
    watcher->given = job;
    pthread_cond_signal(&watcher->has_news);
    pthread_mutex_unlock(&watcher->mutex);
}

struct watcher_job *watcher_take(struct watcher *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    struct watcher_job *const job = watcher->finished;
    watcher->finished = NULL;
    pthread_mutex_unlock(&watcher->mutex);
    return job;
}

void watcher_refresh(struct watcher *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    watcher->refreshes = true;
    pthread_cond_signal(&watcher->has_news);
    pthread_mutex_unlock(&watcher->mutex);
}

bool watcher_runs(struct watcher *watcher)
{
    return pthread_tryjoin_np(watcher->thread, NULL) != 0;
}

bool watcher_has_ended(struct watcher **watcher)
{
    if (*watcher == NULL) {
        return true;
    }
    pthread_mutex_lock(&(*watcher)->mutex);
    (*watcher)->closes = true;
    pthread_cond_signal(&(*watcher)->has_news);
    pthread_mutex_unlock(&(*watcher)->mutex);
    if (pthread_tryjoin_np((*watcher)->thread, NULL) != 0) {
        return false;
    }
    free_watcher(*watcher);
    *watcher = NULL;
    return true;
}
