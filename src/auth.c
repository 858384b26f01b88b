// SPDX-License-Identifier: MIT
#include "auth.h"

#include "auth_direct.h"

#include <stdlib.h>

struct auth {
    struct auth_direct *direct;
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
    auth->direct = auth_direct_new();
    if (auth->direct == NULL) {
        auth_free(auth);
        return NULL;
    }
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth != NULL) {
        auth_direct_free(auth->direct);
        free(auth);
    }
}

int auth_claim(struct auth *auth, const struct conf *conf, const struct http_request *request,
               struct arena *arena, struct claim *claim, struct err *err)
{
    if (!str_is_absent(request->bkapi_jwt)) {
        err->subject = STR("X-Bkapi-JWT");
        return err_set(err, ERR_WAY_IN_CLOSED, "a request that brings a token is judged by it alone");
    }
    switch (auth_direct_claim(auth->direct, conf, request, arena, claim, err)) {
    case AUTH_ACCEPTED:
        return 0;
    case AUTH_REFUSED:
        return -1;
    case AUTH_ABSENT:
        break;
    }
    err->subject = STR("X-Bkapi-Authorization");
    return err_set(err, ERR_CREDENTIALS_MISSING, "no credentials");
}

int auth_judge(struct auth *auth, const struct claim *claim, const struct store_facts *facts,
               int64_t now_us, struct arena *arena, const struct caller **caller, struct err *err)
{
    if (!auth_direct_secret_holds(auth->direct, &facts->app, claim->secret, now_us)) {
        return err_set(err, ERR_CREDENTIALS_WRONG,
                       "unknown or disabled application, or wrong secret");
    }
    if (!facts->user_is_active) {
        return err_set(err, ERR_USER_UNKNOWN, "unknown or inactive user");
    }
    struct caller *const judged = arena_alloc(arena, 1, sizeof(struct caller));
    if (judged == NULL) {
        return err_set(err, ERR_NO_MEMORY, "caller");
    }
    *judged = (struct caller){claim->app_code, claim->username};
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
