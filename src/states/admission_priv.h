// SPDX-License-Identifier: MIT
// admission: which requests may see their tasks. First what a request says by itself, then the
// facts about all of a group, then the decision for each.
#ifndef BKFLOW_STATES_ADMISSION_PRIV_H
#define BKFLOW_STATES_ADMISSION_PRIV_H

#include "states/exchange_priv.h"

// Finds the route, and checks all that needs no database: method, address, credentials.
int admission_read(struct exchange *exchange) MUST_CHECK NONNULL;

// Authenticates and authorizes those of the group whose route demands it. The result has a permit
// each; the others have failed.
struct exchange_list admission_run(struct service *service) NONNULL;

#endif
