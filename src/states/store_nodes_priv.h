// SPDX-License-Identifier: MIT
// store_nodes: the nodes of tasks, from rows of eri_state. A part of store_mysql.
#ifndef BKFLOW_STATES_STORE_NODES_PRIV_H
#define BKFLOW_STATES_STORE_NODES_PRIV_H

#include "db/connection.h"
#include "states/store.h"

// Like load_nodes of struct store_ops, in the engine's database.
int store_nodes_load(struct db *db, struct node_query queries[], size_t count, size_t row_limit,
                     struct arena *arena, struct error *err) MUST_CHECK NONNULL;

#endif
