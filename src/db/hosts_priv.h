// SPDX-License-Identifier: MIT
// db_hosts: part of db. The hosts of a database, in the order of preference: which one to connect
// to, and whether a better one is back. Holds no statements.
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
    char shown[CONF_HOST_TEXT_MAX]; // for people
    unsigned refusal;               // the error number of a statement that it refused; 0: none
};

struct db_hosts {
    const struct conf_database *conf; // borrowed
    struct db_health *health;         // borrowed
    struct metrics_shard *shard;
    enum db_connect_use use;
    struct db_host hosts[CONF_HOSTS_MAX];
    size_t count;
    size_t current;              // the one that was connected to last
    struct db_attempt *failback; // at a preferred host; NULL: none is under way
    size_t failback_to;
    // Since a host answered a statement last.
    unsigned losses;   // statements that were lost on the current host
    bool has_refusals; // some host's refusal is set
};

// All are borrowed until the end, CONF until there is another.
void db_hosts_init(struct db_hosts *hosts, const struct conf_database *conf,
                   struct db_health *health, struct metrics_shard *shard) NONNULL;
void db_hosts_reconfigure(struct db_hosts *hosts, const struct conf_database *conf) NONNULL;

// Connects to the first host that can be reached, leaving out those that failed a moment ago, and
// passing over one that takes long while there is another. The connection is the caller's. NULL
// with ERR set: none can be reached; its detail is what each that was tried answered, its
// server_code the code of one of them: of a server that refused, if any did.
MYSQL *db_hosts_connect(struct db_hosts *hosts, struct error *err) MUST_CHECK NONNULL;

// Between requests: returns a connection to a preferred host that is healthy again, or NULL. Never
// waits: one call starts to connect, a later one returns the connection.
MYSQL *db_hosts_failback(struct db_hosts *hosts) MUST_CHECK NONNULL;

// Abandons a failback that is under way. Must be called before HOSTS is freed.
void db_hosts_end_failback(struct db_hosts *hosts) NONNULL;

// Called for each statement that fails on the current host, with its error number and message, and
// for each that is answered. A host that fails statements is not used until the prober has seen it
// answer one: at once where the verdict is about the host, else when a second statement in a row is
// lost, or when another host answers what this one refuses. Returns whether the statement may be
// answered on a new connection.
bool db_hosts_failed(struct db_hosts *hosts, enum db_verdict verdict, unsigned code,
                     const char *message) MUST_CHECK NONNULL;
void db_hosts_accept(struct db_hosts *hosts) NONNULL;
static inline void db_hosts_answered(struct db_hosts *hosts)
{
    if (UNLIKELY(hosts->losses > 0 || hosts->has_refusals)) {
        db_hosts_accept(hosts);
    }
}

// The host has let the prober wait for long.
void db_hosts_report_unresponsive(struct db_hosts *hosts, const struct db_host *host) NONNULL;

// Whether the current host lets everybody wait who asks it.
bool db_hosts_is_unresponsive(const struct db_hosts *hosts) MUST_CHECK NONNULL;

// How a probe of the host ended: in db_health, in the log, counted. Only a probe ends an outage,
// since a worker's connection has not answered a statement yet.
void db_hosts_report_probe(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result) NONNULL;

#endif
