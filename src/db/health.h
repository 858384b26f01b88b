// SPDX-License-Identifier: MIT
// db_health: what a process's database connections share: which hosts fail and when they may be
// tried again, and which statements are running. So a failure that one connection meets spares the
// others. Has no connection itself. Any thread may call these functions.
#ifndef BKFLOW_DB_HEALTH_H
#define BKFLOW_DB_HEALTH_H

#include "base/base.h"
#include "db/deadline.h"

struct db_health;

// What an event means for the outage of a host.
enum db_news {
    DB_NEWS_NONE,
    DB_NEWS_BEGIN, // the outage begins
    DB_NEWS_CAUSE, // it continues with a cause that was not reported yet
    DB_NEWS_END,
};

// An outage that has ended.
struct db_outage {
    uint64_t failures;
    int64_t duration_us;
};

// NULL if out of memory.
struct db_health *db_health_new(void) MUST_CHECK;
void db_health_free(struct db_health *health);

// Returns the list of running statements.
struct db_deadline_list *db_health_deadlines(struct db_health *health) MUST_CHECK NONNULL;

// A host is identified by KEY, a digest of everything that is needed to reach it. With a changed
// password it is a different host with a clean record.

// Records a failure and schedules the next try: 50 ms, doubling to 800 ms, minus up to half as
// jitter. CODE is the error number; those that only say that nobody answers are one cause.
enum db_news db_health_failed(struct db_health *health, uint64_t key, unsigned code) NONNULL;

// Records that the host has answered. Sets ENDED for DB_NEWS_END.
enum db_news db_health_succeeded(struct db_health *health, uint64_t key,
                                 struct db_outage *ended) NONNULL;

// Records that the host's server cannot end statements. Returns true if this has not been reported
// yet.
bool db_health_has_no_time_limit(struct db_health *health, uint64_t key) NONNULL;

// Records a failed statement, which may be the fault of the host or the connection. The prober
// tries the host at once; without a prober the host is not used for a while. Does not begin an
// outage.
void db_health_suspect(struct db_health *health, uint64_t key) NONNULL;

// Records that the host does not answer the prober. Connections to it are useless until
// db_health_succeeded.
enum db_news db_health_set_unresponsive(struct db_health *health, uint64_t key) NONNULL;
bool db_health_is_unresponsive(struct db_health *health, uint64_t key) MUST_CHECK NONNULL;

// Returns the monotonic time at which the host may be tried again; 0 if the last attempt succeeded
// or there was none.
int64_t db_health_retry_at(struct db_health *health, uint64_t key) MUST_CHECK NONNULL;

// Whether a prober tries failed hosts, so that requests need not.
void db_health_set_probed(struct db_health *health) NONNULL;
bool db_health_is_probed(struct db_health *health) MUST_CHECK NONNULL;

// Waits until a host fails or db_health_wake is called, after *SEEN was set; at most until UNTIL_US
// (monotonic; -1: no limit) or until db_health_close.
void db_health_wait(struct db_health *health, uint64_t *seen, int64_t until_us) NONNULL;

void db_health_wake(struct db_health *health) NONNULL;

// Asks the prober to end. From then on hosts are not probed.
void db_health_close(struct db_health *health) NONNULL;
bool db_health_is_closed(struct db_health *health) MUST_CHECK NONNULL;

#endif
