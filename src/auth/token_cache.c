// SPDX-License-Identifier: MIT
#include "auth/token_cache_priv.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4 };

struct entry {
    uint64_t used; // time of the last use, in uses of the cache; 0: free
    uint8_t digest[TOKEN_CACHE_DIGEST_BYTES];
    struct token_claims claims; // its strings are in TEXT
    char text[TOKEN_CACHE_TEXT_BYTES];
};

struct token_cache {
    pthread_mutex_t mutex;
    uint64_t uses;
    struct entry entries[SETS][WAYS];
};
_Static_assert(sizeof(struct entry) * SETS * WAYS <= 1 << 20, "the header says 1 MiB");

struct token_cache *token_cache_new(void)
{
    struct token_cache *const cache = calloc(1, sizeof *cache);
    if (cache != NULL) {
        pthread_mutex_init(&cache->mutex, NULL);
    }
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (cache != NULL) {
        pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

// Digests are as good as random: the first bytes choose the set.
static struct entry *set_of(struct token_cache *cache,
                            const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES])
{
    uint64_t number;
    memcpy(&number, digest, sizeof number);
    return cache->entries[number % SETS];
}

static struct entry *find(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES])
{
    struct entry *const set = set_of(cache, digest);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used != 0 && memcmp(set[i].digest, digest, TOKEN_CACHE_DIGEST_BYTES) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

bool token_cache_find(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                      struct arena *arena, struct token_claims *claims)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *const entry = find(cache, digest);
    if (entry != NULL) {
        entry->used = ++cache->uses;
        *claims = entry->claims;
        claims->app_code = arena_copy(arena, entry->claims.app_code);
        claims->username = arena_copy(arena, entry->claims.username);
    }
    pthread_mutex_unlock(&cache->mutex);
    return entry != NULL && !str_is_absent(claims->app_code) && !str_is_absent(claims->username);
}

static struct entry *find_oldest(struct token_cache *cache,
                                 const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES])
{
    struct entry *const set = set_of(cache, digest);
    struct entry *oldest = set;
    for (size_t i = 1; i < WAYS; i++) {
        oldest = set[i].used < oldest->used ? &set[i] : oldest;
    }
    return oldest;
}

static struct str put_text(struct entry *entry, size_t at, struct str text)
{
    memcpy(entry->text + at, text.ptr, text.len);
    return (struct str){entry->text + at, text.len};
}

static void fill(struct entry *entry, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                 const struct token_claims *claims, uint64_t used)
{
    entry->used = used;
    memcpy(entry->digest, digest, TOKEN_CACHE_DIGEST_BYTES);
    entry->claims = *claims;
    entry->claims.app_code = put_text(entry, 0, claims->app_code);
    entry->claims.username = put_text(entry, claims->app_code.len, claims->username);
}

void token_cache_add(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                     const struct token_claims *claims)
{
    if (claims->app_code.len > TOKEN_CACHE_TEXT_BYTES ||
        claims->username.len > TOKEN_CACHE_TEXT_BYTES - claims->app_code.len) {
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    // Another thread may have verified the same token in the meantime.
    if (find(cache, digest) == NULL) {
        fill(find_oldest(cache, digest), digest, claims, ++cache->uses);
    }
    pthread_mutex_unlock(&cache->mutex);
}
