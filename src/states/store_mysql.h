// SPDX-License-Identifier: MIT
// store_mysql: the store over BKFlow's MySQL or MariaDB database, or two of them. All SQL is here.
#ifndef BKFLOW_STATES_STORE_MYSQL_H
#define BKFLOW_STATES_STORE_MYSQL_H

#include "conf/conf.h"
#include "db/health.h"
#include "base/metrics.h"
#include "states/store.h"

struct store_mysql; // used by one thread at a time

// Connects when first used. CONF is borrowed until reconfigured or the end. HEALTH is shared with
// the process's other stores and outlives them; NULL: there are none. NULL: no memory.
struct store_mysql *store_mysql_new(const struct conf *conf, struct db_health *health,
                                    struct metrics_shard *shard) MUST_CHECK
    __attribute__((nonnull(1, 3)));
void store_mysql_free(struct store_mysql *store);

// Takes another configuration from the next call on.
void store_mysql_reconfigure(struct store_mysql *store, const struct conf *conf) NONNULL;

// Between requests: goes over to preferred hosts that are well again.
void store_mysql_failback(struct store_mysql *store) NONNULL;

extern const struct store_ops store_mysql_ops;

#endif
