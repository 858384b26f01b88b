// SPDX-License-Identifier: MIT
// Any bytes as a gateway's token: none passes that its key has not signed, and what is taken apart
// is all of it. Or, where the input begins with "{", its first line as a token's header and the
// rest as its claims, which are then signed: they pass where a reading of RFC 7519 to the letter
// says so.
#include "ask.h"
#include "fuzz.h"
#include "auth/jwt_priv.h"
#include "base/utf8.h"
#include "ref_json.h"

#include <math.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <sys/mman.h>

enum { PART_MAX = 4096, TOKEN_MAX = 16 * 1024, HALF = 32 };

static struct {
    EVP_PKEY *key;
    struct conf *conf;
    struct gateways *gateways;
    struct auth *auth;
    struct arena *arena;
} gateway;

static void complain(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

// The configuration of one gateway, "gw", whose key is made here.
static void set_up(void)
{
    static char on[] = "BKFLOW_STATES_AUTH_GATEWAY=on";
    static char algorithms[] = "BKFLOW_STATES_AUTH_GATEWAY_ALGORITHMS=ES256";
    static char fallback[] = "BKFLOW_STATES_AUTH_GATEWAY_DEFAULT=gw";
    static char path[128];
    gateway.key = EVP_EC_gen("P-256");
    const int fd = memfd_create("key", 0);
    FILE *const file = fdopen(fd, "w");
    REQUIRE(gateway.key != NULL && file != NULL && PEM_write_PUBKEY(file, gateway.key) == 1);
    fflush(file);
    snprintf(path, sizeof path, "BKFLOW_STATES_AUTH_GATEWAY_KEY_gw=/proc/self/fd/%d", fd);
    char *const environment[] = {on, algorithms, fallback, path, NULL};
    gateway.conf = conf_load(NULL, environment, complain, NULL);
    REQUIRE(gateway.conf != NULL);
    gateway.gateways = gateways_load(gateway.conf, complain, NULL);
    gateway.auth = auth_new();
    gateway.arena = arena_new(1 << 20);
    REQUIRE(gateway.gateways != NULL && gateway.auth != NULL && gateway.arena != NULL);
    fclose(file);
}

// ---- base64url, by OpenSSL's base64 ----

static size_t put_base64url(char *to, const unsigned char *bytes, size_t len)
{
    size_t end = (size_t)EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
    while (end > 0 && to[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    }
    return end;
}

static void check_spelling(struct str part, struct str decoded)
{
    static char again[TOKEN_MAX];
    const size_t len = put_base64url(again, (const unsigned char *)decoded.ptr, decoded.len);
    REQUIRE(str_equal(part, (struct str){again, len}));
}

// ---- any bytes ----

static void check_split(struct str token)
{
    struct jwt jwt;
    struct error err = {0};
    if (jwt_split(token, gateway.arena, &jwt, &err) != 0) {
        REQUIRE(err.kind == ERR_TOKEN_REFUSED);
        return;
    }
    struct str rest = token;
    (void)str_cut(&rest, '.');
    check_spelling(str_cut(&rest, '.'), jwt.claims);
    check_spelling(str_cut(&rest, '.'), jwt.signature);
    REQUIRE(str_is_absent(rest));
    REQUIRE(jwt.signed_part.ptr == token.ptr);
    REQUIRE(token.ptr[jwt.signed_part.len] == '.');
}

// Whether the token is accepted; CREDENTIALS is then what it says.
static bool passes(struct str token, struct credentials *credentials)
{
    const struct http_request request = {.bkapi_jwt = token};
    struct error err = {0};
    const struct auth_context context = {
        .auth = gateway.auth,
        .conf = gateway.conf,
        .gateways = gateway.gateways,
        .arena = gateway.arena,
        .now_us = STAGE_NOW_US,
    };
    const int outcome = auth_read_credentials(&context, &request, credentials, &err);
    REQUIRE(outcome == 0 || err.kind == ERR_TOKEN_REFUSED || err.kind == ERR_TOKEN_CLAIMS);
    return outcome == 0;
}

// ---- what is signed ----

static size_t put_signature(char *to, const char *text, size_t len)
{
    unsigned char der[128];
    unsigned char raw[2 * HALF];
    size_t der_len = sizeof der;
    const unsigned char *at = der;
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    REQUIRE(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, gateway.key, NULL) == 1);
    REQUIRE(EVP_DigestSign(context, der, &der_len, (const unsigned char *)text, len) == 1);
    EVP_MD_CTX_free(context);
    ECDSA_SIG *const pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    REQUIRE(pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, HALF) == HALF &&
            BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + HALF, HALF) == HALF);
    ECDSA_SIG_free(pair);
    return put_base64url(to, raw, sizeof raw);
}

static struct str sign(struct str header, struct str claims)
{
    static char token[TOKEN_MAX];
    size_t len = put_base64url(token, (const unsigned char *)header.ptr, header.len);
    token[len++] = '.';
    len += put_base64url(token + len, (const unsigned char *)claims.ptr, claims.len);
    const size_t signed_len = len;
    token[len++] = '.';
    len += put_signature(token + len, token, signed_len);
    return (struct str){token, len};
}

static bool header_fits(const struct ref_json *header)
{
    const struct ref_json *const key_id = ref_json_member(header, "kid");
    return header != NULL && ref_json_member(header, "crit") == NULL &&
           str_equal(ref_json_string(header, "alg"), STR("ES256")) &&
           (key_id == NULL || (key_id->type == REF_STRING && str_equal(key_id->text, STR("gw"))));
}

enum date { DATE_MISSING, DATE_PAST, DATE_FUTURE, DATE_BAD };

// LEEWAY seconds are added to now.
static enum date date_of(const struct ref_json *claims, const char *name, double leeway)
{
    const struct ref_json *const member = ref_json_member(claims, name);
    char digits[PART_MAX + 1];
    if (member == NULL) {
        return DATE_MISSING;
    }
    if (member->type != REF_NUMBER) {
        return DATE_BAD;
    }
    memcpy(digits, member->text.ptr, member->text.len);
    digits[member->text.len] = '\0';
    const double date = strtod(digits, NULL);
    const double now = (double)STAGE_NOW_US / 1e6 + leeway;
    return !isfinite(date) ? DATE_BAD : date > now ? DATE_FUTURE : DATE_PAST;
}

static bool has_begun(enum date date)
{
    return date == DATE_MISSING || date == DATE_PAST;
}

static struct str name_of(const struct ref_json *party, const char *old_name, const char *new_name)
{
    const struct ref_json *const verified = ref_json_member(party, "verified");
    const struct str older = ref_json_string(party, old_name);
    const struct str newer = ref_json_string(party, new_name);
    if (verified == NULL || verified->type != REF_TRUE ||
        (older.len > 0 && newer.len > 0 && !str_equal(older, newer))) {
        return STR("");
    }
    return older.len > 0 ? older : newer;
}

static bool claims_hold(const struct ref_json *claims, struct str *app, struct str *user)
{
    *app = name_of(ref_json_member(claims, "app"), "app_code", "bk_app_code");
    *user = name_of(ref_json_member(claims, "user"), "username", "bk_username");
    return app->len > 0 && utf8_all_visible(*app) && user->len > 0 &&
           date_of(claims, "exp", -10) == DATE_FUTURE && has_begun(date_of(claims, "nbf", 10)) &&
           has_begun(date_of(claims, "iat", 10));
}

static void check_signed(struct str header, struct str claims)
{
    struct credentials credentials;
    struct str app = STR("");
    struct str user = STR("");
    const bool has_passed = passes(sign(header, claims), &credentials);
    const bool fits = header_fits(ref_json_object(header));
    REQUIRE(has_passed == (fits && claims_hold(ref_json_object(claims), &app, &user)));
    if (has_passed) {
        REQUIRE(credentials.kind == CREDENTIALS_GATEWAY);
        REQUIRE(str_equal(credentials.app_code, app) && str_equal(credentials.username, user));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (gateway.key == NULL) {
        set_up();
    }
    struct str claims = {size == 0 ? "" : (const char *)data, size};
    const struct str text = claims;
    const struct str header = str_cut(&claims, '\n');
    if (size > PART_MAX) {
        return 0;
    }
    if (size > 0 && data[0] == '{') {
        check_signed(header, str_is_absent(claims) ? STR("") : claims);
    } else {
        struct credentials credentials;
        check_split(text);
        REQUIRE(!passes(text, &credentials));
    }
    arena_reset(gateway.arena);
    return 0;
}
