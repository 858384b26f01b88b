// SPDX-License-Identifier: MIT
// refusals: limits the events about refused requests. For each client and cause the first refusal
// is logged; those of the following minute are counted and logged as one event. Uses a fixed amount
// of memory: floods from many addresses are counted together.
#ifndef BKFLOW_STATES_REFUSALS_H
#define BKFLOW_STATES_REFUSALS_H

#include "base/base.h"
#include "base/cidr.h"
#include "base/error.h"

enum { REFUSALS_INTERVAL_S = 60, REFUSALS_CLIENTS = 64 };

struct refusals; // shared by all workers; any thread may call these functions

struct refusals *refusals_new(void) MUST_CHECK; // NULL: no memory

// Logs what has been counted, then frees.
void refusals_free(struct refusals *refusals);

// Counts a refusal. True if the caller should log it; otherwise it is only counted. NOW_US:
// monotonic.
bool refusals_count(struct refusals *refusals, struct cidr_address address, enum error_kind cause,
                    int64_t now_us) MUST_CHECK NONNULL;

// Logs the counts of the intervals that are over. Call it regularly.
void refusals_report(struct refusals *refusals, int64_t now_us) NONNULL;

#endif
