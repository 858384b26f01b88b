// SPDX-License-Identifier: MIT
// store_mysql: the store over BKFlow's MySQL or MariaDB databases: the interface's and the
// engine's, or one database for both.
#ifndef BKFLOW_STATES_STORE_MYSQL_H
#define BKFLOW_STATES_STORE_MYSQL_H

#include "base/metrics.h"
#include "conf/conf.h"
#include "db/health.h"
#include "states/store.h"

// Fills in STORE, to be used by one thread at a time. Connects when first used. CONF is borrowed
// until the store is reconfigured or freed. HEALTH is shared with the process's other stores and
// outlives them; NULL: there are none. -1: no memory.
int store_mysql_new(struct store *store, const struct conf *conf, struct db_health *health,
                    struct metrics_shard *shard) MUST_CHECK __attribute__((nonnull(1, 2, 4)));

#endif
