// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include "preflight.h"

#include <stdlib.h>

// Everything that can be wrong with CONF besides the text of the file, all of it reported. NULL
// with any mistake.
static struct gateways *check_and_load(struct conf *conf, const struct conf *running,
                                       conf_complain *complain, void *context)
{
    struct gateways *const gateways = gateways_load(conf, complain, context);
    bool is_good = gateways != NULL;
    is_good = conf_check_reach(conf, complain, context) == 0 && is_good;
    if (running != NULL) {
        is_good = preflight_check(conf, running, complain, context) == 0 && is_good;
        is_good = conf_keep_start_values(conf, running, complain, context) == 0 && is_good;
    }
    if (!is_good && gateways != NULL) {
        gateways_free(gateways);
    }
    return is_good ? gateways : NULL;
}

// NULL after reporting why.
static struct snapshot *load(const struct conf *running, const char *path, char *const *environment,
                             conf_complain *complain, void *context)
{
    struct snapshot *const fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) {
        complain(context, "out of memory");
        return NULL;
    }
    atomic_init(&fresh->references, 1);
    fresh->conf = conf_load(path, environment, complain, context);
    fresh->gateways =
        fresh->conf == NULL ? NULL : check_and_load(fresh->conf, running, complain, context);
    if (fresh->gateways == NULL) {
        snapshot_drop(fresh);
        return NULL;
    }
    return fresh;
}

int snapshot_load(struct config_ref *place, const char *path, char *const *environment,
                  conf_complain *complain, void *context)
{
    const struct conf *const running = place->current == NULL ? NULL : place->current->conf;
    struct snapshot *const fresh = load(running, path, environment, complain, context);
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
