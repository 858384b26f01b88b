// SPDX-License-Identifier: MIT
// server: the FastCGI process: starts the workers, watches signals and time, reloads, and ends in
// good order.
#ifndef BKFLOW_SERVER_H
#define BKFLOW_SERVER_H

#include "listen.h"
#include "worker.h"

struct server_options {
    struct listen_source *source;
    const char *conf_path; // NULL: none; read again on SIGHUP
    char *const *environment;
};

// Serves until it is told to stop. SHARED has everything but the loop. Returns the exit status.
int server_run(const struct server_options *options, struct worker_shared *shared) NONNULL;

#endif
