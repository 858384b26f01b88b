// SPDX-License-Identifier: MIT
#include "auth.h"

#include "auth_direct.h"
#include "auth_gateway.h"
#include "jsonr.h"

#include <stdlib.h>

struct auth {
    struct jsonr *reader;
    struct auth_direct *direct;
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
    auth->reader = jsonr_new();
    auth->direct = auth_direct_new();
    auth->gateway = auth_gateway_new();
    if (auth->reader == NULL || auth->direct == NULL || auth->gateway == NULL) {
        auth_free(auth);
        return NULL;
    }
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth != NULL) {
        jsonr_free(auth->reader);
        auth_direct_free(auth->direct);
        auth_gateway_free(auth->gateway);
        free(auth);
    }
}

int auth_claim(struct auth *auth, const struct conf *conf, const struct gateways *gateways,
               const struct http_request *request, int64_t now_us, struct arena *arena,
               struct claim *claim, struct err *err)
{
    enum auth_verdict verdict = auth_gateway_claim(auth->gateway, conf, gateways, auth->reader,
                                                   request, now_us, arena, claim, err);
    if (verdict == AUTH_ABSENT) {
        verdict = auth_direct_claim(conf, auth->reader, request, arena, claim, err);
    }
    if (verdict == AUTH_ABSENT) {
        err->subject = conf->auth.direct ? STR("X-Bkapi-Authorization") : STR("X-Bkapi-JWT");
        return err_set(err, ERR_CREDENTIALS_MISSING, "no credentials");
    }
    return verdict == AUTH_ACCEPTED ? 0 : -1;
}

int auth_question(struct auth *auth, const struct conf *conf, const struct claim *claim,
                  struct arena *arena, struct store_question *question, struct err *err)
{
    *question = (struct store_question){.binding_code = claim->app_code};
    if (claim->way == CLAIM_GATEWAY) {
        return 0;
    }
    uint8_t *const digest = arena_alloc(arena, STORE_DIGEST_BYTES, 1);
    if (digest == NULL) {
        return err_set(err, ERR_NO_MEMORY, "digest");
    }
    if (auth_direct_digest(auth->direct, claim, digest)) {
        question->secret_digest = (struct str){(const char *)digest, STORE_DIGEST_BYTES};
    }
    question->app_code = claim->app_code;
    question->username = conf->auth.user_table_check ? claim->username : STR_ABSENT;
    return 0;
}

static int judge_direct(struct auth *auth, const struct conf *conf, const struct claim *claim,
                        const struct store_facts *facts, int64_t now_us, struct err *err)
{
    if (facts->is_proven) {
        return 0;
    }
    auth_direct_learn(auth->direct, claim->app_code, &facts->app);
    if (!auth_direct_secret_holds(auth->direct, &facts->app, claim->secret, now_us)) {
        return err_set(err, ERR_CREDENTIALS_WRONG,
                       "unknown or disabled application, or wrong secret");
    }
    if (conf->auth.user_table_check && !facts->user_is_active) {
        return err_set(err, ERR_USER_UNKNOWN, "unknown or inactive user");
    }
    return 0;
}

int auth_judge(struct auth *auth, const struct conf *conf, const struct claim *claim,
               const struct store_facts *facts, int64_t now_us, struct arena *arena,
               const struct caller **caller, struct err *err)
{
    if (claim->way == CLAIM_DIRECT && judge_direct(auth, conf, claim, facts, now_us, err) != 0) {
        return -1;
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
