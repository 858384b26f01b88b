// SPDX-License-Identifier: MIT
// prober_thread: the thread that tries database hosts which failed, so that no worker has to.
#ifndef BKFLOW_PROBER_THREAD_H
#define BKFLOW_PROBER_THREAD_H

#include "worker.h"

struct prober_thread;

// Counts in SHARD of the metrics. NULL: it cannot be started.
struct prober_thread *prober_thread_start(struct worker_shared *shared,
                                          size_t shard) MUST_CHECK NONNULL;

// Whether its thread still runs, as it should until it is told to end.
bool prober_thread_runs(const struct prober_thread *prober) MUST_CHECK NONNULL;

// Tells it to end and says whether it has; to be called again until then. Frees it at that.
bool prober_thread_has_ended(struct prober_thread **prober) MUST_CHECK NONNULL;

#endif
