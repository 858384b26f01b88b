// SPDX-License-Identifier: MIT
#include "auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct secret_hasher {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

struct secret_hasher *secret_hasher_new(void)
{
    struct secret_hasher *const hasher = calloc(1, sizeof(struct secret_hasher));
    if (hasher == NULL) {
        return NULL;
    }
    hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->sha256 == NULL || hasher->context == NULL) {
        secret_hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

void secret_hasher_free(struct secret_hasher *hasher)
{
    if (hasher != NULL) {
        EVP_MD_free(hasher->sha256);
        EVP_MD_CTX_free(hasher->context);
        free(hasher);
    }
}

bool secret_hasher_digest(struct secret_hasher *hasher, const uint8_t salt[LOOKUP_SALT_BYTES],
                          struct str secret, uint8_t digest[LOOKUP_DIGEST_BYTES])
{
    return EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL) == 1 &&
           EVP_DigestUpdate(hasher->context, salt, LOOKUP_SALT_BYTES) == 1 &&
           EVP_DigestUpdate(hasher->context, secret.ptr, secret.len) == 1 &&
           EVP_DigestFinal_ex(hasher->context, digest, NULL) == 1;
}

int secret_check(struct secret_hasher *hasher, const struct lookup_application *app,
                 struct str secret, int64_t now_us, bool *is_right, struct error *err)
{
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    *is_right = false;
    if (!secret_hasher_digest(hasher, app->salt, secret, digest)) {
        return error_set(err, ERR_NO_MEMORY, "digest of the secret");
    }
    // Both are always compared, without branches. An application that does not exist has a digest
    // of zeros.
    const bool is_current = secret_is_same_digest(digest, app->digest);
    const bool is_previous = secret_is_same_digest(digest, app->previous_digest);
    const bool is_previous_valid = app->has_previous & (now_us < app->previous_expires_us);
    explicit_bzero(digest, sizeof digest);
    *is_right = app->exists & app->is_enabled & (is_current | (is_previous & is_previous_valid));
    return 0;
}

bool secret_digest(const uint8_t salt[LOOKUP_SALT_BYTES], struct str secret,
                   uint8_t digest[LOOKUP_DIGEST_BYTES])
{
    struct secret_hasher *const hasher = secret_hasher_new();
    const bool is_made = hasher != NULL && secret_hasher_digest(hasher, salt, secret, digest);
    secret_hasher_free(hasher);
    return is_made;
}

bool secret_is_same_digest(const uint8_t a[LOOKUP_DIGEST_BYTES],
                           const uint8_t b[LOOKUP_DIGEST_BYTES])
{
    return CRYPTO_memcmp(a, b, LOOKUP_DIGEST_BYTES) == 0;
}
