// SPDX-License-Identifier: MIT
#include "states/watch.h"

#include "base/hash.h"
#include "states/watch_timers_priv.h"

#include <assert.h>
#include <stdlib.h>

enum {
    FIRST_BUCKETS = 64,
    // A waiter that was woken in vain, or could not read, is woken again after this time, then
    // after twice the time, and so on. In vain: the worker may have read a server that is behind.
    RETRY_US = 500 * 1000,
    RETRIES_IN_VAIN_MAX = 4, // up to 8 seconds
    RETRY_SHIFT_MAX = 4,     // a failed one: every 8 seconds
};

// A task that is watched, by its root node's id.
struct watch_root {
    struct watch_root *next_in_bucket;
    struct watch_root *next; // of all roots
    struct watch_root *previous;
    struct watch_link *links; // of its waiters
    bool has_digest;
    struct store_digest digest;
    uint64_t place;   // the connection that returned it
    int64_t since_us; // monotonic; from when on DIGEST is known to be current
    int64_t left_us;  // monotonic; when the last waiter left
    uint64_t hash;
    size_t key_len;
    char key[];
};

struct watch {
    uint64_t seed;
    struct watch_root **buckets;
    size_t bucket_count;              // a power of 2
    struct watch_root *first;         // the newest
    struct watch_root *next_of_round; // NULL: the round is over
    bool is_in_round;
    size_t root_count;
    struct watch_timers timers;
    struct watch_waiter *first_ready;
    struct watch_waiter *last_ready;
};

struct watch *watch_new(uint64_t seed)
{
    struct watch *const watch = calloc(1, sizeof(struct watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->seed = seed;
    watch->bucket_count = FIRST_BUCKETS;
    watch->buckets = calloc(FIRST_BUCKETS, sizeof(struct watch_root *));
    if (watch->buckets == NULL) {
        free(watch);
        return NULL;
    }
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    while (watch->first != NULL) {
        struct watch_root *const root = watch->first;
        watch->first = root->next;
        free(root);
    }
    free(watch->timers.list);
    free(watch->buckets);
    free(watch);
}

// ---- what a waiter waits for ----

static bool has_roots(const struct watch_waiter *waiter, const struct str roots[], size_t count)
{
    for (size_t i = 0; i < count && waiter->link_count == count; i++) {
        if (!str_equal(waiter->links[i].key, roots[i])) {
            return false;
        }
    }
    return waiter->link_count == count;
}

int watch_set_roots(struct watch_waiter *waiter, const struct str roots[], size_t count)
{
    if (has_roots(waiter, roots, count)) {
        return 0;
    }
    size_t bytes = count * sizeof(struct watch_link);
    for (size_t i = 0; i < count; i++) {
        assert(roots[i].len <= WATCH_ROOT_BYTES);
        bytes += roots[i].len;
    }
    struct watch_link *const links = malloc(bytes + 1); // without roots it is not empty
    if (links == NULL) {
        return -1;
    }
    char *keys = (char *)(links + count);
    for (size_t i = 0; i < count; i++) {
        memcpy(keys, roots[i].ptr, roots[i].len);
        links[i] = (struct watch_link){.key = {keys, roots[i].len}};
        keys += roots[i].len;
    }
    free(waiter->links);
    waiter->links = links;
    waiter->link_count = count;
    return 0;
}

void watch_drop_roots(struct watch_waiter *waiter)
{
    free(waiter->links);
    waiter->links = NULL;
    waiter->link_count = 0;
}

// ---- the roots ----

static uint64_t hash_key(const struct watch *watch, struct str key)
{
    struct hash hash = hash_start(watch->seed);
    hash_text(&hash, key.ptr, key.len);
    return hash.a;
}

static struct watch_root **bucket_of(const struct watch *watch, uint64_t hash)
{
    return &watch->buckets[hash & (watch->bucket_count - 1)];
}

static struct watch_root *find_root(const struct watch *watch, struct str key, uint64_t hash)
{
    struct watch_root *root = *bucket_of(watch, hash);
    while (root != NULL &&
           !(root->hash == hash && str_equal((struct str){root->key, root->key_len}, key))) {
        root = root->next_in_bucket;
    }
    return root;
}

static void put_into_bucket(const struct watch *watch, struct watch_root *root)
{
    struct watch_root **const bucket = bucket_of(watch, root->hash);
    root->next_in_bucket = *bucket;
    *bucket = root;
}

// Without memory the buckets stay as few as they are, and become slower.
static void grow_buckets(struct watch *watch)
{
    const size_t count = 2 * watch->bucket_count;
    struct watch_root **const buckets = calloc(count, sizeof(struct watch_root *));
    if (buckets == NULL) {
        return;
    }
    free(watch->buckets);
    watch->buckets = buckets;
    watch->bucket_count = count;
    for (struct watch_root *root = watch->first; root != NULL; root = root->next) {
        put_into_bucket(watch, root);
    }
}

// At the front of the list, so the next round begins with it. If new roots joined the round that is
// under way, it might never end.
static struct watch_root *add_root(struct watch *watch, struct str key, uint64_t hash)
{
    struct watch_root *const root = calloc(1, sizeof(struct watch_root) + key.len);
    if (root == NULL) {
        return NULL;
    }
    root->hash = hash;
    root->key_len = key.len;
    memcpy(root->key, key.ptr, key.len);
    root->next = watch->first;
    if (root->next != NULL) {
        root->next->previous = root;
    }
    watch->first = root;
    put_into_bucket(watch, root);
    if (++watch->root_count > watch->bucket_count) {
        grow_buckets(watch);
    }
    return root;
}

static void drop_root(struct watch *watch, struct watch_root *root)
{
    struct watch_root **at = bucket_of(watch, root->hash);
    while (*at != root) {
        at = &(*at)->next_in_bucket;
    }
    *at = root->next_in_bucket;
    *(root->previous == NULL ? &watch->first : &root->previous->next) = root->next;
    if (root->next != NULL) {
        root->next->previous = root->previous;
    }
    watch->root_count--;
    free(root);
}

size_t watch_root_count(const struct watch *watch)
{
    return watch->root_count;
}

// ---- links between waiters and roots ----

static void unlink_waiter(struct watch_waiter *waiter, int64_t now_us)
{
    for (size_t i = 0; i < waiter->link_count; i++) {
        struct watch_link *const link = &waiter->links[i];
        if (link->root == NULL) {
            continue;
        }
        *(link->previous == NULL ? &link->root->links : &link->previous->next) = link->next;
        if (link->next != NULL) {
            link->next->previous = link->previous;
        }
        link->root->left_us = now_us;
        link->root = NULL;
    }
}

// A root that is named twice is in the list once.
static void link_to_root(struct watch_link *link, struct watch_root *root)
{
    if (root->links != NULL && root->links->waiter == link->waiter) {
        return;
    }
    link->root = root;
    link->previous = NULL;
    link->next = root->links;
    if (link->next != NULL) {
        link->next->previous = link;
    }
    root->links = link;
}

static int link_waiter(struct watch *watch, struct watch_waiter *waiter)
{
    for (size_t i = 0; i < waiter->link_count; i++) {
        struct watch_link *const link = &waiter->links[i];
        const uint64_t hash = hash_key(watch, link->key);
        struct watch_root *root = find_root(watch, link->key, hash);
        root = root == NULL ? add_root(watch, link->key, hash) : root;
        if (root == NULL) {
            return -1;
        }
        link->waiter = waiter;
        link_to_root(link, root);
    }
    return 0;
}

// ---- waiters ----

// Returns when a waiter reads again although no change is seen; INT64_MAX: it does not.
static int64_t retry_us(struct watch_waiter *waiter, int64_t now_us)
{
    const bool was_in_vain =
        waiter->reason == WATCH_CHANGE || (waiter->reason == WATCH_TIMER && waiter->rounds > 0);
    waiter->rounds = waiter->has_failed || was_in_vain ? waiter->rounds + 1 : 0;
    const bool tries_again =
        waiter->has_failed || (waiter->rounds > 0 && waiter->rounds <= RETRIES_IN_VAIN_MAX);
    if (!tries_again) {
        waiter->rounds = 0;
        return INT64_MAX;
    }
    const unsigned shift = waiter->rounds - 1;
    return now_us + ((int64_t)RETRY_US << (shift < RETRY_SHIFT_MAX ? shift : RETRY_SHIFT_MAX));
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool has_doubts(const struct watch_waiter *waiter, const struct watch_root *root)
{
    return root->has_digest && waiter->read_us < root->since_us;
}

int watch_add(struct watch *watch, struct watch_waiter *waiter, int64_t now_us)
{
    waiter->is_ready = false;
    waiter->due_us = earlier(waiter->until_us, retry_us(waiter, now_us));
    if (waiter->reread_us > 0) {
        waiter->due_us = earlier(waiter->due_us, now_us + waiter->reread_us);
    }
    if (link_waiter(watch, waiter) != 0 || watch_timers_add(&watch->timers, waiter) != 0) {
        unlink_waiter(waiter, now_us);
        return -1;
    }
    for (size_t i = 0; i < waiter->link_count && !waiter->is_ready; i++) {
        const struct watch_root *const root = waiter->links[i].root;
        if (root != NULL && has_doubts(waiter, root)) {
            watch_wake(watch, waiter, WATCH_DOUBT, now_us);
        }
    }
    return 0;
}

static void take_out(struct watch *watch, struct watch_waiter *waiter, int64_t now_us)
{
    unlink_waiter(waiter, now_us);
    watch_timers_remove(&watch->timers, waiter);
}

static void remove_ready(struct watch *watch, struct watch_waiter *waiter)
{
    *(waiter->previous == NULL ? &watch->first_ready : &waiter->previous->next) = waiter->next;
    *(waiter->next == NULL ? &watch->last_ready : &waiter->next->previous) = waiter->previous;
    waiter->is_ready = false;
}

void watch_remove(struct watch *watch, struct watch_waiter *waiter, int64_t now_us)
{
    if (waiter->is_ready) {
        remove_ready(watch, waiter);
    } else {
        take_out(watch, waiter, now_us);
    }
}

void watch_wake(struct watch *watch, struct watch_waiter *waiter, enum watch_reason reason,
                int64_t now_us)
{
    if (waiter->is_ready) {
        return;
    }
    take_out(watch, waiter, now_us);
    waiter->reason = reason;
    waiter->woken_us = now_us;
    waiter->is_ready = true;
    waiter->next = NULL;
    waiter->previous = watch->last_ready;
    *(watch->last_ready == NULL ? &watch->first_ready : &watch->last_ready->next) = waiter;
    watch->last_ready = waiter;
}

void watch_wake_all(struct watch *watch, enum watch_reason reason, int64_t now_us)
{
    while (watch->timers.count > 0) {
        watch_wake(watch, watch->timers.list[0], reason, now_us);
    }
}

void watch_look(struct watch *watch, int64_t now_us)
{
    while (watch_due_us(watch) <= now_us) {
        struct watch_waiter *const waiter = watch->timers.list[0];
        watch_wake(watch, waiter, waiter->until_us <= now_us ? WATCH_TIME : WATCH_TIMER, now_us);
    }
}

int64_t watch_due_us(const struct watch *watch)
{
    return watch->timers.count == 0 ? INT64_MAX : watch->timers.list[0]->due_us;
}

struct watch_waiter *watch_take_ready(struct watch *watch)
{
    struct watch_waiter *const waiter = watch->first_ready;
    if (waiter != NULL) {
        remove_ready(watch, waiter);
    }
    return waiter;
}

bool watch_has_ready(const struct watch *watch)
{
    return watch->first_ready != NULL;
}

// ---- batches ----

static void put_into_batch(struct watch_batch *batch, const struct watch_root *root)
{
    char *const bytes = batch->bytes[batch->count];
    memcpy(bytes, root->key, root->key_len);
    batch->roots[batch->count++] = (struct str){bytes, root->key_len};
}

void watch_next_batch(struct watch *watch, struct watch_batch *batch, int64_t now_us)
{
    batch->count = 0;
    if (!watch->is_in_round) {
        watch->is_in_round = true;
        watch->next_of_round = watch->first;
    }
    while (watch->next_of_round != NULL && batch->count < STORE_DIGESTS_MAX) {
        struct watch_root *const root = watch->next_of_round;
        watch->next_of_round = root->next;
        if (root->links == NULL && root->left_us + WATCH_KEPT_US < now_us) {
            drop_root(watch, root);
        } else {
            put_into_batch(batch, root);
        }
    }
    watch->is_in_round = batch->count > 0;
}

static bool is_same_digest(const struct store_digest *a, const struct store_digest *b)
{
    return a->has_rows == b->has_rows && a->a == b->a && a->b == b->b;
}

static void wake_doubtful(struct watch *watch, const struct watch_root *root,
                          enum watch_reason reason, int64_t now_us)
{
    struct watch_link *next;
    for (struct watch_link *link = root->links; link != NULL; link = next) {
        next = link->next;
        if (has_doubts(link->waiter, root)) {
            watch_wake(watch, link->waiter, reason, now_us);
        }
    }
}

size_t watch_take_batch(struct watch *watch, const struct watch_batch *batch, int64_t ended_us,
                        uint64_t place, int64_t now_us)
{
    size_t changes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct watch_root *const root =
            find_root(watch, batch->roots[i], hash_key(watch, batch->roots[i]));
        if (root == NULL) {
            continue;
        }
        const bool is_same = root->has_digest && is_same_digest(&root->digest, &batch->digests[i]);
        const bool is_change = root->has_digest && !is_same;
        if (!is_same || place != root->place) {
            root->since_us = ended_us;
        }
        root->has_digest = true;
        root->place = place;
        root->digest = batch->digests[i];
        changes += is_change;
        wake_doubtful(watch, root, is_change ? WATCH_CHANGE : WATCH_DOUBT, now_us);
    }
    return changes;
}
