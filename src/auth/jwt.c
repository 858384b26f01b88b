// SPDX-License-Identifier: MIT
#include "auth/jwt_priv.h"

#include "base/json_read.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { EC_SIGNATURE_MAX = 160 }; // DER of two 66-byte numbers, rounded up

// RFC 7518, sections 3.3 and 3.4: the digest, the kind of key and, for ECDSA, the curve, identified
// by the size of one of the two numbers of a signature.
static const struct algorithm {
    struct str name;
    const char *digest;
    int key_type;
    int key_bits; // of the curve; 0: RSA
} algorithms[JWT_ALGORITHM_COUNT] = {
    [JWT_RS256] = {STR("RS256"), "SHA256", EVP_PKEY_RSA, 0},
    [JWT_RS384] = {STR("RS384"), "SHA384", EVP_PKEY_RSA, 0},
    [JWT_RS512] = {STR("RS512"), "SHA512", EVP_PKEY_RSA, 0},
    [JWT_ES256] = {STR("ES256"), "SHA256", EVP_PKEY_EC, 256},
    [JWT_ES384] = {STR("ES384"), "SHA384", EVP_PKEY_EC, 384},
    [JWT_ES512] = {STR("ES512"), "SHA512", EVP_PKEY_EC, 521},
};

int jwt_algorithm_named(struct str name, enum jwt_algorithm *algorithm)
{
    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        if (str_equal(algorithms[i].name, name)) {
            *algorithm = (enum jwt_algorithm)i;
            return 0;
        }
    }
    return -1;
}

// ---- base64url ----

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static int refuse(struct error *err)
{
    return error_set(err, ERR_TOKEN_REFUSED, "token: malformed");
}

static int lack_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "token");
}

// RFC 7515, section 2: no padding, no line breaks, and unused bits must be zero, so that each
// signature has only one encoding.
static int decode(struct str text, struct arena *arena, struct str *decoded, struct error *err)
{
    char *const bytes = arena_text(arena, text.len / 4 * 3 + 3);
    if (bytes == NULL) {
        return lack_memory(err);
    }
    uint32_t pending = 0;
    unsigned bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const int six = sextet(text.ptr[i]);
        if (six < 0) {
            return refuse(err);
        }
        pending = (pending << 6 | (uint32_t)six) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[len++] = (char)(pending >> bits);
        }
    }
    *decoded = (struct str){bytes, len};
    const bool has_rest = bits == 6 || (pending & ((1U << bits) - 1)) != 0;
    return has_rest ? refuse(err) : 0;
}

// ---- the token's parts ----

static int keep(struct str *kept, struct str text, struct arena *arena, struct error *err)
{
    *kept = str_is_absent(text) ? text : arena_copy(arena, text);
    return str_is_absent(*kept) == str_is_absent(text) ? 0 : lack_memory(err);
}

static int read_header(const struct json_value *header, struct arena *arena, struct jwt *jwt,
                       struct error *err)
{
    const struct str algorithm = json_read_string(json_read_member(header, "alg"));
    const struct str key_id = json_read_string(json_read_member(header, "kid"));
    const bool has_odd_key_id = json_read_has(header, "kid") && str_is_absent(key_id);
    if (json_read_has(header, "crit") || str_is_absent(algorithm) || has_odd_key_id) {
        return refuse(err);
    }
    return keep(&jwt->algorithm, algorithm, arena, err) == 0
               ? keep(&jwt->key_id, key_id, arena, err)
               : -1;
}

static int parse_header(struct str text, struct arena *arena, struct jwt *jwt, struct error *err)
{
    struct json_value *header;
    if (json_read_object(text, "token: header", ERR_TOKEN_REFUSED, arena, &header, err) != 0) {
        return -1;
    }
    const int outcome = read_header(header, arena, jwt, err);
    json_read_free(header);
    return outcome;
}

int jwt_split(struct str token, struct arena *arena, struct jwt *jwt, struct error *err)
{
    struct str rest = token;
    struct str header;
    const struct str header_text = str_cut(&rest, '.');
    const struct str claims_text = str_cut(&rest, '.');
    const struct str signature_text = str_cut(&rest, '.');
    if (str_is_absent(signature_text) || !str_is_absent(rest)) {
        return refuse(err);
    }
    *jwt = (struct jwt){.signed_part = {token.ptr, header_text.len + 1 + claims_text.len}};
    if (decode(header_text, arena, &header, err) != 0 ||
        decode(claims_text, arena, &jwt->claims, err) != 0 ||
        decode(signature_text, arena, &jwt->signature, err) != 0) {
        return -1;
    }
    return parse_header(header, arena, jwt, err);
}

// ---- verifying ----

struct jwt_verifier {
    EVP_MD_CTX *context;
    EVP_MD *digests[JWT_ALGORITHM_COUNT]; // fetched once because fetching is slow
};

struct jwt_verifier *jwt_verifier_new(void)
{
    struct jwt_verifier *const verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        return NULL;
    }
    verifier->context = EVP_MD_CTX_new();
    bool is_whole = verifier->context != NULL;
    for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        verifier->digests[i] = EVP_MD_fetch(NULL, algorithms[i].digest, NULL);
        is_whole = is_whole && verifier->digests[i] != NULL;
    }
    if (!is_whole) {
        jwt_verifier_free(verifier);
        return NULL;
    }
    return verifier;
}

void jwt_verifier_free(struct jwt_verifier *verifier)
{
    if (verifier != NULL) {
        EVP_MD_CTX_free(verifier->context);
        for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++) {
            EVP_MD_free(verifier->digests[i]);
        }
        free(verifier);
    }
}

bool jwt_digest(struct jwt_verifier *verifier, struct str token, uint8_t digest[JWT_DIGEST_BYTES])
{
    EVP_MD_CTX *const context = verifier->context;
    const bool is_made = EVP_DigestInit_ex2(context, verifier->digests[JWT_RS256], NULL) == 1 &&
                         EVP_DigestUpdate(context, token.ptr, token.len) == 1 &&
                         EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_reset(context); // wipes the token's last block
    ERR_clear_error();
    return is_made;
}

// Converts an ECDSA signature from the JWT's two numbers of fixed size (RFC 7518, section 3.4) to
// the DER that OpenSSL expects. Returns the length; 0 if the sizes do not fit.
static size_t to_der(struct str signature, int key_bits, unsigned char der[EC_SIGNATURE_MAX])
{
    const size_t half = ((size_t)key_bits + 7) / 8;
    if (signature.len != 2 * half) {
        return 0;
    }
    const unsigned char *const bytes = (const unsigned char *)signature.ptr;
    ECDSA_SIG *const pair = ECDSA_SIG_new();
    BIGNUM *const r = BN_bin2bn(bytes, (int)half, NULL);
    BIGNUM *const s = BN_bin2bn(bytes + half, (int)half, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return 0;
    }
    unsigned char *end = der;
    const int len = i2d_ECDSA_SIG(pair, NULL) <= EC_SIGNATURE_MAX ? i2d_ECDSA_SIG(pair, &end) : 0;
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

static bool fits(const struct algorithm *algorithm, const EVP_PKEY *pkey)
{
    return EVP_PKEY_base_id(pkey) == algorithm->key_type &&
           (algorithm->key_bits == 0 || EVP_PKEY_bits(pkey) == algorithm->key_bits);
}

// Clears this thread's OpenSSL errors, which refused signatures add to as well. Returns whether one
// of them was a lack of memory.
static bool lacked_memory(void)
{
    bool has_lacked = false;
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error()) {
        has_lacked = has_lacked || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }
    return has_lacked;
}

// Verifies the signature with an initialized context. OpenSSL returns a negative number for all
// that is not a wrong signature. That is a lack of memory here, even if no error says so: 3.5 has
// none for ECDSA.
static enum jwt_verdict verify_signature(EVP_MD_CTX *context, struct str signature, struct str text)
{
    if (signature.len == 0) {
        return JWT_INVALID;
    }
    EVP_MD_CTX_set_flags(context, EVP_MD_CTX_FLAG_FINALISE); // avoids a copy of the context
    const int result = EVP_DigestVerify(context, (const unsigned char *)signature.ptr,
                                        signature.len, (const unsigned char *)text.ptr, text.len);
    return result == 1 ? JWT_VALID : result < 0 ? JWT_LACKS_MEMORY : JWT_INVALID;
}

enum jwt_verdict jwt_verify(struct jwt_verifier *verifier, const struct jwt *jwt,
                            const struct jwt_key *key, enum jwt_algorithm algorithm)
{
    const struct algorithm *const how = &algorithms[algorithm];
    EVP_MD_CTX *const context = verifier->context;
    unsigned char der[EC_SIGNATURE_MAX];
    struct str signature = jwt->signature;
    if (!fits(how, key->pkey)) {
        return JWT_INVALID;
    }
    if (how->key_type == EVP_PKEY_EC) {
        signature = (struct str){(const char *)der, to_der(jwt->signature, how->key_bits, der)};
    }
    // Key and digest fit each other, so a failure here means a lack of memory, even if unreported.
    const enum jwt_verdict verdict =
        EVP_DigestVerifyInit(context, NULL, verifier->digests[algorithm], NULL, key->pkey) == 1
            ? verify_signature(context, signature, jwt->signed_part)
            : JWT_LACKS_MEMORY;
    EVP_MD_CTX_reset(context); // wipes the last block of the claims
    const bool has_lacked = lacked_memory();
    return verdict == JWT_INVALID && has_lacked ? JWT_LACKS_MEMORY : verdict;
}
