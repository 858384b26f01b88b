// SPDX-License-Identifier: MIT
// store_links: rows of task_taskflowrelation. A part of store_mysql.
#ifndef BKFLOW_STATES_STORE_LINKS_PRIV_H
#define BKFLOW_STATES_STORE_LINKS_PRIV_H

#include "db/connection.h"
#include "states/store.h"

// Like find_links of struct store_ops, in the engine's database.
int store_links_find(struct db *db, const int64_t parents[], size_t count, size_t row_limit,
                     const struct store_link_reader *reader, struct error *err) MUST_CHECK NONNULL;

#endif
