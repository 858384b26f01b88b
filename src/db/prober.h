// SPDX-License-Identifier: MIT
// db_prober: tries the hosts that failed until they are well again, all at the same time, so that
// no request has to wait for one. Closes what it opens; the health is where the others learn of it.
#ifndef BKFLOW_DB_PROBER_H
#define BKFLOW_DB_PROBER_H

#include "conf/conf.h"
#include "db/check.h"
#include "db/health.h"
#include "base/metrics.h"

struct db_prober; // used by one thread at a time

// Both are borrowed until the end. NULL: no memory.
struct db_prober *db_prober_new(struct db_health *health,
                                struct metrics_shard *shard) MUST_CHECK NONNULL;
void db_prober_free(struct db_prober *prober);

// The hosts to look after from now on. CONF is borrowed until the next call, or the end.
void db_prober_configure(struct db_prober *prober, const struct conf *conf,
                         const struct db_checks *interface, const struct db_checks *engine) NONNULL;

// Does what is to be done, or waits for something to do: for long only where all hosts are well.
void db_prober_run_once(struct db_prober *prober) NONNULL;

#endif
