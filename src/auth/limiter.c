// SPDX-License-Identifier: MIT
#include "auth/limiter.h"

#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4 }; // 64 KB; the bucket that empties first is replaced
static const int64_t minute_us = 60 * US_PER_SECOND;

// A bucket. Its level is stored as the time at which it will be empty; each failure adds an
// interval.
struct bucket {
    _Atomic uint64_t key; // 0: free
    _Atomic int64_t empty_at_us;
};

struct limiter {
    uint64_t seed;
    pthread_mutex_t mutex;           // for writers only
    _Atomic int64_t all_empty_at_us; // before this time some bucket is not empty
    struct bucket buckets[SETS][WAYS];
};

enum subject { SUBJECT_ADDRESS = 1, SUBJECT_APPLICATION = 2 };

struct limiter *limiter_new(uint64_t seed)
{
    struct limiter *const limiter = calloc(1, sizeof(struct limiter));
    if (limiter != NULL) {
        limiter->seed = seed;
        pthread_mutex_init(&limiter->mutex, NULL);
    }
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter != NULL) {
        pthread_mutex_destroy(&limiter->mutex);
        free(limiter);
    }
}

static uint64_t make_key(const struct limiter *limiter, enum subject subject, struct str text)
{
    struct hash hash = hash_start(limiter->seed + subject);
    hash_text(&hash, text.ptr, text.len);
    const uint64_t key = hash.a ^ hash.b;
    return key == 0 ? 1 : key;
}

// All unknown addresses share a bucket, so an invalid address is no way around the limit.
static uint64_t key_of_address(const struct limiter *limiter, struct cidr_address address)
{
    const struct cidr_address client = cidr_address_client(address);
    const size_t len = client.is_known ? sizeof client.bytes : 0;
    return make_key(limiter, SUBJECT_ADDRESS, (struct str){(const char *)client.bytes, len});
}

static uint64_t key_of_application(const struct limiter *limiter, struct str app_code)
{
    return make_key(limiter, SUBJECT_APPLICATION, app_code);
}

static struct bucket *find(struct limiter *limiter, uint64_t key)
{
    struct bucket *const set = limiter->buckets[key % SETS];
    for (size_t i = 0; i < WAYS; i++) {
        if (atomic_load_explicit(&set[i].key, memory_order_relaxed) == key) {
            return &set[i];
        }
    }
    return NULL;
}

// Returns the level of a bucket as the time until it is empty; 0 if its owner has not failed
// recently.
static int64_t level_us(struct limiter *limiter, uint64_t key, int64_t now_us)
{
    const struct bucket *const bucket = find(limiter, key);
    if (bucket == NULL) {
        return 0;
    }
    const int64_t level = atomic_load_explicit(&bucket->empty_at_us, memory_order_relaxed) - now_us;
    return level > 0 ? level : 0;
}

// Returns the time until one more failure fits.
static int64_t overflow_us(int64_t level, int64_t per_minute)
{
    const int64_t over = level + minute_us / per_minute - minute_us;
    return over > 0 ? over : 0;
}

unsigned limiter_wait_seconds(struct limiter *limiter, struct cidr_address address,
                              struct str app_code, int64_t per_minute, int64_t now_us)
{
    if (per_minute == 0 ||
        LIKELY(atomic_load_explicit(&limiter->all_empty_at_us, memory_order_relaxed) <= now_us)) {
        return 0;
    }
    const int64_t of_address = level_us(limiter, key_of_address(limiter, address), now_us);
    int64_t wait_us = overflow_us(of_address, per_minute);
    if (of_address > 0 && !str_is_absent(app_code)) {
        const int64_t of_code = level_us(limiter, key_of_application(limiter, app_code), now_us);
        const int64_t wait_for_code_us = overflow_us(of_code, per_minute);
        wait_us = wait_for_code_us > wait_us ? wait_for_code_us : wait_us;
    }
    return (unsigned)((wait_us + US_PER_SECOND - 1) / US_PER_SECOND);
}

// Returns the bucket of this key; if there is none, replaces the one of its set that empties first.
static struct bucket *find_or_take(struct limiter *limiter, uint64_t key)
{
    struct bucket *const known = find(limiter, key);
    if (known != NULL) {
        return known;
    }
    struct bucket *oldest = limiter->buckets[key % SETS];
    for (size_t i = 1; i < WAYS; i++) {
        struct bucket *const bucket = &limiter->buckets[key % SETS][i];
        if (atomic_load(&bucket->empty_at_us) < atomic_load(&oldest->empty_at_us)) {
            oldest = bucket;
        }
    }
    atomic_store(&oldest->empty_at_us, 0);
    atomic_store(&oldest->key, key);
    return oldest;
}

static void add_failure(struct limiter *limiter, uint64_t key, int64_t per_minute, int64_t now_us)
{
    struct bucket *const bucket = find_or_take(limiter, key);
    const int64_t empty_at_us = atomic_load(&bucket->empty_at_us);
    const int64_t from_us = empty_at_us > now_us ? empty_at_us : now_us;
    const int64_t full_at_us = now_us + minute_us; // the level of a full bucket
    const int64_t fuller_us = from_us + minute_us / per_minute;
    atomic_store(&bucket->empty_at_us, fuller_us < full_at_us ? fuller_us : full_at_us);
    if (atomic_load(&limiter->all_empty_at_us) < full_at_us) {
        atomic_store(&limiter->all_empty_at_us, full_at_us);
    }
}

void limiter_count_failure(struct limiter *limiter, struct cidr_address address,
                           struct str app_code, int64_t per_minute, int64_t now_us)
{
    if (per_minute == 0) {
        return;
    }
    pthread_mutex_lock(&limiter->mutex);
    add_failure(limiter, key_of_address(limiter, address), per_minute, now_us);
    if (!str_is_absent(app_code)) {
        add_failure(limiter, key_of_application(limiter, app_code), per_minute, now_us);
    }
    pthread_mutex_unlock(&limiter->mutex);
}
