// SPDX-License-Identifier: MIT
// token_cache: the claims of gateway tokens that were verified. A gateway sends the same token for
// minutes, and a signature costs more than all else that is done for a request. Of a token only its
// digest is kept. A cache belongs to one set of keys and is freed with it.
#ifndef BKFLOW_AUTH_TOKEN_CACHE_PRIV_H
#define BKFLOW_AUTH_TOKEN_CACHE_PRIV_H

#include "base/arena.h"
#include "base/base.h"

enum { TOKEN_CACHE_DIGEST_BYTES = 32 };

// What a token claims. Dates are seconds since 1970 UTC; one that the token lacks is -INFINITY.
struct token_claims {
    double expires;    // exp
    double not_before; // nbf
    double issued;     // iat
    struct str app_code;
    struct str username;
};

// Of fixed size: 1 MiB. Any thread may call the functions on it.
struct token_cache;

struct token_cache *token_cache_new(void) MUST_CHECK; // NULL: no memory
void token_cache_free(struct token_cache *cache);

// Finds the claims of the token with this SHA-256, with its texts in ARENA. false: it is not in the
// cache, or the arena is full. Dates are the caller's to check: the token may have expired.
bool token_cache_find(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                      struct arena *arena, struct token_claims *claims) MUST_CHECK NONNULL;

// Keeps the claims of a token that was verified, instead of those that were used longest ago. Names
// of more than TOKEN_CACHE_TEXT_BYTES together are not kept.
enum { TOKEN_CACHE_TEXT_BYTES = 160 };
void token_cache_add(struct token_cache *cache, const uint8_t digest[TOKEN_CACHE_DIGEST_BYTES],
                     const struct token_claims *claims) NONNULL;

#endif
