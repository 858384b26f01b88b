// SPDX-License-Identifier: MIT
// store_rows: rows of eri_state as the database's columns, and as nodes. A part of store_mysql:
// nobody else includes it.
#ifndef BKFLOW_STATES_NODE_ROW_H
#define BKFLOW_STATES_NODE_ROW_H

#include "db/connection.h"
#include "states/node.h"

// varchar(n) in utf8mb4 takes up to four bytes a character.
// clang-format off
#define BIGINT        {DB_BIGINT, 0}
#define INT           {DB_INT, 0}
#define FLAG          {DB_TINYINT, 0}
#define TIME          {DB_TIME, 0}
#define VARCHAR(n)    {DB_TEXT, (n) * 4}
#define BINARY(bytes) {DB_TEXT, (bytes)}
// clang-format on

// The columns of a node, their types, and how many they are.
#define NODE_COLUMNS                                                                               \
    "s.node_id, s.parent_id, s.name, s.version, s.`loop`, s.retry, s.skip, s.error_ignored, "      \
    "s.started_time, s.archived_time"
#define NODE_TYPES                                                                                 \
    VARCHAR(33), VARCHAR(33), VARCHAR(64), VARCHAR(33), INT, INT, FLAG, FLAG, TIME, TIME
enum { NODE_WIDTH = 10 };

// Adds the node that VALUES, in the order of NODE_COLUMNS, hold. Its texts are copied into ARENA,
// or shared with the node before: most states and parents repeat. -1 without memory.
int node_row_add(struct node_list *nodes, const struct db_value values[NODE_WIDTH],
                 struct arena *arena, struct error *err) MUST_CHECK NONNULL;

#endif
