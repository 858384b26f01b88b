// SPDX-License-Identifier: MIT
// server: the FastCGI process: starts the workers, handles signals and timers, reloads, and stops
// in an orderly way.
#ifndef BKFLOW_SERVER_H
#define BKFLOW_SERVER_H

#include "listen.h"
#include "worker.h"

// Metrics shards needed in addition to those of the workers and the overload responder: the
// prober's and the waiting room's.
enum { SERVER_SHARDS_BESIDE_WORKERS = 3 };

struct server_options {
    const struct listen_source *source;
    const char *conf_path; // NULL: none; read again on SIGHUP
    char *const *environment;
};

// Blocks the signals that stop and reload, also in threads started later, until server_run takes
// them. Call it first: a signal during the start must neither be lost nor reach one of libfcgi's
// handlers.
void server_hold_signals(void);

// Serves until a signal stops it. SHARED must be complete except for the loop. Returns the exit
// status.
int server_run(const struct server_options *options, struct worker_shared *shared) NONNULL;

#endif
