// SPDX-License-Identifier: MIT
// auth: who is asking. First a request's claim is read, which needs no database; then the claim is
// judged by what the database holds. Only a judged claim makes a caller.
#ifndef BKFLOW_AUTH_H
#define BKFLOW_AUTH_H

#include "arena.h"
#include "conf.h"
#include "err.h"
#include "http.h"
#include "store.h"

// One thread's tools for authenticating: parser and digest contexts that are costly to make.
struct auth;

struct auth *auth_new(void) MUST_CHECK; // NULL: no memory, or no SHA-256 in the crypto library
void auth_free(struct auth *auth);

// What a way of authenticating says about a request. Absent lets the next way look; refused is
// final: a request that fails in one way never gets in by another.
enum auth_verdict { AUTH_ABSENT, AUTH_ACCEPTED, AUTH_REFUSED };

// By which way a claim came.
enum claim_way {
    CLAIM_DIRECT,  // the secret and the user are still to be judged
    CLAIM_GATEWAY, // the gateway's signature vouches for both
};

// What a request says about itself; texts in the arena or the request. Not yet to be believed.
struct claim {
    enum claim_way way;
    struct str app_code;
    struct str secret;
    struct str username;
};

// An application and a user that have proved who they are. Only auth_judge makes one; lives in the
// arena.
struct caller;
struct str caller_app_code(const struct caller *caller) MUST_CHECK NONNULL;
struct str caller_username(const struct caller *caller) MUST_CHECK NONNULL;

struct gateways;

// Reads who the request says is asking: a gateway's token first, then direct credentials. 400 when
// that cannot be understood, 401 when it is missing, the way is closed, or the token is refused.
// NOW_US: microseconds since 1970 UTC.
int auth_claim(struct auth *auth, const struct conf *conf, const struct gateways *gateways,
               const struct http_request *request, int64_t now_us, struct arena *arena,
               struct claim *claim, struct err *err) MUST_CHECK NONNULL;

// What must be looked up to judge the claim, the task aside. What it leaves absent is not needed.
// Its digest lives in ARENA. -1 without memory.
int auth_question(struct auth *auth, const struct conf *conf, const struct claim *claim,
                  struct arena *arena, struct store_question *question,
                  struct err *err) MUST_CHECK NONNULL;

// Judges the claim by the rows that it names. NOW_US: microseconds since 1970 UTC, for secrets that
// were rotated out. The work done does not depend on what is wrong.
int auth_judge(struct auth *auth, const struct conf *conf, const struct claim *claim,
               const struct store_facts *facts, int64_t now_us, struct arena *arena,
               const struct caller **caller, struct err *err) MUST_CHECK NONNULL;

#endif
