// SPDX-License-Identifier: MIT
// auth_gateway: a public key by itself, and whether a file has it.
#include "auth/gateway.h"
#include "support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_RSA, KEY_P256, KEY_SMALL_RSA, KEYS };

static char *texts[KEYS]; // PEM
static char *folder;

static char *text_of(EVP_PKEY *key)
{
    char *text = NULL;
    size_t len = 0;
    FILE *const file = open_memstream(&text, &len);
    assert_non_null(key);
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, key), 1);
    fclose(file);
    EVP_PKEY_free(key);
    return text;
}

static int make_keys(void **state)
{
    (void)state;
    texts[KEY_RSA] = text_of(EVP_RSA_gen(2048));
    texts[KEY_P256] = text_of(EVP_EC_gen("P-256"));
    texts[KEY_SMALL_RSA] = text_of(EVP_RSA_gen(1024));
    folder = scratch_new();
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        free(texts[i]);
    }
    scratch_free(folder);
    return 0;
}

static bool is_key(const char *text)
{
    char why[GATEWAYS_WHY_BYTES];
    const bool is_one = gateways_is_key(str_from(text), why);
    check(text, is_one == (why[0] == '\0'));
    return is_one;
}

static void only_complete_public_keys_are_keys(void **state)
{
    (void)state;
    char two[8192];
    char cut[8192];
    snprintf(two, sizeof two, "%s\n# and\n%s", texts[KEY_RSA], texts[KEY_P256]);
    snprintf(cut, sizeof cut, "%.*s", (int)strlen(texts[KEY_RSA]) - 30, texts[KEY_RSA]);
    assert_true(is_key(texts[KEY_RSA]));
    assert_true(is_key(texts[KEY_P256]));
    assert_true(is_key(two));
    assert_false(is_key(cut));
    assert_false(is_key(texts[KEY_SMALL_RSA]));
    assert_false(is_key(""));
    assert_false(is_key("-----BEGIN PRIVATE KEY-----\n"));
}

static bool file_has(const char *content, const char *text)
{
    char *const path = scratch_path(folder, "key.pem");
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    fclose(file);
    const bool has = gateways_file_has(path, str_from(text));
    free(path);
    return has;
}

static void a_file_has_a_key_however_it_is_written_down(void **state)
{
    (void)state;
    char two[8192];
    snprintf(two, sizeof two, "# old\n%s\n# new\n%s", texts[KEY_P256], texts[KEY_RSA]);
    assert_true(file_has(texts[KEY_RSA], texts[KEY_RSA]));
    assert_true(file_has(two, texts[KEY_RSA]));
    assert_true(file_has(two, two));
    assert_false(file_has(texts[KEY_RSA], two));
    assert_false(file_has(texts[KEY_P256], texts[KEY_RSA]));
}

static void a_bad_file_or_text_has_no_key(void **state)
{
    (void)state;
    char damaged[8192];
    snprintf(damaged, sizeof damaged, "%sx\n", texts[KEY_RSA]);
    assert_false(file_has(damaged, texts[KEY_RSA]));
    assert_false(file_has(texts[KEY_RSA], ""));
    assert_false(file_has("", ""));
    assert_false(gateways_file_has("/nonexistent/key.pem", str_from(texts[KEY_RSA])));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_complete_public_keys_are_keys),
        cmocka_unit_test(a_file_has_a_key_however_it_is_written_down),
        cmocka_unit_test(a_bad_file_or_text_has_no_key),
    };
    return cmocka_run_group_tests_name("gateway_key", tests, make_keys, free_keys);
}
