// SPDX-License-Identifier: MIT
// server: the FastCGI process: starts the workers, watches signals and time, reloads, and ends in
// good order.
#ifndef BKFLOW_SERVER_H
#define BKFLOW_SERVER_H

#include "listen.h"
#include "worker.h"

// The shards of the metrics that it needs besides those of the workers and the overload responder:
// the prober's.
enum { SERVER_SHARDS_BESIDE_WORKERS = 1 };

struct server_options {
    const struct listen_source *source;
    const char *conf_path; // NULL: none; read again on SIGHUP
    char *const *environment;
};

// Keeps the signals that stop and reload until server_run takes them, from any thread that is
// started later too. To be called before anything else that is made for serving: a signal that
// comes while the process starts must neither be lost nor find a handler of libfcgi's.
void server_hold_signals(void);

// Serves until it is told to stop. SHARED has everything but the loop. Returns the exit status.
int server_run(const struct server_options *options, struct worker_shared *shared) NONNULL;

#endif
