// SPDX-License-Identifier: MIT
// secret: the digest under which an application's secret is kept: SHA-256(salt || secret). It is
// made here rather than by the database server: a secret does not leave the process.
#ifndef BKFLOW_AUTH_SECRET_H
#define BKFLOW_AUTH_SECRET_H

#include "auth/lookup.h"
#include "base/base.h"
#include "base/error.h"

// For many digests: the algorithm is fetched once, which costs more than a digest. Used by one
// thread.
struct secret_hasher;

// NULL: no memory, or no SHA-256.
struct secret_hasher *secret_hasher_new(void) MUST_CHECK;
void secret_hasher_free(struct secret_hasher *hasher);

// Secrets may have any length. false when OpenSSL fails; DIGEST means nothing then.
bool secret_hasher_digest(struct secret_hasher *hasher, const uint8_t salt[LOOKUP_SALT_BYTES],
                          struct str secret,
                          uint8_t digest[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

// Whether SECRET is the application's, or the one rotated out that still holds at NOW_US. Takes the
// same work for an unknown application, a disabled one, and a wrong secret. -1 when it cannot be
// digested, for want of memory: that is no wrong secret.
int secret_check(struct secret_hasher *hasher, const struct lookup_application *app,
                 struct str secret, int64_t now_us, bool *holds,
                 struct error *err) MUST_CHECK NONNULL;

// For one digest. false for want of memory, too.
bool secret_digest(const uint8_t salt[LOOKUP_SALT_BYTES], struct str secret,
                   uint8_t digest[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

// Whether two digests are the same, in constant time.
bool secret_is_same_digest(const uint8_t a[LOOKUP_DIGEST_BYTES],
                           const uint8_t b[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

#endif
