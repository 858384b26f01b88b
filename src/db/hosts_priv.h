// SPDX-License-Identifier: MIT
// db_hosts: the hosts of a database in order of preference: which one to connect to, and whether a
// preferred one is healthy again. Knows nothing of statements.
#ifndef BKFLOW_DB_HOSTS_PRIV_H
#define BKFLOW_DB_HOSTS_PRIV_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/health.h"
#include "db/connect_priv.h"
#include "db/error_code_priv.h"
#include "base/error.h"
#include "base/metrics.h"

#include <mysql.h>

struct db_attempt;

struct db_host {
    struct conf_host address;
    uint64_t key;                   // in db_health
    char shown[CONF_HOST_TEXT_MAX]; // for the log
    unsigned refusal;               // error number of a refused statement; 0: none
};

struct db_hosts {
    const struct conf_database *conf; // borrowed
    struct db_health *health;         // borrowed
    struct metrics_shard *shard;
    enum db_connect_use use;
    struct db_host hosts[CONF_HOSTS_MAX];
    size_t count;
    size_t current;              // the last one that was connected
    struct db_attempt *failback; // to a preferred host; NULL: not running
    size_t failback_to;
    // Since a host last answered a statement.
    unsigned losses;   // statements lost on the current host
    bool has_refusals; // whether a host's refusal is set
};

// All arguments are borrowed until the end, CONF until it is replaced.
void db_hosts_init(struct db_hosts *hosts, const struct conf_database *conf,
                   struct db_health *health, struct metrics_shard *shard) NONNULL;
void db_hosts_reconfigure(struct db_hosts *hosts, const struct conf_database *conf) NONNULL;

// Connects to the first host that can be reached. Skips hosts that have just failed, and those that
// are slow while there is another one. The caller owns the connection. If none can be reached,
// returns NULL; ERR's detail has the answer of each host that was tried, and its server_code one of
// the codes, preferably a server's.
MYSQL *db_hosts_connect(struct db_hosts *hosts, struct error *err) MUST_CHECK NONNULL;

// Between requests: returns a connection to a preferred host that is healthy again, or NULL. Never
// waits: one call starts to connect, a later one returns the connection.
MYSQL *db_hosts_failback(struct db_hosts *hosts) MUST_CHECK NONNULL;

// Abandons a running failback. Must be called before HOSTS is freed.
void db_hosts_end_failback(struct db_hosts *hosts) NONNULL;

// Records that a statement failed on the current host, with its error number and message;
// db_hosts_accept records that one was answered. A host that fails statements is not used until the
// prober has seen it answer: at once if the verdict is about the host, else when a second statement
// in a row is lost, or when another host answers what this one refuses. Returns whether the
// statement may succeed on a new connection.
bool db_hosts_failed(struct db_hosts *hosts, enum db_verdict verdict, unsigned code,
                     const char *message) MUST_CHECK NONNULL;
void db_hosts_accept(struct db_hosts *hosts) NONNULL;
static inline void db_hosts_answered(struct db_hosts *hosts)
{
    if (UNLIKELY(hosts->losses > 0 || hosts->has_refusals)) {
        db_hosts_accept(hosts);
    }
}

// Records that the host has not answered the prober for long.
void db_hosts_report_unresponsive(struct db_hosts *hosts, const struct db_host *host) NONNULL;

// Whether the current host is unresponsive.
bool db_hosts_is_unresponsive(const struct db_hosts *hosts) MUST_CHECK NONNULL;

// Records the result of a probe in db_health, the log and the metrics. Only a probe ends an outage:
// a worker's new connection has not answered a statement yet.
void db_hosts_report_probe(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result) NONNULL;

#endif
