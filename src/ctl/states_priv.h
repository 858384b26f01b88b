// SPDX-License-Identifier: MIT
// The states of one task as the operator's tool sees them, shared by states.c and follow.c.
#ifndef BKFLOW_CTL_STATES_PRIV_H
#define BKFLOW_CTL_STATES_PRIV_H

#include "auth/lookup.h"
#include "ctl/ctl.h"
#include "states/store.h"
#include "states/tree.h"

struct ctl_states_view {
    struct ctl *ctl;
    struct store store;
    struct arena *arena; // holds the nodes
    int64_t task_id;
    struct lookup lookup;
    struct node_query query;
    struct tree tree;
    struct local_time local_time;
    struct error err;
};

// Reads the task and its nodes; what was read before is gone. Fails with VIEW->err.
int ctl_states_load(struct ctl_states_view *view) MUST_CHECK NONNULL;

// Turns VIEW->err into the command's fault. Returns its exit status.
int ctl_states_explain(const struct ctl_states_view *view) NONNULL;

// Prints what was loaded, as text or JSON. Draws at most MAX_NODES nodes.
void ctl_states_print(struct ctl_states_view *view, size_t max_nodes) NONNULL;

#endif
