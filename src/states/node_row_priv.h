// SPDX-License-Identifier: MIT
// node_row: a row of eri_state, as the database's columns, becomes a node. A part of store_mysql.
#ifndef BKFLOW_STATES_NODE_ROW_PRIV_H
#define BKFLOW_STATES_NODE_ROW_PRIV_H

#include "base/arena.h"
#include "base/error.h"
#include "db/connection.h"
#include "states/node.h"

// Adds the node that VALUES, the columns of STATEMENT_NODES, hold. Its texts are copied into ARENA,
// or shared with the node before: most states and parents repeat. -1 without memory.
int node_row_add(struct node_list *nodes, const struct db_value *values, struct arena *arena,
                 struct error *err) MUST_CHECK NONNULL;

#endif
