// SPDX-License-Identifier: MIT
// snapshot: the configuration that requests see. Readers share it; a reload puts another in its
// place without touching what a request under way still reads.
#ifndef BKFLOW_SNAPSHOT_H
#define BKFLOW_SNAPSHOT_H

#include "auth/gateway.h"
#include "conf/conf.h"

#include <pthread.h>
#include <stdatomic.h>

struct snapshot {
    atomic_uint references;
    struct conf *conf;         // owned
    struct gateways *gateways; // owned
};

// The place where the current snapshot stands. Any thread may call the functions on it.
struct config_ref {
    pthread_mutex_t mutex;
    struct snapshot *current;
    atomic_uint generation; // changes with each publication: readers look here first
};

// Loads the configuration and the keys that it names, and puts them in the place. Keys that are
// read at start only keep the values that they have there. All mistakes are reported before it
// gives up; then -1, and what was there stays. For one thread.
int snapshot_load(struct config_ref *place, const char *path, char *const *environment,
                  conf_complain *complain, void *context) MUST_CHECK
    __attribute__((nonnull(1, 3, 4)));

// The current snapshot, to be dropped by the caller.
struct snapshot *snapshot_take(struct config_ref *place) NONNULL;

// Whoever drops last frees.
void snapshot_drop(struct snapshot *snapshot) NONNULL;

#endif
