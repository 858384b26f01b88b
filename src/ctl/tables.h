// SPDX-License-Identifier: MIT
// ctl_tables: what bkflow-states needs of each table: columns, indexes, grants. Data only, and the
// text of GRANT statements.
#ifndef BKFLOW_CTL_TABLES_H
#define BKFLOW_CTL_TABLES_H

#include "base/base.h"

enum { CTL_TABLES_COLUMNS_MAX = 12, CTL_TABLES_SQL_MAX = 768 };

enum ctl_tables_type {
    CTL_TABLES_NUMBER,
    CTL_TABLES_TEXT,  // of up to SIZE characters: the responder reads no longer ones
    CTL_TABLES_BYTES, // exactly SIZE
    CTL_TABLES_TIME,  // UTC, without a time zone
    CTL_TABLES_JSON,  // a JSON document; MariaDB has it as longtext
};

struct ctl_tables_column {
    const char *name;
    enum ctl_tables_type type;
    int64_t size;
    bool is_exact;     // texts that differ in case or accents must differ
    const char *since; // the BKFlow that added it, for people; NULL: all that fit have it
};

// An index that begins with COLUMN. If it must be unique, COLUMN is its only column.
struct ctl_tables_index {
    const char *column;
    bool is_unique;
    const char *purpose; // completes "without it ..."
    bool covers;         // contains all columns of the table that are read
};

// Why requests read a table.
enum ctl_tables_need {
    CTL_TABLES_ALWAYS,
    CTL_TABLES_SECRETS, // to see that an application's secret is right
    CTL_TABLES_USERS,   // to see that a user exists
};

struct ctl_tables_table {
    const char *name;
    bool is_ours;   // bkflow-statesctl makes it
    bool is_engine; // in [engine_database] if there is one
    enum ctl_tables_need need;
    const char *only_for; // the only requests that need it; NULL: all
    const struct ctl_tables_column *columns;
    size_t column_count;
    const struct ctl_tables_index *indexes;
    size_t index_count;
    // An index that makes reading cheaper, for replicas; it may be missing. NULL: none.
    const struct ctl_tables_index *covering;
};

extern const struct ctl_tables_table ctl_tables_all[];
extern const size_t ctl_tables_count;

// Describes what a column should be, as in "varchar(33)".
void ctl_tables_describe(const struct ctl_tables_column *column, char *text, size_t size) NONNULL;

// Writes 'user'@'host', quoted for SQL.
void ctl_tables_account(struct str user, struct str host, char *sql, size_t size) NONNULL;

// Writes the statement that grants ACCOUNT, quoted for SQL, what it needs of the table: all of our
// own, single columns of BKFlow's. Cut at SIZE.
void ctl_tables_grant(const struct ctl_tables_table *table, struct str database,
                      const char *account, char *sql, size_t size) NONNULL;

#endif
