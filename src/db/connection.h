// SPDX-License-Identifier: MIT
// db: one connection to MySQL or MariaDB with its prepared statements. Connects when first needed
// and again after a loss, trying one host after the other. Every wait has a limit. Contains no SQL
// of the product.
#ifndef BKFLOW_DB_CONNECTION_H
#define BKFLOW_DB_CONNECTION_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/health.h"
#include "base/error.h"
#include "base/metrics.h"

struct db; // used by one thread at a time

enum { DB_STATEMENTS_MAX = 48, DB_COLUMNS_MAX = 20 };

// The type of the column; any other costs a conversion for each value.
enum db_type {
    DB_BIGINT,
    DB_INT,
    DB_TINYINT,
    DB_TEXT,
    DB_TIME,
};

// One column of the current row, in memory of the connection.
struct db_value {
    bool is_null;
    int64_t number;  // the integers; DB_TIME: microseconds since 1970 UTC. 0 when NULL
    struct str text; // DB_TEXT; absent when NULL
};

struct db_column {
    enum db_type type;
    size_t max_bytes; // DB_TEXT: a longer value is an error, not truncated
};

// A statement with ? for its parameters. Static data; the connection prepares it when first used.
struct db_statement {
    const char *sql;
    size_t parameter_count;
    const struct db_column *columns; // NULL with column_count 0: the statement returns no rows
    size_t column_count;
    bool is_write; // never run twice; a lost connection is an error
};

// A parameter: TEXT, or NUMBER if IS_NUMBER. An absent TEXT is NULL. With IS_BINARY the text is
// bytes without a character set.
struct db_parameter {
    bool is_number;
    bool is_binary;
    int64_t number;
    struct str text;
};

#define DB_PARAMETER_TEXT(value)   ((struct db_parameter){.text = (value)})
#define DB_PARAMETER_BYTES(value)  ((struct db_parameter){.is_binary = true, .text = (value)})
#define DB_PARAMETER_NUMBER(value) ((struct db_parameter){.is_number = true, .number = (value)})

// Creates a connection object, not connected yet. CONF is borrowed until db_free or db_reconfigure.
// HEALTH is shared with the process's other connections and outlives this one; NULL if it is not
// shared. Returns NULL if out of memory.
struct db *db_new(const struct conf_database *conf, struct db_health *health,
                  struct metrics_shard *shard) MUST_CHECK __attribute__((nonnull(1, 3)));
void db_free(struct db *db);

// Allows this connection to write; on all others the server refuses. Call it before the first
// statement.
void db_allow_writes(struct db *db) NONNULL;

// Replaces the configuration. Reconnects if it reaches the database differently.
void db_reconfigure(struct db *db, const struct conf_database *conf) NONNULL;

// Runs a statement. SLOT (below DB_STATEMENTS_MAX) identifies the statement within this connection.
// If the connection is lost before a row has come, reconnects, to the next host if this one does
// not work, and runs the statement again unless it writes. Fails with 503 if no host can be
// reached, with 504 after the time limit.
int db_query(struct db *db, unsigned slot, const struct db_statement *statement,
             const struct db_parameter *parameters, struct error *err) MUST_CHECK NONNULL;

// Fetches the next row. Returns 1 and sets ROW to the values of the columns, which belong to the
// connection and are valid until the next call; 0 after the last row; -1 on failure.
int db_fetch(struct db *db, const struct db_value **row, struct error *err) MUST_CHECK NONNULL;

// Whether the failure of db_fetch was such that running the statement again may succeed.
bool db_may_repeat(const struct db *db) MUST_CHECK NONNULL;

// Drops the rest of the result. Must follow db_query when the caller has what it needs, even after
// an error.
void db_finish(struct db *db) NONNULL;

// Returns the number of rows that the last statement changed.
uint64_t db_changed_rows(const struct db *db) NONNULL;

// Switches to a preferred host that is healthy again. Between requests only.
void db_failback(struct db *db) NONNULL;

// Closes the connection; the next statement reconnects. Between requests only.
void db_disconnect(struct db *db) NONNULL;

#endif
