// SPDX-License-Identifier: MIT
// parameters: what the query string asks of the answer. Credentials in it are auth/direct's.
#ifndef BKFLOW_STATES_PARAMETERS_PRIV_H
#define BKFLOW_STATES_PARAMETERS_PRIV_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

struct parameters {
    bool subtasks; // the states of tasks that nodes have started
    bool failed;   // the list of failed nodes
};

// Reads QUERY, which may be absent. Other parameters, and those that cannot be decoded, are
// ignored. Fails with ERR_BAD_REQUEST if a known one has another value than 0 or 1, or is given
// twice.
int parameters_read(struct str query, struct arena *arena, struct parameters *parameters,
                    struct error *err) MUST_CHECK NONNULL;

#endif
