// SPDX-License-Identifier: MIT
// auth: who is asking. First a request's credentials is read, which needs no database; then the
// credentials is judged by what the database holds. Only a judged credentials makes a caller.
#ifndef BKFLOW_AUTH_AUTHENTICATE_H
#define BKFLOW_AUTH_AUTHENTICATE_H

#include "base/arena.h"
#include "conf/conf.h"
#include "base/error.h"
#include "http/http.h"
#include "auth/lookup.h"

// One thread's tools for authenticating: parser and digest contexts that are costly to make.
struct auth;

struct auth *auth_new(void) MUST_CHECK; // NULL: no memory, or no SHA-256 in the crypto library
void auth_free(struct auth *auth);

// What a way of authenticating says about a request. Absent lets the next way look; refused is
// final: a request that fails in one way never gets in by another.
enum auth_verdict { AUTH_ABSENT, AUTH_ACCEPTED, AUTH_REFUSED };

// By which way a credentials came.
enum credentials_kind {
    CREDENTIALS_DIRECT,  // the secret and the user are still to be judged
    CREDENTIALS_GATEWAY, // the gateway's signature vouches for both
};

// What a request says about itself; texts in the arena or the request. Not yet to be believed.
struct credentials {
    enum credentials_kind way;
    struct str app_code;
    struct str secret;
    struct str username;
};

// An application and a user that have proved who they are. Only authenticate makes one; lives in
// the arena.
struct caller;
struct str caller_app_code(const struct caller *caller) MUST_CHECK NONNULL;
struct str caller_username(const struct caller *caller) MUST_CHECK NONNULL;

struct gateways;

// Reads who the request says is asking: a gateway's token first, then direct credentials. 400 when
// that cannot be understood, 401 when it is missing, the way is closed, or the token is refused.
// NOW_US: microseconds since 1970 UTC.
int auth_read_credentials(struct auth *auth, const struct conf *conf,
                          const struct gateways *gateways, const struct http_request *request,
                          int64_t now_us, struct arena *arena, struct credentials *credentials,
                          struct error *err) MUST_CHECK NONNULL;

// Names what must be looked up about the caller; what stays absent is not needed.
void auth_fill_lookup(const struct conf *conf, const struct credentials *credentials,
                      struct lookup *lookup) NONNULL;

// Judges the credentials by the rows that it names. NOW_US: microseconds since 1970 UTC, for
// secrets that were rotated out. The work done does not depend on what is wrong.
int authenticate(struct auth *auth, const struct conf *conf, const struct credentials *credentials,
                 const struct lookup_result *result, int64_t now_us, struct arena *arena,
                 const struct caller **caller, struct error *err) MUST_CHECK NONNULL;

#endif
