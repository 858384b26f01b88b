// SPDX-License-Identifier: MIT
#include "auth/jwt_key_priv.h"
#include "base/regular_file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RSA_BITS_MIN = 2048, // RFC 7518, section 3.3
    FILE_MAX = 64 * 1024,
};

#define BEGIN_LINE STR("-----BEGIN PUBLIC KEY-----")
#define END_LINE   STR("-----END PUBLIC KEY-----")

// ---- one key ----

// Whether the curve is one of the three of RFC 7518; others may have the same size.
static bool is_jose_curve(const EVP_PKEY *pkey)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[64];
    size_t len;
    if (EVP_PKEY_get_group_name(pkey, name, sizeof name, &len) != 1) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (strcmp(name, curves[i]) == 0) {
            return true;
        }
    }
    return false;
}

// Returns why a gateway cannot use the key; NULL if it can.
static const char *unfit_reason(const EVP_PKEY *pkey)
{
    switch (EVP_PKEY_base_id(pkey)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_bits(pkey) < RSA_BITS_MIN ? "an RSA key of less than 2048 bits" : NULL;
    case EVP_PKEY_EC:
        return is_jose_curve(pkey) ? NULL
                                   : "an EC key on another curve than P-256, P-384 and P-521";
    default:
        return "a key that is neither RSA nor EC";
    }
}

void jwt_key_free(struct jwt_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

// Parses the PEM block TEXT; NULL if it is damaged.
static EVP_PKEY *parse_block(struct str text)
{
    char *label = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    EVP_PKEY *pkey = NULL;
    BIO *const block = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (block != NULL && PEM_read_bio(block, &label, &header, &der, &len) == 1) {
        const unsigned char *end = der;
        pkey = d2i_PUBKEY(NULL, &end, len);
        if (pkey != NULL && end != der + len) {
            EVP_PKEY_free(pkey);
            pkey = NULL;
        }
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(block);
    ERR_clear_error();
    return pkey;
}

// ---- a file, line by line ----

struct key_file {
    struct str rest; // the remaining lines; absent at the end
    unsigned line;   // number of the last line that was read
    struct jwt_key **keys;
    size_t count;
    char *why; // empty if nothing is wrong
};

static int complain(struct key_file *file, unsigned line, const char *why)
{
    snprintf(file->why, JWT_KEY_WHY_BYTES, "line %u: %s", line, why);
    return -1;
}

// Returns the next line without trailing white space, which editors of other systems leave there.
static struct str take_line(struct key_file *file)
{
    struct str line = str_cut(&file->rest, '\n');
    file->line++;
    while (line.len > 0 && strchr(" \t\r", line.ptr[line.len - 1]) != NULL &&
           line.ptr[line.len - 1] != '\0') {
        line.len--;
    }
    return line;
}

static bool is_base64(struct str line)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/=";
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\0' || strchr(alphabet, line.ptr[i]) == NULL) {
            return false;
        }
    }
    return line.len > 0;
}

// Reads the rest of a key after its first line, and sets the length of TEXT, which begins at that
// line.
static int take_block(struct key_file *file, struct str *text)
{
    const unsigned begin = file->line;
    struct str line;
    do {
        if (str_is_absent(file->rest)) {
            return complain(file, begin, "a key without its last line, -----END PUBLIC KEY-----");
        }
        line = take_line(file);
    } while (is_base64(line));
    text->len = (size_t)(line.ptr + line.len - text->ptr);
    return str_equal(line, END_LINE)
               ? 0
               : complain(file, file->line,
                          "neither base64 of the key begun above nor -----END PUBLIC KEY-----");
}

// Takes ownership of PKEY, even on failure.
static int add_key(struct key_file *file, unsigned line, EVP_PKEY *pkey)
{
    struct jwt_key *const key = malloc(sizeof *key);
    if (key == NULL || file->count == JWT_KEYS_PER_FILE) {
        EVP_PKEY_free(pkey);
        free(key);
        return complain(file, line, key == NULL ? "out of memory" : "more than 4 keys");
    }
    key->pkey = pkey;
    file->keys[file->count++] = key;
    return 0;
}

static int take_key(struct key_file *file, struct str first_line)
{
    const unsigned line = file->line;
    struct str text = first_line;
    if (take_block(file, &text) != 0) {
        return -1;
    }
    EVP_PKEY *const pkey = parse_block(text);
    const char *const why = pkey == NULL ? "a damaged public key" : unfit_reason(pkey);
    if (why != NULL) {
        EVP_PKEY_free(pkey);
        return complain(file, line, why);
    }
    return add_key(file, line, pkey);
}

static const char *stray_reason(struct str line)
{
    if (str_starts_with(line, STR("\xEF\xBB\xBF"))) {
        return "a byte order mark (BOM): save the file without";
    }
    if (str_starts_with(line, STR("-----BEGIN ")) && !str_starts_with(line, BEGIN_LINE)) {
        return "something that is not a PEM public key (BEGIN PUBLIC KEY)";
    }
    return "neither -----BEGIN PUBLIC KEY----- nor a comment (#): a damaged key?";
}

static int take_lines(struct key_file *file)
{
    while (!str_is_absent(file->rest)) {
        const struct str line = take_line(file);
        if (str_equal(line, BEGIN_LINE)) {
            if (take_key(file, line) != 0) {
                return -1;
            }
        } else if (line.len > 0 && !str_starts_with(str_trim(line), STR("#"))) {
            return complain(file, file->line, stray_reason(line));
        }
    }
    if (file->count == 0) {
        snprintf(file->why, JWT_KEY_WHY_BYTES, "no PEM public key (BEGIN PUBLIC KEY)");
        return -1;
    }
    return 0;
}

// ---- the file ----

// Reads up to SIZE bytes and returns their number. *WHY is the reason if the file cannot be read,
// else NULL.
static size_t read_file(const char *path, char *text, size_t size, const char **why)
{
    FILE *const file = regular_file_open(path, why);
    if (file == NULL) {
        return 0;
    }
    const size_t len = fread(text, 1, size, file);
    *why = ferror(file) != 0 ? strerror(errno) : NULL;
    fclose(file);
    return len;
}

size_t jwt_key_load_text(struct str text, struct jwt_key *keys[JWT_KEYS_PER_FILE],
                         char why[JWT_KEY_WHY_BYTES])
{
    struct key_file file = {.rest = text, .keys = keys, .why = why};
    why[0] = '\0';
    if (take_lines(&file) == 0) {
        return file.count;
    }
    for (size_t i = 0; i < file.count; i++) {
        jwt_key_free(keys[i]);
    }
    return 0;
}

size_t jwt_key_load_file(const char *path, struct jwt_key *keys[JWT_KEYS_PER_FILE],
                         char why[JWT_KEY_WHY_BYTES])
{
    size_t count = 0;
    const char *mistake = "out of memory";
    char *const text = malloc(FILE_MAX);
    const size_t len = text == NULL ? 0 : read_file(path, text, FILE_MAX, &mistake);
    if (mistake != NULL) {
        snprintf(why, JWT_KEY_WHY_BYTES, "it cannot be read: %s", mistake);
    } else if (len == FILE_MAX) {
        snprintf(why, JWT_KEY_WHY_BYTES, "it is larger than a file of four keys");
    } else {
        count = jwt_key_load_text((struct str){text, len}, keys, why);
    }
    free(text);
    return count;
}

bool jwt_key_equal(const struct jwt_key *a, const struct jwt_key *b)
{
    const bool is_equal = EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error(); // of keys of two kinds
    return is_equal;
}
