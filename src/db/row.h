// SPDX-License-Identifier: MIT
// db_row: part of db. Reads the values of a row where the client library has received them: no
// copy, no conversion. For results whose columns have the types that the statement's author
// expects; others go the library's own way, which converts.
#ifndef BKFLOW_DB_ROW_H
#define BKFLOW_DB_ROW_H

#include "db/connection.h"

#include <mysql.h>

// The day of the time read last: most times of a result lie within one or two.
struct db_day {
    uint32_t date;   // year, month << 16, day << 24, as the protocol packs them; 0: none yet
    int64_t begin_s; // seconds since 1970
};

// The row fetched last. Texts live until the next one is fetched.
struct db_row {
    struct db_value values[DB_COLUMNS_MAX];
    const struct db_column *columns;
    struct db_day day;
    const NET *net; // whose memory packets are received in; borrowed from the connection
    bool is_broken; // a value longer than its column can be, or than that memory
};

// Sets the value to the moment that TIME is, or to NULL for MySQL's zero date, which a lax SQL mode
// may have let in: so Django reads it.
void db_row_set_time(struct db_value *value, struct db_day *day, const MYSQL_TIME *time) NONNULL;

// To be called after each execution of a statement without binds for its result: has rows read
// straight into ROW if the columns came in the types that STATEMENT names. False: they have to be
// bound.
bool db_row_attach(struct db_row *row, MYSQL *connection, MYSQL_STMT *handle,
                   const struct db_statement *statement) MUST_CHECK NONNULL;

// What the client library calls for each value of a row: AT is where it begins, NULL for NULL, and
// is moved behind it. ROW: a struct db_row. Reads nothing beyond the memory of the row's net.
void db_row_take_value(void *row, unsigned column, unsigned char **at) __attribute__((nonnull(1)));

#endif
