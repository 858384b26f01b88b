// SPDX-License-Identifier: MIT
// loading: the nodes of those who have a permit, and the trees made of them.
#ifndef BKFLOW_STATES_LOADING_PRIV_H
#define BKFLOW_STATES_LOADING_PRIV_H

#include "states/exchange_priv.h"

// The rows that a group's statement may bring. A task that does not fit is read by itself, after
// the others have been answered: it must not hold up small ones.
enum { LOADING_GROUP_ROWS = 2000 };

// Gives each exchange its tree, or makes it fail. Exchanges of the same task share one. The result
// are those whose tasks did not fit: to be loaded alone once the others are answered.
struct exchange_list loading_run(struct service *service,
                                 const struct exchange_list *admitted) NONNULL;

// The same for exchanges that all ask about one task. Drops the nodes of other tasks.
void loading_run_alone(struct service *service, struct exchange_list same_task) NONNULL;

#endif
