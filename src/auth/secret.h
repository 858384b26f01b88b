// SPDX-License-Identifier: MIT
// secret: an application's secret is stored as SHA-256(salt || secret). The digest is computed here
// and not by the database server, so that secrets do not leave the process.
#ifndef BKFLOW_AUTH_SECRET_H
#define BKFLOW_AUTH_SECRET_H

#include "auth/lookup.h"
#include "base/base.h"
#include "base/error.h"

// For many digests: fetching the algorithm costs more than a digest. Used by one thread.
struct secret_hasher;

// NULL if out of memory, or without SHA-256.
struct secret_hasher *secret_hasher_new(void) MUST_CHECK;
void secret_hasher_free(struct secret_hasher *hasher);

// Secrets may have any length. False if OpenSSL fails; DIGEST is then undefined.
bool secret_hasher_digest(struct secret_hasher *hasher, const uint8_t salt[LOOKUP_SALT_BYTES],
                          struct str secret,
                          uint8_t digest[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

// Checks SECRET against the application's current secret, and against the previous one if that is
// still valid at NOW_US. Does the same work for an unknown application, a disabled one and a wrong
// secret. -1 if memory is exhausted, which does not mean that the secret is wrong.
int secret_check(struct secret_hasher *hasher, const struct lookup_application *app,
                 struct str secret, int64_t now_us, bool *is_right,
                 struct error *err) MUST_CHECK NONNULL;

// For a single digest. False also if memory is exhausted.
bool secret_digest(const uint8_t salt[LOOKUP_SALT_BYTES], struct str secret,
                   uint8_t digest[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

// Compares two digests in constant time.
bool secret_is_same_digest(const uint8_t a[LOOKUP_DIGEST_BYTES],
                           const uint8_t b[LOOKUP_DIGEST_BYTES]) MUST_CHECK NONNULL;

#endif
