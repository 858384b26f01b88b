// SPDX-License-Identifier: MIT
// snapshot: the configuration that requests use. Readers share it; a reload replaces it without
// affecting requests that are still reading the old one.
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

// A reference to the current snapshot. Any thread may use it with these functions.
struct config_ref {
    pthread_mutex_t mutex;
    struct snapshot *current;
    atomic_uint generation; // changes with each reload; readers check it first
};

// Loads the configuration and the keys that it names, and makes them current. Keys that are read
// only at start keep their current values. Reports all mistakes before it fails with -1; the
// current snapshot then stays. Only one thread may call it.
int snapshot_load(struct config_ref *ref, const char *path, char *const *environment,
                  conf_complain *complain, void *context) MUST_CHECK
    __attribute__((nonnull(1, 3, 4)));

// Returns the current snapshot; release it with snapshot_drop.
struct snapshot *snapshot_take(struct config_ref *ref) NONNULL;

// Releases a snapshot; the last release frees it.
void snapshot_drop(struct snapshot *snapshot) NONNULL;

#endif
