// SPDX-License-Identifier: MIT
// db_health: what the database connections of a process know together: which hosts fail and when
// they may be tried again, and which statements are under way. So one connection's bad experience
// spares the others theirs. Holds no connection itself. Any thread may call these functions.
#ifndef BKFLOW_DB_HEALTH_H
#define BKFLOW_DB_HEALTH_H

#include "base/base.h"
#include "db/deadline.h"

struct db_health;

// What an event means for the outage of a host.
enum db_news {
    DB_NEWS_NONE,
    DB_NEWS_BEGIN, // the outage begins
    DB_NEWS_CAUSE, // it goes on for a cause that was not reported yet
    DB_NEWS_END,
};

// An outage that has ended.
struct db_outage {
    uint64_t failures;
    int64_t duration_us;
};

// NULL: no memory.
struct db_health *db_health_new(void) MUST_CHECK;
void db_health_free(struct db_health *health);

// The list of statements under way.
struct db_deadline_list *db_health_deadlines(struct db_health *health) MUST_CHECK NONNULL;

// A host is known by a KEY, a digest of all that it takes to reach it: a changed password is
// another host, about which nothing bad is known.

// Records a failure and schedules the next try: 50 ms, doubling to 800 ms, minus up to half as
// jitter. CODE is the error number; those that only say that nobody answers are one cause.
enum db_news db_health_failed(struct db_health *health, uint64_t key, unsigned code) NONNULL;

// The host has answered. Sets ENDED for DB_NEWS_END.
enum db_news db_health_succeeded(struct db_health *health, uint64_t key,
                                 struct db_outage *ended) NONNULL;

// The host's server cannot end statements. Returns whether the operator has not heard of it yet.
bool db_health_has_no_time_limit(struct db_health *health, uint64_t key) NONNULL;

// A statement failed there: perhaps the host is to blame, perhaps that connection. The prober tries
// the host at once; without a prober, it has a pause. No outage begins by this.
void db_health_suspect(struct db_health *health, uint64_t key) NONNULL;

// The host lets the prober wait: connections to it are of no use until db_health_succeeded.
enum db_news db_health_set_unresponsive(struct db_health *health, uint64_t key) NONNULL;
bool db_health_is_unresponsive(struct db_health *health, uint64_t key) MUST_CHECK NONNULL;

// 0: the last try went well, or there was none. Else the monotonic time to try it again.
int64_t db_health_retry_at(struct db_health *health, uint64_t key) MUST_CHECK NONNULL;

// Whether hosts that failed are tried by somebody who does nothing else, so that no request has to.
void db_health_set_probed(struct db_health *health) NONNULL;
bool db_health_is_probed(struct db_health *health) MUST_CHECK NONNULL;

// Waits until a host fails, or db_health_wake is called, after *SEEN was set; until UNTIL_US
// (monotonic; -1: for ever), or until the health is closed.
void db_health_wait(struct db_health *health, uint64_t *seen, int64_t until_us) NONNULL;

void db_health_wake(struct db_health *health) NONNULL;

// Tells whoever probes to end. From here on nobody does.
void db_health_close(struct db_health *health) NONNULL;
bool db_health_is_closed(struct db_health *health) MUST_CHECK NONNULL;

#endif
