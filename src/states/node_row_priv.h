// SPDX-License-Identifier: MIT
// node_row: converts a row of eri_state from database columns to a node. Part of store_mysql.
#ifndef BKFLOW_STATES_NODE_ROW_PRIV_H
#define BKFLOW_STATES_NODE_ROW_PRIV_H

#include "base/arena.h"
#include "base/error.h"
#include "db/connection.h"
#include "states/node.h"

// Appends the node in VALUES, the columns of STATEMENT_NODES. Its strings are copied into ARENA, or
// shared with the node before: most states and parents repeat. -1 if memory is exhausted.
int node_row_add(struct node_list *nodes, const struct db_value *values, struct arena *arena,
                 struct error *err) MUST_CHECK NONNULL;

#endif
