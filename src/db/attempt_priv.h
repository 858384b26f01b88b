// SPDX-License-Identifier: MIT
// attempt: makes a connection in a thread of its own. The name lookup and the client library's
// calls can block for long and cannot be interrupted; the caller waits as long as it chooses and
// may then abandon the attempt.
#ifndef BKFLOW_DB_ATTEMPT_PRIV_H
#define BKFLOW_DB_ATTEMPT_PRIV_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/check.h"
#include "db/connect_priv.h"

struct db_attempt; // used by the thread that started it

// Starts an attempt, which copies everything it needs. If no thread can be started, the attempt is
// over on return. NULL if out of memory or descriptors.
struct db_attempt *db_attempt_start(const struct conf_database *conf, const struct conf_host *host,
                                    enum db_connect_use use) MUST_CHECK NONNULL;

// Starts an attempt that is over when the host has answered CHECKS as well.
struct db_attempt *db_attempt_start_probe(const struct conf_database *conf,
                                          const struct conf_host *host,
                                          const struct db_checks *checks) MUST_CHECK NONNULL;

// Returns when the attempt was started (monotonic).
int64_t db_attempt_started_us(const struct db_attempt *attempt) MUST_CHECK NONNULL;

// Becomes readable when the attempt is over.
int db_attempt_fd(const struct db_attempt *attempt) MUST_CHECK NONNULL;

// Returns the result, or NULL while the attempt is under way. The caller may take the connection
// out of it, by setting its handle to NULL.
struct db_connect_result *db_attempt_result(struct db_attempt *attempt) MUST_CHECK NONNULL;

// Waits for the result until UNTIL_US (monotonic), and no longer than connect_timeout for the name
// lookup and again for each address. Returns NULL if the attempt is not over by then.
struct db_connect_result *db_attempt_wait(struct db_attempt *attempt,
                                          int64_t until_us) MUST_CHECK NONNULL;

// Abandons an attempt that is under way: it ends by itself and closes what it opened. Closes a
// connection that was not taken.
void db_attempt_free(struct db_attempt *attempt);

#endif
