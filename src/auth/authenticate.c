// SPDX-License-Identifier: MIT
#include "auth/authenticate.h"

#include "auth/direct.h"
#include "auth/gateway.h"
#include "auth/secret.h"

#include <stdlib.h>

struct auth {
    struct secret_hasher *hasher;
    struct auth_gateway *gateway;
};

struct caller {
    struct str app_code;
    struct str username;
};

struct auth *auth_new(void)
{
    struct auth *const auth = calloc(1, sizeof(struct auth));
    if (auth == NULL) {
        return NULL;
    }
    auth->hasher = secret_hasher_new();
    auth->gateway = auth_gateway_new();
    if (auth->hasher == NULL || auth->gateway == NULL) {
        auth_free(auth);
        return NULL;
    }
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth != NULL) {
        secret_hasher_free(auth->hasher);
        auth_gateway_free(auth->gateway);
        free(auth);
    }
}

int auth_read_credentials(struct auth *auth, const struct conf *conf,
                          const struct gateways *gateways, const struct http_request *request,
                          int64_t now_us, struct arena *arena, struct credentials *credentials,
                          struct error *err)
{
    enum auth_verdict verdict =
        auth_gateway_read(auth->gateway, conf, gateways, request, now_us, arena, credentials, err);
    if (verdict == AUTH_ABSENT) {
        verdict = auth_direct_read(conf, request, arena, credentials, err);
    }
    if (verdict == AUTH_ABSENT) {
        err->subject = conf->auth.direct ? STR("X-Bkapi-Authorization") : STR("X-Bkapi-JWT");
        return error_set(err, ERR_CREDENTIALS_MISSING, "no credentials");
    }
    return verdict == AUTH_ACCEPTED ? 0 : -1;
}

void auth_fill_lookup(const struct conf *conf, const struct credentials *credentials,
                      struct lookup *lookup)
{
    if (credentials->way == CREDENTIALS_GATEWAY) {
        return; // the gateway vouches for both
    }
    lookup->app_code = credentials->app_code;
    lookup->username = conf->auth.user_table_check ? credentials->username : STR_ABSENT;
}

// For the log alone.
static const char *refusal_reason(const struct lookup_application *app)
{
    if (!app->exists) {
        return "unknown application";
    }
    return app->is_enabled ? "wrong secret" : "disabled application";
}

static int judge_direct(struct auth *auth, const struct conf *conf,
                        const struct credentials *credentials, const struct lookup_result *result,
                        int64_t now_us, struct error *err)
{
    bool holds;
    if (secret_check(auth->hasher, &result->app, credentials->secret, now_us, &holds, err) != 0) {
        return -1;
    }
    // A code that is known may be logged; another text could be a secret in the wrong place.
    err->app = result->app.exists ? credentials->app_code : STR_ABSENT;
    if (!holds) {
        return error_set(err, ERR_CREDENTIALS_WRONG, "%s", refusal_reason(&result->app));
    }
    if (conf->auth.user_table_check && !result->user_is_active) {
        return error_set(err, ERR_USER_UNKNOWN, "unknown or inactive user");
    }
    return 0;
}

int authenticate(struct auth *auth, const struct conf *conf, const struct credentials *credentials,
                 const struct lookup_result *result, int64_t now_us, struct arena *arena,
                 const struct caller **caller, struct error *err)
{
    if (credentials->way == CREDENTIALS_DIRECT &&
        judge_direct(auth, conf, credentials, result, now_us, err) != 0) {
        return -1;
    }
    struct caller *const judged = arena_alloc(arena, 1, sizeof(struct caller));
    if (judged == NULL) {
        return error_set(err, ERR_NO_MEMORY, "caller");
    }
    *judged = (struct caller){credentials->app_code, credentials->username};
    *caller = judged;
    return 0;
}

struct str caller_app_code(const struct caller *caller)
{
    return caller->app_code;
}

struct str caller_username(const struct caller *caller)
{
    return caller->username;
}
