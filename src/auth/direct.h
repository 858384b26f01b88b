// SPDX-License-Identifier: MIT
// auth_direct: the application's code and secret and the user's name, as the header
// X-Bkapi-Authorization or the query string gives them.
#ifndef BKFLOW_AUTH_DIRECT_H
#define BKFLOW_AUTH_DIRECT_H

#include "auth/authenticate.h"
#include "base/json_read.h"

struct auth_direct; // used by one thread at a time

struct auth_direct *auth_direct_new(void) MUST_CHECK; // NULL: no memory, or no SHA-256
void auth_direct_free(struct auth_direct *direct);

// Reads the three credentials. With the header present the query string is not looked at.
enum auth_verdict auth_direct_read(const struct conf *conf, struct json_reader *reader,
                                   const struct http_request *request, struct arena *arena,
                                   struct credentials *credentials,
                                   struct error *err) MUST_CHECK NONNULL;

// What the claimed secret digests to with the salt that this application was last seen with. False
// where it was never seen: the digest, for which the same work was done, is of no use then.
bool auth_direct_digest(struct auth_direct *direct, const struct credentials *credentials,
                        uint8_t digest[LOOKUP_DIGEST_BYTES]) NONNULL;

// Remembers the salt of an application that exists.
void auth_direct_learn(struct auth_direct *direct, struct str app_code,
                       const struct lookup_application *app) NONNULL;

// Whether SECRET is the application's, or the one rotated out that still holds at NOW_US. Takes the
// same work for an unknown application, a disabled one, and a wrong secret.
bool auth_direct_secret_holds(struct auth_direct *direct, const struct lookup_application *app,
                              struct str secret, int64_t now_us) MUST_CHECK NONNULL;

#endif
