// SPDX-License-Identifier: MIT
// db_prober: tries failed hosts, all at the same time, until they are healthy again, so that no
// request has to wait for one. Closes its connections; db_health tells the others.
#ifndef BKFLOW_DB_PROBER_H
#define BKFLOW_DB_PROBER_H

#include "conf/conf.h"
#include "db/check.h"
#include "db/health.h"
#include "base/metrics.h"

struct db_prober; // used by one thread at a time

// HEALTH and SHARD are borrowed until the end. NULL if out of memory.
struct db_prober *db_prober_new(struct db_health *health,
                                struct metrics_shard *shard) MUST_CHECK NONNULL;
void db_prober_free(struct db_prober *prober);

// Sets the hosts to probe. CONF is borrowed until the next call, or the end.
void db_prober_configure(struct db_prober *prober, const struct conf *conf,
                         const struct db_checks *interface, const struct db_checks *engine) NONNULL;

// Handles what has happened, or waits for something to happen: for long only if all hosts are
// healthy.
void db_prober_run_once(struct db_prober *prober) NONNULL;

#endif
