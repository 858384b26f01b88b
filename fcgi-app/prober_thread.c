// SPDX-License-Identifier: MIT
#include "prober_thread.h"

#include "db/library.h"
#include "db/prober.h"
#include "states/statements.h"

#include <pthread.h>
#include <stdlib.h>

struct prober_thread {
    struct worker_shared *shared;
    struct db_prober *hosts;
    struct snapshot *snapshot;
    unsigned generation; // of the snapshot
    pthread_t thread;
};

static void refresh(struct prober_thread *prober)
{
    struct config_ref *const place = prober->shared->snapshots;
    const unsigned generation = atomic_load(&place->generation);
    struct snapshot *const old = prober->snapshot;
    if (old != NULL && generation == prober->generation) {
        return;
    }
    prober->generation = generation;
    prober->snapshot = snapshot_take(place);
    const struct conf *const conf = prober->snapshot->conf;
    const struct db_checks interface = statements_checks(conf, STATEMENTS_INTERFACE);
    const struct db_checks engine = statements_checks(conf, STATEMENTS_ENGINE);
    db_prober_configure(prober->hosts, conf, &interface, &engine);
    if (old != NULL) {
        snapshot_drop(old);
    }
}

static void *run(void *argument)
{
    struct prober_thread *const prober = argument;
    if (db_library_thread_init() != 0) {
        return NULL; // expect_prober then ends the process
    }
    while (!db_health_is_closed(prober->shared->health)) {
        refresh(prober);
        db_prober_run_once(prober->hosts);
    }
    db_prober_free(prober->hosts);
    prober->hosts = NULL;
    db_library_thread_end();
    return NULL;
}

static void free_prober(struct prober_thread *prober)
{
    db_prober_free(prober->hosts);
    if (prober->snapshot != NULL) {
        snapshot_drop(prober->snapshot);
    }
    free(prober);
}

struct prober_thread *prober_thread_start(struct worker_shared *shared, size_t shard)
{
    struct prober_thread *const prober = calloc(1, sizeof(struct prober_thread));
    if (prober == NULL) {
        return NULL;
    }
    prober->shared = shared;
    prober->hosts = db_prober_new(shared->health, &shared->metrics->shards[shard]);
    if (prober->hosts == NULL || pthread_create(&prober->thread, NULL, run, prober) != 0) {
        free_prober(prober);
        return NULL;
    }
    db_health_set_probed(shared->health);
    return prober;
}

bool prober_thread_runs(const struct prober_thread *prober)
{
    return pthread_tryjoin_np(prober->thread, NULL) != 0;
}

bool prober_thread_has_ended(struct prober_thread **prober)
{
    if (*prober != NULL) {
        db_health_close((*prober)->shared->health);
        if (pthread_tryjoin_np((*prober)->thread, NULL) != 0) {
            return false;
        }
        free_prober(*prober);
        *prober = NULL;
    }
    return true;
}
