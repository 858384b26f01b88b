// SPDX-License-Identifier: MIT
#include "scout.h"

#include "db.h"
#include "db_scout.h"

#include <pthread.h>
#include <stdlib.h>

struct scout {
    struct worker_shared *shared;
    struct db_scout *hosts;
    struct snapshot *snapshot;
    unsigned generation; // of the snapshot
    pthread_t thread;
};

static void refresh(struct scout *scout)
{
    struct snapshot_place *const place = scout->shared->snapshots;
    const unsigned generation = atomic_load(&place->generation);
    struct snapshot *const old = scout->snapshot;
    if (old != NULL && generation == scout->generation) {
        return;
    }
    scout->generation = generation;
    scout->snapshot = snapshot_take(place);
    db_scout_aim(scout->hosts, scout->snapshot->conf);
    if (old != NULL) {
        snapshot_drop(old);
    }
}

static void *run(void *argument)
{
    struct scout *const scout = argument;
    if (db_thread_init() != 0) {
        return NULL; // which ends the process
    }
    while (!db_board_is_closed(scout->shared->board)) {
        refresh(scout);
        db_scout_round(scout->hosts);
    }
    db_scout_free(scout->hosts);
    scout->hosts = NULL;
    db_thread_end();
    return NULL;
}

static void free_scout(struct scout *scout)
{
    db_scout_free(scout->hosts);
    if (scout->snapshot != NULL) {
        snapshot_drop(scout->snapshot);
    }
    free(scout);
}

struct scout *scout_start(struct worker_shared *shared, size_t shard)
{
    struct scout *const scout = calloc(1, sizeof(struct scout));
    if (scout == NULL) {
        return NULL;
    }
    scout->shared = shared;
    scout->hosts = db_scout_new(shared->board, &shared->metrics->shards[shard]);
    if (scout->hosts == NULL || pthread_create(&scout->thread, NULL, run, scout) != 0) {
        free_scout(scout);
        return NULL;
    }
    db_board_set_scouted(shared->board);
    return scout;
}

bool scout_runs(const struct scout *scout)
{
    return pthread_tryjoin_np(scout->thread, NULL) != 0;
}

bool scout_has_ended(struct scout **scout)
{
    if (*scout != NULL) {
        db_board_close((*scout)->shared->board);
        if (pthread_tryjoin_np((*scout)->thread, NULL) != 0) {
            return false;
        }
        free_scout(*scout);
        *scout = NULL;
    }
    return true;
}
