// SPDX-License-Identifier: MIT
// loop: readiness. One epoll instance holds the listening socket and every connection; the workers
// wait on it together, and whoever is woken owns that connection until it gives it back. A kept
// connection so costs no worker, and no request is handed from thread to thread.
#ifndef BKFLOW_LOOP_H
#define BKFLOW_LOOP_H

#include "base/base.h"
#include "fcgi_conn.h"
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

struct loop;

// One accepted connection. Owned by the loop while it waits for bytes, by one worker while it is
// served.
struct loop_conn {
    int fd;
    struct fcgi_conn records;
    atomic_int_fast64_t deadline_us;   // monotonic; a request must be whole by then. 0: none due
    atomic_int_fast64_t idle_since_us; // monotonic; 0: not idle
    bool is_registered;                // with epoll
    bool has_served;                   // a request was whole once: from then on it may stay idle
    // Under the loop's mutex:
    enum { CONN_OPEN, CONN_READ_ENDED, CONN_ENDED } end; // what the loop has done to it
    struct loop_conn *next;                              // in the loop's list
    struct loop_conn *previous;
};

struct loop_options {
    int listen_fd; // non-blocking; loop_drain closes it
    size_t max_request_bytes;
    size_t max_connections;
};

// NULL with errno when the system has no more of something.
struct loop *loop_new(const struct loop_options *options) MUST_CHECK NONNULL;
void loop_free(struct loop *loop);

// What a wait brought.
enum loop_event {
    LOOP_CONNECTION, // *conn has bytes, or is new: serve it, then call loop_give_back or loop_close
    LOOP_NOTHING,    // the time is over, or somebody else was faster: wait again
    LOOP_STOPPED,    // draining, and the last connection is gone
};

// Waits up to TIMEOUT_MS (-1: without limit). Any thread. CLIENT_TIMEOUT_MS: how long a new
// connection may take to send its first request.
enum loop_event loop_wait(struct loop *loop, int timeout_ms, int64_t client_timeout_ms,
                          struct loop_conn **conn) MUST_CHECK NONNULL;

// The connection is to wait for more bytes. Not to be touched by the caller any more.
void loop_give_back(struct loop *loop, struct loop_conn *conn, int64_t client_timeout_ms) NONNULL;

void loop_close(struct loop *loop, struct loop_conn *conn) NONNULL;

// Ends connections whose time is over, and looks for new ones that a shortage kept waiting: of
// those that were idle for a while as many as there are make room. To be called every now and then,
// by one thread.
void loop_sweep(struct loop *loop) NONNULL;

// Closes the listening socket, and from now on each connection when it is idle: what has been sent
// to it is still answered. Connections that the system has already accepted for us are served too.
void loop_drain(struct loop *loop) NONNULL;
bool loop_is_draining(const struct loop *loop) NONNULL;

// Ends all connections, whatever they are doing; workers notice when they next read or write.
void loop_abandon(struct loop *loop) NONNULL;

size_t loop_connections(struct loop *loop) NONNULL;

#endif
