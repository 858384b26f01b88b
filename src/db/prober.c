// SPDX-License-Identifier: MIT
#include "db/prober.h"

#include "base/clock.h"
#include "db/attempt_priv.h"
#include "db/hosts_priv.h"

#include <errmsg.h>
#include <poll.h>
#include <stdlib.h>

enum {
    DATABASES_MAX = 2, // interface and engine
    TARGETS_MAX = DATABASES_MAX * CONF_HOSTS_MAX,
    TICK_MS = 50, // how soon it notices other failed hosts, and the end
    // After this time without an answer a host is unresponsive: existing connections to it are
    // useless.
    UNRESPONSIVE_AFTER_US = 300 * 1000,
};

struct target {
    struct db_hosts *hosts;
    const struct db_host *host;
    struct db_checks checks;
    struct db_attempt *attempt; // NULL: none is running
};

struct db_prober {
    struct db_health *health;
    struct metrics_shard *shard;
    struct db_hosts databases[DATABASES_MAX];
    struct target targets[TARGETS_MAX];
    size_t count;
    uint64_t seen; // for db_health_wait
};

// Attempts of the previous configuration, by the keys of their hosts.
struct leftovers {
    uint64_t keys[TARGETS_MAX];
    struct db_attempt *attempts[TARGETS_MAX];
    size_t count;
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
    db_attempt_free(target->attempt);
    target->attempt = NULL;
}

void db_prober_free(struct db_prober *prober)
{
    if (prober != NULL) {
        for (size_t i = 0; i < prober->count; i++) {
            end_attempt(&prober->targets[i]);
        }
        free(prober);
    }
}

static void put_aside(struct db_prober *prober, struct leftovers *leftovers)
{
    leftovers->count = prober->count;
    for (size_t i = 0; i < prober->count; i++) {
        leftovers->keys[i] = prober->targets[i].host->key;
        leftovers->attempts[i] = prober->targets[i].attempt;
    }
    prober->count = 0;
}

// Returns the attempt for the host with this key; NULL if there is none.
static struct db_attempt *take_back(struct leftovers *leftovers, uint64_t key)
{
    struct db_attempt *attempt = NULL;
    for (size_t i = 0; attempt == NULL && i < leftovers->count; i++) {
        if (leftovers->keys[i] == key) {
            attempt = leftovers->attempts[i];
            leftovers->attempts[i] = NULL;
        }
    }
    return attempt;
}

static void add_database(struct db_prober *prober, struct db_hosts *hosts,
                         const struct conf_database *conf, const struct db_checks *checks,
                         struct leftovers *leftovers)
{
    db_hosts_init(hosts, conf, prober->health, prober->shard);
    for (size_t i = 0; i < hosts->count; i++) {
        const struct db_host *const host = &hosts->hosts[i];
        prober->targets[prober->count++] =
            (struct target){.hosts = hosts,
                            .host = host,
                            .checks = *checks,
                            .attempt = take_back(leftovers, host->key)};
    }
}

// Keeps attempts for hosts that remain configured: if the resolver does not answer, each reload
// would otherwise leave another thread waiting for it.
void db_prober_configure(struct db_prober *prober, const struct conf *conf,
                         const struct db_checks *interface, const struct db_checks *engine)
{
    struct leftovers leftovers;
    put_aside(prober, &leftovers);
    add_database(prober, &prober->databases[0], &conf->database, interface, &leftovers);
    if (conf->has_engine_database) {
        add_database(prober, &prober->databases[1], &conf->engine_database, engine, &leftovers);
    }
    for (size_t i = 0; i < leftovers.count; i++) {
        db_attempt_free(leftovers.attempts[i]);
    }
}

// ---- one round ----

static const struct db_connect_result no_attempt = {.code = CR_OUT_OF_MEMORY,
                                                    .message = "out of memory"};

static void start_if_due(struct db_prober *prober, struct target *target)
{
    const int64_t retry_at_us = db_health_retry_at(prober->health, target->host->key);
    if (target->attempt == NULL && retry_at_us != 0 && retry_at_us <= clock_monotonic_us()) {
        target->attempt =
            db_attempt_start_probe(target->hosts->conf, &target->host->address, &target->checks);
        if (target->attempt == NULL) {
            db_hosts_report_probe(target->hosts, target->host, &no_attempt);
        }
    }
}

static void look_at(struct target *target)
{
    const struct db_connect_result *const result = db_attempt_result(target->attempt);
    if (result != NULL) {
        db_hosts_report_probe(target->hosts, target->host, result);
        end_attempt(target);
    } else if (clock_monotonic_us() - db_attempt_started_us(target->attempt) >=
               UNRESPONSIVE_AFTER_US) {
        db_hosts_report_unresponsive(target->hosts, target->host);
    }
}

// Returns the time of the next attempt; -1 if all hosts are healthy.
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
    struct pollfd attempts[TARGETS_MAX];
    struct target *tried[TARGETS_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < prober->count; i++) {
        struct target *const target = &prober->targets[i];
        start_if_due(prober, target);
        if (target->attempt != NULL) {
            tried[count] = target;
            attempts[count++] =
                (struct pollfd){.fd = db_attempt_fd(target->attempt), .events = POLLIN};
        }
    }
    if (count == 0) {
        db_health_wait(prober->health, &prober->seen, next_try_us(prober));
        return;
    }
    (void)poll(attempts, count, TICK_MS);
    for (nfds_t i = 0; i < count; i++) {
        look_at(tried[i]);
    }
}
