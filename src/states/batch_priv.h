// SPDX-License-Identifier: MIT
// batch: the states of several tasks in one answer.
#ifndef BKFLOW_STATES_BATCH_PRIV_H
#define BKFLOW_STATES_BATCH_PRIV_H

#include "auth/authorize.h"
#include "base/arena.h"
#include "states/store.h"
#include "states/task_ids_priv.h"
#include "states/tree.h"

struct exchange;

// A task of the answer, in the request's arena.
struct batch_entry {
    int64_t task_id;
    struct str root_id; // absent: it may not be seen, or has too many nodes to be watched
    // Why the task is not shown, with what the message names; the kind is valid if IS_REFUSED.
    bool is_refused;
    enum error_kind refusal;
    int64_t template_id;
    struct str bound_app;
    // What is shown of it otherwise.
    struct str state; // the root's
    char version[TREE_VERSION_BYTES];
    const struct tree *tree; // NULL unless nodes are shown
};

struct batch {
    struct batch_entry *entries; // in the order of the request
    size_t count;
    size_t rows;        // nodes read
    bool has_unstarted; // some tasks do not exist, or have not been started
    struct tree digest; // no nodes; its tag and version are those of all entries together
};

// Makes a batch of tasks that have not been looked up. NULL if the arena is exhausted.
struct batch *batch_new(const struct task_ids *ids, struct arena *arena) MUST_CHECK NONNULL;

// Looks up the tasks of the exchange's batch, authorizes each, and reads their nodes: up to
// STORE_GROUP_MAX tasks with one statement each. Drops the nodes of other exchanges. A task that
// may not be seen or cannot be shown is an entry with its refusal; any other failure is the
// exchange's. If nodes are shown, those of all tasks together must fit max_nodes, else each task's.
void batch_load(struct exchange *exchange) NONNULL;

// Returns the error that the call for the entry's task alone would give. The entry is refused.
struct error batch_refusal(const struct exchange *exchange,
                           const struct batch_entry *entry) MUST_CHECK NONNULL;

#endif
