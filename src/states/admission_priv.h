// SPDX-License-Identifier: MIT
// admission: decides which requests may see their tasks: by the request itself, then by the rows
// that are looked up for the whole group.
#ifndef BKFLOW_STATES_ADMISSION_PRIV_H
#define BKFLOW_STATES_ADMISSION_PRIV_H

#include "states/exchange_priv.h"

// Finds the route and checks everything that needs no database: method, address, credentials,
// parameters.
int admission_read(struct exchange *exchange) MUST_CHECK NONNULL;

// Authenticates and authorizes the group's requests whose route requires it. Those in the result
// have a permit, or a batch whose tasks are authorized when it is loaded; the others have failed.
struct exchange_list admission_run(struct service *service) NONNULL;

#endif
