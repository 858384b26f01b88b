// SPDX-License-Identifier: MIT
// bind: passes the parameters of one execution to the client library. Private to src/db.
#ifndef BKFLOW_DB_BIND_PRIV_H
#define BKFLOW_DB_BIND_PRIV_H

#include "db/connection.h"

#include <mysql.h>

// What the client library reads while it executes the statement.
struct db_binds {
    MYSQL_BIND list[DB_PARAMETERS_MAX];
    long long numbers[DB_PARAMETERS_MAX];
    unsigned long lengths[DB_PARAMETERS_MAX];
};

// Binds COUNT parameters to HANDLE. Their strings are borrowed. BINDS must outlive the execution.
// False if the library refuses.
bool db_bind_parameters(MYSQL_STMT *handle, struct db_binds *binds,
                        const struct db_parameter *parameters, size_t count) MUST_CHECK
    __attribute__((nonnull(1, 2)));

#endif
