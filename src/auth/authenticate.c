// SPDX-License-Identifier: MIT
#include "auth/authenticate.h"

#include "auth/direct_priv.h"
#include "auth/gateway.h"
#include "auth/secret.h"

#include <stdlib.h>

struct auth {
    struct secret_hasher *hasher;
    struct auth_gateway *gateway;
};

struct caller {
    struct str app_code;
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

int auth_read_credentials(const struct auth_context *context, const struct http_request *request,
                          struct credentials *credentials, struct error *err)
{
    enum auth_verdict verdict =
        auth_gateway_read(context->auth->gateway, context, request, credentials, err);
    if (verdict == AUTH_ABSENT) {
        verdict = auth_direct_read(context, request, credentials, err);
    }
    if (verdict == AUTH_ABSENT) {
        const struct str expected =
            context->conf->auth.direct ? STR("X-Bkapi-Authorization") : STR("X-Bkapi-JWT");
        return error_set_subject(err, ERR_CREDENTIALS_MISSING, expected, "no credentials");
    }
    return verdict == AUTH_ACCEPTED ? 0 : -1;
}

void auth_fill_lookup(const struct conf *conf, const struct credentials *credentials,
                      struct lookup *lookup)
{
    if (credentials->kind == CREDENTIALS_GATEWAY) {
        return; // the gateway vouches for both
    }
    lookup->app_code = credentials->app_code;
    lookup->username = conf->auth.user_table_check ? credentials->username : STR_ABSENT;
}

// Returns the reason for the log; clients do not learn it.
static const char *refusal_reason(const struct lookup_application *app)
{
    if (!app->exists) {
        return "unknown application";
    }
    return app->is_enabled ? "wrong secret" : "disabled application";
}

static int check_direct(const struct auth_context *context, const struct credentials *credentials,
                        const struct lookup_result *result, struct error *err)
{
    bool is_right;
    if (secret_check(context->auth->hasher, &result->app, credentials->secret, context->now_us,
                     &is_right, err) != 0) {
        return -1;
    }
    // Known codes may be logged; anything else could be a misplaced secret.
    err->app = result->app.exists ? credentials->app_code : STR_ABSENT;
    if (!is_right) {
        return error_set(err, ERR_CREDENTIALS_WRONG, "%s", refusal_reason(&result->app));
    }
    if (context->conf->auth.user_table_check && !result->user_is_active) {
        return error_set(err, ERR_USER_UNKNOWN, "unknown or inactive user");
    }
    return 0;
}

int authenticate(const struct auth_context *context, const struct credentials *credentials,
                 const struct lookup_result *result, const struct caller **caller,
                 struct error *err)
{
    if (credentials->kind == CREDENTIALS_DIRECT &&
        check_direct(context, credentials, result, err) != 0) {
        return -1;
    }
    struct caller *const checked = arena_alloc(context->arena, 1, sizeof(struct caller));
    if (checked == NULL) {
        return error_set(err, ERR_NO_MEMORY, "caller");
    }
    *checked = (struct caller){credentials->app_code};
    *caller = checked;
    return 0;
}

struct str caller_app_code(const struct caller *caller)
{
    return caller->app_code;
}
