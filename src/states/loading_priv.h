// SPDX-License-Identifier: MIT
// loading: reads the nodes of requests that have a permit, and builds their trees.
#ifndef BKFLOW_STATES_LOADING_PRIV_H
#define BKFLOW_STATES_LOADING_PRIV_H

#include "states/exchange_priv.h"

// Maximum number of rows of a group's statement. A task that does not fit is read separately, after
// the others have been answered, so that it does not delay small ones.
enum { LOADING_GROUP_ROWS = 2000 };

// Sets the tree of each exchange, or makes it fail. Exchanges of the same task share a tree.
// Returns those whose tasks did not fit, those with subtasks, and batches: load them with
// loading_run_alone after the others have been answered.
struct exchange_list loading_run(struct service *service,
                                 const struct exchange_list *admitted) NONNULL;

// The same for exchanges of one task, or for one batch. Drops the nodes of other tasks.
void loading_run_alone(struct service *service, struct exchange_list same_task) NONNULL;

#endif
