// SPDX-License-Identifier: MIT
// jwt_key: the public keys that verify tokens, read from PEM files (RFC 7468).
#ifndef BKFLOW_AUTH_JWT_KEY_H
#define BKFLOW_AUTH_JWT_KEY_H

#include "base/base.h"

// A public key; immutable, may be shared by threads.
struct jwt_key;

enum { JWT_KEYS_PER_FILE = 4, JWT_KEY_WHY_BYTES = 160 };

// Loads the public keys of a file, several so that a gateway's keys can be rotated. Besides
// complete keys it may hold empty lines and comments, which begin with "#": with anything else a
// damaged key could be taken for text and be left out. Returns how many keys there are; 0 on any
// mistake, which WHY then names, with its line and nothing of its content.
size_t jwt_key_load_file(const char *path, struct jwt_key *keys[JWT_KEYS_PER_FILE],
                         char why[JWT_KEY_WHY_BYTES]) MUST_CHECK NONNULL;
void jwt_key_free(struct jwt_key *key);

#endif
