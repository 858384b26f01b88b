// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include <stdlib.h>

// NULL after reporting why.
static struct snapshot *load(const char *path, char *const *environment, conf_complain *complain,
                             void *context)
{
    struct snapshot *const fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) {
        complain(context, "out of memory");
        return NULL;
    }
    atomic_init(&fresh->references, 1);
    fresh->conf = conf_load(path, environment, complain, context);
    fresh->gateways = fresh->conf == NULL ? NULL : gateways_load(fresh->conf, complain, context);
    if (fresh->gateways == NULL) {
        snapshot_drop(fresh);
        return NULL;
    }
    return fresh;
}

int snapshot_load(struct config_ref *place, const char *path, char *const *environment,
                  conf_complain *complain, void *context)
{
    struct snapshot *const fresh = load(path, environment, complain, context);
    if (fresh == NULL) {
        return -1;
    }
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

struct snapshot *snapshot_take(struct config_ref *place)
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
        gateways_free(snapshot->gateways); // its names are the configuration's
        conf_free(snapshot->conf);
        free(snapshot);
    }
}
