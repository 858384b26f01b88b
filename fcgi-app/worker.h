// SPDX-License-Identifier: MIT
// worker: one thread's life: it waits in the loop, requests_done records into requests, has the
// service answer them and writes the answers, with a database connection and an arena of its own.
#ifndef BKFLOW_WORKER_H
#define BKFLOW_WORKER_H

#include "db/health.h"
#include "loop.h"
#include "states/service.h"
#include "snapshot.h"

// What all workers share; lives longer than they do.
struct worker_shared {
    struct loop *loop; // NULL for plain CGI
    struct config_ref *snapshots;
    struct metrics *metrics;
    struct limiter *limiter;
    struct refusals *refusals;
    struct db_health *health;
    atomic_uint_fast64_t
        requests_done; // answers that workers have ended, for noticing that none gets on
};

struct worker;

// A worker that counts in SHARD of the metrics. With a database: a real one. Without: every request
// that needs the database is answered 503 "overloaded", which is what the overload responder is
// for. NULL: no memory.
struct worker *worker_new(struct worker_shared *shared, size_t shard,
                          bool has_database) MUST_CHECK NONNULL;
void worker_free(struct worker *worker);

// Serves connections until the loop stops. The function of a thread; its argument is the worker,
// and so is its result if it ended because the loop stopped.
void *worker_run(void *worker);

// Takes the current configuration now instead of before the next request, so that nothing keeps the
// old one, and its passwords, in memory. The worker must have no thread of its own.
void worker_refresh(struct worker *worker) NONNULL;

// Serves one connection that is ready right now; false if none is.
bool worker_serve_ready(struct worker *worker) MUST_CHECK NONNULL;

// The worker's service under the current configuration, for one request that comes another way.
struct service *worker_service(struct worker *worker) NONNULL;

// Size of the buffer that answers are written through.
enum { WORKER_BUFFER_BYTES = 65528 };

#endif
