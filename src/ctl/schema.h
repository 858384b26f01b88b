// SPDX-License-Identifier: MIT
// ctl_schema: what a database reports about itself to one account: the server, its clock, tables,
// columns, indexes, and the account's own privileges.
#ifndef BKFLOW_CTL_SCHEMA_H
#define BKFLOW_CTL_SCHEMA_H

#include "conf/conf.h"
#include "ctl/tables.h"
#include "base/error.h"
#include "base/metrics.h"

struct ctl_schema; // used by one thread

// Connects when first used. CONF is borrowed until ctl_schema_free. NULL: no memory.
struct ctl_schema *ctl_schema_new(const struct conf_database *conf,
                                  struct metrics_shard *shard) MUST_CHECK NONNULL;
void ctl_schema_free(struct ctl_schema *schema);

struct ctl_schema_server {
    char version[256];
    char user[256]; // the account that the server matched
    char host[256]; // the same
    char database[256];
    char identity[512];   // of the server, whatever name it is reached by
    int64_t ahead_us;     // of the server's clock, before ours
    int64_t uncertain_us; // by how much that may be wrong either way
};

int ctl_schema_server(struct ctl_schema *schema, struct ctl_schema_server *server,
                      struct error *err) MUST_CHECK NONNULL;

// After how many milliseconds the server ends a statement of this connection; 0: never, -1: it
// cannot.
int ctl_schema_time_limit(struct ctl_schema *schema, int64_t *milliseconds,
                          struct error *err) MUST_CHECK NONNULL;

// A table without any privilege for the account is reported as missing.
enum ctl_schema_kind { CTL_SCHEMA_NOTHING, CTL_SCHEMA_TABLE, CTL_SCHEMA_VIEW };
int ctl_schema_kind(struct ctl_schema *schema, const char *table, enum ctl_schema_kind *kind,
                    struct error *err) MUST_CHECK NONNULL;

// Whether one of BKFlow's tables has any row. False too where it is missing, or this account may
// not read it.
enum ctl_schema_rows { CTL_SCHEMA_TEMPLATES, CTL_SCHEMA_TASKS };
bool ctl_schema_has_rows(struct ctl_schema *schema, enum ctl_schema_rows table) MUST_CHECK NONNULL;

// A column as it is. One without any privilege for the account is reported as missing.
struct ctl_schema_column {
    int64_t size; // of texts and bytes, in characters or bytes
    bool is_there;
    bool is_readable; // by this account
    char type[65];
    char collation[65];
};

// Fills COLUMNS in the order of TABLE's own list.
int ctl_schema_columns(struct ctl_schema *schema, const struct ctl_tables_table *table,
                       struct ctl_schema_column columns[CTL_TABLES_COLUMNS_MAX],
                       struct error *err) MUST_CHECK NONNULL;

int ctl_schema_has_index(struct ctl_schema *schema, const struct ctl_tables_table *table,
                         const struct ctl_tables_index *index, bool *has,
                         struct error *err) MUST_CHECK NONNULL;

// Lists the account's privileges here other than SELECT, separated by commas; empty: none. Cut at
// SIZE.
int ctl_schema_excess(struct ctl_schema *schema, char *list, size_t size,
                      struct error *err) MUST_CHECK NONNULL;

#endif
