// SPDX-License-Identifier: MIT
// token_cache: the claims of verified gateway tokens. A gateway sends the same token for minutes,
// and verifying a signature costs more than the rest of a request. Only the token's digest is
// stored. A cache belongs to one set of keys and is freed with it.
#ifndef BKFLOW_AUTH_TOKEN_CACHE_PRIV_H
#define BKFLOW_AUTH_TOKEN_CACHE_PRIV_H

#include "base/arena.h"
#include "base/base.h"

enum { TOKEN_CACHE_DIGEST_BYTES = 32 };

// The claims of a token. Dates are seconds since 1970-01-01 UTC; -INFINITY if missing.
struct token_claims {
    double expires;    // exp
    double not_before; // nbf
    double issued;     // iat
    struct str app_code;
    struct str username;
};

// A cache of fixed size, 1 MiB. Any thread may use it.
struct token_cache;

struct token_cache *token_cache_new(void) MUST_CHECK; // NULL: out of memory
void token_cache_free(struct token_cache *cache);

// Finds the claims of the token with this SHA-256 and copies their strings to ARENA. False if it is
// not in the cache, or the arena is exhausted. The caller must check the dates: the token may have
// expired.
bool token_cache_find(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                      struct arena *arena, struct token_claims *claims) MUST_CHECK NONNULL;

// Adds the claims of a verified token, replacing the least recently used ones of its set. Names of
// more than TOKEN_CACHE_TEXT_BYTES together are not stored.
enum { TOKEN_CACHE_TEXT_BYTES = 160 };
void token_cache_add(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                     const struct token_claims *claims) NONNULL;

#endif
