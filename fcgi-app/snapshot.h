// SPDX-License-Identifier: MIT
// snapshot: the configuration that requests see. Readers share it; a reload puts another in its
// place without touching what a request under way still reads.
#ifndef BKFLOW_SNAPSHOT_H
#define BKFLOW_SNAPSHOT_H

#include "conf.h"

#include <pthread.h>
#include <stdatomic.h>

struct snapshot {
    atomic_uint references;
    struct conf *conf; // owned
};

// The place where the current snapshot stands. Any thread may call the functions on it.
struct snapshot_place {
    pthread_mutex_t mutex;
    struct snapshot *current;
    atomic_uint generation; // changes with each publication: readers look here first
};

// CONF becomes the place's; -1 without memory, then CONF stays the caller's.
int snapshot_publish(struct snapshot_place *place, struct conf *conf) MUST_CHECK NONNULL;

// The current snapshot, to be dropped by the caller.
struct snapshot *snapshot_take(struct snapshot_place *place) NONNULL;

// Whoever drops last frees.
void snapshot_drop(struct snapshot *snapshot) NONNULL;

#endif
