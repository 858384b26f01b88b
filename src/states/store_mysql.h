// SPDX-License-Identifier: MIT
// store_mysql: the store that reads BKFlow's MySQL or MariaDB databases: interface and engine, or
// one database for both.
#ifndef BKFLOW_STATES_STORE_MYSQL_H
#define BKFLOW_STATES_STORE_MYSQL_H

#include "base/metrics.h"
#include "conf/conf.h"
#include "db/health.h"
#include "states/store.h"

// Creates the store, for one thread at a time. It connects when first used. CONF is borrowed until
// the store is reconfigured or freed. HEALTH is shared with the other stores of the process and
// outlives them; NULL if there are none. -1 if out of memory.
int store_mysql_new(struct store *store, const struct conf *conf, struct db_health *health,
                    struct metrics_shard *shard) MUST_CHECK __attribute__((nonnull(1, 2, 4)));

#endif
