// SPDX-License-Identifier: MIT
// db: one connection to MySQL or MariaDB with its prepared statements. Connects when first needed
// and again after a loss, host after host; every wait has a limit. Holds no SQL of the product.
#ifndef BKFLOW_DB_CONNECTION_H
#define BKFLOW_DB_CONNECTION_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/health.h"
#include "base/error.h"
#include "base/metrics.h"

struct db; // used by one thread at a time

enum { DB_STATEMENTS_MAX = 32, DB_COLUMNS_MAX = 20, DB_PARAMETERS_MAX = 32 };

// The column's own type: another one costs a conversion for each value.
enum db_type {
    DB_BIGINT,
    DB_INT,
    DB_TINYINT,
    DB_TEXT,
    DB_TIME,
};

// One column of the row fetched last, in memory of the connection.
struct db_value {
    bool is_null;
    int64_t number;  // the integers; DB_TIME: microseconds since 1970 UTC. 0 when NULL
    struct str text; // DB_TEXT; absent when NULL
};

struct db_column {
    enum db_type type;
    size_t max_bytes; // DB_TEXT: a longer value is an error, never cut
};

// A statement with ? for its parameters. Static data: the connection prepares it when first used.
struct db_statement {
    const char *sql;
    size_t parameter_count;
    const struct db_column *columns; // NULL with column_count 0: the statement gives no rows
    size_t column_count;
    bool is_write; // never run twice: an error after a lost connection is the caller's
};

// A parameter: TEXT, or NUMBER when IS_NUMBER. An absent TEXT is NULL. With IS_BINARY the server
// takes the text's bytes as they are, without a character set.
struct db_parameter {
    bool is_number;
    bool is_binary;
    int64_t number;
    struct str text;
};

#define DB_PARAMETER_TEXT(value)   ((struct db_parameter){.text = (value)})
#define DB_PARAMETER_BYTES(value)  ((struct db_parameter){.is_binary = true, .text = (value)})
#define DB_PARAMETER_NUMBER(value) ((struct db_parameter){.is_number = true, .number = (value)})

// Not connected yet. CONF is borrowed until db_free or db_reconfigure. HEALTH is what it shares
// with the process's other connections, and outlives it; NULL: nothing. NULL: no memory.
struct db *db_new(const struct conf_database *conf, struct db_health *health,
                  struct metrics_shard *shard) MUST_CHECK __attribute__((nonnull(1, 3)));
void db_free(struct db *db);

// Before the first statement: this connection is to write. On all others the server refuses to.
void db_allow_writes(struct db *db) NONNULL;

// Takes another configuration; the connection is made anew if it reaches the database differently.
void db_reconfigure(struct db *db, const struct conf_database *conf) NONNULL;

// Runs a statement. SLOT (below DB_STATEMENTS_MAX) is the statement's place in this connection. A
// connection found dead before any row came is made anew, to the next host if this one takes no
// queries, and the statement run again unless it writes. 503 when no host can be reached, 504 past
// the time limit.
int db_query(struct db *db, unsigned slot, const struct db_statement *statement,
             const struct db_parameter *parameters, struct error *err) MUST_CHECK NONNULL;

// Fetches the next row: 1 with ROW set to its values, as many as the statement has columns, which
// are the connection's and valid until the next call; 0 no more; -1.
int db_fetch(struct db *db, const struct db_value **row, struct error *err) MUST_CHECK NONNULL;

// Whether db_fetch has failed in a way that lets the statement be answered when it is run again.
bool db_may_repeat(const struct db *db) MUST_CHECK NONNULL;

// Drops what is left of the result. Must follow db_query once the caller has what it wants, also
// after an error.
void db_finish(struct db *db) NONNULL;

// How many rows the last statement, which wrote, changed.
uint64_t db_changed_rows(const struct db *db) NONNULL;

// Between requests: goes over to a host that is preferred to the one in use and is well again.
void db_failback(struct db *db) NONNULL;

// Between requests: closes the connection, which the next statement makes again.
void db_disconnect(struct db *db) NONNULL;

#endif
