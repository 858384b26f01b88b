// SPDX-License-Identifier: MIT
// error_code: what each error number of a database says about the next step. One table for the
// servers (MySQL, MariaDB, Galera), proxies before them, and both client libraries.
#ifndef BKFLOW_DB_ERROR_CODE_PRIV_H
#define BKFLOW_DB_ERROR_CODE_PRIV_H

#include "base/base.h"

enum db_verdict {
    // The statement fails everywhere: a defect of ours, or of the data it met.
    DB_VERDICT_FAULT,
    // This host refuses the statement: schema, privileges, a damaged table. Another may answer it.
    DB_VERDICT_REFUSED,
    // The connection, the statement's handle or this attempt is lost. The same host may answer on a
    // new connection.
    DB_VERDICT_RETRY,
    // The host answers nobody for now.
    DB_VERDICT_NEXT_HOST,
    // The server ended the statement at its time limit.
    DB_VERDICT_TIMEOUT,
    // The host let the time limit pass without an answer.
    DB_VERDICT_NO_ANSWER,
};

// CODE is what mysql_errno() returned after a failure, which may be 0; IS_LATE: the time limit of
// the statement is over. Unknown codes are DB_VERDICT_REFUSED.
enum db_verdict db_error_code_verdict(unsigned code, bool is_late) MUST_CHECK;

// Returns true if the code says no more than that nobody answers. Several of them occur during one
// outage, and none names a cause of its own.
bool db_error_code_is_unreachable(unsigned code) MUST_CHECK;

#endif
