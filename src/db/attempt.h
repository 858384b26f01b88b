// SPDX-License-Identifier: MIT
// attempt: a connection in the making, in a thread of its own. The lookup of a name and the client
// library's functions take as long as they like and cannot be interrupted; whoever wants the
// connection waits as long as it likes, and may leave.
#ifndef BKFLOW_DB_ATTEMPT_H
#define BKFLOW_DB_ATTEMPT_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/connect.h"

struct db_attempt; // used by the thread that started it

// Starts one with copies of all it needs. Where no thread can be started it is over on return.
// NULL: no memory or descriptor.
struct db_attempt *db_attempt_start(const struct conf_database *conf, const struct conf_host *host,
                                    enum db_connect_use use) MUST_CHECK NONNULL;

// When it was started (monotonic).
int64_t db_attempt_started_us(const struct db_attempt *attempt) MUST_CHECK NONNULL;

// Becomes readable when it is over.
int db_attempt_fd(const struct db_attempt *attempt) MUST_CHECK NONNULL;

// The result, whose connection may be taken out of it; NULL as long as it is not over.
struct db_connect_result *db_attempt_result(struct db_attempt *attempt) MUST_CHECK NONNULL;

// Waits for the result, but not past UNTIL_US (monotonic), and no longer than connect_timeout: for
// the lookup of the name, and again for each address that it has. NULL: it is not over.
struct db_connect_result *db_attempt_wait(struct db_attempt *attempt,
                                          int64_t until_us) MUST_CHECK NONNULL;

// What is not over goes on by itself and closes what it opens. A connection that was not taken is
// closed.
void db_attempt_free(struct db_attempt *attempt);

#endif
