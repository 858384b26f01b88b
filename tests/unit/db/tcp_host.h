// SPDX-License-Identifier: MIT
// tcp_host: a database host on a port of its own, in whatever state a test wants. It speaks as much
// of the protocol as connecting and a ping take.
#ifndef BKFLOW_TEST_TCP_HOST_H
#define BKFLOW_TEST_TCP_HOST_H

#include "base/base.h"
#include "conf/conf.h"

enum tcp_host_state {
    TCP_HOST_REFUSES, // nobody listens
    TCP_HOST_SILENT,  // takes connections and never says anything
    TCP_HOST_WELL,
};

struct tcp_host;

struct tcp_host *tcp_host_new(enum tcp_host_state state);
void tcp_host_free(struct tcp_host *host);

// Lets it become what comes later in the list. Who waits is served then.
void tcp_host_become(struct tcp_host *host, enum tcp_host_state state) NONNULL;

struct conf_host tcp_host_address(const struct tcp_host *host) NONNULL;

// Connections that logged in, and those that wait: silently, or because they are still open.
unsigned tcp_host_logins(struct tcp_host *host) NONNULL;
unsigned tcp_host_open(struct tcp_host *host) NONNULL;

// A configuration with these hosts, and short limits. Its texts are static.
struct conf_database tcp_host_conf(struct tcp_host *const *hosts, size_t count) NONNULL;

// Waits until no attempt to connect is under way: what a test has left ends by itself.
void tcp_host_wait_for_attempts(void);

// Waits until CONDITION(CONTEXT) holds; the test fails if it never does.
void wait_for(bool (*condition)(void *context), void *context);

#endif
