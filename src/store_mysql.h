// SPDX-License-Identifier: MIT
// store_mysql: the store over BKFlow's MySQL or MariaDB database, or two of them. All SQL is here.
#ifndef BKFLOW_STORE_MYSQL_H
#define BKFLOW_STORE_MYSQL_H

#include "conf.h"
#include "metrics.h"
#include "store.h"

struct store_mysql; // used by one thread at a time

// Connects when first used. CONF is borrowed until reconfigured or the end. NULL: no memory.
struct store_mysql *store_mysql_new(const struct conf *conf,
                                    struct metrics_shard *shard) MUST_CHECK NONNULL;
void store_mysql_free(struct store_mysql *store);

// Takes another configuration from the next call on.
void store_mysql_reconfigure(struct store_mysql *store, const struct conf *conf) NONNULL;

extern const struct store_ops store_mysql_ops;

#endif
