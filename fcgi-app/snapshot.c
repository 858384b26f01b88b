// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include "preflight.h"

#include <stdlib.h>

// Reports everything that is wrong with CONF apart from the file's text. NULL if anything is.
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

// Loads a snapshot; NULL after reporting why it cannot.
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

int snapshot_load(struct config_ref *ref, const char *path, char *const *environment,
                  conf_complain *complain, void *context)
{
    const struct conf *const running = ref->current == NULL ? NULL : ref->current->conf;
    struct snapshot *const fresh = load(running, path, environment, complain, context);
    if (fresh == NULL) {
        return -1;
    }
    pthread_mutex_lock(&ref->mutex);
    struct snapshot *const old = ref->current;
    ref->current = fresh;
    atomic_fetch_add(&ref->generation, 1);
    pthread_mutex_unlock(&ref->mutex);
    if (old != NULL) {
        snapshot_drop(old);
    }
    return 0;
}

struct snapshot *snapshot_take(struct config_ref *ref)
{
    pthread_mutex_lock(&ref->mutex);
    struct snapshot *const taken = ref->current;
    atomic_fetch_add(&taken->references, 1);
    pthread_mutex_unlock(&ref->mutex);
    return taken;
}

void snapshot_drop(struct snapshot *snapshot)
{
    if (atomic_fetch_sub(&snapshot->references, 1) == 1) {
        gateways_free(snapshot->gateways); // first: it borrows names from the configuration
        conf_free(snapshot->conf);
        free(snapshot);
    }
}
