// SPDX-License-Identifier: MIT
// loop: waits for readiness. One epoll instance has the listening sockets and all connections. All
// workers wait on it; the worker that is woken owns the connection until it gives it back. So a
// kept connection occupies no worker, and no request is passed between threads.
#ifndef BKFLOW_LOOP_H
#define BKFLOW_LOOP_H

#include "base/base.h"
#include "loop_conn.h"
#include "base/metrics.h"

struct loop;

struct loop_options {
    const int *listen_fds; // non-blocking; borrowed, and closed by loop_drain
    size_t listen_count;
    size_t max_request_bytes;
    size_t max_connections;
    int64_t client_timeout_ms; // the time for sending a request
};

// NULL with errno if the system is out of resources.
struct loop *loop_new(const struct loop_options *options) MUST_CHECK NONNULL;
void loop_free(struct loop *loop);

// Applies to requests that begin after the call. Any thread.
void loop_set_client_timeout(struct loop *loop, int64_t client_timeout_ms) NONNULL;

// The result of waiting.
enum loop_event {
    LOOP_CONNECTIONS, // new, or with bytes: serve each one, then give it back,
                      // let it go or close it
    LOOP_NOTHING,     // the timeout has passed
    LOOP_STOPPED,     // draining, and the last connection is closed
};

enum { LOOP_BATCH_MAX = 16 };

// Waits up to TIMEOUT_MS (-1: no limit) and returns up to MAX connections, at most LOOP_BATCH_MAX.
// Any thread.
enum loop_event loop_wait(struct loop *loop, int timeout_ms, struct loop_conn *conns[], size_t max,
                          size_t *count) MUST_CHECK NONNULL;

// These end a worker's turn with a connection, which it must not use afterwards. Give back: waits
// for more bytes.
void loop_give_back(struct loop *loop, struct loop_conn *conn) NONNULL;

// Let go: everything has been answered. Reads and drops what the client still sends until it
// closes, for a second at most: closing immediately would make the client's writes fail, and it
// might lose the answer.
void loop_let_go(struct loop *loop, struct loop_conn *conn) NONNULL;

void loop_close(struct loop *loop, struct loop_conn *conn) NONNULL;

// Holds a connection for somebody who waits for something else than its bytes: it is neither swept
// nor drained, but it is counted. Its owner stays its owner. Returns false if the connection is
// being ended, or all are; it is not held then.
bool loop_hold(struct loop *loop, struct loop_conn *conn) MUST_CHECK NONNULL;

// Ends that. The owner still is; it then ends its turn as above, or:
void loop_release(struct loop *loop, struct loop_conn *conn) NONNULL;

// Has the next worker that is free serve the connection, as soon as it takes bytes. False if the
// system is out of resources; the owner then still is.
bool loop_resume(struct loop *loop, struct loop_conn *conn) MUST_CHECK NONNULL;

// Ends connections that are over their time, and accepts new ones after a shortage: connections
// that have waited for their client for a second are then closed to make room. Call it regularly
// from one thread.
void loop_sweep(struct loop *loop) NONNULL;

// Closes the listening sockets, and from now on closes each connection when it becomes idle. What
// has been received is still answered; a request that has begun has a second to become complete.
// Connections queued by the kernel are accepted and served.
void loop_drain(struct loop *loop) NONNULL;
bool loop_is_draining(const struct loop *loop) NONNULL;

// Ends all connections at once; workers notice at their next read or write.
void loop_abandon(struct loop *loop) NONNULL;

size_t loop_connections(struct loop *loop) NONNULL;

#endif
