// SPDX-License-Identifier: MIT
// jwt: signed JSON Web Tokens (RFC 7519) in compact form (RFC 7515): splits them and verifies their
// signatures with keys that are parsed once. Does not know what the claims mean.
#ifndef BKFLOW_AUTH_JWT_PRIV_H
#define BKFLOW_AUTH_JWT_PRIV_H

#include "auth/jwt_key_priv.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

enum jwt_algorithm {
    JWT_RS256,
    JWT_RS384,
    JWT_RS512,
    JWT_ES256,
    JWT_ES384,
    JWT_ES512,
    JWT_ALGORITHM_COUNT
};

// -1 if NAME is not an algorithm with a public key; "none" and HMAC are never accepted.
int jwt_algorithm_named(struct str name, enum jwt_algorithm *algorithm) MUST_CHECK NONNULL;

enum { JWT_DIGEST_BYTES = 32 };

// The tools of one thread.
struct jwt_verifier;
struct jwt_verifier *
jwt_verifier_new(void) MUST_CHECK; // NULL: no memory, or OpenSSL lacks a digest
void jwt_verifier_free(struct jwt_verifier *verifier);

// Computes the SHA-256 of a complete token. false if memory is exhausted.
bool jwt_digest(struct jwt_verifier *verifier, struct str token,
                uint8_t digest[JWT_DIGEST_BYTES]) MUST_CHECK NONNULL;

// A split token; nothing in it is verified. The strings are in the arena or the token.
struct jwt {
    struct str signed_part; // header and claims, as signed
    struct str signature;   // raw bytes
    struct str claims;      // JSON text
    struct str algorithm;   // the header's alg
    struct str key_id;      // the header's kid; absent if it has none
};

// Splits TOKEN. Fails if memory is exhausted, the token is not three parts of base64url without
// padding, its header is not a JSON object with a string alg, or the header names extensions in
// crit: none is supported.
int jwt_split(struct str token, struct arena *arena, struct jwt *jwt,
              struct error *err) MUST_CHECK NONNULL;

enum jwt_verdict {
    JWT_VALID,
    JWT_INVALID,
    JWT_LACKS_MEMORY, // the token may be valid
};

// Verifies the signature with KEY and ALGORITHM. ALGORITHM comes from the configuration: the header
// has no influence on it (RFC 8725, section 3.1). A key is never used with an algorithm of another
// kind.
enum jwt_verdict jwt_verify(struct jwt_verifier *verifier, const struct jwt *jwt,
                            const struct jwt_key *key,
                            enum jwt_algorithm algorithm) MUST_CHECK NONNULL;

#endif
