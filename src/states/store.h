// SPDX-License-Identifier: MIT
// store: the seam between the use case and its data: a real database, or a test's literal rows.
#ifndef BKFLOW_STATES_STORE_H
#define BKFLOW_STATES_STORE_H

#include "auth/lookup.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "states/node.h"

struct permit;

// The seam. Each function gets the store's own context first.
struct store_ops {
    // All that authentication and binding need to know, in as few round trips as the set-up allows.
    // A store may read the nodes along, for load_nodes to hand out without another round trip. What
    // is not in the database is simply not there: an error is a database that can't answer.
    int (*look_up)(void *store, const struct lookup *lookup, struct arena *arena,
                   struct lookup_result *result, struct error *err);
    // The rows of the granted task in the order of eri_state.id; more than LIMIT are an error.
    int (*load_nodes)(void *store, const struct permit *permit, size_t limit, struct arena *arena,
                      struct node_list *nodes, struct error *err);
    // Whether every database answers.
    int (*ping)(void *store, struct error *err);
};

struct store {
    const struct store_ops *ops;
    void *context;
};

#endif
