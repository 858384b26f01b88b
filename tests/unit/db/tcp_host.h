// SPDX-License-Identifier: MIT
// tcp_host: a database host on its own port, in any state that a test wants. It speaks enough of
// the protocol for connecting and a ping.
#ifndef BKFLOW_TEST_TCP_HOST_H
#define BKFLOW_TEST_TCP_HOST_H

#include "base/base.h"
#include "conf/conf.h"

enum tcp_host_state {
    TCP_HOST_REFUSES,      // nobody listens
    TCP_HOST_UNRESPONSIVE, // accepts connections and sends nothing
    TCP_HOST_WELL,
};

struct tcp_host;

struct tcp_host *tcp_host_new(enum tcp_host_state state);
void tcp_host_free(struct tcp_host *host);

// Changes the state to a later one of the list. Waiting connections are then served.
void tcp_host_become(struct tcp_host *host, enum tcp_host_state state) NONNULL;

struct conf_host tcp_host_address(const struct tcp_host *host) NONNULL;

// Return the connections that have logged in, and those that are still open.
unsigned tcp_host_logins(struct tcp_host *host) NONNULL;
unsigned tcp_host_open(struct tcp_host *host) NONNULL;

// Returns a configuration with these hosts. The strings are static.
struct conf_database tcp_host_conf(struct tcp_host *const *hosts, size_t count) NONNULL;

// Waits until no attempt to connect is under way: what a test has left ends by itself.
void tcp_host_wait_for_attempts(void);

// Waits until CONDITION(CONTEXT) is true; the test fails if it never is.
void wait_for(bool (*condition)(void *context), void *context);

#endif
