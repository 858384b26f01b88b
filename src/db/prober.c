// SPDX-License-Identifier: MIT
#include "db/prober.h"

#include "base/clock.h"
#include "db/hosts.h"

#include <stdlib.h>

enum {
    DATABASES_MAX = 2, // interface and engine
    TARGETS_MAX = DATABASES_MAX * CONF_HOSTS_MAX,
    TICK_MS = 50, // how soon it hears of other hosts that failed, and of the end
    // So long without an answer, and connections that others hold to it are not worth waiting for.
    SILENT_AFTER_US = 300 * 1000,
};

struct target {
    struct db_hosts *hosts;
    const struct db_host *host;
    struct db_connect attempt;
    bool is_tried; // an attempt is under way
};

struct db_prober {
    struct db_health *health;
    struct metrics_shard *shard;
    struct db_hosts databases[DATABASES_MAX];
    struct target targets[TARGETS_MAX];
    size_t count;
    uint64_t seen; // of the health's failures
};

struct db_prober *db_prober_new(struct db_health *health, struct metrics_shard *shard)
{
    struct db_prober *const prober = calloc(1, sizeof(struct db_prober));
    if (prober != NULL) {
        prober->health = health;
        prober->shard = shard;
    }
    return prober;
}

static void end_attempt(struct target *target)
{
    target->is_tried = false;
    mysql_close(target->attempt.handle);
}

static void abandon(struct db_prober *prober)
{
    for (size_t i = 0; i < prober->count; i++) {
        struct target *const target = &prober->targets[i];
        if (target->is_tried) {
            db_connect_abandon(&target->attempt);
            end_attempt(target);
        }
    }
    prober->count = 0;
}

void db_prober_free(struct db_prober *prober)
{
    if (prober != NULL) {
        abandon(prober);
        free(prober);
    }
}

static void add_database(struct db_prober *prober, struct db_hosts *hosts,
                         const struct conf_database *conf)
{
    db_hosts_init(hosts, conf, prober->health, prober->shard);
    for (size_t i = 0; i < hosts->count; i++) {
        prober->targets[prober->count++] =
            (struct target){.hosts = hosts, .host = &hosts->hosts[i]};
    }
}

void db_prober_configure(struct db_prober *prober, const struct conf *conf)
{
    abandon(prober);
    add_database(prober, &prober->databases[0], &conf->database);
    if (conf->has_engine_database) {
        add_database(prober, &prober->databases[1], &conf->engine_database);
    }
}

// ---- one round ----

static void start_if_due(struct db_prober *prober, struct target *target)
{
    const int64_t retry_at_us = db_health_retry_at(prober->health, target->host->key);
    if (!target->is_tried && retry_at_us != 0 && retry_at_us <= clock_monotonic_us()) {
        db_connect_start(&target->attempt, target->hosts->conf, &target->host->address,
                         DB_CONNECT_PROBE);
        target->is_tried = true;
    }
}

static void end_if_over(struct target *target)
{
    if (target->is_tried && target->attempt.waits_for == 0) {
        (void)db_hosts_report(target->hosts, target->host, &target->attempt);
        end_attempt(target);
    }
}

static void go_on(struct db_prober *prober, struct target *target, int revents)
{
    db_connect_go_on(&target->attempt, revents);
    end_if_over(target);
    if (target->is_tried && clock_monotonic_us() - target->attempt.started_us >= SILENT_AFTER_US) {
        db_health_set_unresponsive(prober->health, target->host->key);
    }
}

// Until the first pause is over; -1: all are well.
static int64_t next_try_us(const struct db_prober *prober)
{
    int64_t next_us = -1;
    for (size_t i = 0; i < prober->count; i++) {
        const int64_t retry_at_us =
            db_health_retry_at(prober->health, prober->targets[i].host->key);
        if (retry_at_us != 0 && (next_us < 0 || retry_at_us < next_us)) {
            next_us = retry_at_us;
        }
    }
    return next_us;
}

void db_prober_run_once(struct db_prober *prober)
{
    struct pollfd wanted[TARGETS_MAX];
    struct target *tried[TARGETS_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < prober->count; i++) {
        struct target *const target = &prober->targets[i];
        start_if_due(prober, target);
        end_if_over(target);
        if (target->is_tried) {
            tried[count] = target;
            wanted[count++] = db_connect_wants(&target->attempt);
        }
    }
    if (count == 0) {
        db_health_wait(prober->health, &prober->seen, next_try_us(prober));
        return;
    }
    const bool is_ready = poll(wanted, count, TICK_MS) > 0;
    for (nfds_t i = 0; i < count; i++) {
        go_on(prober, tried[i], is_ready ? wanted[i].revents : 0);
    }
}
