// SPDX-License-Identifier: MIT
// loop_conn: one accepted connection, its time limits, and how it is ended from outside.
#ifndef BKFLOW_LOOP_CONN_H
#define BKFLOW_LOOP_CONN_H

#include "base/base.h"
#include "fcgi_conn.h"

#include <stdatomic.h>

// One accepted connection. Owned by the loop while it waits for bytes, by one worker while it is
// served.
struct loop_conn {
    int fd;
    struct fcgi_conn records;
    atomic_int_fast64_t deadline_us; // monotonic; a request must be complete by then. 0: none due
    // Monotonic; since when the client has been idle, or has owed the rest of a request. 0 while a
    // worker owns the connection.
    atomic_int_fast64_t waiting_since_us;
    // The loop owns it. Set last by the worker that gives it back and cleared first by the next
    // one, which so sees all that was written before.
    atomic_bool is_waiting;
    int64_t began_us;   // monotonic; when the request under way began. The owner's
    bool is_registered; // with epoll
    bool has_served;    // a request was complete once: from then on it may stay idle
    bool is_lingering;  // answered; only the client's hanging up is awaited
    // Under the loop's mutex:
    enum { CONN_OPEN, CONN_READ_ENDED, CONN_ENDED } end; // what the loop has done to it
    struct loop_conn *next;                              // in the loop's list
    struct loop_conn *previous;
};

// A new connection, which owns FD and has TIMEOUT_US to send its first request. NULL when memory is
// short; FD is closed then.
struct loop_conn *loop_conn_new(int fd, size_t max_request_bytes, size_t max_connections,
                                int64_t timeout_us) MUST_CHECK;
void loop_conn_free(struct loop_conn *conn) NONNULL;

// ---- for the owner, who is about to give it to the loop ----

// The connection waits for its client: idle, or for the rest of a request, which gets TIMEOUT_US if
// it has just begun. Returns whether it is idle.
bool loop_conn_wait(struct loop_conn *conn, int64_t timeout_us) NONNULL;

// All is answered: it only waits for the client to hang up. False when the client has.
bool loop_conn_linger(struct loop_conn *conn) MUST_CHECK NONNULL;

// Drops what the client writes after its answer; false when the connection is to be closed.
bool loop_conn_drop_late_bytes(struct loop_conn *conn) MUST_CHECK NONNULL;

// The process stops: a request that has begun has a second to become complete. Any thread.
void loop_conn_hurry(struct loop_conn *conn) NONNULL;

// ---- for the loop, under its mutex, whoever owns the connection ----

// For how long the connection has been over its time; 0: it is not.
int64_t loop_conn_over_time_us(const struct loop_conn *conn, int64_t now_us) NONNULL;

// Whether it has waited for its client long enough to be closed where a new one finds no room.
bool loop_conn_makes_room(const struct loop_conn *conn, int64_t now_us) NONNULL;

// The owner reads what has come by now, then the end. False if this was done before.
bool loop_conn_end_reading(struct loop_conn *conn) NONNULL;

// Ends it at once.
void loop_conn_end(struct loop_conn *conn) NONNULL;

#endif
