// SPDX-License-Identifier: MIT
// jwt_key: the public keys that verify tokens, read from PEM files (RFC 7468).
#ifndef BKFLOW_AUTH_JWT_KEY_PRIV_H
#define BKFLOW_AUTH_JWT_KEY_PRIV_H

#include "base/base.h"

// A public key. Immutable; threads may share it.
struct jwt_key {
    struct evp_pkey_st *pkey; // OpenSSL's; only jwt and jwt_key know what is in it
};

enum { JWT_KEYS_PER_FILE = 4, JWT_KEY_WHY_BYTES = 160 };

// Loads the public keys of a file; several allow a gateway to rotate its keys. Apart from complete
// keys, the file may contain only empty lines and comments that begin with "#": otherwise a damaged
// key could be taken for text and ignored. Returns the number of keys. On any mistake returns 0 and
// WHY names it, with its line number but none of the file's content.
size_t jwt_key_load_file(const char *path, struct jwt_key *keys[JWT_KEYS_PER_FILE],
                         char why[JWT_KEY_WHY_BYTES]) MUST_CHECK NONNULL;
// The same for the text of such a file.
size_t jwt_key_load_text(struct str text, struct jwt_key *keys[JWT_KEYS_PER_FILE],
                         char why[JWT_KEY_WHY_BYTES]) MUST_CHECK NONNULL;

bool jwt_key_equal(const struct jwt_key *a, const struct jwt_key *b) MUST_CHECK NONNULL;
void jwt_key_free(struct jwt_key *key);

#endif
