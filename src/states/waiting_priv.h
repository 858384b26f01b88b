// SPDX-License-Identifier: MIT
// waiting: whether a request waits until the states differ from those that its client has.
#ifndef BKFLOW_STATES_WAITING_PRIV_H
#define BKFLOW_STATES_WAITING_PRIV_H

#include "states/exchange_priv.h"

// Parks the request if it is to wait. It is then another thread's: only its arena may be touched.
// Called when everything is known that is needed to answer it.
bool waiting_park(struct exchange *exchange) MUST_CHECK NONNULL;

#endif
