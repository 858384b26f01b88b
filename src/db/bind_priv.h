// SPDX-License-Identifier: MIT
// bind: passes the parameters of one execution to the client library. Private to src/db.
#ifndef BKFLOW_DB_BIND_PRIV_H
#define BKFLOW_DB_BIND_PRIV_H

#include "db/connection.h"

#include <mysql.h>

struct db_bind_value {
    long long number;
    unsigned long length;
};

// What the client library reads while it executes a statement. All zero: no memory yet.
struct db_binds {
    MYSQL_BIND *list;
    struct db_bind_value *values;
    size_t room; // parameters
};

// Makes room for COUNT parameters. -1 if out of memory; there is as much room as before then.
int db_binds_reserve(struct db_binds *binds, size_t count) MUST_CHECK NONNULL;

void db_binds_free(struct db_binds *binds) NONNULL;

// Binds COUNT parameters to HANDLE; there must be room for them. Their strings are borrowed. BINDS
// must stay as it is until the statement is executed. False if the library refuses.
bool db_bind_parameters(MYSQL_STMT *handle, struct db_binds *binds,
                        const struct db_parameter *parameters, size_t count) MUST_CHECK
    __attribute__((nonnull(1, 2)));

#endif
