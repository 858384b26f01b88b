// SPDX-License-Identifier: MIT
// jwt and auth_gateway: tokens signed here with fresh keys, valid ones and many kinds of forged
// ones.
#include "auth/gateway.h"
#include "base/clock.h"
#include "auth/jwt_priv.h"
#include "support.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_S  1700000000
#define NOW_US ((int64_t)NOW_S * US_PER_SECOND)

#define PARTIES                                                                                    \
    "\"app\":{\"app_code\":\"demo_app\",\"verified\":true},"                                       \
    "\"user\":{\"username\":\"admin\",\"verified\":true}"
#define GOOD_CLAIMS "{\"exp\":1700000100,\"nbf\":1699999900,\"iat\":1699999900," PARTIES "}"

// ---- keys ----

enum {
    KEY_RSA,
    KEY_OTHER_RSA,
    KEY_P256,
    KEY_P384,
    KEY_P521,
    KEY_SMALL_RSA,
    KEY_ED25519,
    KEY_K256,
    KEYS
};

static EVP_PKEY *keys[KEYS];
static char *folder;
static char *all_keys_path; // of gateway "gw": one key of each kind
static char *other_path;    // of gateway "other"

static char *write_public(const char *name, const EVP_PKEY *const *list, size_t count)
{
    char *const path = scratch_path(folder, name);
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(PEM_write_PUBKEY(file, list[i]), 1);
    }
    fclose(file);
    return path;
}

static int make_keys(void **state)
{
    (void)state;
    keys[KEY_RSA] = EVP_RSA_gen(2048);
    keys[KEY_OTHER_RSA] = EVP_RSA_gen(2048);
    keys[KEY_P256] = EVP_EC_gen("P-256");
    keys[KEY_P384] = EVP_EC_gen("P-384");
    keys[KEY_P521] = EVP_EC_gen("P-521");
    keys[KEY_SMALL_RSA] = EVP_RSA_gen(1024);
    keys[KEY_ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    keys[KEY_K256] = EVP_EC_gen("secp256k1"); // the same size as P-256, but another curve
    for (size_t i = 0; i < KEYS; i++) {
        assert_non_null(keys[i]);
    }
    folder = scratch_new();
    const EVP_PKEY *const all[] = {keys[KEY_RSA], keys[KEY_P256], keys[KEY_P384], keys[KEY_P521]};
    const EVP_PKEY *const other[] = {keys[KEY_OTHER_RSA]};
    all_keys_path = write_public("all.pem", all, COUNT_OF(all));
    other_path = write_public("other.pem", other, COUNT_OF(other));
    return 0;
}

static int free_all_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        EVP_PKEY_free(keys[i]);
    }
    free(all_keys_path);
    free(other_path);
    scratch_free(folder);
    return 0;
}

// ---- making tokens ----

enum { TOKEN_BYTES = 4096 };

static size_t put_base64url(char *to, const unsigned char *bytes, size_t len)
{
    const int encoded = EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
    size_t end = (size_t)encoded;
    while (end > 0 && to[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    }
    to[end] = '\0';
    return end;
}

// "header.claims"
static size_t put_signed_part(char *token, const char *header, const char *claims)
{
    size_t len = put_base64url(token, (const unsigned char *)header, strlen(header));
    token[len++] = '.';
    return len + put_base64url(token + len, (const unsigned char *)claims, strlen(claims));
}

static size_t sign(const EVP_PKEY *key, const char *digest, const char *text, size_t len,
                   unsigned char *signature)
{
    size_t signature_len = 1024;
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    EVP_PKEY *const signer = (EVP_PKEY *)(uintptr_t)key;
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, signer, NULL), 1);
    assert_int_equal(
        EVP_DigestSign(context, signature, &signature_len, (const unsigned char *)text, len), 1);
    EVP_MD_CTX_free(context);
    return signature_len;
}

// Converts DER to the two numbers of fixed size in a token.
static size_t to_raw(unsigned char *signature, size_t len, size_t half)
{
    const unsigned char *der = signature;
    ECDSA_SIG *const pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, (int)half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, (int)half), half);
    ECDSA_SIG_free(pair);
    return 2 * half;
}

static size_t raw_half_of(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? ((size_t)EVP_PKEY_get_bits(key) + 7) / 8 : 0;
}

// Returns a token in a static buffer, signed by KEY with DIGEST whatever the header says.
static struct str token_of(const EVP_PKEY *key, const char *digest, const char *header,
                           const char *claims)
{
    static char token[TOKEN_BYTES];
    unsigned char signature[1024];
    size_t len = put_signed_part(token, header, claims);
    size_t signature_len = sign(key, digest, token, len, signature);
    if (raw_half_of(key) != 0) {
        signature_len = to_raw(signature, signature_len, raw_half_of(key));
    }
    token[len++] = '.';
    len += put_base64url(token + len, signature, signature_len);
    return (struct str){token, len};
}

static struct str rsa_token(const char *header, const char *claims)
{
    return token_of(keys[KEY_RSA], "SHA512", header, claims);
}

#define GOOD_HEADER "{\"alg\":\"RS512\",\"kid\":\"gw\",\"typ\":\"JWT\"}"

static struct str good_token(void)
{
    return rsa_token(GOOD_HEADER, GOOD_CLAIMS);
}

// ---- checking tokens ----

struct fixture {
    struct conf *conf;
    struct gateways *gateways;
    struct auth *auth;
    struct arena *arena;
    struct credentials credentials;
    struct error err;
    int64_t later_us; // after NOW_US
    char complaints[4096];
};

static struct fixture fixture;

static void note(void *context, const char *sentence)
{
    (void)context;
    const size_t len = strlen(fixture.complaints);
    snprintf(fixture.complaints + len, sizeof fixture.complaints - len, "%s\n", sentence);
}

// Loads a configuration with these settings of [auth]: "gateway_default=gw", ends with NULL.
static void configure(const char *const *settings)
{
    char entries[16][512];
    char *environment[17] = {NULL};
    size_t count = 0;
    for (; settings[count] != NULL; count++) {
        snprintf(entries[count], sizeof entries[0], "BKFLOW_STATES_AUTH_%s", settings[count]);
        environment[count] = entries[count];
    }
    gateways_free(fixture.gateways);
    conf_free(fixture.conf);
    fixture.complaints[0] = '\0';
    fixture.conf = conf_load(NULL, environment, note, NULL);
    assert_non_null(fixture.conf);
    fixture.gateways = gateways_load(fixture.conf, note, NULL);
}

static char all_keys_setting[512];
static char other_setting[512];

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.auth = auth_new(), .arena = arena_new(1 << 20)};
    assert_non_null(fixture.auth);
    snprintf(all_keys_setting, sizeof all_keys_setting, "GATEWAY_KEY_gw=%s", all_keys_path);
    snprintf(other_setting, sizeof other_setting, "GATEWAY_KEY_other=%s", other_path);
    const char *const settings[] = {"GATEWAY=on", all_keys_setting, other_setting, NULL};
    configure(settings);
    assert_non_null(fixture.gateways);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gateways_free(fixture.gateways);
    conf_free(fixture.conf);
    auth_free(fixture.auth);
    arena_free(fixture.arena);
    return 0;
}

static int refusal_of_request(const struct http_request *request)
{
    arena_reset(fixture.arena);
    fixture.err = (struct error){0};
    const struct auth_context context = {
        .auth = fixture.auth,
        .conf = fixture.conf,
        .gateways = fixture.gateways,
        .arena = fixture.arena,
        .now_us = NOW_US + fixture.later_us,
    };
    const int outcome =
        auth_read_credentials(&context, request, &fixture.credentials, &fixture.err);
    return outcome == 0 ? 0 : error_code(fixture.err.kind);
}

// 0, or the code of the refusal. The request also has direct credentials, which would be accepted
// without the token.
static int refusal_of(struct str token)
{
    return refusal_of_request(&(struct http_request){
        .bkapi_jwt = token,
        .bkapi_authorization =
            STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"s\",\"bk_username\":\"u\"}"),
    });
}

static int refusal_of_claims(const char *claims)
{
    return refusal_of(rsa_token(GOOD_HEADER, claims));
}

// ---- good tokens ----

static void a_good_token_names_application_and_user(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0);
    assert_int_equal(fixture.credentials.kind, CREDENTIALS_GATEWAY);
    assert_text(fixture.credentials.app_code, "demo_app");
    assert_text(fixture.credentials.username, "admin");
    assert_text(fixture.credentials.secret, NULL);
}

static const struct {
    const char *name;
    const char *digest;
    size_t key;
} algorithms[] = {
    {"RS256", "SHA256", KEY_RSA},  {"RS384", "SHA384", KEY_RSA},  {"RS512", "SHA512", KEY_RSA},
    {"ES256", "SHA256", KEY_P256}, {"ES384", "SHA384", KEY_P384}, {"ES512", "SHA512", KEY_P521},
};

static void each_algorithm_works_only_if_it_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        char allowed[64];
        snprintf(allowed, sizeof allowed, "GATEWAY_ALGORITHMS=%s", algorithms[i].name);
        const char *const settings[] = {"GATEWAY=on", all_keys_setting, allowed, NULL};
        configure(settings);
        assert_non_null(fixture.gateways);
        for (size_t k = 0; k < COUNT_OF(algorithms); k++) {
            char header[128];
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"gw\"}", algorithms[k].name);
            const struct str token =
                token_of(keys[algorithms[k].key], algorithms[k].digest, header, GOOD_CLAIMS);
            check_number(algorithms[k].name, refusal_of(token), i == k ? 0 : 40104);
        }
    }
}

static void both_spellings_of_the_names_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *app;
        const char *user;
        int expected;
    } rows[] = {
        {"\"app_code\":\"demo_app\"", "\"username\":\"admin\"", 0},
        {"\"bk_app_code\":\"demo_app\"", "\"bk_username\":\"admin\"", 0},
        {"\"app_code\":\"demo_app\",\"bk_app_code\":\"demo_app\"",
         "\"bk_username\":\"admin\",\"username\":\"admin\"", 0},
        {"\"app_code\":\"\",\"bk_app_code\":\"demo_app\"",
         "\"username\":\"\",\"bk_username\":\"admin\"", 0},
        {"\"app_code\":\"demo_app\",\"bk_app_code\":\"\"",
         "\"username\":\"admin\",\"bk_username\":\"\"", 0},
        {"\"app_code\":\"demo_app\",\"bk_app_code\":\"other\"", "\"username\":\"admin\"", 40104},
        {"\"app_code\":\"demo_app\"", "\"username\":\"admin\",\"bk_username\":\"root\"", 40104},
        {"\"app_code\":\"\"", "\"username\":\"admin\"", 40104},
        {"\"x\":1", "\"username\":\"admin\"", 40104},
        {"\"app_code\":\"demo_app\"", "\"username\":\"\"", 40104},
        {"\"app_code\":\"demo_app\"", "\"x\":1", 40104},
        {"\"app_code\":1", "\"username\":\"admin\"", 40104},
        {"\"app_code\":\"demo_app\"", "\"username\":null", 40104},
        {"\"app_code\":\"demo_app\\u200b\"", "\"username\":\"admin\"", 40104},
        {"\"app_code\":\"demo_app\u3000\"", "\"username\":\"admin\"", 40104},
        {"\"app_code\":\"\u202edemo_app\"", "\"username\":\"admin\"", 40104},
        {"\"bk_app_code\":\"demo_app\\u00a0\"", "\"username\":\"admin\"", 40104},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char claims[512];
        snprintf(
            claims, sizeof claims,
            "{\"exp\":1700000100,\"app\":{%s,\"verified\":true},\"user\":{%s,\"verified\":true}}",
            rows[i].app, rows[i].user);
        check_number(claims, refusal_of_claims(claims), rows[i].expected);
        if (rows[i].expected == 0) {
            check_text(claims, fixture.credentials.app_code, "demo_app");
            check_text(claims, fixture.credentials.username, "admin");
        }
    }
}

static void spaces_around_a_token_are_ignored(void **state)
{
    (void)state;
    char padded[TOKEN_BYTES];
    const struct str token = good_token();
    const int len = snprintf(padded, sizeof padded, " \t%.*s ", (int)token.len, token.ptr);
    assert_int_equal(refusal_of((struct str){padded, (size_t)len}), 0);
}

// ---- which key ----

static void a_token_without_kid_is_from_the_default_gateway(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"RS512\"}";
    assert_int_equal(refusal_of(rsa_token(header, GOOD_CLAIMS)), 40104);
    const char *const settings[] = {"GATEWAY=on", all_keys_setting, other_setting,
                                    "GATEWAY_DEFAULT=gw", NULL};
    configure(settings);
    assert_int_equal(refusal_of(rsa_token(header, GOOD_CLAIMS)), 0);
    assert_int_equal(refusal_of(token_of(keys[KEY_OTHER_RSA], "SHA512", header, GOOD_CLAIMS)),
                     40104);
}

static void a_token_with_an_unknown_or_malformed_kid_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"RS512\",\"kid\":\"nobody\"}",
        "{\"alg\":\"RS512\",\"kid\":\"\"}",
        "{\"alg\":\"RS512\",\"kid\":\"GW\"}",
        "{\"alg\":\"RS512\",\"kid\":\"gw \"}",
        "{\"alg\":\"RS512\",\"kid\":1}",
        "{\"alg\":\"RS512\",\"kid\":null}",
        "{\"alg\":\"RS512\",\"kid\":[\"gw\"]}",
        "{\"alg\":\"RS512\",\"kid\":\"../gw\"}",
        "{\"alg\":\"RS512\",\"kid\":\"nobody\",\"kid\":\"gw\"}",
    };
    const char *const settings[] = {"GATEWAY=on", all_keys_setting, "GATEWAY_DEFAULT=gw", NULL};
    configure(settings);
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        check_number(headers[i], refusal_of(rsa_token(headers[i], GOOD_CLAIMS)), 40104);
    }
}

static void the_key_of_another_gateway_is_refused(void **state)
{
    (void)state;
    const struct str token = token_of(keys[KEY_OTHER_RSA], "SHA512", GOOD_HEADER, GOOD_CLAIMS);
    assert_int_equal(refusal_of(token), 40104);
    assert_int_equal(refusal_of(rsa_token("{\"alg\":\"RS512\",\"kid\":\"other\"}", GOOD_CLAIMS)),
                     40104);
}

static void both_keys_are_accepted_during_a_rotation(void **state)
{
    (void)state;
    const EVP_PKEY *const both[] = {keys[KEY_OTHER_RSA], keys[KEY_RSA]};
    char *const path = write_public("both.pem", both, COUNT_OF(both));
    char setting[512];
    snprintf(setting, sizeof setting, "GATEWAY_KEY_gw=%s", path);
    const char *const settings[] = {"GATEWAY=on", setting, NULL};
    configure(settings);
    assert_int_equal(refusal_of(good_token()), 0);
    assert_int_equal(refusal_of(token_of(keys[KEY_OTHER_RSA], "SHA512", GOOD_HEADER, GOOD_CLAIMS)),
                     0);
    free(path);
}

// ---- forged headers ----

static void headers_that_choose_another_algorithm_are_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"gw\"}",
        "{\"alg\":\"None\",\"kid\":\"gw\"}",
        "{\"alg\":\"\",\"kid\":\"gw\"}",
        "{\"kid\":\"gw\"}",
        "{\"alg\":null,\"kid\":\"gw\"}",
        "{\"alg\":[\"RS512\"],\"kid\":\"gw\"}",
        "{\"alg\":\"rs512\",\"kid\":\"gw\"}",
        "{\"alg\":\"RS512 \",\"kid\":\"gw\"}",
        "{\"alg\":\"HS256\",\"kid\":\"gw\"}",
        "{\"alg\":\"HS512\",\"kid\":\"gw\"}",
        "{\"alg\":\"PS512\",\"kid\":\"gw\"}",
        "{\"alg\":\"ES256\",\"kid\":\"gw\"}",
        "{\"alg\":\"RS256\",\"kid\":\"gw\"}",
        "{\"alg\":\"none\",\"alg\":\"RS512\",\"kid\":\"gw\"}",
        "{\"alg\":\"RS512\",\"kid\":\"gw\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"RS512\",\"kid\":\"gw\",\"crit\":[]}",
        "[\"RS512\"]",
        "RS512",
        "",
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        check_number(headers[i], refusal_of(rsa_token(headers[i], GOOD_CLAIMS)), 40104);
    }
}

static void a_token_without_signature_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"none\",\"kid\":\"gw\"}", GOOD_HEADER};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        char token[TOKEN_BYTES];
        size_t len = put_signed_part(token, headers[i], GOOD_CLAIMS);
        check_number("without the last part", refusal_of((struct str){token, len}), 40104);
        token[len++] = '.';
        check_number("with an empty one", refusal_of((struct str){token, len}), 40104);
    }
}

// The classic: the public key, which everybody knows, as the secret of an HMAC.
static void an_hmac_with_the_public_key_is_refused(void **state)
{
    (void)state;
    char *const pem = read_whole_file(all_keys_path);
    static const char *const names[] = {"HS256", "HS512", "RS512", "RS256"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char header[64];
        char token[TOKEN_BYTES];
        unsigned char mac[EVP_MAX_MD_SIZE];
        unsigned mac_len = 0;
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"gw\"}", names[i]);
        size_t len = put_signed_part(token, header, GOOD_CLAIMS);
        HMAC(EVP_sha512(), pem, (int)strlen(pem), (const unsigned char *)token, len, mac, &mac_len);
        token[len++] = '.';
        len += put_base64url(token + len, mac, mac_len);
        check_number(names[i], refusal_of((struct str){token, len}), 40104);
    }
    free(pem);
}

static void allow_all_algorithms(void)
{
    const char *const settings[] = {"GATEWAY=on", all_keys_setting,
                                    "GATEWAY_ALGORITHMS=RS256, RS384,RS512,ES256,ES384,ES512",
                                    NULL};
    configure(settings);
    assert_non_null(fixture.gateways);
}

static void a_signature_with_another_digest_or_curve_is_refused(void **state)
{
    (void)state;
    allow_all_algorithms();
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        for (size_t k = 0; k < COUNT_OF(algorithms); k++) {
            char header[128];
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"gw\"}", algorithms[i].name);
            const struct str token =
                token_of(keys[algorithms[k].key], algorithms[k].digest, header, GOOD_CLAIMS);
            check_number(algorithms[i].name, refusal_of(token), i == k ? 0 : 40104);
        }
    }
}

// ---- forged bytes ----

static void any_changed_character_is_detected(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char token[TOKEN_BYTES];
    const struct str good = good_token();
    memcpy(token, good.ptr, good.len);
    struct dice dice = {59};
    for (size_t i = 0; i < good.len; i++) {
        const char before = token[i];
        do {
            token[i] = alphabet[dice_below(&dice, 64)];
        } while (token[i] == before);
        assert_int_equal(refusal_of((struct str){token, good.len}), 40104);
        token[i] = before;
    }
    assert_int_equal(refusal_of((struct str){token, good.len}), 0);
}

static void a_token_truncated_anywhere_is_refused(void **state)
{
    (void)state;
    char token[TOKEN_BYTES];
    const struct str good = good_token();
    memcpy(token, good.ptr, good.len);
    for (size_t len = 0; len < good.len; len++) {
        const struct str cut = guarded_copy((struct str){token, len});
        assert_int_equal(refusal_of(cut), 40104);
        guarded_free_copy(cut);
    }
}

static void each_signature_has_one_encoding(void **state)
{
    (void)state;
    static const char *const tails[] = {"=", "==", ".", ".x", " x", "\n", "A", "%3D"};
    char token[TOKEN_BYTES];
    const struct str good = good_token();
    memcpy(token, good.ptr, good.len);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        memcpy(token + good.len, tails[i], strlen(tails[i]));
        check_number(tails[i], refusal_of((struct str){token, good.len + strlen(tails[i])}), 40104);
    }
    // With 256 bytes four bits of the last character are unused and must be zero.
    static const char last_characters[] = "AQgw";
    const char *const at = strchr(last_characters, token[good.len - 1]);
    assert_non_null(at);
    for (char bits = 1; bits < 16; bits++) {
        const char digit = token[good.len - 1];
        token[good.len - 1] = (char)(digit + bits);
        check_number("unused bits", refusal_of((struct str){token, good.len}), 40104);
        token[good.len - 1] = digit;
    }
}

static void bytes_that_are_not_a_token_are_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("."),
        STR(".."),
        STR("..."),
        STR("a.b.c"),
        STR("a.b"),
        STR("\0"),
        STR("a.\0.c"),
        STR("Bearer a.b.c"),
        STR("{}"),
        STR("\xFF.\xFF.\xFF"),
        STR("e30.e30.e30"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].ptr, refusal_of(rows[i]), 40104);
    }
}

// Returns the refusal of a token with this ECDSA signature.
static int refusal_of_ecdsa(const unsigned char *signature, size_t signature_len)
{
    char token[TOKEN_BYTES];
    size_t len = put_signed_part(token, "{\"alg\":\"ES256\",\"kid\":\"gw\"}", GOOD_CLAIMS);
    token[len++] = '.';
    len += put_base64url(token + len, signature, signature_len);
    return refusal_of((struct str){token, len});
}

static void ecdsa_signatures_of_invalid_numbers_are_refused(void **state)
{
    (void)state;
    static unsigned char bytes[200];
    allow_all_algorithms();
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(refusal_of_ecdsa(bytes, 64), 40104); // r = s = 0
    memset(bytes, 0xFF, sizeof bytes);
    for (size_t len = 0; len < sizeof bytes; len++) {
        assert_int_equal(refusal_of_ecdsa(bytes, len), 40104);
    }
    memset(bytes, 0, sizeof bytes);
    bytes[31] = bytes[63] = 1;
    assert_int_equal(refusal_of_ecdsa(bytes, 64), 40104); // r = s = 1
}

static void an_ecdsa_signature_in_der_is_refused(void **state)
{
    (void)state;
    char text[TOKEN_BYTES];
    unsigned char signature[1024];
    allow_all_algorithms();
    const size_t len = put_signed_part(text, "{\"alg\":\"ES256\",\"kid\":\"gw\"}", GOOD_CLAIMS);
    size_t signature_len = sign(keys[KEY_P256], "SHA256", text, len, signature);
    assert_int_equal(refusal_of_ecdsa(signature, signature_len), 40104);
    signature_len = to_raw(signature, signature_len, 32);
    assert_int_equal(refusal_of_ecdsa(signature, signature_len), 0);
}

// ---- claims ----

static void dates_are_checked_with_ten_seconds_of_leeway(void **state)
{
    (void)state;
    static const struct {
        const char *dates;
        int expected;
    } rows[] = {
        {"\"exp\":1700000001", 0},
        {"\"exp\":1699999991", 0},
        {"\"exp\":1699999990", 40104},
        {"\"exp\":1699999990.5", 0},
        {"\"exp\":1699999989.5", 40104},
        {"\"exp\":17e8", 0},
        {"\"exp\":0", 40104},
        {"\"exp\":-1", 40104},
        {"\"exp\":\"1700000100\"", 40104},
        {"\"exp\":null", 40104},
        {"\"exp\":true", 40104},
        {"\"exp\":[1700000100]", 40104},
        {"\"exp\":1e999", 40104},
        {"\"x\":1", 40104},
        {"\"exp\":1700000100,\"nbf\":1700000010", 0},
        {"\"exp\":1700000100,\"nbf\":1700000011", 40104},
        {"\"exp\":1700000100,\"nbf\":\"0\"", 40104},
        {"\"exp\":1700000100,\"nbf\":null", 40104},
        {"\"exp\":1700000100,\"nbf\":-5", 0},
        {"\"exp\":1700000100,\"iat\":1700000010", 0},
        {"\"exp\":1700000100,\"iat\":1700000011", 40104},
        {"\"exp\":1700000100,\"iat\":{}", 40104},
        {"\"exp\":1700000100,\"iat\":1e999", 40104},
        {"\"exp\":9007199254740993", 0},
        {"\"exp\":99999999999999999999999999", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char claims[512];
        snprintf(claims, sizeof claims, "{%s," PARTIES "}", rows[i].dates);
        check_number(rows[i].dates, refusal_of_claims(claims), rows[i].expected);
    }
}

static void the_leeway_is_configurable(void **state)
{
    (void)state;
    const char *const settings[] = {"GATEWAY=on", all_keys_setting, "LEEWAY=0", NULL};
    configure(settings);
    assert_int_equal(refusal_of_claims("{\"exp\":1700000001," PARTIES "}"), 0);
    assert_int_equal(refusal_of_claims("{\"exp\":1700000000," PARTIES "}"), 40104);
    assert_int_equal(refusal_of_claims("{\"exp\":1700000100,\"iat\":1700000000," PARTIES "}"), 0);
    assert_int_equal(refusal_of_claims("{\"exp\":1700000100,\"iat\":1700000001," PARTIES "}"),
                     40104);
}

static void both_parties_must_be_verified(void **state)
{
    (void)state;
    static const char *const values[] = {"false", "\"true\"", "1", "null", "{}", "[true]"};
    for (size_t i = 0; i < COUNT_OF(values) * 2; i++) {
        char claims[512];
        const char *const value = values[i / 2];
        snprintf(claims, sizeof claims,
                 "{\"exp\":1700000100,\"app\":{\"app_code\":\"demo_app\",\"verified\":%s},"
                 "\"user\":{\"username\":\"admin\",\"verified\":%s}}",
                 i % 2 == 0 ? value : "true", i % 2 == 0 ? "true" : value);
        check_number(claims, refusal_of_claims(claims), 40104);
    }
}

static void claims_without_a_party_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"exp\":1700000100}",
        "{\"exp\":1700000100,\"app\":{\"app_code\":\"a\",\"verified\":true}}",
        "{\"exp\":1700000100,\"user\":{\"username\":\"a\",\"verified\":true}}",
        "{\"exp\":1700000100,\"app\":\"a\",\"user\":\"b\"}",
        "{\"exp\":1700000100,\"app\":[],\"user\":[]}",
        "{\"exp\":1700000100,\"app\":{\"app_code\":\"a\"},\"user\":{\"username\":\"u\"}}",
        "{\"exp\":1700000100,\"exp\":1700000200," PARTIES "}",
        "{\"exp\":1700000100," PARTIES ",\"app\":{\"app_code\":\"evil\",\"verified\":true}}",
        "{\"exp\":1700000100,\"app\":{\"app_code\":\"a\",\"verified\":true,\"app_code\":\"b\"},"
        "\"user\":{\"username\":\"u\",\"verified\":true}}",
        "{\"exp\":1700000100,\"app\":{\"app_code\":\"a\\u0000b\",\"verified\":true},"
        "\"user\":{\"username\":\"u\",\"verified\":true}}",
        "[" GOOD_CLAIMS "]",
        GOOD_CLAIMS GOOD_CLAIMS,
        "not json",
        "",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i], refusal_of_claims(rows[i]), 40104);
    }
}

// ---- tokens that were verified before ----

// Verifying takes the token apart in the arena; what was verified before only leaves its names.
static bool was_verified(void)
{
    return arena_used(fixture.arena) > 400;
}

static void a_token_is_verified_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(refusal_of(good_token()), 0);
        assert_int_equal(was_verified(), i == 0);
        assert_int_equal(fixture.credentials.kind, CREDENTIALS_GATEWAY);
        assert_text(fixture.credentials.app_code, "demo_app");
        assert_text(fixture.credentials.username, "admin");
        assert_text(fixture.credentials.secret, NULL);
    }
}

static void other_threads_know_a_verified_token(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0);
    struct auth *const first = fixture.auth;
    fixture.auth = auth_new();
    assert_non_null(fixture.auth);
    assert_int_equal(refusal_of(good_token()), 0);
    assert_false(was_verified());
    auth_free(first);
}

static void a_verified_token_still_expires(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0); // exp is 100 s away, and 10 s are tolerated
    fixture.later_us = 110 * US_PER_SECOND - 1;
    assert_int_equal(refusal_of(good_token()), 0);
    assert_false(was_verified());
    fixture.later_us = 110 * US_PER_SECOND;
    assert_int_equal(refusal_of(good_token()), 40104);
}

// The clock may have been set back.
static void a_verified_token_may_be_from_the_future(void **state)
{
    (void)state;
    static const char *const names[] = {"nbf", "iat"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char claims[512];
        snprintf(claims, sizeof claims, "{\"exp\":1700000100,\"%s\":1700000000," PARTIES "}",
                 names[i]);
        fixture.later_us = 0;
        check_number(names[i], refusal_of_claims(claims), 0);
        fixture.later_us = -11 * US_PER_SECOND;
        check_number(names[i], refusal_of_claims(claims), 40104);
        check(names[i], strstr(fixture.err.detail, names[i]) != NULL);
    }
}

static void a_token_is_verified_again_after_a_reload(void **state)
{
    (void)state;
    const char *const same[] = {"GATEWAY=on", all_keys_setting, other_setting, NULL};
    const char *const off[] = {all_keys_setting, NULL};
    char gone_setting[512];
    snprintf(gone_setting, sizeof gone_setting, "GATEWAY_KEY_gw=%s", other_path);
    const char *const other_key[] = {"GATEWAY=on", gone_setting, NULL};
    const char *const other_algorithm[] = {"GATEWAY=on", all_keys_setting,
                                           "GATEWAY_ALGORITHMS=ES256", NULL};
    assert_int_equal(refusal_of(good_token()), 0);
    configure(same);
    assert_int_equal(refusal_of(good_token()), 0);
    assert_true(was_verified());
    configure(off);
    assert_int_equal(refusal_of(good_token()), 40105);
    configure(other_key);
    assert_int_equal(refusal_of(good_token()), 40104);
    configure(other_algorithm);
    assert_int_equal(refusal_of(good_token()), 40104);
}

static void a_changed_byte_in_a_verified_token_is_refused(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0);
    const size_t len = good_token().len;
    for (size_t i = 0; i < len; i++) {
        const struct str token = good_token();
        char *const byte = (char *)(uintptr_t)token.ptr + i;
        *byte = *byte == 'A' ? 'B' : 'A';
        check_number("byte", refusal_of(token), 40104);
    }
    assert_int_equal(refusal_of((struct str){good_token().ptr, len - 1}), 40104);
    assert_int_equal(refusal_of(good_token()), 0);
}

// Whose token it is, its header says, and that is part of what was verified.
static void a_token_is_not_verified_for_another_gateway(void **state)
{
    (void)state;
    static const char other_header[] = "{\"alg\":\"RS512\",\"kid\":\"other\"}";
    assert_int_equal(refusal_of(good_token()), 0);
    assert_int_equal(refusal_of(rsa_token(other_header, GOOD_CLAIMS)), 40104);
    assert_int_equal(refusal_of(token_of(keys[KEY_OTHER_RSA], "SHA512", other_header, GOOD_CLAIMS)),
                     0);
    assert_true(was_verified());
    assert_int_equal(refusal_of(token_of(keys[KEY_OTHER_RSA], "SHA512", GOOD_HEADER, GOOD_CLAIMS)),
                     40104);
}

static void a_refused_token_is_not_cached(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "{\"exp\":1699999000," PARTIES "}",
        "{\"exp\":1700000100,\"nbf\":1700000050," PARTIES "}",
        ("{\"exp\":1700000100,\"app\":{\"app_code\":\"a\",\"verified\":false},"
         "\"user\":{\"username\":\"u\",\"verified\":true}}"),
    };
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        for (unsigned k = 0; k < 2; k++) {
            check_number(claims[i], refusal_of_claims(claims[i]), 40104);
            check(claims[i], was_verified());
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        const struct str forged = token_of(keys[KEY_OTHER_RSA], "SHA512", GOOD_HEADER, GOOD_CLAIMS);
        assert_int_equal(refusal_of(forged), 40104);
        assert_true(was_verified());
    }
}

// ---- together with direct credentials ----

static void with_a_token_everything_else_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0);
    assert_text(fixture.credentials.app_code, "demo_app"); // and not "a" of the other header
    assert_int_equal(refusal_of(STR("bad")), 40104);
    assert_int_equal(refusal_of(STR("")), 40104);
}

static void without_a_token_direct_credentials_are_read(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(STR_ABSENT), 0);
    assert_int_equal(fixture.credentials.kind, CREDENTIALS_DIRECT);
    assert_text(fixture.credentials.app_code, "a");
}

static void with_direct_off_only_a_token_is_accepted(void **state)
{
    (void)state;
    const char *const settings[] = {"GATEWAY=on", all_keys_setting, "DIRECT=off", NULL};
    configure(settings);
    assert_int_equal(refusal_of(good_token()), 0);
    assert_int_equal(refusal_of(STR_ABSENT), 40105);
    assert_int_equal(refusal_of_request(&(struct http_request){.query = STR("")}), 40101);
    assert_text(fixture.err.subject, "X-Bkapi-JWT");
    assert_int_equal(refusal_of_request(&(struct http_request){
                         .query = STR("bk_app_code=a&bk_app_secret=s&bk_username=u")}),
                     40105);
}

static void with_gateway_off_a_good_token_is_refused(void **state)
{
    (void)state;
    const char *const settings[] = {all_keys_setting, NULL};
    configure(settings);
    assert_int_equal(refusal_of(good_token()), 40105);
}

// With every arena size, and with a long user name, for which there is no room when there is for
// the code.
static void without_memory_a_token_is_not_called_bad(void **state)
{
    (void)state;
    static const char code[] = "an_application_with_a_code_that_is_much_longer_than_its_user";
    const struct str token = rsa_token(
        GOOD_HEADER, "{\"exp\":1700000100,\"app\":{\"app_code\":"
                     "\"an_application_with_a_code_that_is_much_longer_than_its_user\","
                     "\"verified\":true},\"user\":{\"username\":\"u\",\"verified\":true}}");
    unsigned lacked = 0;
    for (int outcome = 50004; outcome != 0; lacked++) {
        assert_true(lacked < 10000);
        arena_free(fixture.arena);
        fixture.arena = arena_new(lacked);
        outcome = refusal_of(token);
        assert_true(outcome == 0 || outcome == 50004);
        if (outcome == 0) {
            assert_text(fixture.credentials.app_code, code);
            assert_text(fixture.credentials.username, "u");
        }
    }
    assert_true(lacked > 500);
}

// ---- when the crypto library has no memory ----

static struct {
    bool is_watching;
    unsigned long calls;
    unsigned long fail_at;
} crypto;

static bool crypto_must_fail(void)
{
    return crypto.is_watching && ++crypto.calls == crypto.fail_at;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return crypto_must_fail() ? NULL : malloc(size);
}

static void *crypto_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return crypto_must_fail() ? NULL : realloc(block, size);
}

static void crypto_free(void *block, const char *file, int line)
{
    (void)file, (void)line;
    free(block);
}

static int refusal_without_memory(struct str token, unsigned long fail_at)
{
    crypto.calls = 0;
    crypto.fail_at = fail_at;
    crypto.is_watching = true;
    const int outcome = refusal_of(token);
    crypto.is_watching = false;
    return outcome;
}

// Whichever allocation fails, a good token is either accepted, if the library can do without, or
// refused for lack of memory. The next one is checked as usual.
static void expect_no_memory(const char *name, struct str token)
{
    const char *const settings[] = {"GATEWAY=on", all_keys_setting,
                                    "GATEWAY_ALGORITHMS=RS512,ES256", NULL};
    unsigned long n = 0;
    unsigned long told = 0;
    do {
        configure(settings); // empties the cache
        const int outcome = refusal_without_memory(token, ++n);
        if (outcome != 0 && outcome != 50004) {
            print_error("%s, allocation %lu: %d\n", name, n, outcome);
        }
        check(name, outcome == 0 || outcome == 50004);
        told += outcome == 50004;
        check_number(name, refusal_of(token), 0);
    } while (crypto.calls >= n);
    check(name, told > 0);
}

static void without_memory_in_the_library_a_token_is_not_called_bad(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(good_token()), 0);
    expect_no_memory("RS512", good_token());
    expect_no_memory("ES256", token_of(keys[KEY_P256], "SHA256",
                                       "{\"alg\":\"ES256\",\"kid\":\"gw\"}", GOOD_CLAIMS));
}

// ---- loading keys ----

// Returns the complaints about loading gateways with this key file; "" on success.
static const char *complaints_about(const char *path)
{
    char setting[512];
    snprintf(setting, sizeof setting, "GATEWAY_KEY_gw=%s", path);
    const char *const settings[] = {"GATEWAY=on", setting, NULL};
    configure(settings);
    assert_int_equal(fixture.gateways == NULL, fixture.complaints[0] != '\0');
    return fixture.complaints;
}

static void expect_refused_file(const char *path, const char *why)
{
    char expected[1024];
    snprintf(expected, sizeof expected, "[auth] gateway_key_gw: %s: %s\n", path, why);
    assert_string_equal(complaints_about(path), expected);
}

static void unusable_key_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t key;
        size_t count;
        const char *why;
    } rows[] = {
        {"small.pem", KEY_SMALL_RSA, 1, "line 1: an RSA key of less than 2048 bits"},
        {"ed25519.pem", KEY_ED25519, 1, "line 1: a key that is neither RSA nor EC"},
        {"k256.pem", KEY_K256, 1, "line 1: an EC key on another curve than P-256, P-384 and P-521"},
        {"five.pem", KEY_RSA, 5, "line 37: more than 4 keys"},
        {"empty.pem", KEY_RSA, 0, "no PEM public key (BEGIN PUBLIC KEY)"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const EVP_PKEY *list[5];
        for (size_t k = 0; k < COUNT_OF(list); k++) {
            list[k] = keys[rows[i].key];
        }
        char *const path = write_public(rows[i].name, list, rows[i].count);
        expect_refused_file(path, rows[i].why);
        free(path);
    }
    expect_refused_file("/nowhere/key.pem", "it cannot be read: No such file or directory");
    expect_refused_file("/", "it cannot be read: Is a directory");
    expect_refused_file("/dev/zero", "it cannot be read: it is not a regular file");
    expect_refused_file("/proc/self/exe", "it is larger than a file of four keys");
}

static void a_private_key_is_refused(void **state)
{
    (void)state;
    char *const path = scratch_path(folder, "private.pem");
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, keys[KEY_RSA], NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    expect_refused_file(path, "line 1: something that is not a PEM public key (BEGIN PUBLIC KEY)");
    free(path);
}

static void a_partly_damaged_file_is_refused(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "-----BEGIN PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nnot base64!\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    };
    char *const good = read_whole_file(other_path);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        char *text = NULL;
        assert_true(asprintf(&text, "%s%s", good, tails[i]) > 0);
        char *const path = scratch_write(folder, "broken.pem", text);
        check(tails[i], complaints_about(path)[0] != '\0');
        free(path);
        free(text);
    }
    free(good);
}

// Returns the complaints about a file with a good key followed by this text; "" if it loads.
static const char *complaints_after_a_good_key(const char *text)
{
    char *const good = read_whole_file(other_path);
    char *whole = NULL;
    assert_true(asprintf(&whole, "%s%s", good, text) > 0);
    char *const path = scratch_write(folder, "changed.pem", whole);
    const char *const complaints = complaints_about(path);
    free(path);
    free(whole);
    free(good);
    return complaints;
}

// Returns TEXT with each OLD replaced by NEW; to be freed.
static char *replaced(const char *text, const char *old, const char *new)
{
    char *result = NULL;
    size_t len = 0;
    FILE *const memory = open_memstream(&result, &len);
    assert_non_null(memory);
    for (const char *at = strstr(text, old); at != NULL; at = strstr(text, old)) {
        fprintf(memory, "%.*s%s", (int)(at - text), text, new);
        text = at + strlen(old);
    }
    fputs(text, memory);
    fclose(memory);
    return result;
}

// Damages the second key of the file: it must not be taken for text between keys and ignored.
static void a_damaged_key_is_never_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *old;
        const char *new;
        const char *why;
    } damages[] = {
        {"-----BEGIN", "  -----BEGIN", "line 10: neither"},
        {"\n", "\n  ", "line 11: neither base64"},
        {"\n", "\n> ", "line 11: neither base64"},
        {"-----BEGIN", "> -----BEGIN", "line 10: neither"},
        {"-----BEGIN", "\"-----BEGIN", "line 10: neither"},
        {"KEY-----\nM", "KEY-----\"\nM", "line 10: neither"},
        {"-----BEGIN", "----BEGIN", "line 10: neither"},
        {"-----BEGIN", "------BEGIN", "line 10: neither"},
        {"KEY-----\nM", "KEY----\nM", "line 10: something"},
        {"KEY-----\nM", "KEY------\nM", "line 10: neither"},
        {"-----", "\u2014\u2014-", "line 10: neither"},
        {"-----", "\u2010\u2010\u2010\u2010\u2010", "line 10: neither"},
        {"-----BEGIN", "\xEF\xBB\xBF-----BEGIN", "line 10: a byte order mark"},
        {"-----BEGIN", "-----BEGIN ", "line 10: something"},
        {"BEGIN", "begin", "line 10: neither"},
        {"PUBLIC KEY", "RSA PUBLIC KEY", "line 10: something"},
        {"PUBLIC KEY", "public key", "line 10: something"},
        {"-----BEGIN PUBLIC KEY-----\n", "", "line 10: neither"},
        {"-----BEGIN PUBLIC KEY-----\n", "#-----BEGIN PUBLIC KEY-----\n", "line 11: neither"},
        {"-----BEGIN PUBLIC KEY-----\n", "BEGIN PUBLIC KEY\n", "line 10: neither"},
        {"-----END PUBLIC KEY-----\n", "", "line 18: neither base64"},
        {"\n-----END PUBLIC KEY-----\n", "", "line 10: a key without its last line"},
        {"-----END PUBLIC KEY-----\n", "----END PUBLIC KEY-----\n", "line 18: neither base64"},
        {"-----END PUBLIC KEY-----\n", "-----END PUBLIC KEY----\n", "line 18: neither base64"},
        {"-----END PUBLIC KEY-----\n", "#-----END PUBLIC KEY-----\n", "line 18: neither base64"},
        {"-----END PUBLIC KEY-----\n", "-----END PUBLIC KEY----------BEGIN PUBLIC KEY-----\n",
         "line 18: neither base64"},
        {"\nM", "\n\nM", "line 11: neither base64"},
        {"\nM", "\n# comment\nM", "line 11: neither base64"},
        {"\nM", "\nComment: x\nM", "line 11: neither base64"},
        {"\nM", "\n", "line 10: a damaged public key"},
        {"\nM", "\nMM", "line 10: a damaged public key"},
        {"\nM", "\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A=\nM", "line 10: a damaged public key"},
    };
    char *const good = read_whole_file(other_path);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        char *const damaged = replaced(good, damages[i].old, damages[i].new);
        const char *const complaints = complaints_after_a_good_key(damaged);
        if (!has_text(str_from(complaints), damages[i].why)) {
            print_error("%s -> %s: %s\n", damages[i].old, damages[i].new, complaints);
            fail();
        }
        free(damaged);
    }
    free(good);
}

static void text_that_is_not_a_comment_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "end\n", " \n the second key:\n", "//\n", ";\n", "x", "\f\n", "\x01"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        check(texts[i], has_text(str_from(complaints_after_a_good_key(texts[i])), ": neither"));
    }
}

static void comments_empty_lines_and_other_line_ends_are_ignored(void **state)
{
    (void)state;
    char *const good = read_whole_file(other_path);
    char *const with_crlf = replaced(good, "\n", " \t\r\n");
    const char *const texts[] = {
        "",  "\n\n", "# a comment\n", "  # indented\n \t\r\n#\n",
        "#", good,   with_crlf,       "# from 1999\n#-----BEGIN PUBLIC KEY-----\n#MII\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_string_equal(complaints_after_a_good_key(texts[i]), "");
    }
    free(with_crlf);
    good[strlen(good) - 1] = '\0'; // without the last line break
    assert_string_equal(complaints_after_a_good_key(good), "");
    free(good);
}

static void data_after_a_key_in_its_block_is_refused(void **state)
{
    (void)state;
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(keys[KEY_P256], &der);
    assert_true(len > 0);
    char *const path = scratch_path(folder, "longer.pem");
    unsigned char longer[512] = {0};
    memcpy(longer, der, (size_t)len);
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    assert_true(PEM_write(file, PEM_STRING_PUBLIC, "", longer, len + 1) > 0);
    fclose(file);
    expect_refused_file(path, "line 1: a damaged public key");
    OPENSSL_free(der);
    free(path);
}

static void all_mistakes_in_keys_and_names_are_reported(void **state)
{
    (void)state;
    const char *const no_keys[] = {"GATEWAY=on", NULL};
    configure(no_keys);
    assert_null(fixture.gateways);
    assert_string_equal(fixture.complaints,
                        "[auth] gateway = on needs at least one gateway_key_NAME = /path.pem\n");
    const char *const several[] = {"GATEWAY=on", all_keys_setting, "GATEWAY_DEFAULT=nobody",
                                   "GATEWAY_ALGORITHMS=RS512,HS256,none", NULL};
    configure(several);
    assert_null(fixture.gateways);
    assert_true(has_text(str_from(fixture.complaints), "not \"HS256\"\n"));
    assert_true(has_text(str_from(fixture.complaints), "not \"none\"\n"));
    assert_true(has_text(str_from(fixture.complaints),
                         "[auth] gateway_default: there is no gateway_key_nobody\n"));
}

static void without_gateways_no_keys_are_read(void **state)
{
    (void)state;
    const char *const settings[] = {"GATEWAY_KEY_gw=/nowhere/key.pem", NULL};
    configure(settings);
    assert_non_null(fixture.gateways);
}

#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEYS(a_good_token_names_application_and_user),
        WITH_KEYS(each_algorithm_works_only_if_it_is_allowed),
        WITH_KEYS(both_spellings_of_the_names_are_read),
        WITH_KEYS(spaces_around_a_token_are_ignored),
        WITH_KEYS(a_token_without_kid_is_from_the_default_gateway),
        WITH_KEYS(a_token_with_an_unknown_or_malformed_kid_is_refused),
        WITH_KEYS(the_key_of_another_gateway_is_refused),
        WITH_KEYS(both_keys_are_accepted_during_a_rotation),
        WITH_KEYS(headers_that_choose_another_algorithm_are_refused),
        WITH_KEYS(a_token_without_signature_is_refused),
        WITH_KEYS(an_hmac_with_the_public_key_is_refused),
        WITH_KEYS(a_signature_with_another_digest_or_curve_is_refused),
        WITH_KEYS(any_changed_character_is_detected),
        WITH_KEYS(a_token_truncated_anywhere_is_refused),
        WITH_KEYS(each_signature_has_one_encoding),
        WITH_KEYS(bytes_that_are_not_a_token_are_refused),
        WITH_KEYS(ecdsa_signatures_of_invalid_numbers_are_refused),
        WITH_KEYS(an_ecdsa_signature_in_der_is_refused),
        WITH_KEYS(dates_are_checked_with_ten_seconds_of_leeway),
        WITH_KEYS(the_leeway_is_configurable),
        WITH_KEYS(both_parties_must_be_verified),
        WITH_KEYS(claims_without_a_party_are_refused),
        WITH_KEYS(a_token_is_verified_once),
        WITH_KEYS(other_threads_know_a_verified_token),
        WITH_KEYS(a_verified_token_still_expires),
        WITH_KEYS(a_verified_token_may_be_from_the_future),
        WITH_KEYS(a_token_is_verified_again_after_a_reload),
        WITH_KEYS(a_changed_byte_in_a_verified_token_is_refused),
        WITH_KEYS(a_token_is_not_verified_for_another_gateway),
        WITH_KEYS(a_refused_token_is_not_cached),
        WITH_KEYS(with_a_token_everything_else_is_ignored),
        WITH_KEYS(without_a_token_direct_credentials_are_read),
        WITH_KEYS(with_direct_off_only_a_token_is_accepted),
        WITH_KEYS(with_gateway_off_a_good_token_is_refused),
        WITH_KEYS(without_memory_a_token_is_not_called_bad),
        WITH_KEYS(without_memory_in_the_library_a_token_is_not_called_bad),
        WITH_KEYS(unusable_key_files_are_named),
        WITH_KEYS(a_private_key_is_refused),
        WITH_KEYS(a_partly_damaged_file_is_refused),
        WITH_KEYS(a_damaged_key_is_never_left_out),
        WITH_KEYS(text_that_is_not_a_comment_is_refused),
        WITH_KEYS(comments_empty_lines_and_other_line_ends_are_ignored),
        WITH_KEYS(data_after_a_key_in_its_block_is_refused),
        WITH_KEYS(all_mistakes_in_keys_and_names_are_reported),
        WITH_KEYS(without_gateways_no_keys_are_read),
    };
    // Must precede the library's first allocation.
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1) {
        return 1;
    }
    return cmocka_run_group_tests_name("gateway", tests, make_keys, free_all_keys);
}
