// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include <stdlib.h>

int snapshot_publish(struct snapshot_place *place, struct conf *conf)
{
    struct snapshot *const fresh = malloc(sizeof *fresh);
    if (fresh == NULL) {
        return -1;
    }
    atomic_init(&fresh->references, 1);
    fresh->conf = conf;
    pthread_mutex_lock(&place->mutex);
    struct snapshot *const old = place->current;
    place->current = fresh;
    atomic_fetch_add(&place->generation, 1);
    pthread_mutex_unlock(&place->mutex);
    if (old != NULL) {
        snapshot_drop(old);
    }
    return 0;
}

struct snapshot *snapshot_take(struct snapshot_place *place)
{
    pthread_mutex_lock(&place->mutex);
    struct snapshot *const taken = place->current;
    atomic_fetch_add(&taken->references, 1);
    pthread_mutex_unlock(&place->mutex);
    return taken;
}

void snapshot_drop(struct snapshot *snapshot)
{
    if (atomic_fetch_sub(&snapshot->references, 1) == 1) {
        conf_free(snapshot->conf);
        free(snapshot);
    }
}
