// SPDX-License-Identifier: MIT
#include "db/hosts.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/attempt.h"

#include <errmsg.h>
#include <stdio.h>

// How long a request waits for a host to connect while there is another one to try.
enum { SHORT_PATIENCE_US = 300 * 1000 };

static void add_text(struct hash *hash, const char *text)
{
    hash_text(hash, text, strlen(text));
}

// Of all that decides whether connecting succeeds, and on where to.
static uint64_t make_key(const struct conf_database *conf, const struct db_host *host)
{
    const bool is_local = conf_host_is_local(&host->address);
    struct hash hash = hash_start(is_local ? 0 : host->address.port);
    add_text(&hash, host->address.name);
    add_text(&hash, is_local ? conf->socket : "");
    add_text(&hash, conf->user);
    add_text(&hash, conf->password);
    add_text(&hash, conf->name);
    add_text(&hash, conf->tls_ca);
    add_text(&hash, conf->tls_verify ? "verify" : "");
    add_text(&hash, conf->option_file);
    return hash.a | 1; // 0 is nobody's
}

void db_hosts_reconfigure(struct db_hosts *hosts, const struct conf_database *conf)
{
    hosts->conf = conf;
    hosts->count = conf->hosts.count;
    hosts->current = 0;
    for (size_t i = 0; i < hosts->count; i++) {
        struct db_host *const host = &hosts->hosts[i];
        host->address = conf->hosts.hosts[i];
        host->key = make_key(conf, host);
        conf_host_show(&host->address, conf->port, host->shown);
    }
}

void db_hosts_init(struct db_hosts *hosts, const struct conf_database *conf,
                   struct db_health *health, struct metrics_shard *shard)
{
    *hosts = (struct db_hosts){.health = health, .shard = shard, .use = DB_CONNECT_READ};
    db_hosts_reconfigure(hosts, conf);
}

// ---- how it went ----

// One line per outage, not one per attempt.
static void report_failure(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result)
{
    const bool is_news = db_health_failed(hosts->health, host->key, result->code);
    metrics_add(&hosts->shard->database_errors, 1);
    LOG_EVENT(is_news ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "cannot connect to the database",
              LOG_TEXT("host", str_from(host->shown)), LOG_NUMBER("errno", result->code),
              LOG_TEXT("error", str_from(result->message)));
}

static void report_success(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result)
{
    const bool is_news = db_health_succeeded(hosts->health, host->key);
    metrics_add(&hosts->shard->database_connects, 1);
    LOG_EVENT(is_news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "connected to the database",
              LOG_TEXT("host", str_from(host->shown)),
              LOG_TEXT("server", str_from(mysql_get_server_info(result->handle))));
    if (result->has_no_time_limit && db_health_has_no_time_limit(hosts->health, host->key)) {
        LOG_EVENT(
            LOG_LEVEL_WARNING,
            "the database server cannot limit the time of statements, so statements that take "
            "too long end here but go on there; MariaDB 10.1 and MySQL 5.7.8 can",
            LOG_TEXT("host", str_from(host->shown)));
    }
}

bool db_hosts_report(struct db_hosts *hosts, const struct db_host *host,
                     const struct db_connect_result *result)
{
    const bool is_connected = result->handle != NULL;
    if (is_connected) {
        report_success(hosts, host, result);
    } else {
        report_failure(hosts, host, result);
    }
    return is_connected;
}

// ---- connecting ----

static void suspect(struct db_hosts *hosts, const struct db_host *host, unsigned code,
                    const char *message)
{
    if (db_health_suspect(hosts->health, host->key)) {
        LOG_EVENT(LOG_LEVEL_WARNING, "the database host does not answer",
                  LOG_TEXT("host", str_from(host->shown)), LOG_NUMBER("errno", code),
                  LOG_TEXT("error", str_from(message)));
    }
}

// The client library numbers its own errors from 2000 to 2999; all others are a server's answer.
static bool is_servers(unsigned code)
{
    return code != 0 && (code < 2000 || code >= 3000);
}

// Adds what a host answered to the error's detail. Of several codes, a server's counts most: it was
// reached.
static void add_answer(struct error *err, const struct db_host *host, unsigned code,
                       const char *message)
{
    const size_t len = strlen(err->detail);
    snprintf(err->detail + len, sizeof err->detail - len, "%s%s: %s (%u)", len > 0 ? "; " : "",
             host->shown, message, code);
    if (!is_servers(err->server_code)) {
        err->server_code = code;
    }
}

// The connection, out of RESULT; NULL if there is none.
static MYSQL *take(struct db_hosts *hosts, size_t i, struct db_connect_result *result,
                   struct error *err)
{
    MYSQL *const handle = result->handle;
    if (db_hosts_report(hosts, &hosts->hosts[i], result)) {
        hosts->current = i;
        result->handle = NULL;
    } else {
        add_answer(err, &hosts->hosts[i], result->code, result->message);
    }
    return handle;
}

// Waits until UNTIL_US only: then the host is left to the prober, which has the patience.
static MYSQL *connect_host(struct db_hosts *hosts, size_t i, int64_t until_us, struct error *err)
{
    const struct db_host *const host = &hosts->hosts[i];
    struct db_attempt *const attempt = db_attempt_start(hosts->conf, &host->address, hosts->use);
    struct db_connect_result no_attempt = {.code = CR_OUT_OF_MEMORY, .message = "out of memory"};
    struct db_connect_result *const result =
        attempt == NULL ? &no_attempt : db_attempt_wait(attempt, until_us);
    MYSQL *handle = NULL;
    if (result != NULL) {
        handle = take(hosts, i, result, err);
    } else {
        suspect(hosts, host, 0, "connecting takes long");
        add_answer(err, host, 0, "connecting takes long");
    }
    db_attempt_free(attempt);
    return handle;
}

// Hosts that failed are left to the prober; where there is none, until their pause is over.
static bool may_try(const struct db_hosts *hosts, size_t i)
{
    const int64_t retry_at_us = db_health_retry_at(hosts->health, hosts->hosts[i].key);
    return retry_at_us == 0 ||
           (!db_health_is_probed(hosts->health) && retry_at_us <= clock_monotonic_us());
}

static bool has_other_than(const struct db_hosts *hosts, size_t i)
{
    bool has_other = false;
    for (size_t next = i + 1; next < hosts->count; next++) {
        has_other = has_other || may_try(hosts, next);
    }
    return has_other;
}

MYSQL *db_hosts_connect(struct db_hosts *hosts, struct error *err)
{
    MYSQL *handle = NULL;
    (void)error_set(err, ERR_DATABASE_DOWN, "%s", "");
    for (size_t i = 0; handle == NULL && i < hosts->count; i++) {
        if (may_try(hosts, i)) {
            const bool is_short = db_health_is_probed(hosts->health) && has_other_than(hosts, i);
            const int64_t now_us = clock_monotonic_us();
            handle = connect_host(hosts, i, is_short ? now_us + SHORT_PATIENCE_US : INT64_MAX, err);
        }
    }
    if (handle == NULL && err->detail[0] == '\0') {
        (void)error_set(err, ERR_DATABASE_DOWN, "every database host failed a moment ago");
    }
    return handle;
}

MYSQL *db_hosts_connect_preferred(struct db_hosts *hosts)
{
    MYSQL *handle = NULL;
    struct error unused = {0};
    for (size_t i = 0; handle == NULL && i < hosts->current; i++) {
        handle = may_try(hosts, i) ? connect_host(hosts, i, INT64_MAX, &unused) : NULL;
    }
    return handle;
}

void db_hosts_suspect(struct db_hosts *hosts, unsigned code, const char *message)
{
    suspect(hosts, &hosts->hosts[hosts->current], code, message);
}

bool db_hosts_is_unresponsive(const struct db_hosts *hosts)
{
    return db_health_is_unresponsive(hosts->health, hosts->hosts[hosts->current].key);
}
