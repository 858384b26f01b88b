// SPDX-License-Identifier: MIT
#include "auth/secret.h"
#include "support.h"

static const uint8_t salt[LOOKUP_SALT_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};

static void check_digest(const char *secret, const uint8_t digest[LOOKUP_DIGEST_BYTES],
                         const char *hex)
{
    char text[2 * LOOKUP_DIGEST_BYTES + 1];
    for (size_t i = 0; i < LOOKUP_DIGEST_BYTES; i++) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    text[sizeof text - 1] = '\0';
    check_text(secret, str_from(text), hex);
}

// The result of sha256sum for the salt followed by the secret.
static void a_digest_is_sha_256_of_salt_and_secret(void **state)
{
    (void)state;
    char long_secret[601];
    memset(long_secret, 'x', sizeof long_secret - 1);
    long_secret[sizeof long_secret - 1] = '\0';
    const struct {
        const char *secret;
        const char *hex;
    } rows[] = {
        {"", "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991"},
        {"demo-secret", "5ab00e4312bd84801b119de4264298f2119b9dba00407e9f48369c52d8837395"},
        {long_secret, "e0116f0c635cf316effd6205a7ca616b1da9d6734ae59fba044411650b889701"},
    };
    struct secret_hasher *const hasher = secret_hasher_new();
    assert_non_null(hasher);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t digest[LOOKUP_DIGEST_BYTES];
        check(rows[i].secret, secret_digest(salt, str_from(rows[i].secret), digest));
        check_digest(rows[i].secret, digest, rows[i].hex);
        memset(digest, 0, sizeof digest);
        check(rows[i].secret, secret_hasher_digest(hasher, salt, str_from(rows[i].secret), digest));
        check_digest(rows[i].secret, digest, rows[i].hex);
    }
    secret_hasher_free(hasher);
    secret_hasher_free(NULL);
}

static void every_byte_of_a_digest_counts(void **state)
{
    (void)state;
    uint8_t a[LOOKUP_DIGEST_BYTES] = {0};
    uint8_t b[LOOKUP_DIGEST_BYTES] = {0};
    assert_true(secret_is_same_digest(a, b));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 0x80;
        assert_false(secret_is_same_digest(a, b));
        b[i] = 0;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_sha_256_of_salt_and_secret),
        cmocka_unit_test(every_byte_of_a_digest_counts),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
