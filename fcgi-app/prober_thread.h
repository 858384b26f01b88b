// SPDX-License-Identifier: MIT
// prober_thread: the thread that probes failed database hosts, so that no worker has to.
#ifndef BKFLOW_PROBER_THREAD_H
#define BKFLOW_PROBER_THREAD_H

#include "worker.h"

struct prober_thread;

// Starts the thread, which uses SHARD of the metrics. NULL if that is impossible.
struct prober_thread *prober_thread_start(struct worker_shared *shared,
                                          size_t shard) MUST_CHECK NONNULL;

// Whether the thread is running; it should until it is asked to end.
bool prober_thread_runs(const struct prober_thread *prober) MUST_CHECK NONNULL;

// Asks the thread to end. Returns true, and frees it, when it has; call again until then.
bool prober_thread_has_ended(struct prober_thread **prober) MUST_CHECK NONNULL;

#endif
