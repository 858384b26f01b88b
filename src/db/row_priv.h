// SPDX-License-Identifier: MIT
// row: the columns of one prepared statement: whether a server's result has them, and memory for
// one row of it. Private to src/db.
#ifndef BKFLOW_DB_ROW_PRIV_H
#define BKFLOW_DB_ROW_PRIV_H

#include "db/connection.h"

#include <mysql.h>

// All memory that the client library writes a row's values to, in one block. Owned by whoever made
// it; must outlive the next db_row_bind on the same handle, and the handle's last fetch.
struct db_row;

// Memory for one row of STATEMENT, which is borrowed. NULL: out of memory. Given back by free().
struct db_row *db_row_new(const struct db_statement *statement) MUST_CHECK NONNULL;

// Whether the server announced the parameters and columns that STATEMENT has, each column with a
// type that can be read as its own. Nothing of HANDLE may be bound or fetched where it did not: the
// client library takes the server's counts as the lengths of our arrays.
bool db_row_is_expected(const struct db_statement *statement,
                        MYSQL_STMT *handle) MUST_CHECK NONNULL;

// Binds the columns of HANDLE, which db_row_is_expected has accepted, to ROW. Returns what
// mysql_stmt_bind_result returned.
int db_row_bind(struct db_row *row, MYSQL_STMT *handle) MUST_CHECK NONNULL;

// The values of the row fetched last, as many as the statement has columns, valid until the next
// fetch. NULL: a value does not fit its column; no setting of the client library changes that.
const struct db_value *db_row_read(struct db_row *row) MUST_CHECK NONNULL;

#endif
