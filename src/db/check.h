// SPDX-License-Identifier: MIT
// check: checks whether a host answers the statements that requests need. A host that only accepts
// connections is useless.
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

// Everything that requests need in one database.
struct db_checks {
    struct db_check list[DB_CHECKS_MAX];
    size_t count;
};

// Runs the checks like a request.
int db_check_database(struct db *db, const struct db_checks *checks,
                      struct error *err) MUST_CHECK NONNULL;

// Runs the checks on a new connection. If one fails, the connection is closed and RESULT is a
// failure. Blocks like db_connect.
void db_check_connection(struct db_connect_result *result, const struct db_checks *checks) NONNULL;

#endif
