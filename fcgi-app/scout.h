// SPDX-License-Identifier: MIT
// scout: the thread that tries database hosts which failed, so that no worker has to.
#ifndef BKFLOW_SCOUT_H
#define BKFLOW_SCOUT_H

#include "worker.h"

struct scout;

// Counts in SHARD of the metrics. NULL: it cannot be started.
struct scout *scout_start(struct worker_shared *shared, size_t shard) MUST_CHECK NONNULL;

// Whether its thread still runs, as it should until it is told to end.
bool scout_runs(const struct scout *scout) MUST_CHECK NONNULL;

// Tells it to end and says whether it has; to be called again until then. Frees it at that.
bool scout_has_ended(struct scout **scout) MUST_CHECK NONNULL;

#endif
