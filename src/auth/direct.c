// SPDX-License-Identifier: MIT
#include "auth/direct.h"

#include "base/json_members.h"
#include "base/utf8.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct auth_direct {
    EVP_MD *sha256; // fetched once: fetching costs more than digesting
    EVP_MD_CTX *digest;
};

struct auth_direct *auth_direct_new(void)
{
    struct auth_direct *const direct = calloc(1, sizeof(struct auth_direct));
    if (direct == NULL) {
        return NULL;
    }
    direct->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    direct->digest = EVP_MD_CTX_new();
    if (direct->sha256 == NULL || direct->digest == NULL) {
        auth_direct_free(direct);
        return NULL;
    }
    return direct;
}

void auth_direct_free(struct auth_direct *direct)
{
    if (direct != NULL) {
        EVP_MD_free(direct->sha256);
        EVP_MD_CTX_free(direct->digest);
        free(direct);
    }
}

// ---- which member of a credentials a name means ----

static struct str *member_of(struct credentials *credentials, struct str name)
{
    if (str_equal(name, STR("bk_app_code"))) {
        return &credentials->app_code;
    }
    if (str_equal(name, STR("bk_app_secret"))) {
        return &credentials->secret;
    }
    return str_equal(name, STR("bk_username")) ? &credentials->username : NULL;
}

static enum auth_verdict refuse(struct error *err, enum error_kind kind, const char *detail)
{
    error_record(err, kind, "%s", detail);
    return AUTH_REFUSED;
}

static enum auth_verdict require_all(const struct credentials *credentials, struct error *err)
{
    if (credentials->app_code.len == 0) {
        err->subject = STR("bk_app_code");
    } else if (credentials->secret.len == 0) {
        err->subject = STR("bk_app_secret");
    } else if (credentials->username.len == 0) {
        err->subject = STR("bk_username");
    } else {
        return AUTH_ACCEPTED;
    }
    return refuse(err, ERR_CREDENTIALS_MISSING, "a credential is missing or empty");
}

// A code that looks like another must not reach a log, a terminal or the limiter: bkflow-statesctl
// adds none, so it is answered as any unknown one.
static enum auth_verdict check_all(const struct credentials *credentials, struct error *err)
{
    if (require_all(credentials, err) == AUTH_REFUSED) {
        return AUTH_REFUSED;
    }
    return utf8_all_visible(credentials->app_code)
               ? AUTH_ACCEPTED
               : refuse(err, ERR_CREDENTIALS_WRONG,
                        "bk_app_code has a character that cannot be seen");
}

// ---- the header ----

static enum auth_verdict read_header(struct str header, struct arena *arena,
                                     struct credentials *credentials, struct error *err)
{
    struct json_members members;
    if (json_members_read(header, "X-Bkapi-Authorization", ERR_CREDENTIALS_FORMAT, arena, &members,
                          err) != 0) {
        return AUTH_REFUSED;
    }
    for (const struct json_member *one = members.first; one != NULL; one = one->next) {
        struct str *const credential = member_of(credentials, one->name);
        if (credential == NULL) {
            continue;
        }
        if (str_is_absent(one->text)) {
            return refuse(err, ERR_CREDENTIALS_FORMAT, "a credential is not a string");
        }
        *credential = one->text;
    }
    return check_all(credentials, err);
}

// ---- the query string ----

static bool has_any(const struct credentials *credentials)
{
    return !str_is_absent(credentials->app_code) || !str_is_absent(credentials->secret) ||
           !str_is_absent(credentials->username);
}

static enum auth_verdict read_query(const struct conf *conf, struct str query, struct arena *arena,
                                    struct credentials *credentials, struct error *err)
{
    struct str name;
    struct str value;
    int next;
    while ((next = http_query_next(&query, arena, &name, &value, err)) == 1) {
        struct str *const member = member_of(credentials, name);
        if (member == NULL) {
            continue;
        }
        if (!conf->auth.query_credentials) {
            err->subject = STR("credentials in the query string");
            return refuse(err, ERR_WAY_IN_CLOSED, "query_credentials = off");
        }
        if (!str_is_absent(*member)) {
            return refuse(err, ERR_QUERY_FORMAT, "a credential is given twice");
        }
        *member = value;
    }
    if (next < 0) {
        return AUTH_REFUSED;
    }
    return has_any(credentials) ? check_all(credentials, err) : AUTH_ABSENT;
}

static enum auth_verdict read_credentials(const struct conf *conf,
                                          const struct http_request *request, struct arena *arena,
                                          struct credentials *credentials, struct error *err)
{
    if (!str_is_absent(request->bkapi_authorization)) {
        return read_header(request->bkapi_authorization, arena, credentials, err);
    }
    return read_query(conf, request->query, arena, credentials, err);
}

enum auth_verdict auth_direct_read(const struct conf *conf, const struct http_request *request,
                                   struct arena *arena, struct credentials *credentials,
                                   struct error *err)
{
    *credentials = (struct credentials){.way = CREDENTIALS_DIRECT};
    const enum auth_verdict verdict = read_credentials(conf, request, arena, credentials, err);
    if (verdict == AUTH_ABSENT || conf->auth.direct) {
        return verdict;
    }
    err->subject = STR("bk_app_code, bk_app_secret and bk_username");
    return refuse(err, ERR_WAY_IN_CLOSED, "direct = off");
}

// ---- the secret ----

static bool digest_secret(struct auth_direct *direct, const uint8_t salt[LOOKUP_SALT_BYTES],
                          struct str secret, uint8_t digest[EVP_MAX_MD_SIZE])
{
    return EVP_DigestInit_ex2(direct->digest, direct->sha256, NULL) == 1 &&
           EVP_DigestUpdate(direct->digest, salt, LOOKUP_SALT_BYTES) == 1 &&
           EVP_DigestUpdate(direct->digest, secret.ptr, secret.len) == 1 &&
           EVP_DigestFinal_ex(direct->digest, digest, NULL) == 1;
}

bool auth_direct_secret_holds(struct auth_direct *direct, const struct lookup_application *app,
                              struct str secret, int64_t now_us)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (!digest_secret(direct, app->salt, secret, digest)) {
        return false;
    }
    // No shortcut: bits, not branches; an application that does not exist has a digest of zeros.
    const bool is_current = CRYPTO_memcmp(digest, app->digest, LOOKUP_DIGEST_BYTES) == 0;
    const bool is_previous = CRYPTO_memcmp(digest, app->previous_digest, LOOKUP_DIGEST_BYTES) == 0;
    const bool previous_holds = app->has_previous & (now_us < app->previous_expires_us);
    explicit_bzero(digest, sizeof digest);
    return app->exists & app->is_enabled & (is_current | (is_previous & previous_holds));
}
