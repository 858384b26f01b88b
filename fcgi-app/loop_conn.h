// SPDX-License-Identifier: MIT
// loop_conn: one accepted connection, its time limits, and how other threads end it.
#ifndef BKFLOW_LOOP_CONN_H
#define BKFLOW_LOOP_CONN_H

#include "base/base.h"
#include "fcgi_conn.h"

#include <stdatomic.h>

struct waiting_seat;

// An accepted connection. Owned by the loop while it waits for bytes, by one worker while it is
// served, and by the waiting room while its request waits for a change.
struct loop_conn {
    int fd;
    struct fcgi_conn records;
    atomic_int_fast64_t deadline_us; // monotonic; for the complete request. 0: none
    // Monotonic; when the client became idle, or the request began that is incomplete. 0 while a
    // worker owns the connection.
    atomic_int_fast64_t waiting_since_us;
    // Whether the loop owns it. The worker that gives it back sets this last, and the next one
    // clears it first, so it sees everything written before.
    atomic_bool is_waiting;
    int64_t began_us;          // monotonic; start of the current request. Owner only
    bool is_registered;        // with epoll
    bool has_served;           // had a complete request: may be idle from then on
    bool is_lingering;         // answered; waits only for the client to close
    struct waiting_seat *seat; // its request waits, or has waited. NULL: it has not. Owner only
    // Under the loop's mutex:
    enum { CONN_OPEN, CONN_READ_ENDED, CONN_ENDED } end; // what the loop has ended
    struct loop_conn *next;                              // in the loop's list
    struct loop_conn *previous;
};

// Creates a connection, which owns FD and has TIMEOUT_US for its first request. NULL if out of
// memory; FD is then closed.
struct loop_conn *loop_conn_new(int fd, size_t max_request_bytes, size_t max_connections,
                                int64_t timeout_us) MUST_CHECK;
void loop_conn_free(struct loop_conn *conn) NONNULL;

// ---- for the owner, who is about to give it to the loop ----

// Starts waiting for the client: idle, or for the rest of a request, which gets TIMEOUT_US if it
// has just begun. Returns whether it is idle.
bool loop_conn_wait(struct loop_conn *conn, int64_t timeout_us) NONNULL;

// Starts waiting for the client to close. False if it has closed already.
bool loop_conn_linger(struct loop_conn *conn) MUST_CHECK NONNULL;

// Drops what the client sends after its answer; false if the connection must be closed.
bool loop_conn_drop_late_bytes(struct loop_conn *conn) MUST_CHECK NONNULL;

// Limits the time of a request that has begun to a second, because the process stops. Any thread.
void loop_conn_hurry(struct loop_conn *conn) NONNULL;

// ---- for the loop, under its mutex, whoever owns the connection ----

// Returns how long the connection has been over its time; 0 if it is not.
int64_t loop_conn_over_time_us(const struct loop_conn *conn, int64_t now_us) NONNULL;

// Whether it has waited for its client so long that it may be closed to make room.
bool loop_conn_makes_room(const struct loop_conn *conn, int64_t now_us) NONNULL;

// Lets the owner read what has been received, then the end. False if this was done before.
bool loop_conn_end_reading(struct loop_conn *conn) NONNULL;

// Ends both directions at once.
void loop_conn_end(struct loop_conn *conn) NONNULL;

#endif
