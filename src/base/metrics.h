// SPDX-License-Identifier: MIT
// metrics: counters. Each worker counts in its own shard, without locks; a scrape sums the shards
// and writes them in the Prometheus text format.
#ifndef BKFLOW_BASE_METRICS_H
#define BKFLOW_BASE_METRICS_H

#include "base/base.h"
#include "base/error.h"
#include "base/outbuf.h"

#include <stdatomic.h>

// X(member, metric name, help)
#define METRICS_COUNTERS(X)                                                                        \
    X(rows, "bkflow_states_rows_read_total", "Rows of eri_state read from the database.")          \
    X(bytes, "bkflow_states_response_bytes_total", "Bytes of answers, heads included.")            \
    X(hangups, "bkflow_states_client_hangups_total",                                               \
      "Answers that the web server did not take to the end.")                                      \
    X(database_errors, "bkflow_states_database_errors_total",                                      \
      "Statements and connection attempts that failed.")                                           \
    X(database_connects, "bkflow_states_database_connects_total",                                  \
      "Connections to the database made.")                                                         \
    X(protocol_errors, "bkflow_states_protocol_errors_total",                                      \
      "FastCGI connections closed because of what they sent.")                                     \
    X(watch_ticks, "bkflow_states_watch_ticks_total",                                              \
      "Times that all watched tasks were looked at.")                                              \
    X(watch_failures, "bkflow_states_watch_failures_total",                                        \
      "Times that the database did not say whether watched tasks have changed.")                   \
    X(watch_changes, "bkflow_states_watch_changes_total", "Changes seen of watched tasks.")

// How a request ended: successfully in one of two ways, or as METRICS_FAILED + enum error_kind.
enum {
    METRICS_OK,
    METRICS_NOT_MODIFIED,
    METRICS_FAILED,
    METRICS_OUTCOMES = METRICS_FAILED + ERR_KIND_COUNT
};

// How the wait of a request ended.
enum {
    METRICS_WAIT_CHANGE,  // a task has changed
    METRICS_WAIT_TIME,    // its time was over
    METRICS_WAIT_ENDED,   // the client sent something, or the process stops
    METRICS_WAIT_GONE,    // the client hung up or aborted the request
    METRICS_WAIT_NO_ROOM, // it did not wait: too many others did
    METRICS_WAIT_ENDS
};

enum {
    METRICS_BUCKETS = 14,
    METRICS_GROUP_BUCKETS = 5, // up to 1, 2, 4, 8 and 16 requests
};

// One thread writes, any thread reads.
struct metrics_shard {
    atomic_uint_fast64_t outcomes[METRICS_OUTCOMES];
    atomic_uint_fast64_t buckets[METRICS_BUCKETS + 1]; // by duration; the last has no upper limit
    atomic_uint_fast64_t duration_us;
    atomic_uint_fast64_t groups[METRICS_GROUP_BUCKETS]; // by number of requests
    atomic_uint_fast64_t grouped;                       // requests in all groups
#define METRICS_MEMBER(member, ...) atomic_uint_fast64_t member;
    METRICS_COUNTERS(METRICS_MEMBER)
#undef METRICS_MEMBER
    atomic_uint_fast64_t waits[METRICS_WAIT_ENDS];
    atomic_uint_fast64_t watch_us;   // for watch_ticks
    atomic_uint_fast64_t wake_count; // requests that a change has ended,
    atomic_uint_fast64_t wake_us;    // and how long after it was seen they were answered
    atomic_bool busy;                // the worker is answering requests
};

struct metrics {
    const char *version;
    int64_t start_us;      // when the process started, wall clock
    atomic_size_t workers; // threads that answer requests; they use the first shards
    atomic_size_t waiting; // requests that wait for a change
    atomic_size_t watched; // tasks that they wait for
    size_t count;          // of shards
    struct metrics_shard shards[];
};

// Creates a shard for each of the WORKERS, and for OTHERS: threads that answer no requests. NULL if
// out of memory. VERSION is borrowed.
struct metrics *metrics_new(size_t workers, size_t others, const char *version,
                            int64_t start_us) MUST_CHECK;
void metrics_free(struct metrics *metrics);

// Corrects the number of workers if not all threads could be started.
static inline void metrics_set_workers(struct metrics *metrics, size_t workers)
{
    atomic_store(&metrics->workers, workers);
}

// Adds to a counter of the calling thread's own shard.
static inline void metrics_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    const uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

// Counts one finished request.
void metrics_request(struct metrics_shard *shard, int outcome, int64_t duration_us) NONNULL;

// Counts a group of COUNT requests, 1 to 16.
void metrics_group(struct metrics_shard *shard, size_t count) NONNULL;

// Writes all metrics in the Prometheus text format, version 0.0.4.
void metrics_write(const struct metrics *metrics, struct outbuf *out) NONNULL;

#endif
