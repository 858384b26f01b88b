// SPDX-License-Identifier: MIT
// jwt: signed JSON Web Tokens (RFC 7519) in compact form (RFC 7515): taking them apart and
// verifying their signatures with keys that are parsed once. What the claims mean is not its
// business.
#ifndef BKFLOW_AUTH_JWT_H
#define BKFLOW_AUTH_JWT_H

#include "auth/jwt_key.h"
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

// -1 when NAME is none that can be verified with a public key; "none" and HMAC never are.
int jwt_algorithm_named(struct str name, enum jwt_algorithm *algorithm) MUST_CHECK NONNULL;

// One thread's tools.
struct jwt_verifier;
struct jwt_verifier *jwt_verifier_new(void) MUST_CHECK; // NULL: no memory or no such digests
void jwt_verifier_free(struct jwt_verifier *verifier);

// A token taken apart; nothing in it is to be believed yet. Texts in the arena or the token.
struct jwt {
    struct str signed_part; // header and claims as they are signed
    struct str signature;   // raw bytes
    struct str claims;      // JSON text
    struct str algorithm;   // the header's alg
    struct str key_id;      // the header's kid, absent when it has none
};

// Takes TOKEN apart. -1 without memory, else refused when it is not three parts of base64url
// without padding, when the header is not a JSON object with a string alg, or names extensions in
// crit: none is understood here.
int jwt_split(struct str token, struct arena *arena, struct jwt *jwt,
              struct error *err) MUST_CHECK NONNULL;

enum jwt_verdict {
    JWT_HOLDS,
    JWT_HOLDS_NOT,
    JWT_LACKS_MEMORY, // to tell: no fault of the token's
};

// Whether the signature is KEY's by ALGORITHM. ALGORITHM comes from the configuration: what the
// header says has no part in it (RFC 8725, section 3.1), nor can a key be used by an algorithm of
// another kind.
enum jwt_verdict jwt_verify(struct jwt_verifier *verifier, const struct jwt *jwt,
                            const struct jwt_key *key,
                            enum jwt_algorithm algorithm) MUST_CHECK NONNULL;

#endif
