// SPDX-License-Identifier: MIT
// authenticate and direct: from the request's credentials to the caller.
#include "states/messages_priv.h"
#include "auth/authenticate.h"
#include "auth/gateway.h"
#include "rows.h"
#include "support.h"
#include "alloc.h"

#include <json.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define GOOD_HEADER                                                                                \
    "{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}"
#define GOOD_QUERY "bk_app_code=demo_app&bk_app_secret=demo-secret&bk_username=admin"

// ---- between the product and the libraries: see UNIT_WRAP_AUTH ----

int __real_CRYPTO_memcmp(const void *left, const void *right, size_t len);
int __wrap_CRYPTO_memcmp(const void *left, const void *right, size_t len);
int __real_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM *params);
int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM *params);
int __real_EVP_DigestUpdate(EVP_MD_CTX *context, const void *bytes, size_t len);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *context, const void *bytes, size_t len);
int __real_EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned *len);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned *len);
struct json_tokener *__real_json_tokener_new_ex(int depth);
struct json_tokener *__wrap_json_tokener_new_ex(int depth);
void __real_explicit_bzero(void *bytes, size_t len);
void __wrap_explicit_bzero(void *bytes, size_t len);
void __wrap___explicit_bzero_chk(void *bytes, size_t len, size_t size);

static struct {
    unsigned compared;                   // bytes that were compared in constant time
    unsigned digested;                   // bytes that were digested
    unsigned steps;                      // calls of the digest
    unsigned fail_at;                    // the step that fails, counted from 1; 0: none
    unsigned tokeners;                   // of json-c
    uint8_t digest[LOOKUP_DIGEST_BYTES]; // the last one
    unsigned wiped;                      // how often it was wiped
    bool freed_a_secret;
} watch;

int __wrap_CRYPTO_memcmp(const void *left, const void *right, size_t len)
{
    watch.compared += (unsigned)len;
    return __real_CRYPTO_memcmp(left, right, len);
}

static bool step_fails(void)
{
    watch.steps++;
    return watch.fail_at != 0 && watch.steps == watch.fail_at;
}

int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM *params)
{
    return step_fails() ? 0 : __real_EVP_DigestInit_ex2(context, type, params);
}

int __wrap_EVP_DigestUpdate(EVP_MD_CTX *context, const void *bytes, size_t len)
{
    watch.digested += (unsigned)len;
    return step_fails() ? 0 : __real_EVP_DigestUpdate(context, bytes, len);
}

int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned *len)
{
    const int outcome = step_fails() ? 0 : __real_EVP_DigestFinal_ex(context, digest, len);
    memcpy(watch.digest, digest, sizeof watch.digest);
    return outcome;
}

struct json_tokener *__wrap_json_tokener_new_ex(int depth)
{
    watch.tokeners++;
    return __real_json_tokener_new_ex(depth);
}

void __wrap_explicit_bzero(void *bytes, size_t len)
{
    watch.wiped += memmem(bytes, len, watch.digest, sizeof watch.digest) != NULL;
    __real_explicit_bzero(bytes, len);
}

void __wrap___explicit_bzero_chk(void *bytes, size_t len, size_t size)
{
    assert_true(len <= size);
    __wrap_explicit_bzero(bytes, len);
}

// Checks freed blocks: none may contain a secret.
static void look_for_a_secret(const void *block, size_t size)
{
    static const char secret[] = "demo-secret";
    watch.freed_a_secret =
        watch.freed_a_secret || memmem(block, size, secret, sizeof secret - 1) != NULL;
}

// ---- reading credentials ----

struct fixture {
    struct auth *auth;
    struct conf *conf;
    struct gateways *gateways;
    struct arena *arena;
    struct credentials credentials;
    struct error err;
};

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){
        .auth = auth_new(),
        .conf = load_conf(NULL),
        .arena = arena_new(16 << 20),
    };
    assert_non_null(fixture.auth);
    fixture.gateways = gateways_load(fixture.conf, print_mistake, NULL);
    assert_non_null(fixture.gateways);
    watch.steps = watch.compared = watch.digested = watch.fail_at = 0;
    watch.freed_a_secret = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    auth_free(fixture.auth);
    gateways_free(fixture.gateways);
    conf_free(fixture.conf);
    arena_free(fixture.arena);
    return 0;
}

static struct auth_context context_at(int64_t now_us)
{
    return (struct auth_context){
        .auth = fixture.auth,
        .conf = fixture.conf,
        .gateways = fixture.gateways,
        .arena = fixture.arena,
        .now_us = now_us,
    };
}

// 0, or the code of the refusal.
static int read_credentials(struct str header, struct str query)
{
    const struct http_request request = {.bkapi_authorization = header, .query = query};
    fixture.err = (struct error){0};
    const struct auth_context context = context_at(0);
    const int outcome =
        auth_read_credentials(&context, &request, &fixture.credentials, &fixture.err);
    return outcome == 0 ? 0 : error_code(fixture.err.kind);
}

static int read_header(struct str header)
{
    return read_credentials(header, STR_ABSENT);
}

static int read_query(struct str query)
{
    return read_credentials(STR_ABSENT, query);
}

static void check_claim(const char *name, const char *app_code, const char *secret,
                        const char *username)
{
    check_text(name, fixture.credentials.app_code, app_code);
    check_text(name, fixture.credentials.secret, secret);
    check_text(name, fixture.credentials.username, username);
}

static void a_good_header_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_header(STR(GOOD_HEADER)), 0);
    check_claim("", "demo_app", "demo-secret", "admin");
}

// The credentials of GOOD_HEADER in different notations.
static void json_may_be_written_in_several_ways(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(" \t" GOOD_HEADER "\t "),
        STR("{ \"bk_username\" : \"admin\" , \"bk_app_secret\" : \"demo-secret\" ,"
            " \"bk_app_code\" : \"demo_app\" }"),
        STR("{\"bk_app_code\":\"demo\\u005fapp\",\"bk_app_secret\":\"demo\\u002Dsecret\","
            "\"bk_username\":\"admin\"}"),
        STR("{\"bk_\\u0061pp_code\":\"demo_app\",\"bk_app_secret\":\"demo-secret\","
            "\"bk_username\":\"admin\"}"),
        STR("{\"access_token\":null,\"n\":1.5e3,\"b\":true,\"o\":{\"bk_username\":1},\"a\":[{},[]],"
            "\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}"),
        STR("{\"a:{}[],\\\"\":\"b:{\",\"\\\\\":\":\",\"bk_app_code\":\"demo_app\","
            "\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}"),
        STR("{\"o\":{\"x\":1,\"y\":{\"x\":2}},\"x\":3,\"bk_app_code\":\"demo_app\","
            "\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].ptr, read_header(rows[i]), 0);
        check_claim(rows[i].ptr, "demo_app", "demo-secret", "admin");
    }
}

static void credentials_are_read_byte_for_byte(void **state)
{
    (void)state;
    assert_int_equal(
        read_header(STR("{\"bk_app_code\":\" Demo \",\"bk_app_secret\":\"a\\\"b\\\\c\\/d\\n\","
                        "\"bk_username\":\"\\u4efb务\\ud83d\\ude00\"}")),
        0);
    check_claim("", " Demo ", "a\"b\\c/d\n", "任务\xF0\x9F\x98\x80");
}

static void what_is_not_one_json_object_of_strings_is_refused(void **state)
{
    (void)state;
#define REST "\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\"}"
    static const struct str rows[] = {
        STR(""),
        STR("   "),
        STR("demo_app"),
        STR("null"),
        STR("1"),
        STR("\"text\""),
        STR("[]"),
        STR("[" GOOD_HEADER "]"),
        STR(GOOD_HEADER GOOD_HEADER),
        STR(GOOD_HEADER ", " GOOD_HEADER),
        STR(GOOD_HEADER "x"),
        STR(GOOD_HEADER "}"),
        STR("x" GOOD_HEADER),
        STR("\xEF\xBB\xBF" GOOD_HEADER),
        STR("{'bk_app_code':'demo_app'," REST),
        STR("{bk_app_code:\"demo_app\"," REST),
        STR("{\"bk_app_code\":demo_app," REST),
        STR("{\"bk_app_code\" \"demo_app\"," REST),
        STR("{\"bk_app_code\":\"demo_app\"" REST),
        STR("{\"bk_app_code\":\"demo_app\",," REST),
        STR("{,\"bk_app_code\":\"demo_app\"," REST),
        STR("{\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"demo-secret\",\"bk_username\":\"admin\",}"),
        STR("/* comment */" GOOD_HEADER),
        STR("{/**/\"bk_app_code\":\"demo_app\"," REST),
        STR("{\"bk_app_code\":\"demo_app\",// comment\n" REST),
        STR("{\"bk_app_code\":\"demo\\xapp\"," REST),
        STR("{\"bk_app_code\":\"demo\\u12app\"," REST),
        STR("{\"bk_app_code\":1," REST),
        STR("{\"bk_app_code\":null," REST),
        STR("{\"bk_app_code\":true," REST),
        STR("{\"bk_app_code\":[\"demo_app\"]," REST),
        STR("{\"bk_app_code\":{\"a\":\"demo_app\"}," REST),
        STR("{\"bk_app_code\":\"demo\xFF"
            "app\"," REST),
        STR("{\"bk_app_code\":\"demo\xC0\xAF\"," REST),
        STR("{\"bk_app_code\":\"demo\xED\xA0\x80\"," REST),
        STR("{\"\xFF\":1,\"bk_app_code\":\"demo_app\"," REST),
        STR("{\"bk_app_code\":\"demo_app\0\"," REST),
        STR(GOOD_HEADER "\0"),
        STR("\0" GOOD_HEADER),
        STR("{\"bk_app_code\":\"demo_app\\u0000\"," REST),
        STR("{\"bk_app_code\\u0000x\":\"demo_app\"," REST),
    };
#undef REST
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].ptr, read_header(rows[i]), 40003);
    }
}

// Even in ignored members: a header that is not JSON is from a broken client.
static void words_and_numbers_that_are_not_json_are_refused(void **state)
{
    (void)state;
    static const char *const values[] = {
        "NaN", "nan", "Infinity",  "-Infinity", "True", "FALSE", "Null",
        "+1",  "1.",  ".5",        "01",        "-",    "1e",    "0x1",
        "1 2", "",    "undefined", "-01",       "00.5", "[00]",  "-.1"};
    unsigned taken = 0;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char header[256];
        const int len = snprintf(header, sizeof header, "{\"n\":%s,%s", values[i], &GOOD_HEADER[1]);
        if (read_header((struct str){header, (size_t)len}) != 40003) {
            print_error("taken for JSON: %s\n", values[i]);
            taken++;
        }
    }
    assert_int_equal(taken, 0);
}

// RFC 8259, section 7: U+0000 to U+001F must be escaped.
static void an_unescaped_control_character_is_refused(void **state)
{
    (void)state;
    for (int control = 1; control < 0x20; control++) {
        char header[] =
            "{\"bk_app_code\":\"demo?app\",\"bk_app_secret\":\"x\",\"bk_username\":\"u\"}";
        *strchr(header, '?') = (char)control;
        assert_int_equal(read_header((struct str){header, sizeof header - 1}), 40003);
    }
}

static void duplicate_members_are_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("{\"bk_app_code\":\"demo_app\",\"bk_app_code\":\"demo_app\",\"bk_app_secret\":\"x\","
            "\"bk_username\":\"admin\"}"),
        STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\","
            "\"bk_app_code\":\"demo_app\"}"),
        STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\","
            "\"bk_username\":\"root\"}"),
        STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_app_secret\":\"y\","
            "\"bk_username\":\"admin\"}"),
        STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\","
            "\"\\u0062k_username\":\"root\"}"),
        STR("{\"bk_app_code\":\"a\",\"bk_app_code\":null,\"bk_app_secret\":\"x\","
            "\"bk_username\":\"admin\"}"),
        STR("{\"x\":1,\"x\":2,\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}"),
        STR("{\"\":1,\"\":2,\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].ptr, read_header(rows[i]), 40003);
    }
}

static void a_header_truncated_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof GOOD_HEADER - 1; len++) {
        char *const cut =
            malloc(len + 1); // its own block, so that reading past the end is detected
        assert_non_null(cut);
        memcpy(cut, GOOD_HEADER, len);
        assert_int_equal(read_header((struct str){cut, len}), 40003);
        free(cut);
        assert_int_equal(read_header(STR(GOOD_HEADER)), 0);
        check_claim("after a bad one", "demo_app", "demo-secret", "admin");
        arena_reset(fixture.arena);
    }
}

static void a_header_with_any_byte_turned_to_nul_is_refused(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof GOOD_HEADER - 1; at++) {
        char changed[] = GOOD_HEADER;
        changed[at] = '\0';
        assert_int_equal(read_header((struct str){changed, sizeof changed - 1}), 40003);
    }
}

static void a_missing_or_empty_credential_is_named(void **state)
{
    (void)state;
    static const struct {
        struct str header;
        const char *subject;
    } rows[] = {
        {STR("{}"), "bk_app_code"},
        {STR("{\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}"), "bk_app_code"},
        {STR("{\"bk_app_code\":\"a\",\"bk_username\":\"admin\"}"), "bk_app_secret"},
        {STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\"}"), "bk_username"},
        {STR("{\"bk_app_code\":\"\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}"),
         "bk_app_code"},
        {STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"\",\"bk_username\":\"admin\"}"),
         "bk_app_secret"},
        {STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"\"}"),
         "bk_username"},
        {STR("{\"BK_APP_CODE\":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"admin\"}"),
         "bk_app_code"},
        {STR("{\"bk_app_code \":\"a\",\"bk_app_secret\":\"x\",\"bk_username\":\"u\"}"),
         "bk_app_code"},
        {STR("{\"o\":{\"bk_app_code\":\"a\"},\"bk_app_secret\":\"x\",\"bk_username\":\"u\"}"),
         "bk_app_code"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].header.ptr, read_header(rows[i].header), 40101);
        check_text(rows[i].header.ptr, fixture.err.subject, rows[i].subject);
    }
}

// Refused like an unknown application, whatever the database contains.
static void a_code_with_invisible_characters_is_refused(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "\\u202e", "\\u200b", "\\ufeff", "\\u00a0", "\\u3000",  "\\u0085", "\\u007f", "\\u0009",
        "\\u2066", "\u202e",  "\u200b",  "\ufeff",  "\xC2\xA0", "\u3000",  "\x7F",
    };
    static const char *const forms[] = {"%sdemo_app", "demo%s_app", "demo_app%s"};
    for (size_t i = 0; i < COUNT_OF(odd) * COUNT_OF(forms); i++) {
        const char *const form = forms[i % COUNT_OF(forms)];
        const char *const character = odd[i / COUNT_OF(forms)];
        const char *const gap = strstr(form, "%s");
        char header[256];
        const int len =
            snprintf(header, sizeof header,
                     "{\"bk_app_code\":\"%.*s%s%s\",\"bk_app_secret\":\"s\",\"bk_username\":\"u\"}",
                     (int)(gap - form), form, character, gap + 2);
        check_number(header, read_header((struct str){header, (size_t)len}), 40102);
    }
    assert_int_equal(read_query(STR("bk_app_code=a%E2%80%8B&bk_app_secret=s&bk_username=u")),
                     40102);
    assert_int_equal(read_query(STR("bk_app_code=a%E3%80%80&bk_app_secret=s&bk_username=u")),
                     40102);
    assert_int_equal(read_query(STR("bk_app_code=%E4%BB%BB&bk_app_secret=%0a&bk_username=%09")), 0);
}

// Returns HEAD, COUNT times UNIT, and TAIL; to be freed.
static struct str repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    const size_t unit_len = strlen(unit);
    const size_t len = strlen(head) + unit_len * count + strlen(tail);
    char *const text = malloc(len);
    assert_non_null(text);
    char *to = text;
    memcpy(to, head, strlen(head));
    to += strlen(head);
    for (size_t i = 0; i < count; i++, to += unit_len) {
        memcpy(to, unit, unit_len);
    }
    memcpy(to, tail, strlen(tail));
    return (struct str){text, len};
}

static void a_megabyte_is_read_or_refused_like_any_other(void **state)
{
    (void)state;
    enum { MEGABYTE = 1 << 20 };
    static const struct {
        const char *name;
        const char *head;
        const char *unit;
        const char *tail;
        int expected;
    } rows[] = {
        {"a long secret", "{\"bk_app_code\":\"a\",\"bk_username\":\"u\",\"bk_app_secret\":\"", "s",
         "\"}", 0},
        {"a long other member", "{\"x\":\"", "x",
         "\",\"bk_app_code\":\"a\",\"bk_username\":\"u\",\"bk_app_secret\":\"s\"}", 0},
        {"a long text without end", "{\"bk_app_code\":\"", "x", "", 40003},
        {"blanks", "{", " ", "}", 40101},
        {"objects in objects", "", "{\"a\":", "", 40003},
        {"arrays in arrays", "{\"a\":", "[", "", 40003},
        {"a long number", "{\"a\":", "1", "", 40003},
        {"bad bytes", "", "\xFF", "", 40003},
        {"NULs", "", "", "", 40003},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct str header = repeated(rows[i].head, rows[i].unit, MEGABYTE, rows[i].tail);
        check_number(rows[i].name, read_header(header), rows[i].expected);
        free((char *)(uintptr_t)header.ptr);
        arena_reset(fixture.arena);
    }
    assert_int_equal(read_header(STR(GOOD_HEADER)), 0);
}

static void without_memory_it_is_our_error(void **state)
{
    (void)state;
    arena_free(fixture.arena);
    fixture.arena = arena_new(16);
    assert_int_equal(read_header(STR(GOOD_HEADER)), 50004);
    assert_int_equal(read_query(STR(GOOD_QUERY)), 50004);
}

static void no_secret_stays_in_the_parser(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(GOOD_HEADER),
        STR("{\"bk_app_secret\":\"demo-secret\"}"),
        STR("{\"bk_app_secret\":\"demo-secret\",\"bk_app_code\":1}"),
        STR("{\"bk_app_secret\":\"demo-secret\",\"x\":1,\"x\":2}"),
        STR("{\"bk_app_secret\":\"demo-secret\"} trailing"),
    };
    alloc_watch_start(0);
    alloc_watch.on_free = look_for_a_secret;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)read_header(rows[i]);
        arena_reset(fixture.arena);
        arena_free(fixture.arena);
        check(rows[i].ptr, !watch.freed_a_secret);
        fixture.arena = arena_new(16 << 20);
    }
    alloc_watch_stop();
    // json-c's buffers cannot be wiped.
    assert_int_equal(watch.tokeners, 0);
}

// ---- the query string ----

static void a_good_query_is_read(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(GOOD_QUERY),
        STR("x=1&x=2&" GOOD_QUERY "&&flag"),
        STR("bk%5Fapp_code=demo%5fapp&bk_app_secret=demo%2Dsecret&bk_username=%61dmin"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].ptr, read_query(rows[i]), 0);
        check_claim(rows[i].ptr, "demo_app", "demo-secret", "admin");
    }
}

static void a_plus_in_a_query_is_a_space(void **state)
{
    (void)state;
    assert_int_equal(read_query(STR("bk_app_code=a&bk_app_secret=x+y%2Bz&bk_username=u")), 0);
    check_claim("", "a", "x y+z", "u");
}

static void bad_queries_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        struct str query;
        int expected;
        const char *subject;
    } rows[] = {
        {STR_ABSENT, 40101, "X-Bkapi-Authorization"},
        {STR(""), 40101, "X-Bkapi-Authorization"},
        {STR("x=1"), 40101, "X-Bkapi-Authorization"},
        {STR("BK_APP_CODE=a"), 40101, "X-Bkapi-Authorization"},
        {STR("bk_username=u"), 40101, "bk_app_code"},
        {STR("bk_app_code=a&bk_username=u"), 40101, "bk_app_secret"},
        {STR("bk_app_code=a&bk_app_secret=s"), 40101, "bk_username"},
        {STR("bk_app_code=&bk_app_secret=s&bk_username=u"), 40101, "bk_app_code"},
        {STR("bk_app_code=a&bk_app_secret=s&bk_username"), 40101, "bk_username"},
        {STR(GOOD_QUERY "&bk_username=u"), 40004, NULL},
        {STR(GOOD_QUERY "&bk_username=admin"), 40004, NULL},
        {STR(GOOD_QUERY "&bk_app_code="), 40004, NULL},
        {STR("bk_app_secret=&" GOOD_QUERY), 40004, NULL},
        {STR(GOOD_QUERY "&bk%5fusername=u"), 40004, NULL},
        {STR(GOOD_QUERY "&x=%"), 40004, NULL},
        {STR("x=%zz&" GOOD_QUERY), 40004, NULL},
        {STR("bk_app_code=a%00&bk_app_secret=s&bk_username=u"), 40004, NULL},
        {STR("bk_app_code=%FF&bk_app_secret=s&bk_username=u"), 40004, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *const name = rows[i].query.ptr == NULL ? "(absent)" : rows[i].query.ptr;
        check_number(name, read_query(rows[i].query), rows[i].expected);
        if (rows[i].subject != NULL) {
            check_text(name, fixture.err.subject, rows[i].subject);
        }
    }
}

static void the_query_is_ignored_if_there_is_a_header(void **state)
{
    (void)state;
    assert_int_equal(read_credentials(STR(GOOD_HEADER), STR("bk_app_code=other&bk_username=%")), 0);
    check_claim("", "demo_app", "demo-secret", "admin");
    assert_int_equal(read_credentials(STR("{}"), STR(GOOD_QUERY)), 40101);
    assert_int_equal(read_credentials(STR("{\"bk_app_code\":\"a\",\"bk_app_secret\":\"x\"}"),
                                      STR("bk_username=admin")),
                     40101);
    assert_int_equal(read_credentials(STR(""), STR(GOOD_QUERY)), 40003);
}

static void a_disabled_query_refuses_only_credentials(void **state)
{
    (void)state;
    fixture.conf->auth.query_credentials = false;
    assert_int_equal(read_query(STR(GOOD_QUERY)), 40105);
    assert_text(fixture.err.subject, "credentials in the query string");
    assert_int_equal(read_query(STR("x=1&bk_username=u")), 40105);
    assert_int_equal(read_query(STR("x=1")), 40101);
    assert_int_equal(read_query(STR_ABSENT), 40101);
    assert_int_equal(read_credentials(STR(GOOD_HEADER), STR(GOOD_QUERY)), 0);
}

static void nothing_of_earlier_credentials_is_left(void **state)
{
    (void)state;
    assert_int_equal(read_header(STR(GOOD_HEADER)), 0);
    assert_int_equal(read_header(STR("{\"bk_username\":\"other\"}")), 40101);
    assert_int_equal(read_query(STR("bk_app_code=a")), 40101);
    assert_text(fixture.credentials.secret, NULL);
    assert_text(fixture.credentials.username, NULL);
}

// ---- checking credentials ----

enum { NOW_US = 1000000 };

// 0, or the code of the refusal.
static int refusal_of(const struct lookup_application *app, bool user_is_active, const char *secret)
{
    const struct credentials credentials = {
        .app_code = STR("demo_app"),
        .secret = str_from(secret),
        .username = STR("admin"),
    };
    const struct lookup_result result = {.app = *app, .user_is_active = user_is_active};
    const struct caller *caller = NULL;
    fixture.err = (struct error){0};
    const struct auth_context context = context_at(NOW_US);
    const int outcome = authenticate(&context, &credentials, &result, &caller, &fixture.err);
    assert_int_equal(outcome == 0, caller != NULL);
    if (caller != NULL) {
        assert_text(caller_app_code(caller), "demo_app");
    }
    return outcome == 0 ? 0 : error_code(fixture.err.kind);
}

static void the_digest_is_sha256_of_salt_and_secret(void **state)
{
    (void)state;
    // Computed with Python: hashlib.sha256(bytes(range(16)) + b"demo-secret")
    static const struct lookup_application app = {
        .exists = true,
        .is_enabled = true,
        .salt = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        .digest = {0x5a, 0xb0, 0x0e, 0x43, 0x12, 0xbd, 0x84, 0x80, 0x1b, 0x11, 0x9d,
                   0xe4, 0x26, 0x42, 0x98, 0xf2, 0x11, 0x9b, 0x9d, 0xba, 0x00, 0x40,
                   0x7e, 0x9f, 0x48, 0x36, 0x9c, 0x52, 0xd8, 0x83, 0x73, 0x95},
    };
    assert_int_equal(refusal_of(&app, true, "demo-secret"), 0);
    assert_int_equal(refusal_of(&app, true, "demo-secreT"), 40102);
}

static struct lookup_application rotated_app(int64_t previous_expires_us)
{
    struct lookup_application app;
    app_with_secret(&app, "demo-secret");
    app.has_previous = true;
    app.previous_expires_us = previous_expires_us;
    digest_of_secret(app.salt, "old-secret", app.previous_digest);
    return app;
}

static void each_state_of_an_application_is_handled(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool exists;
        bool is_enabled;
        bool has_previous;
        int64_t previous_expires_us;
        const char *secret;
        int expected;
    } rows[] = {
        {"the secret", true, true, false, 0, "demo-secret", 0},
        {"another secret", true, true, false, 0, "other", 40102},
        {"a beginning of it", true, true, false, 0, "demo-secre", 40102},
        {"more than it", true, true, false, 0, "demo-secret ", 40102},
        {"disabled", true, false, false, 0, "demo-secret", 40102},
        {"unknown", false, true, false, 0, "demo-secret", 40102},
        {"unknown and disabled", false, false, false, 0, "demo-secret", 40102},
        {"rotated, the new one", true, true, true, NOW_US + 1, "demo-secret", 0},
        {"rotated, the old one in time", true, true, true, NOW_US + 1, "old-secret", 0},
        {"rotated, the old one at its end", true, true, true, NOW_US, "old-secret", 40102},
        {"rotated, the old one too late", true, true, true, NOW_US - 1, "old-secret", 40102},
        {"rotated, the new one after that", true, true, true, NOW_US - 1, "demo-secret", 0},
        {"rotated and disabled", true, false, true, NOW_US + 1, "old-secret", 40102},
        {"rotated and unknown", false, true, true, NOW_US + 1, "old-secret", 40102},
        {"no previous, whatever its moment", true, true, false, NOW_US + 1, "old-secret", 40102},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct lookup_application app = rotated_app(rows[i].previous_expires_us);
        app.exists = rows[i].exists;
        app.is_enabled = rows[i].is_enabled;
        app.has_previous = rows[i].has_previous;
        check_number(rows[i].name, refusal_of(&app, true, rows[i].secret), rows[i].expected);
    }
}

static void every_bit_of_the_digest_counts(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * LOOKUP_DIGEST_BYTES; bit++) {
        struct lookup_application app = rotated_app(NOW_US + 1);
        app.digest[bit / 8] ^= (uint8_t)(1U << bit % 8);
        app.previous_digest[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(refusal_of(&app, true, "demo-secret"), 40102);
        assert_int_equal(refusal_of(&app, true, "old-secret"), 40102);
    }
}

static void every_bit_of_the_salt_counts(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * LOOKUP_SALT_BYTES; bit++) {
        struct lookup_application app = rotated_app(NOW_US + 1);
        app.salt[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(refusal_of(&app, true, "demo-secret"), 40102);
    }
}

static void the_user_must_be_active(void **state)
{
    (void)state;
    const struct lookup_application app = rotated_app(NOW_US + 1);
    assert_int_equal(refusal_of(&app, false, "demo-secret"), 40103);
}

static void a_wrong_secret_learns_nothing_about_the_user(void **state)
{
    (void)state;
    const struct lookup_application app = rotated_app(NOW_US + 1);
    assert_int_equal(refusal_of(&app, false, "wrong"), 40102);
}

// What a client can observe: the code, and the work: bytes compared, bytes digested, steps.
struct trace {
    int code;
    char message[256];
    unsigned compared;
    unsigned digested;
    unsigned steps;
};

static struct trace trace_of(const struct lookup_application *app, bool user_is_active,
                             const char *secret)
{
    struct trace trace = {0};
    watch.steps = watch.compared = watch.digested = 0;
    trace.code = refusal_of(app, user_is_active, secret);
    trace.compared = watch.compared;
    trace.digested = watch.digested;
    trace.steps = watch.steps;
    (void)messages_render(&fixture.err, LANG_EN, trace.message, sizeof trace.message);
    return trace;
}

static void refusals_do_not_differ_in_answer_or_work(void **state)
{
    (void)state;
    static const struct lookup_application unknown; // all zero, like a store's
    struct lookup_application disabled = rotated_app(NOW_US + 1);
    struct lookup_application expired = rotated_app(NOW_US - 1);
    const struct lookup_application good = rotated_app(NOW_US + 1);
    disabled.is_enabled = false;
    const struct trace wrong = trace_of(&good, true, "an-old-one");
    const struct trace others[] = {
        trace_of(&unknown, true, "an-old-one"),  trace_of(&unknown, false, "an-old-one"),
        trace_of(&disabled, true, "old-secret"), trace_of(&disabled, true, "an-old-one"),
        trace_of(&expired, true, "old-secret"),  trace_of(&good, false, "an-old-one"),
    };
    assert_int_equal(wrong.code, 40102);
    assert_int_equal(wrong.compared, 2 * LOOKUP_DIGEST_BYTES);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(others[i].code, wrong.code);
        assert_string_equal(others[i].message, wrong.message);
        assert_int_equal(others[i].compared, wrong.compared);
        assert_int_equal(others[i].digested, wrong.digested);
        assert_int_equal(others[i].steps, wrong.steps);
    }
}

static void a_failing_digest_admits_nobody(void **state)
{
    (void)state;
    const struct lookup_application good = rotated_app(NOW_US + 1);
    static const struct lookup_application zero = {.exists = true,
                                                   .is_enabled = true,
                                                   .has_previous = true,
                                                   .previous_expires_us = NOW_US + 1};
    const unsigned steps = trace_of(&good, true, "demo-secret").steps;
    assert_true(steps >= 3);
    for (unsigned n = 1; n <= steps; n++) {
        watch.fail_at = n;
        assert_int_equal(trace_of(&good, true, "demo-secret").code, 50004);
        assert_int_equal(trace_of(&zero, true, "demo-secret").code, 50004);
    }
    watch.fail_at = 0;
    assert_int_equal(refusal_of(&good, true, "demo-secret"), 0);
}

static void without_memory_there_is_no_caller(void **state)
{
    (void)state;
    const struct lookup_application app = rotated_app(NOW_US + 1);
    arena_free(fixture.arena);
    fixture.arena = arena_new(1);
    assert_int_equal(refusal_of(&app, true, "demo-secret"), 50004);
}

static void without_a_user_table_only_the_secret_counts(void **state)
{
    (void)state;
    const struct lookup_application app = rotated_app(NOW_US + 1);
    fixture.conf->auth.user_table_check = false;
    assert_int_equal(refusal_of(&app, false, "demo-secret"), 0);
    assert_int_equal(refusal_of(&app, false, "wrong"), 40102);
}

static void gateway_credentials_need_neither_secret_nor_user(void **state)
{
    (void)state;
    const struct credentials credentials = {
        .kind = CREDENTIALS_GATEWAY,
        .app_code = STR("demo_app"),
        .username = STR("admin"),
    };
    const struct lookup_result nothing = {.user_is_active = false};
    const struct caller *caller = NULL;
    const struct auth_context context = context_at(NOW_US);
    assert_int_equal(authenticate(&context, &credentials, &nothing, &caller, &fixture.err), 0);
    assert_text(caller_app_code(caller), "demo_app");
}

// ---- what is looked up ----

static struct lookup lookup_for(enum credentials_kind kind, const char *app_code,
                                const char *secret)
{
    const struct credentials credentials = {
        .kind = kind,
        .app_code = str_from(app_code),
        .secret = str_from(secret),
        .username = STR("admin"),
    };
    struct lookup lookup = {.task_id = 0};
    auth_fill_lookup(fixture.conf, &credentials, &lookup);
    return lookup;
}

static void the_lookup_names_application_and_user(void **state)
{
    (void)state;
    const struct lookup lookup = lookup_for(CREDENTIALS_DIRECT, "demo_app", "demo-secret");
    assert_text(lookup.app_code, "demo_app");
    assert_text(lookup.username, "admin");
}

static void an_unneeded_user_is_not_looked_up(void **state)
{
    (void)state;
    fixture.conf->auth.user_table_check = false;
    const struct lookup lookup = lookup_for(CREDENTIALS_DIRECT, "demo_app", "demo-secret");
    assert_text(lookup.username, NULL);
    assert_text(lookup.app_code, "demo_app");
}

static void gateway_callers_are_not_looked_up(void **state)
{
    (void)state;
    const struct lookup lookup = lookup_for(CREDENTIALS_GATEWAY, "demo_app", NULL);
    assert_text(lookup.app_code, NULL);
    assert_text(lookup.username, NULL);
}

// Only the log shows it: the answers are the same.
static void the_log_says_what_is_wrong_and_for_which_application(void **state)
{
    (void)state;
    struct lookup_application app = rotated_app(NOW_US + 1);
    assert_int_equal(refusal_of(&app, true, "wrong"), 40102);
    assert_string_equal(fixture.err.detail, "wrong secret");
    assert_text(fixture.err.app, "demo_app");
    assert_int_equal(refusal_of(&app, false, "demo-secret"), 40103);
    assert_text(fixture.err.app, "demo_app");
    app.is_enabled = false;
    assert_int_equal(refusal_of(&app, true, "demo-secret"), 40102);
    assert_string_equal(fixture.err.detail, "disabled application");
    app = (struct lookup_application){.exists = false};
    assert_int_equal(refusal_of(&app, true, "demo-secret"), 40102);
    assert_string_equal(fixture.err.detail, "unknown application");
    assert_text(fixture.err.app, NULL); // it may be a misplaced secret
}

static void digests_of_secrets_are_wiped(void **state)
{
    (void)state;
    struct lookup_application app;
    app_with_secret(&app, "demo-secret");
    watch.wiped = 0;
    assert_int_equal(refusal_of(&app, true, "demo-secret"), 0);
    assert_int_equal(watch.wiped, 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_good_header_is_read),
        WITH_FIXTURE(json_may_be_written_in_several_ways),
        WITH_FIXTURE(credentials_are_read_byte_for_byte),
        WITH_FIXTURE(what_is_not_one_json_object_of_strings_is_refused),
        WITH_FIXTURE(words_and_numbers_that_are_not_json_are_refused),
        WITH_FIXTURE(an_unescaped_control_character_is_refused),
        WITH_FIXTURE(duplicate_members_are_refused),
        WITH_FIXTURE(a_header_truncated_anywhere_is_refused),
        WITH_FIXTURE(a_header_with_any_byte_turned_to_nul_is_refused),
        WITH_FIXTURE(a_missing_or_empty_credential_is_named),
        WITH_FIXTURE(a_code_with_invisible_characters_is_refused),
        WITH_FIXTURE(a_megabyte_is_read_or_refused_like_any_other),
        WITH_FIXTURE(without_memory_it_is_our_error),
        WITH_FIXTURE(no_secret_stays_in_the_parser),
        WITH_FIXTURE(a_good_query_is_read),
        WITH_FIXTURE(a_plus_in_a_query_is_a_space),
        WITH_FIXTURE(bad_queries_are_refused_with_the_reason),
        WITH_FIXTURE(the_query_is_ignored_if_there_is_a_header),
        WITH_FIXTURE(a_disabled_query_refuses_only_credentials),
        WITH_FIXTURE(nothing_of_earlier_credentials_is_left),
        WITH_FIXTURE(the_digest_is_sha256_of_salt_and_secret),
        WITH_FIXTURE(each_state_of_an_application_is_handled),
        WITH_FIXTURE(every_bit_of_the_digest_counts),
        WITH_FIXTURE(every_bit_of_the_salt_counts),
        WITH_FIXTURE(the_user_must_be_active),
        WITH_FIXTURE(a_wrong_secret_learns_nothing_about_the_user),
        WITH_FIXTURE(refusals_do_not_differ_in_answer_or_work),
        WITH_FIXTURE(a_failing_digest_admits_nobody),
        WITH_FIXTURE(without_memory_there_is_no_caller),
        WITH_FIXTURE(without_a_user_table_only_the_secret_counts),
        WITH_FIXTURE(gateway_credentials_need_neither_secret_nor_user),
        WITH_FIXTURE(the_lookup_names_application_and_user),
        WITH_FIXTURE(an_unneeded_user_is_not_looked_up),
        WITH_FIXTURE(gateway_callers_are_not_looked_up),
        WITH_FIXTURE(the_log_says_what_is_wrong_and_for_which_application),
        WITH_FIXTURE(digests_of_secrets_are_wiped),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
