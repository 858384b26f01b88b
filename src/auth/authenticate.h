// SPDX-License-Identifier: MIT
// authenticate: who is asking. The credentials are read from the request without the database, then
// checked against the rows that the database has about them. Only checked credentials make a
// caller.
#ifndef BKFLOW_AUTH_AUTHENTICATE_H
#define BKFLOW_AUTH_AUTHENTICATE_H

#include "base/arena.h"
#include "conf/conf.h"
#include "base/error.h"
#include "http/http.h"
#include "auth/lookup.h"

// Tools of one thread that are expensive to create: the token verifier and digest contexts.
struct auth;

struct auth *auth_new(void) MUST_CHECK; // NULL: no memory, or OpenSSL has no SHA-256
void auth_free(struct auth *auth);

// The result of one way of authenticating. Absent: try the next way. Refused is final: a request
// that fails in one way is never accepted in another.
enum auth_verdict { AUTH_ABSENT, AUTH_ACCEPTED, AUTH_REFUSED };

// The way of authenticating that the request chose.
enum credentials_kind {
    CREDENTIALS_DIRECT,  // the secret and the user still have to be checked
    CREDENTIALS_GATEWAY, // the gateway's signature vouches for both
};

// What a request claims to be; not verified. The strings are in the arena or the request.
struct credentials {
    enum credentials_kind kind;
    struct str app_code;
    struct str secret;
    struct str username;
    int64_t expires_us; // wall clock; from then on they may be refused. 0: never
};

// An application whose identity is proved, for a user who may log in. Only authenticate makes one.
// In the arena.
struct caller;
struct str caller_app_code(const struct caller *caller) MUST_CHECK NONNULL;

struct gateways;

// What is needed to authenticate one request; all of it is borrowed.
struct auth_context {
    struct auth *auth; // the calling thread's
    const struct conf *conf;
    const struct gateways *gateways;
    struct arena *arena; // the request's
    int64_t now_us;      // wall clock
};

// Reads the credentials: a gateway's token first, else direct credentials. Fails with 400 if they
// are malformed, with 401 if they are missing, their way is disabled, or the token is refused.
int auth_read_credentials(const struct auth_context *context, const struct http_request *request,
                          struct credentials *credentials, struct error *err) MUST_CHECK NONNULL;

// Sets what must be looked up about the caller. What stays absent is not needed.
void auth_fill_lookup(const struct conf *conf, const struct credentials *credentials,
                      struct lookup *lookup) NONNULL;

// Checks the credentials against the rows that were found for them, and makes the caller. Does
// the same work whatever is wrong.
int authenticate(const struct auth_context *context, const struct credentials *credentials,
                 const struct lookup_result *result, const struct caller **caller,
                 struct error *err) MUST_CHECK NONNULL;

#endif
