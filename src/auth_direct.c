// SPDX-License-Identifier: MIT
#include "auth_direct.h"

#include "utf8.h"

#include <json.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { JSON_DEPTH_MAX = 8 };

struct auth_direct {
    json_tokener *tokener;
    EVP_MD *sha256; // fetched once: fetching costs more than digesting
    EVP_MD_CTX *digest;
};

struct auth_direct *auth_direct_new(void)
{
    struct auth_direct *const direct = calloc(1, sizeof(struct auth_direct));
    if (direct == NULL) {
        return NULL;
    }
    direct->tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    direct->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    direct->digest = EVP_MD_CTX_new();
    if (direct->tokener == NULL || direct->sha256 == NULL || direct->digest == NULL) {
        auth_direct_free(direct);
        return NULL;
    }
    json_tokener_set_flags(direct->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    return direct;
}

void auth_direct_free(struct auth_direct *direct)
{
    if (direct != NULL) {
        if (direct->tokener != NULL) {
            json_tokener_free(direct->tokener);
        }
        EVP_MD_free(direct->sha256);
        EVP_MD_CTX_free(direct->digest);
        free(direct);
    }
}

// ---- which member of a claim a name means ----

static struct str *member_of(struct claim *claim, struct str name)
{
    if (str_equal(name, STR("bk_app_code"))) {
        return &claim->app_code;
    }
    if (str_equal(name, STR("bk_app_secret"))) {
        return &claim->secret;
    }
    return str_equal(name, STR("bk_username")) ? &claim->username : NULL;
}

static enum auth_verdict refuse(struct err *err, enum err_kind kind, const char *detail)
{
    err_record(err, kind, "%s", detail);
    return AUTH_REFUSED;
}

static enum auth_verdict require_all(const struct claim *claim, struct err *err)
{
    if (claim->app_code.len == 0) {
        err->subject = STR("bk_app_code");
    } else if (claim->secret.len == 0) {
        err->subject = STR("bk_app_secret");
    } else if (claim->username.len == 0) {
        err->subject = STR("bk_username");
    } else {
        return AUTH_ACCEPTED;
    }
    return refuse(err, ERR_CREDENTIALS_MISSING, "a credential is missing or empty");
}

// ---- the header ----

// How many members the outermost object of TEXT, valid JSON, has: json-c keeps the last of doubled
// members without a word, so the object it gives cannot tell. -1 when a string holds an escaped NUL,
// at which json-c would end a member's name.
static int count_members(struct str text)
{
    int depth = 0;
    int members = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (in_string && c == '\\') {
            i++;
            if (str_starts_with(str_skip(text, i), STR("u0000"))) {
                return -1;
            }
        } else if (in_string) {
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ':' && depth == 1) {
            members++;
        }
    }
    return members;
}

// Copies the members that are credentials.
static int take_members(json_object *object, struct arena *arena, struct claim *claim,
                        struct err *err)
{
    json_object_object_foreach(object, key, value)
    {
        struct str *const member = member_of(claim, str_from(key));
        if (member == NULL) {
            continue;
        }
        if (!json_object_is_type(value, json_type_string)) {
            return err_set(err, ERR_CREDENTIALS_FORMAT, "a credential is not a string");
        }
        const struct str text = {json_object_get_string(value),
                                 (size_t)json_object_get_string_len(value)};
        *member = arena_copy(arena, text);
        if (str_is_absent(*member)) {
            return err_set(err, ERR_NO_MEMORY, "credentials");
        }
    }
    return 0;
}

// Overwrites a secret in json-c's memory before it is given back.
static void wipe_members(json_object *object)
{
    json_object_object_foreach(object, key, value)
    {
        if (strcmp(key, "bk_app_secret") == 0 && json_object_is_type(value, json_type_string)) {
            char *const text = (char *)(uintptr_t)json_object_get_string(value);
            explicit_bzero(text, (size_t)json_object_get_string_len(value));
        }
    }
}

static json_object *parse_object(struct auth_direct *direct, struct str text)
{
    json_tokener *const tokener = direct->tokener;
    json_tokener_reset(tokener);
    json_object *const parsed = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    // The tokener's own buffer held each string in turn.
    explicit_bzero(tokener->pb->buf, (size_t)tokener->pb->size);
    const bool is_all = json_tokener_get_parse_end(tokener) == text.len;
    if (is_all && json_object_is_type(parsed, json_type_object) &&
        json_object_object_length(parsed) == count_members(text)) {
        return parsed;
    }
    json_object_put(parsed);
    return NULL;
}

static enum auth_verdict claim_from_header(struct auth_direct *direct, struct str header,
                                           struct arena *arena, struct claim *claim,
                                           struct err *err)
{
    const struct str text = str_trim(header);
    if (text.len == 0 || text.len > INT32_MAX || !utf8_is_valid(text)) {
        return refuse(err, ERR_CREDENTIALS_FORMAT, "empty, too long or not UTF-8");
    }
    json_object *const object = parse_object(direct, text);
    if (object == NULL) {
        return refuse(err, ERR_CREDENTIALS_FORMAT, "not one JSON object with distinct members");
    }
    const int taken = take_members(object, arena, claim, err);
    wipe_members(object);
    json_object_put(object);
    return taken == 0 ? require_all(claim, err) : AUTH_REFUSED;
}

// ---- the query string ----

static enum auth_verdict claim_from_query(const struct conf *conf, struct str query,
                                          struct arena *arena, struct claim *claim, struct err *err)
{
    struct str name;
    struct str value;
    int next;
    while ((next = http_query_next(&query, arena, &name, &value, err)) == 1) {
        struct str *const member = member_of(claim, name);
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
    const bool has_any = !str_is_absent(claim->app_code) || !str_is_absent(claim->secret) ||
                         !str_is_absent(claim->username);
    return has_any ? require_all(claim, err) : AUTH_ABSENT;
}

enum auth_verdict auth_direct_claim(struct auth_direct *direct, const struct conf *conf,
                                    const struct http_request *request, struct arena *arena,
                                    struct claim *claim, struct err *err)
{
    *claim = (struct claim){0};
    if (!str_is_absent(request->bkapi_authorization)) {
        return claim_from_header(direct, request->bkapi_authorization, arena, claim, err);
    }
    return claim_from_query(conf, request->query, arena, claim, err);
}

// ---- the secret ----

static bool digest_secret(struct auth_direct *direct, const struct store_app *app,
                          struct str secret, uint8_t digest[EVP_MAX_MD_SIZE])
{
    return EVP_DigestInit_ex2(direct->digest, direct->sha256, NULL) == 1 &&
           EVP_DigestUpdate(direct->digest, app->salt, sizeof app->salt) == 1 &&
           EVP_DigestUpdate(direct->digest, secret.ptr, secret.len) == 1 &&
           EVP_DigestFinal_ex(direct->digest, digest, NULL) == 1;
}

bool auth_direct_secret_holds(struct auth_direct *direct, const struct store_app *app,
                              struct str secret, int64_t now_us)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (!digest_secret(direct, app, secret, digest)) {
        return false;
    }
    // No shortcut: bits, not branches; an application that does not exist has a digest of zeros.
    const bool is_current = CRYPTO_memcmp(digest, app->digest, STORE_DIGEST_BYTES) == 0;
    const bool is_previous = CRYPTO_memcmp(digest, app->previous_digest, STORE_DIGEST_BYTES) == 0;
    const bool previous_holds = app->has_previous & (now_us < app->previous_expires_us);
    explicit_bzero(digest, sizeof digest);
    return app->exists & app->is_enabled & (is_current | (is_previous & previous_holds));
}
