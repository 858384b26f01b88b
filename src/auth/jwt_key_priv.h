// SPDX-License-Identifier: MIT
// The contents of a public key, private to jwt and jwt_key.
#ifndef BKFLOW_AUTH_JWT_KEY_PRIV_H
#define BKFLOW_AUTH_JWT_KEY_PRIV_H

#include "auth/jwt_key.h"

#include <openssl/evp.h>

struct jwt_key {
    EVP_PKEY *pkey;
};

#endif
