// SPDX-License-Identifier: MIT
// loop: readiness. One epoll instance holds the listening socket and every connection; the workers
// wait on it together, and whoever is woken owns that connection until it gives it back. A kept
// connection so costs no worker, and no request is handed from thread to thread.
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
    int64_t client_timeout_ms; // how long a client may take to send a request
};

// NULL with errno when the system has no more of something.
struct loop *loop_new(const struct loop_options *options) MUST_CHECK NONNULL;
void loop_free(struct loop *loop);

// For requests that begin from now on. Any thread.
void loop_set_client_timeout(struct loop *loop, int64_t client_timeout_ms) NONNULL;

// What a wait brought.
enum loop_event {
    LOOP_CONNECTIONS, // they have bytes, or are new: serve each, then give it back, let it go or
                      // close it
    LOOP_NOTHING,     // the time is over
    LOOP_STOPPED,     // draining, and the last connection is gone
};

enum { LOOP_BATCH_MAX = 16 };

// Waits up to TIMEOUT_MS (-1: without limit), and takes up to MAX (at most LOOP_BATCH_MAX)
// connections. Any thread.
enum loop_event loop_wait(struct loop *loop, int timeout_ms, struct loop_conn *conns[], size_t max,
                          size_t *count) MUST_CHECK NONNULL;

// How a worker ends its turn with a connection, which it must not touch any more then. Give back:
// more bytes are awaited.
void loop_give_back(struct loop *loop, struct loop_conn *conn) NONNULL;

// Let go: all is answered. What the client still writes is read and dropped until it hangs up, for
// a second at most: closed at once, the connection would fail its write, and it might drop the
// answer.
void loop_let_go(struct loop *loop, struct loop_conn *conn) NONNULL;

void loop_close(struct loop *loop, struct loop_conn *conn) NONNULL;

// Ends connections whose time is over, and looks for new ones that a shortage kept waiting: all
// that have waited for their client for a second make room. To be called every now and then, by one
// thread.
void loop_sweep(struct loop *loop) NONNULL;

// Closes the listening sockets, and from now on each connection when it is idle: what has been sent
// to it is still answered, and a request that has begun has a second to become complete.
// Connections that the system has already accepted for us are served too.
void loop_drain(struct loop *loop) NONNULL;
bool loop_is_draining(const struct loop *loop) NONNULL;

// Ends all connections, whatever they are doing; workers notice when they next read or write.
void loop_abandon(struct loop *loop) NONNULL;

size_t loop_connections(struct loop *loop) NONNULL;

#endif
