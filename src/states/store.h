// SPDX-License-Identifier: MIT
// store: the seam between the use case and its data: a real database, a refusal, or a test's rows.
// Facts come first, for a group of requests at once; nodes only for a permit.
#ifndef BKFLOW_STATES_STORE_H
#define BKFLOW_STATES_STORE_H

#include "auth/lookup.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "conf/conf.h"
#include "states/node.h"

struct permit;

// The most requests of a group.
enum { STORE_GROUP_MAX = 16 };

// The nodes of one task.
struct node_query {
    const struct permit *permit;
    struct node_list nodes; // in the order of eri_state.id
    bool is_complete;       // false: there are more rows than were allowed, and NODES is empty
};

// Each function gets the store's own context first. COUNT is 1 to STORE_GROUP_MAX. A function that
// fails does so for all of the group. What is not in the database is simply not there: an error is
// a database that cannot answer.
struct store_ops {
    // Fills in the application and the user of each lookup. Does the same work for an application
    // that does not exist as for one that does.
    int (*find_callers)(void *store, struct lookup *const lookups[], size_t count,
                        struct error *err);
    // Fills in the task of each lookup, and the task's template.
    int (*find_tasks)(void *store, struct lookup *const lookups[], size_t count, struct error *err);
    // Reads the nodes of tasks, which differ, into ARENA: at most ROW_LIMIT rows in all. A query
    // that did not fit is not complete; a single one that is not has more than ROW_LIMIT rows.
    int (*load_nodes)(void *store, struct node_query queries[], size_t count, size_t row_limit,
                      struct arena *arena, struct error *err);
    // Whether every database answers.
    int (*ping)(void *store, struct error *err);
    // Takes another configuration, borrowed until the next one or the end.
    void (*reconfigure)(void *store, const struct conf *conf);
    // Between requests: returns to preferred hosts that are healthy again.
    void (*failback)(void *store);
    // Between requests: closes the connections, for others to have; the next call makes them again.
    void (*disconnect)(void *store);
    void (*free)(void *store);
};

struct store {
    const struct store_ops *ops;
    void *context;
};

#endif
