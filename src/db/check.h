// SPDX-License-Identifier: MIT
// check: whether a host answers the statements that requests need. A host that takes connections
// and answers no statement, or refuses one of these, is of no use.
#ifndef BKFLOW_DB_CHECK_H
#define BKFLOW_DB_CHECK_H

#include "db/connection.h"

// A statement with parameters that find few rows or none. Static data.
struct db_check {
    const struct db_statement *statement;
    const struct db_parameter *parameters;
    unsigned slot; // the statement's place in a connection
};

struct db_connect_result;

enum { DB_CHECKS_MAX = 3 };

// All that requests need in one database.
struct db_checks {
    struct db_check list[DB_CHECKS_MAX];
    size_t count;
};

// Runs them as a request would.
int db_check_database(struct db *db, const struct db_checks *checks,
                      struct error *err) MUST_CHECK NONNULL;

// Runs them on a new connection. If one is not answered, the connection is closed and RESULT is a
// failure. Blocks as db_connect does.
void db_check_connection(struct db_connect_result *result, const struct db_checks *checks) NONNULL;

#endif
