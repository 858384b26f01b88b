// SPDX-License-Identifier: MIT
// refusals: how often the log tells of refused requests. Of each client and cause the first is an
// event, and the others of the next minute are one event more, with their number. In fixed memory:
// a flood from many addresses is counted together.
#ifndef BKFLOW_STATES_REFUSALS_H
#define BKFLOW_STATES_REFUSALS_H

#include "base/base.h"
#include "base/cidr.h"
#include "base/error.h"

enum { REFUSALS_INTERVAL_S = 60, REFUSALS_CLIENTS = 64 };

struct refusals; // shared by all workers of a process; every function may be called by any thread

struct refusals *refusals_new(void) MUST_CHECK; // NULL: no memory

// Tells of what was held back first.
void refusals_free(struct refusals *refusals);

// Counts a refusal. True when it is to be an event of its own; else it is held back. NOW_US:
// monotonic.
bool refusals_count(struct refusals *refusals, struct cidr_address address, enum error_kind cause,
                    int64_t now_us) MUST_CHECK NONNULL;

// Tells of what was held back in the intervals that are over. To be called now and then.
void refusals_report(struct refusals *refusals, int64_t now_us) NONNULL;

#endif
