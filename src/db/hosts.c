// SPDX-License-Identifier: MIT
#include "db/hosts_priv.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/attempt_priv.h"

#include <errmsg.h>
#include <stdio.h>

// How long a request waits for a host to connect if there is another one.
enum { SHORT_WAIT_US = 300 * 1000 };

static void add_text(struct hash *hash, const char *text)
{
    hash_text(hash, text, strlen(text));
}

// Returns a digest of everything that decides whether connecting succeeds, and to what.
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
    return hash.a | 1; // 0 means no host
}

void db_hosts_reconfigure(struct db_hosts *hosts, const struct conf_database *conf)
{
    hosts->conf = conf;
    hosts->count = conf->hosts.count;
    hosts->current = 0;
    hosts->losses = 0;
    hosts->has_refusals = false;
    for (size_t i = 0; i < hosts->count; i++) {
        struct db_host *const host = &hosts->hosts[i];
        host->address = conf->hosts.hosts[i];
        host->refusal = 0;
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

// Logs the begin and the causes of an outage, not every attempt.
static void report(const struct db_host *host, enum db_news news, unsigned code,
                   const char *message)
{
    LOG_EVENT(news == DB_NEWS_NONE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
              news == DB_NEWS_CAUSE ? "the database host fails for another reason"
                                    : "the database host fails",
              LOG_TEXT("host", str_from(host->shown)), LOG_NUMBER("errno", code),
              LOG_TEXT("error", str_from(message)));
}

static void blame(struct db_hosts *hosts, const struct db_host *host, unsigned code,
                  const char *message)
{
    report(host, db_health_failed(hosts->health, host->key, code), code, message);
}

// The host was slow to answer. The prober finds out whether it is to blame; without a prober, it
// is.
static void suspect(struct db_hosts *hosts, const struct db_host *host, unsigned code,
                    const char *message)
{
    if (db_health_is_probed(hosts->health)) {
        db_health_suspect(hosts->health, host->key);
    } else {
        blame(hosts, host, code, message);
    }
}

static void report_failure(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result)
{
    metrics_add(&hosts->shard->database_errors, 1);
    blame(hosts, host, result->code, result->message);
}

static void report_answer(struct db_hosts *hosts, const struct db_host *host)
{
    struct db_outage ended;
    if (db_health_succeeded(hosts->health, host->key, &ended) == DB_NEWS_END) {
        LOG_EVENT(LOG_LEVEL_WARNING, "the database host answers again",
                  LOG_TEXT("host", str_from(host->shown)),
                  LOG_NUMBER("failures", (int64_t)ended.failures),
                  LOG_NUMBER("ms", ended.duration_us / 1000));
    }
}

static void report_connection(struct db_hosts *hosts, const struct db_host *host,
                              const struct db_connect_result *result)
{
    metrics_add(&hosts->shard->database_connects, 1);
    LOG_EVENT(LOG_LEVEL_DEBUG, "connected to the database", LOG_TEXT("host", str_from(host->shown)),
              LOG_TEXT("server", str_from(mysql_get_server_info(result->handle))));
    if (result->has_no_time_limit && db_health_has_no_time_limit(hosts->health, host->key)) {
        LOG_EVENT(
            LOG_LEVEL_WARNING,
            "the database server cannot limit the time of statements, so statements that take "
            "too long end here but go on there; MariaDB 10.1 and MySQL 5.7.8 can",
            LOG_TEXT("host", str_from(host->shown)));
    }
}

void db_hosts_report_unresponsive(struct db_hosts *hosts, const struct db_host *host)
{
    const enum db_news news = db_health_set_unresponsive(hosts->health, host->key);
    if (news != DB_NEWS_NONE) {
        report(host, news, 0, "it takes connections or statements and does not answer");
    }
}

void db_hosts_report_probe(struct db_hosts *hosts, const struct db_host *host,
                           const struct db_connect_result *result)
{
    if (result->handle == NULL) {
        report_failure(hosts, host, result);
        return;
    }
    report_connection(hosts, host, result);
    report_answer(hosts, host);
}

// ---- connecting ----

// Whether a server sent the error; the client library uses 2000 to 2999 for its own.
static bool is_servers(unsigned code)
{
    return code != 0 && (code < 2000 || code >= 3000);
}

// Appends a host's answer to the error's detail, as much as fits. A server's code is preferred,
// because the server was reached.
static void add_answer(struct error *err, const struct db_host *host, unsigned code,
                       const char *message)
{
    const size_t len = strlen(err->detail);
    if (snprintf(err->detail + len, sizeof err->detail - len, "%s%s: %s (%u)", len > 0 ? "; " : "",
                 host->shown, message, code) < 0) {
        err->detail[len] = '\0';
    }
    if (!is_servers(err->server_code)) {
        err->server_code = code;
    }
}

// Takes the connection out of RESULT; NULL if there is none.
static MYSQL *take(struct db_hosts *hosts, size_t i, struct db_connect_result *result,
                   struct error *err)
{
    MYSQL *const handle = result->handle;
    if (handle == NULL) {
        report_failure(hosts, &hosts->hosts[i], result);
        add_answer(err, &hosts->hosts[i], result->code, result->message);
        return NULL;
    }
    report_connection(hosts, &hosts->hosts[i], result);
    if (!db_health_is_probed(hosts->health)) {
        report_answer(hosts, &hosts->hosts[i]); // no prober reports it
    }
    hosts->losses = i == hosts->current ? hosts->losses : 0;
    hosts->current = i;
    result->handle = NULL;
    return handle;
}

// Connects, but waits only until UNTIL_US; then leaves the host to the prober, which can wait
// longer.
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

// Whether a request may try the host. Failed hosts are left to the prober; without one, they may be
// tried after a pause.
static bool may_try(const struct db_hosts *hosts, size_t i)
{
    const struct db_host *const host = &hosts->hosts[i];
    const int64_t retry_at_us = db_health_retry_at(hosts->health, host->key);
    return host->refusal == 0 && (retry_at_us == 0 || (!db_health_is_probed(hosts->health) &&
                                                       retry_at_us <= clock_monotonic_us()));
}

static bool may_try_any(const struct db_hosts *hosts, size_t from, size_t but)
{
    bool may = false;
    for (size_t i = from; i < hosts->count && !may; i++) {
        may = i != but && may_try(hosts, i);
    }
    return may;
}

static void forget_refusals(struct db_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        hosts->hosts[i].refusal = 0;
    }
    hosts->has_refusals = false;
}

// Returns the monotonic time until which a request waits for a host to connect.
static int64_t connect_until_us(const struct db_hosts *hosts, bool has_other)
{
    return has_other && db_health_is_probed(hosts->health) ? clock_monotonic_us() + SHORT_WAIT_US
                                                           : INT64_MAX;
}

MYSQL *db_hosts_connect(struct db_hosts *hosts, struct error *err)
{
    MYSQL *handle = NULL;
    (void)error_set(err, ERR_DATABASE_DOWN, "%s", "");
    if (!may_try_any(hosts, 0, SIZE_MAX)) {
        forget_refusals(hosts);
    }
    for (size_t i = 0; handle == NULL && i < hosts->count; i++) {
        if (may_try(hosts, i)) {
            const bool has_other = may_try_any(hosts, i + 1, i);
            handle = connect_host(hosts, i, connect_until_us(hosts, has_other), err);
        }
    }
    if (handle == NULL && err->detail[0] == '\0') {
        (void)error_set(err, ERR_DATABASE_DOWN, "every database host failed a moment ago");
    }
    return handle;
}

static void start_failback(struct db_hosts *hosts)
{
    for (size_t i = 0; hosts->failback == NULL && i < hosts->current; i++) {
        if (may_try(hosts, i)) {
            hosts->failback = db_attempt_start(hosts->conf, &hosts->hosts[i].address, hosts->use);
            hosts->failback_to = i;
        }
    }
}

void db_hosts_end_failback(struct db_hosts *hosts)
{
    db_attempt_free(hosts->failback);
    hosts->failback = NULL;
}

MYSQL *db_hosts_failback(struct db_hosts *hosts)
{
    struct error unused = {0};
    if (LIKELY(hosts->current == 0)) {
        return NULL;
    }
    if (hosts->failback == NULL) {
        start_failback(hosts);
    }
    struct db_connect_result *const result =
        hosts->failback == NULL ? NULL : db_attempt_result(hosts->failback);
    if (result == NULL) {
        return NULL;
    }
    MYSQL *const handle = take(hosts, hosts->failback_to, result, &unused);
    db_hosts_end_failback(hosts);
    return handle;
}

bool db_hosts_is_unresponsive(const struct db_hosts *hosts)
{
    return db_health_is_unresponsive(hosts->health, hosts->hosts[hosts->current].key);
}

// ---- statements ----

// A single lost statement may be due to an idle connection. The second in a row is blamed on the
// host.
static void lose(struct db_hosts *hosts, bool is_hosts_fault, unsigned code, const char *message)
{
    hosts->losses++;
    if (is_hosts_fault || hosts->losses >= 2) {
        blame(hosts, &hosts->hosts[hosts->current], code, message);
        hosts->losses = 0;
    }
}

bool db_hosts_failed(struct db_hosts *hosts, enum db_verdict verdict, unsigned code,
                     const char *message)
{
    struct db_host *const host = &hosts->hosts[hosts->current];
    const bool has_other = may_try_any(hosts, 0, hosts->current);
    switch (verdict) {
    case DB_VERDICT_FAULT:
        break;
    case DB_VERDICT_REFUSED:
        host->refusal = code;
        hosts->has_refusals = true;
        if (!has_other) {
            forget_refusals(hosts); // no host answers it
        }
        return has_other;
    case DB_VERDICT_RETRY:
        lose(hosts, false, code, message);
        return true;
    case DB_VERDICT_NEXT_HOST: // a proxy may have other hosts at the same address
        lose(hosts, has_other, code, message);
        return true;
    case DB_VERDICT_TIMEOUT: // probably the statement, but another host may be faster
        if (has_other) {
            suspect(hosts, host, code, message);
        }
        break;
    case DB_VERDICT_NO_ANSWER:
        suspect(hosts, host, code, message);
        return has_other;
    }
    return false;
}

void db_hosts_accept(struct db_hosts *hosts)
{
    hosts->losses = 0;
    for (size_t i = 0; hosts->has_refusals && i < hosts->count; i++) {
        if (i != hosts->current && hosts->hosts[i].refusal != 0) {
            blame(hosts, &hosts->hosts[i], hosts->hosts[i].refusal,
                  "it refuses a statement that another host answers");
        }
    }
    forget_refusals(hosts);
}
