// SPDX-License-Identifier: MIT
#include "db/check.h"

#include "db/bind_priv.h"
#include "db/connect_priv.h"
#include "db/row_priv.h"

#include <errmsg.h>
#include <stdlib.h>

// ---- as a request ----

static int run_as_request(struct db *db, const struct db_check *check, struct error *err)
{
    const struct db_value *values;
    int fetched = db_query(db, check->slot, check->statement, check->parameters, err);
    while (fetched >= 0 && (fetched = db_fetch(db, &values, err)) == 1) {
    }
    db_finish(db);
    return fetched;
}

int db_check_database(struct db *db, const struct db_checks *checks, struct error *err)
{
    for (size_t i = 0; i < checks->count; i++) {
        const struct db_check *const check = &checks->list[i];
        if (run_as_request(db, check, err) != 0 &&
            (!db_may_repeat(db) || run_as_request(db, check, err) != 0)) {
            return -1;
        }
    }
    return 0;
}

// ---- on a new connection ----

static bool fetch(MYSQL_STMT *handle, struct db_row *row)
{
    int fetched = db_row_bind(row, handle);
    while (fetched == 0) {
        fetched = mysql_stmt_fetch(handle);
    }
    return fetched == MYSQL_NO_DATA;
}

static bool is_answered(MYSQL_STMT *handle, struct db_row *row, struct db_binds *binds,
                        const struct db_check *check)
{
    const struct db_statement *const statement = check->statement;
    return mysql_stmt_prepare(handle, statement->sql, strlen(statement->sql)) == 0 &&
           db_row_is_expected(statement, handle) &&
           db_bind_parameters(handle, binds, check->parameters, statement->parameter_count) &&
           mysql_stmt_execute(handle) == 0 && db_row_is_expected(statement, handle) &&
           fetch(handle, row);
}

// Makes RESULT a failure with the library's error; without one, the answer itself was unexpected.
static void fail(struct db_connect_result *result, unsigned code, const char *message)
{
    if (message[0] == '\0') {
        db_connect_fail(result, CR_MALFORMED_PACKET, "a statement was not answered as expected");
    } else {
        db_connect_fail(result, code, message);
    }
}

static bool run_on_connection(struct db_connect_result *result, const struct db_check *check)
{
    MYSQL_STMT *const handle = mysql_stmt_init(result->handle);
    struct db_row *const row = db_row_new(check->statement);
    struct db_binds binds = {0};
    const bool has_memory = handle != NULL && row != NULL &&
                            db_binds_reserve(&binds, check->statement->parameter_count) == 0;
    const bool answered = has_memory && is_answered(handle, row, &binds, check);
    if (!has_memory) {
        fail(result, CR_OUT_OF_MEMORY, "out of memory");
    } else if (!answered) {
        fail(result, mysql_stmt_errno(handle), mysql_stmt_error(handle));
    }
    if (handle != NULL) {
        mysql_stmt_close(handle);
    }
    free(row);
    db_binds_free(&binds);
    return answered;
}

void db_check_connection(struct db_connect_result *result, const struct db_checks *checks)
{
    for (size_t i = 0; result->handle != NULL && i < checks->count; i++) {
        if (!run_on_connection(result, &checks->list[i])) {
            db_connect_close(result->handle);
            result->handle = NULL;
        }
    }
}
