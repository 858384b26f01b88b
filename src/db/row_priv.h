// SPDX-License-Identifier: MIT
// row: the columns of one prepared statement: checks whether a server's result has them, and
// provides memory for one row. Private to src/db.
#ifndef BKFLOW_DB_ROW_PRIV_H
#define BKFLOW_DB_ROW_PRIV_H

#include "db/connection.h"

#include <mysql.h>

// All memory into which the client library writes a row's values, in one block. Owned by its
// creator; must outlive the next db_row_bind on the same handle, and the handle's last fetch.
struct db_row;

// Allocates memory for one row of STATEMENT, which is borrowed. NULL if out of memory. Free it with
// free().
struct db_row *db_row_new(const struct db_statement *statement) MUST_CHECK NONNULL;

// Whether the server announced the parameters and columns of STATEMENT, and each column has a
// compatible type. If not, nothing may be bound to or fetched from HANDLE: the client library takes
// the server's counts for the lengths of our arrays.
bool db_row_is_expected(const struct db_statement *statement,
                        MYSQL_STMT *handle) MUST_CHECK NONNULL;

// Binds the columns of HANDLE, which db_row_is_expected has accepted, to ROW. Returns the result of
// mysql_stmt_bind_result.
int db_row_bind(struct db_row *row, MYSQL_STMT *handle) MUST_CHECK NONNULL;

// Returns the values of the current row, one per column of the statement, valid until the next
// fetch. NULL if a value does not fit its column; no setting of the client library prevents that.
const struct db_value *db_row_read(struct db_row *row) MUST_CHECK NONNULL;

#endif
