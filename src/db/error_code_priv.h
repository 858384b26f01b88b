// SPDX-License-Identifier: MIT
// error_code: what each error number means for the next step. One table for servers (MySQL,
// MariaDB, Galera), proxies, and both client libraries.
#ifndef BKFLOW_DB_ERROR_CODE_PRIV_H
#define BKFLOW_DB_ERROR_CODE_PRIV_H

#include "base/base.h"

enum db_verdict {
    // The statement fails on every host: a defect of the program or the data.
    DB_VERDICT_FAULT,
    // This host refuses the statement: schema, privileges, a damaged table. Another one may answer
    // it.
    DB_VERDICT_REFUSED,
    // The connection, the statement's handle or this attempt is lost. The same host may answer on a
    // new connection.
    DB_VERDICT_RETRY,
    // The host answers nobody at present.
    DB_VERDICT_NEXT_HOST,
    // The server ended the statement at its time limit.
    DB_VERDICT_TIMEOUT,
    // The host let the time limit pass without an answer.
    DB_VERDICT_NO_ANSWER,
};

// Returns the verdict for a failure. CODE is the result of mysql_errno(), which may be 0; IS_LATE:
// the statement's time limit has passed. Unknown codes are DB_VERDICT_REFUSED.
enum db_verdict db_error_code_verdict(unsigned code, bool is_late) MUST_CHECK;

// Whether the server has refused only the statement: the connection can be used for others.
bool db_error_code_is_statements(unsigned code) MUST_CHECK;

// Whether the code says only that nobody answers. Several such codes occur during one outage; none
// of them is a cause of its own.
bool db_error_code_is_unreachable(unsigned code) MUST_CHECK;

#endif
