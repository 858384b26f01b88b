// SPDX-License-Identifier: MIT
#include "db/health.h"

#include "base/clock.h"
#include "db/error_code_priv.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    HOSTS_MAX = 64, // twice as many as a configuration can name: a reload may replace all
    FIRST_PAUSE_US = 50 * 1000,
    LONGEST_PAUSE_US = 800 * 1000, // so that the service recovers within a second
    CAUSES_MAX = 4,                // reported for one outage
};

struct host {
    uint64_t key;
    int64_t retry_at_us;         // monotonic; 0: healthy
    int64_t pause_us;            // after the last failure
    int64_t used_us;             // monotonic; when it was last used
    uint64_t failures;           // in this outage; 0: there is none
    int64_t since_us;            // monotonic; when the outage began
    unsigned causes[CAUSES_MAX]; // error numbers that were reported
    size_t cause_count;
    bool is_limit_reported; // it was reported that it cannot end statements
    bool is_unresponsive;
};

struct db_health {
    struct db_deadline_list watches;
    pthread_mutex_t mutex; // protects all below
    pthread_cond_t changed;
    struct host hosts[HOSTS_MAX];
    uint64_t random;   // for the jitter of pauses
    uint64_t failures; // total number
    bool is_closed;
    atomic_uint unresponsive; // number of such hosts; read without the mutex before each statement
    atomic_bool is_probed;
};

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct db_health *db_health_new(void)
{
    struct db_health *const health = calloc(1, sizeof(struct db_health));
    if (health == NULL) {
        return NULL;
    }
    health->random =
        (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)health ^ (uint64_t)getpid() << 32;
    db_deadline_list_init(&health->watches);
    pthread_mutex_init(&health->mutex, NULL);
    init_condition(&health->changed);
    return health;
}

void db_health_free(struct db_health *health)
{
    if (health != NULL) {
        pthread_cond_destroy(&health->changed);
        pthread_mutex_destroy(&health->mutex);
        db_deadline_list_end(&health->watches);
        free(health);
    }
}

struct db_deadline_list *db_health_deadlines(struct db_health *health)
{
    return &health->watches;
}

// ---- hosts ----

static void set_unresponsive(struct db_health *health, struct host *host, bool is_unresponsive)
{
    if (host->is_unresponsive != is_unresponsive) {
        host->is_unresponsive = is_unresponsive;
        atomic_fetch_add(&health->unresponsive, is_unresponsive ? 1U : -1U);
    }
}

// Locks the mutex and finds the host. A new host replaces the least recently used one.
static struct host *lock_host(struct db_health *health, uint64_t key)
{
    pthread_mutex_lock(&health->mutex);
    struct host *found = &health->hosts[0];
    for (size_t i = 0; i < HOSTS_MAX && found->key != key; i++) {
        struct host *const host = &health->hosts[i];
        found = host->key == key || host->used_us < found->used_us ? host : found;
    }
    if (found->key != key) {
        set_unresponsive(health, found, false);
        *found = (struct host){.key = key};
    }
    found->used_us = clock_monotonic_us();
    return found;
}

static void unlock(struct db_health *health)
{
    pthread_mutex_unlock(&health->mutex);
}

static void postpone(struct db_health *health, struct host *host)
{
    const int64_t pause_us = host->pause_us == 0 ? FIRST_PAUSE_US : host->pause_us * 2;
    host->pause_us = pause_us > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : pause_us;
    health->random ^= health->random << 13; // Marsaglia's xorshift64
    health->random ^= health->random >> 7;
    health->random ^= health->random << 17;
    const int64_t jitter = (int64_t)(health->random % (uint64_t)(host->pause_us / 2 + 1));
    host->retry_at_us = clock_monotonic_us() + host->pause_us - jitter;
}

static void wake_prober(struct db_health *health)
{
    health->failures++;
    pthread_cond_signal(&health->changed);
}

static bool is_reported(const struct host *host, unsigned cause)
{
    bool found = host->cause_count == CAUSES_MAX;
    for (size_t i = 0; i < host->cause_count; i++) {
        found = found || host->causes[i] == cause;
    }
    return found;
}

static enum db_news record_failure(struct host *host, unsigned code)
{
    const unsigned cause = db_error_code_is_unreachable(code) ? 0 : code;
    const bool is_first = host->failures++ == 0;
    if (is_first) {
        host->since_us = clock_monotonic_us();
        host->cause_count = 0;
    }
    if (is_reported(host, cause)) {
        return DB_NEWS_NONE;
    }
    host->causes[host->cause_count++] = cause;
    return is_first ? DB_NEWS_BEGIN : DB_NEWS_CAUSE;
}

enum db_news db_health_failed(struct db_health *health, uint64_t key, unsigned code)
{
    struct host *const host = lock_host(health, key);
    const enum db_news news = record_failure(host, code);
    postpone(health, host);
    wake_prober(health);
    unlock(health);
    return news;
}

enum db_news db_health_succeeded(struct db_health *health, uint64_t key, struct db_outage *ended)
{
    struct host *const host = lock_host(health, key);
    const enum db_news news = host->failures > 0 ? DB_NEWS_END : DB_NEWS_NONE;
    *ended = (struct db_outage){host->failures, clock_monotonic_us() - host->since_us};
    set_unresponsive(health, host, false);
    host->failures = 0;
    host->pause_us = 0;
    host->retry_at_us = 0;
    unlock(health);
    return news;
}

bool db_health_has_no_time_limit(struct db_health *health, uint64_t key)
{
    struct host *const host = lock_host(health, key);
    const bool is_news = !host->is_limit_reported;
    host->is_limit_reported = true;
    unlock(health);
    return is_news;
}

void db_health_suspect(struct db_health *health, uint64_t key)
{
    struct host *const host = lock_host(health, key);
    if (host->retry_at_us == 0) {
        postpone(health, host);
        host->retry_at_us = health->is_probed ? clock_monotonic_us() : host->retry_at_us;
        wake_prober(health);
    }
    unlock(health);
}

enum db_news db_health_set_unresponsive(struct db_health *health, uint64_t key)
{
    struct host *const host = lock_host(health, key);
    const enum db_news news = host->is_unresponsive ? DB_NEWS_NONE : record_failure(host, 0);
    set_unresponsive(health, host, true);
    unlock(health);
    return news;
}

bool db_health_is_unresponsive(struct db_health *health, uint64_t key)
{
    if (LIKELY(atomic_load_explicit(&health->unresponsive, memory_order_relaxed) == 0)) {
        return false;
    }
    const bool is_unresponsive = lock_host(health, key)->is_unresponsive;
    unlock(health);
    return is_unresponsive;
}

int64_t db_health_retry_at(struct db_health *health, uint64_t key)
{
    const int64_t retry_at_us = lock_host(health, key)->retry_at_us;
    unlock(health);
    return retry_at_us;
}

// ---- probing ----

void db_health_set_probed(struct db_health *health)
{
    atomic_store(&health->is_probed, true);
}

bool db_health_is_probed(struct db_health *health)
{
    return atomic_load(&health->is_probed);
}

static bool wait_for_change(struct db_health *health, int64_t until_us)
{
    if (until_us < 0) {
        return pthread_cond_wait(&health->changed, &health->mutex) == 0;
    }
    const struct timespec until = {.tv_sec = until_us / US_PER_SECOND,
                                   .tv_nsec = until_us % US_PER_SECOND * 1000};
    return pthread_cond_timedwait(&health->changed, &health->mutex, &until) == 0;
}

void db_health_wait(struct db_health *health, uint64_t *seen, int64_t until_us)
{
    pthread_mutex_lock(&health->mutex);
    while (!health->is_closed && health->failures == *seen && wait_for_change(health, until_us)) {
    }
    *seen = health->failures;
    pthread_mutex_unlock(&health->mutex);
}

void db_health_wake(struct db_health *health)
{
    pthread_mutex_lock(&health->mutex);
    wake_prober(health);
    pthread_mutex_unlock(&health->mutex);
}

void db_health_close(struct db_health *health)
{
    pthread_mutex_lock(&health->mutex);
    health->is_closed = true;
    health->is_probed = false;
    pthread_cond_signal(&health->changed);
    pthread_mutex_unlock(&health->mutex);
}

bool db_health_is_closed(struct db_health *health)
{
    pthread_mutex_lock(&health->mutex);
    const bool is_closed = health->is_closed;
    pthread_mutex_unlock(&health->mutex);
    return is_closed;
}
