// SPDX-License-Identifier: MIT
// db_hosts: part of db. The hosts of a database, in the order of preference: which one to connect
// to, and whether a better one is back. Holds no statements.
#ifndef BKFLOW_DB_HOSTS_H
#define BKFLOW_DB_HOSTS_H

#include "base/base.h"
#include "conf/conf.h"
#include "db/health.h"
#include "db/connect.h"
#include "base/error.h"
#include "base/metrics.h"

#include <mysql.h>

struct db_host {
    struct conf_host address;
    uint64_t key;                   // in db_health
    char shown[CONF_HOST_TEXT_MAX]; // for people
};

struct db_hosts {
    const struct conf_database *conf; // borrowed
    struct db_health *health;         // borrowed
    struct metrics_shard *shard;
    enum db_connect_use use;
    struct db_host hosts[CONF_HOSTS_MAX];
    size_t count;
    size_t current; // the one that was connected to last
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

// Connects to a host that is preferred to the current one and is known to be well again. NULL:
// there is none, which costs next to nothing to find out.
MYSQL *db_hosts_connect_preferred(struct db_hosts *hosts) MUST_CHECK NONNULL;

// The current host gave no answer in time, or takes no queries: CODE and MESSAGE are for the log.
void db_hosts_suspect(struct db_hosts *hosts, unsigned code, const char *message) NONNULL;

// Whether the current host lets everybody wait who asks it.
bool db_hosts_is_unresponsive(const struct db_hosts *hosts) MUST_CHECK NONNULL;

// How an attempt at one host ended, for all to know: on the health, in the log, counted.
bool db_hosts_report(struct db_hosts *hosts, const struct db_host *host,
                     const struct db_connect_result *result) NONNULL;

#endif
