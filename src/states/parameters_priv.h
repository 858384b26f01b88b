// SPDX-License-Identifier: MIT
// parameters: what the query string asks of the answer. Credentials in it are auth/direct's.
#ifndef BKFLOW_STATES_PARAMETERS_PRIV_H
#define BKFLOW_STATES_PARAMETERS_PRIV_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "states/routes.h"

enum {
    PARAMETERS_VERSION_MAX = 128,            // bytes
    PARAMETERS_WAIT_MAX_MS = 60 * 60 * 1000, // a longer wait is a mistake
};

// The strings are in the arena.
struct parameters {
    bool subtasks;       // the states of tasks that nodes have started
    bool failed;         // the list of failed nodes
    int64_t wait_ms;     // how long the answer may wait for a change; 0: not at all
    struct str version;  // what the caller has; absent or empty: nothing
    bool nodes;          // the nodes of several tasks
    struct str task_ids; // as they were given; absent: not given
};

// Reads QUERY, which may be absent. Ignores parameters that ROUTE does not take, and those that
// cannot be decoded. Fails with ERR_BAD_REQUEST if one has a value that it cannot have or is given
// twice, and if the caller wants to wait for a route that cannot.
int parameters_read(const struct route *route, struct str query, struct arena *arena,
                    struct parameters *parameters, struct error *err) MUST_CHECK NONNULL;

#endif
