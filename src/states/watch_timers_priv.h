// SPDX-License-Identifier: MIT
// watch_timers: which waiter is due next: a binary heap. Part of watch.
#ifndef BKFLOW_STATES_WATCH_TIMERS_PRIV_H
#define BKFLOW_STATES_WATCH_TIMERS_PRIV_H

#include "states/watch.h"

// The earliest one is the first of the list.
struct watch_timers {
    struct watch_waiter **list; // owned
    size_t count;
    size_t capacity;
};

// Adds a waiter by its due_us. -1 if out of memory.
int watch_timers_add(struct watch_timers *timers, struct watch_waiter *waiter) MUST_CHECK NONNULL;
void watch_timers_remove(struct watch_timers *timers, const struct watch_waiter *waiter) NONNULL;

#endif
