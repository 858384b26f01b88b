// SPDX-License-Identifier: MIT
// waiting_seats: how many requests may wait, in total and of one application. A request has its
// seat from when it begins to wait until it has been answered.
#ifndef BKFLOW_WAITING_SEATS_H
#define BKFLOW_WAITING_SEATS_H

#include "base/metrics.h"
#include "states/watch.h"

struct waiting_seats;
struct waiting_application;

// One request that waits, or has waited and is about to be answered. Its connection owns it.
struct waiting_seat {
    struct watch_waiter waiter; // its context is the connection
    int64_t since_us;           // monotonic; when the request began to wait
    struct waiting_application *application;
    struct waiting_seat *next; // in the waiting room's inbox
};

// At most MAX seats, and half of them for one application. SEED: a number that outsiders cannot
// know. NULL: out of memory.
struct waiting_seats *waiting_seats_new(size_t max, uint64_t seed) MUST_CHECK;
void waiting_seats_free(struct waiting_seats *seats);

// Returns a seat without roots, with since_us set. NULL: none is free, or out of memory. Any
// thread.
struct waiting_seat *waiting_seats_take(struct waiting_seats *seats,
                                        struct str app_code) MUST_CHECK NONNULL;

// Frees a seat. Any thread.
void waiting_seats_give_back(struct waiting_seats *seats, struct waiting_seat *seat) NONNULL;

// Returns the end of the wait, monotonic; it is over if it has been ended.
int64_t waiting_seats_until_us(const struct waiting_seat *seat) MUST_CHECK NONNULL;

// Counts why the request of this seat was answered, in the calling thread's own shard.
void waiting_seats_count_end(const struct waiting_seat *seat, struct metrics_shard *shard) NONNULL;

#endif
