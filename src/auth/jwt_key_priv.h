// SPDX-License-Identifier: MIT
// What a public key is made of, for jwt and jwt_key alone.
#ifndef BKFLOW_AUTH_JWT_KEY_PRIV_H
#define BKFLOW_AUTH_JWT_KEY_PRIV_H

#include "auth/jwt_key.h"

#include <openssl/evp.h>

struct jwt_key {
    EVP_PKEY *pkey;
};

#endif
