// SPDX-License-Identifier: MIT
// subtasks: the tasks that the nodes of a task have started, and theirs, to any depth. BKFlow runs
// a sub-process as a task of its own and links it to the node that started it.
#ifndef BKFLOW_STATES_SUBTASKS_PRIV_H
#define BKFLOW_STATES_SUBTASKS_PRIV_H

#include "states/exchange_priv.h"

// Adds subtasks to the tree that the exchanges of the list share, or makes all of them fail. Reads
// level by level: links, tasks, nodes, for up to STORE_GROUP_MAX tasks with one statement each. A
// link that leads to no task that may be shown is left out. Fails with ERR_TOO_MANY_NODES if the
// answer would have more than max_nodes nodes; a subtask without nodes counts as one.
void subtasks_load(struct service *service, const struct exchange_list *same_task) NONNULL;

#endif
