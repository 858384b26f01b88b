// SPDX-License-Identifier: MIT
// worker: one thread: waits in the loop, turns records into requests, has the service answer them
// and sends the answers. Each has its own database connections and arenas.
#ifndef BKFLOW_WORKER_H
#define BKFLOW_WORKER_H

#include "db/health.h"
#include "loop.h"
#include "states/service.h"
#include "snapshot.h"

// What all workers share; outlives them.
struct worker_shared {
    struct loop *loop; // NULL for plain CGI
    struct config_ref *snapshots;
    struct metrics *metrics;
    struct limiter *limiter;
    struct refusals *refusals;
    struct db_health *health;
    struct waiting_room *waiting_room;  // NULL for plain CGI
    atomic_uint_fast64_t requests_done; // shows whether the workers make progress
};

struct worker;

// Creates a worker that uses SHARD of the metrics. Without a database it is the overload responder:
// requests that need one are answered 503 "overloaded". NULL if out of memory.
struct worker *worker_new(struct worker_shared *shared, size_t shard,
                          bool has_database) MUST_CHECK NONNULL;
void worker_free(struct worker *worker);

// Serves connections until the loop stops. A thread's function: its argument is the worker. It
// returns the worker if the loop has stopped, NULL on failure.
void *worker_run(void *worker);

// Switches to the current configuration now, not before the next request, so that the old one and
// its passwords can be freed. Only for a worker without a thread of its own.
void worker_refresh(struct worker *worker) NONNULL;

// Serves one connection that is ready; false if there is none.
bool worker_serve_ready(struct worker *worker) MUST_CHECK NONNULL;

// Returns the worker's service with the current configuration, for a request from another source.
struct service *worker_service(struct worker *worker) NONNULL;

// Size of the buffer for answers.
enum { WORKER_BUFFER_BYTES = 65528 };

#endif
