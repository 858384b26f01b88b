// SPDX-License-Identifier: MIT
// Prints COUNT tokens of one application and user, a line each, as BlueKing's API gateway signs
// them: RS512. All are valid and no two are the same.
#define _GNU_SOURCE
#include "common.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOKEN_BYTES = 4096, LIFETIME_SECONDS = 24 * 3600 };

static struct {
    char *key, *kid, *app, *username;
    int count;
} opt = {.count = 1};

static size_t put_base64url(char *to, const void *bytes, size_t len)
{
    size_t end = (size_t)EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
    while (end > 0 && to[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
    }
    return end;
}

static size_t put_claims(char *to, int number)
{
    char header[256], claims[1024];
    const long long now_s = (long long)time(NULL);
    const int header_len =
        snprintf(header, sizeof header,
                 "{\"typ\":\"JWT\",\"alg\":\"RS512\",\"kid\":\"%s\",\"iat\":%lld}", opt.kid, now_s);
    const int claims_len =
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"APIGW\",\"exp\":%lld,\"nbf\":%lld,\"number\":%d,"
                 "\"app\":{\"version\":1,\"app_code\":\"%s\",\"verified\":true},"
                 "\"user\":{\"version\":1,\"username\":\"%s\",\"verified\":true}}",
                 now_s + LIFETIME_SECONDS, now_s - 300, number, opt.app, opt.username);
    size_t len = put_base64url(to, header, (size_t)header_len);
    to[len++] = '.';
    return len + put_base64url(to + len, claims, (size_t)claims_len);
}

static void print_token(EVP_PKEY *key, EVP_MD_CTX *context, int number)
{
    char token[TOKEN_BYTES];
    unsigned char signature[1024];
    size_t len = put_claims(token, number), signature_len = sizeof signature;
    if (EVP_DigestSignInit_ex(context, NULL, "SHA512", NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(context, signature, &signature_len, (unsigned char *)token, len) != 1) {
        die("tokens", "signing failed");
    }
    EVP_MD_CTX_reset(context);
    token[len++] = '.';
    len += put_base64url(token + len, signature, signature_len);
    printf("%.*s\n", (int)len, token);
}

int main(int argc, char **argv)
{
    (void)argc;
    parse_options(argv, (const struct option_entry[]){
                            {"key", OPTION_TEXT, &opt.key},
                            {"kid", OPTION_TEXT, &opt.kid},
                            {"app", OPTION_TEXT, &opt.app},
                            {"username", OPTION_TEXT, &opt.username},
                            {"count", OPTION_NUMBER, &opt.count},
                            {NULL, OPTION_FLAG, NULL},
                        });
    if (opt.key == NULL || opt.kid == NULL || opt.app == NULL || opt.username == NULL) {
        die("usage", "tokens --key PRIVATE.pem --kid NAME --app CODE --username NAME [--count N]");
    }
    FILE *const file = fopen(opt.key, "r");
    EVP_PKEY *const key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    if (key == NULL || context == NULL) {
        die(opt.key, "no private key");
    }
    for (int i = 0; i < opt.count; i++) {
        print_token(key, context, i);
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    fclose(file);
    return 0;
}
