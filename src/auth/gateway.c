// SPDX-License-Identifier: MIT
#include "auth/gateway.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/utf8.h"
#include "auth/jwt_priv.h"
#include "auth/token_cache_priv.h"

#include <math.h>
#include <stdlib.h>

struct known_gateway {
    struct str name; // the token's kid; borrowed from the configuration
    struct jwt_key *keys[JWT_KEYS_PER_FILE];
    size_t key_count;
};

struct gateways {
    struct known_gateway known[CONF_GATEWAYS_MAX];
    size_t count;
    bool allows[JWT_ALGORITHM_COUNT];
    struct token_cache *cache; // NULL without [auth] gateway
};
_Static_assert((int)JWT_DIGEST_BYTES == (int)TOKEN_CACHE_DIGEST_BYTES, "one digest");

// ---- loading ----

static void load_algorithms(struct gateways *gateways, const char *list,
                            struct conf_mistakes *mistakes)
{
    struct str rest = str_from(list);
    while (!str_is_absent(rest)) {
        const struct str name = str_trim(str_cut(&rest, ','));
        enum jwt_algorithm algorithm;
        if (jwt_algorithm_named(name, &algorithm) == 0) {
            gateways->allows[algorithm] = true;
        } else {
            conf_mistake(
                mistakes,
                "[auth] gateway_algorithms: expected names out of RS256, RS384, RS512, ES256, ES384 and "
                "ES512, not \"%.*s\"",
                (int)name.len, name.ptr);
        }
    }
}

static void load_gateway(struct gateways *gateways, const struct conf_gateway *conf,
                         struct conf_mistakes *mistakes)
{
    struct known_gateway *const known = &gateways->known[gateways->count++];
    char why[JWT_KEY_WHY_BYTES];
    known->name = str_from(conf->name);
    known->key_count = jwt_key_load_file(conf->path, known->keys, why);
    if (known->key_count == 0) {
        conf_mistake(mistakes, "[auth] gateway_key_%s: %s: %s", conf->name, conf->path, why);
    }
}

static const struct known_gateway *find_gateway(const struct gateways *gateways, struct str name)
{
    for (size_t i = 0; i < gateways->count; i++) {
        if (str_equal(gateways->known[i].name, name)) {
            return &gateways->known[i];
        }
    }
    return NULL;
}

static void check_names(const struct gateways *gateways, const struct conf *conf,
                        struct conf_mistakes *mistakes)
{
    const char *const fallback = conf->auth.gateway_default;
    if (gateways->count == 0) {
        conf_mistake(mistakes,
                     "[auth] gateway = on needs at least one gateway_key_NAME = /path.pem");
    } else if (fallback[0] != '\0' && find_gateway(gateways, str_from(fallback)) == NULL) {
        conf_mistake(mistakes, "[auth] gateway_default: there is no gateway_key_%s", fallback);
    }
}

struct gateways *gateways_load(const struct conf *conf, conf_complain *complain_to, void *context)
{
    struct conf_mistakes mistakes = {complain_to, context, 0};
    struct gateways *const gateways = calloc(1, sizeof(struct gateways));
    if (gateways == NULL) {
        conf_mistake(&mistakes, "out of memory");
        return NULL;
    }
    if (!conf->auth.gateway) {
        return gateways;
    }
    load_algorithms(gateways, conf->auth.gateway_algorithms, &mistakes);
    for (size_t i = 0; i < conf->auth.gateway_count; i++) {
        load_gateway(gateways, &conf->auth.gateways[i], &mistakes);
    }
    check_names(gateways, conf, &mistakes);
    gateways->cache = token_cache_new();
    if (gateways->cache == NULL) {
        conf_mistake(&mistakes, "out of memory");
    }
    if (mistakes.count > 0) {
        gateways_free(gateways);
        return NULL;
    }
    return gateways;
}

static void free_keys(struct jwt_key *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jwt_key_free(keys[i]);
    }
}

void gateways_free(struct gateways *gateways)
{
    for (size_t i = 0; gateways != NULL && i < gateways->count; i++) {
        free_keys(gateways->known[i].keys, gateways->known[i].key_count);
    }
    if (gateways != NULL) {
        token_cache_free(gateways->cache);
    }
    free(gateways);
}

// ---- a key by itself ----

_Static_assert((int)GATEWAYS_WHY_BYTES == (int)JWT_KEY_WHY_BYTES, "one reason");

bool gateways_is_key(struct str pem, char why[GATEWAYS_WHY_BYTES])
{
    struct jwt_key *keys[JWT_KEYS_PER_FILE];
    const size_t count = jwt_key_load_text(pem, keys, why);
    free_keys(keys, count);
    return count > 0;
}

static bool contains(struct jwt_key *const *keys, size_t count, const struct jwt_key *key)
{
    for (size_t i = 0; i < count; i++) {
        if (jwt_key_equal(keys[i], key)) {
            return true;
        }
    }
    return false;
}

bool gateways_file_has(const char *path, struct str pem)
{
    char why[JWT_KEY_WHY_BYTES];
    struct jwt_key *wanted[JWT_KEYS_PER_FILE];
    struct jwt_key *present[JWT_KEYS_PER_FILE];
    const size_t wanted_count = jwt_key_load_text(pem, wanted, why);
    const size_t present_count = jwt_key_load_file(path, present, why);
    size_t found = 0;
    for (size_t i = 0; i < wanted_count; i++) {
        found += contains(present, present_count, wanted[i]);
    }
    free_keys(wanted, wanted_count);
    free_keys(present, present_count);
    return wanted_count > 0 && found == wanted_count;
}

struct auth_gateway {
    struct jwt_verifier *verifier;
};

struct auth_gateway *auth_gateway_new(void)
{
    struct auth_gateway *const gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        return NULL;
    }
    gateway->verifier = jwt_verifier_new();
    if (gateway->verifier == NULL) {
        free(gateway);
        return NULL;
    }
    return gateway;
}

void auth_gateway_free(struct auth_gateway *gateway)
{
    if (gateway != NULL) {
        jwt_verifier_free(gateway->verifier);
        free(gateway);
    }
}

// ---- the signature ----

// Returns how much of a name from a token is logged.
static int shown_length(struct str name)
{
    enum { SHOWN_MAX = 64 };
    return name.len < SHOWN_MAX ? (int)name.len : SHOWN_MAX;
}

// Each error's detail says why, for the log; clients only learn that the token is refused.
static int check_signature(struct auth_gateway *gateway, const struct auth_context *context,
                           const struct jwt *jwt, struct error *err)
{
    const struct gateways *const gateways = context->gateways;
    enum jwt_algorithm algorithm;
    if (jwt_algorithm_named(jwt->algorithm, &algorithm) != 0 || !gateways->allows[algorithm]) {
        return error_set(err, ERR_TOKEN_REFUSED, "token: gateway_algorithms does not allow %.*s",
                         shown_length(jwt->algorithm), jwt->algorithm.ptr);
    }
    const struct str name =
        str_is_absent(jwt->key_id) ? str_from(context->conf->auth.gateway_default) : jwt->key_id;
    const struct known_gateway *const known = find_gateway(gateways, name);
    if (known == NULL) {
        return error_set(err, ERR_TOKEN_REFUSED, "token: there is no gateway_key_%.*s",
                         shown_length(name), name.ptr);
    }
    for (size_t i = 0; i < known->key_count; i++) {
        switch (jwt_verify(gateway->verifier, jwt, known->keys[i], algorithm)) {
        case JWT_VALID:
            return 0;
        case JWT_LACKS_MEMORY:
            return error_set(err, ERR_NO_MEMORY, "token: verifying");
        case JWT_INVALID:
            break; // try the gateway's next key
        }
    }
    return error_set(err, ERR_TOKEN_REFUSED, "token: wrong signature");
}

// ---- the claims ----
//
// The signature has proved that the gateway sent the token. A refusal from here
// on is ERR_TOKEN_CLAIMS, which does not count as a guess.

enum date_presence { DATE_ABSENT, DATE_GIVEN, DATE_BAD };

// Reads a NumericDate (RFC 7519, section 2): seconds since 1970; fractions are allowed.
static enum date_presence read_date(const struct json_value *claims, const char *name,
                                    double *seconds)
{
    if (!json_read_has(claims, name)) {
        return DATE_ABSENT;
    }
    const bool is_number = json_read_number(json_read_member(claims, name), seconds);
    return is_number && isfinite(*seconds) ? DATE_GIVEN : DATE_BAD;
}

// Reads an optional date.
static int read_optional_date(const struct json_value *json, const char *name, double *seconds,
                              struct error *err)
{
    switch (read_date(json, name, seconds)) {
    case DATE_GIVEN:
        return 0;
    case DATE_ABSENT:
        *seconds = -INFINITY;
        return 0;
    case DATE_BAD:
        break;
    }
    return error_set(err, ERR_TOKEN_CLAIMS, "token: not yet valid (%s)", name);
}

static int read_dates(const struct json_value *json, struct token_claims *claims, struct error *err)
{
    if (read_date(json, "exp", &claims->expires) != DATE_GIVEN) {
        claims->expires = -INFINITY; // check_dates refuses it
    }
    return read_optional_date(json, "nbf", &claims->not_before, err) == 0
               ? read_optional_date(json, "iat", &claims->issued, err)
               : -1;
}

static int check_dates(const struct token_claims *claims, const struct auth_context *context,
                       struct error *err)
{
    const double now = (double)context->now_us / (double)US_PER_SECOND;
    const double leeway = (double)context->conf->auth.leeway_ms / 1000;
    if (now >= claims->expires + leeway) {
        return error_set(err, ERR_TOKEN_CLAIMS, "token: expired, or without exp");
    }
    if (claims->not_before > now + leeway || claims->issued > now + leeway) {
        return error_set(err, ERR_TOKEN_CLAIMS, "token: not yet valid (%s)",
                         claims->not_before > now + leeway ? "nbf" : "iat");
    }
    return 0;
}

// Reads the name of a party of the token, application or user. The gateway must have verified it.
// It may have the old member name or the new one; if both are given, they must agree.
static bool read_party(const struct json_value *claims, const char *party_name,
                       const char *old_name, const char *new_name, struct str *name)
{
    const struct json_value *const party = json_read_member(claims, party_name);
    if (!json_read_is_true(json_read_member(party, "verified"))) {
        return false;
    }
    const struct str old_spelling = json_read_string(json_read_member(party, old_name));
    const struct str new_spelling = json_read_string(json_read_member(party, new_name));
    *name = old_spelling.len > 0 ? old_spelling : new_spelling;
    return name->len > 0 && (new_spelling.len == 0 || str_equal(*name, new_spelling));
}

static int keep_name(struct str *kept, struct str name, struct arena *arena, struct error *err)
{
    *kept = arena_copy(arena, name);
    return str_is_absent(*kept) ? error_set(err, ERR_NO_MEMORY, "token") : 0;
}

static int read_parties(const struct json_value *json, struct arena *arena,
                        struct token_claims *claims, struct error *err)
{
    struct str app_code;
    struct str username;
    if (!read_party(json, "app", "app_code", "bk_app_code", &app_code)) {
        return error_set(err, ERR_TOKEN_CLAIMS, "token: no verified application");
    }
    if (!read_party(json, "user", "username", "bk_username", &username)) {
        return error_set(err, ERR_TOKEN_CLAIMS, "token: no verified user");
    }
    if (!utf8_all_visible(app_code)) {
        return error_set(err, ERR_TOKEN_CLAIMS,
                         "token: the application's code has a character that cannot be seen");
    }
    if (keep_name(&claims->app_code, app_code, arena, err) != 0) {
        return -1;
    }
    return keep_name(&claims->username, username, arena, err);
}

static int read_claims(const struct jwt *jwt, struct arena *arena, struct token_claims *claims,
                       struct error *err)
{
    struct json_value *json;
    if (json_read_object(jwt->claims, "token: claims", ERR_TOKEN_CLAIMS, arena, &json, err) != 0) {
        return -1;
    }
    int outcome = read_dates(json, claims, err);
    if (outcome == 0) {
        outcome = read_parties(json, arena, claims, err);
    }
    json_read_free(json);
    return outcome;
}

// ---- a token ----

static int verify(struct auth_gateway *gateway, const struct auth_context *context,
                  struct str token, struct token_claims *claims, struct error *err)
{
    struct jwt jwt;
    if (jwt_split(token, context->arena, &jwt, err) != 0 ||
        check_signature(gateway, context, &jwt, err) != 0) {
        return -1;
    }
    return read_claims(&jwt, context->arena, claims, err);
}

// The cache only replaces verifying: dates are always checked, and refused tokens are never added.
static int read_token(struct auth_gateway *gateway, const struct auth_context *context,
                      struct str token, struct token_claims *claims, struct error *err)
{
    struct token_cache *const cache = context->gateways->cache;
    uint8_t digest[JWT_DIGEST_BYTES];
    const bool has_digest = jwt_digest(gateway->verifier, token, digest);
    const bool is_known = has_digest && token_cache_find(cache, digest, context->arena, claims);
    if (!is_known && verify(gateway, context, token, claims, err) != 0) {
        return -1;
    }
    if (check_dates(claims, context, err) != 0) {
        return -1;
    }
    if (has_digest && !is_known) {
        token_cache_add(cache, digest, claims);
    }
    return 0;
}

// Returns a date in microseconds; one that is too far away becomes the last that fits.
static int64_t us_of(double seconds)
{
    const double last = (double)(INT64_MAX / 2);
    const double us = seconds * (double)US_PER_SECOND;
    return us < last ? (int64_t)us : INT64_MAX / 2;
}

enum auth_verdict auth_gateway_read(struct auth_gateway *gateway,
                                    const struct auth_context *context,
                                    const struct http_request *request,
                                    struct credentials *credentials, struct error *err)
{
    if (str_is_absent(request->bkapi_jwt)) {
        return AUTH_ABSENT;
    }
    *credentials = (struct credentials){.kind = CREDENTIALS_GATEWAY};
    if (!context->conf->auth.gateway) {
        (void)error_set_subject(err, ERR_WAY_IN_CLOSED, STR("X-Bkapi-JWT"), "gateway = off");
        return AUTH_REFUSED;
    }
    struct token_claims claims;
    if (read_token(gateway, context, str_trim(request->bkapi_jwt), &claims, err) != 0) {
        return AUTH_REFUSED;
    }
    credentials->app_code = claims.app_code;
    credentials->username = claims.username;
    credentials->expires_us = us_of(claims.expires);
    return AUTH_ACCEPTED;
}
