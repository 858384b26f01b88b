// SPDX-License-Identifier: MIT
// auth_direct: the application's code and secret and the user's name, as the header
// X-Bkapi-Authorization or the query string gives them.
#ifndef BKFLOW_AUTH_DIRECT_H
#define BKFLOW_AUTH_DIRECT_H

#include "auth/authenticate.h"

// Reads the three credentials. With the header present the query string is not looked at.
enum auth_verdict auth_direct_read(const struct conf *conf, const struct http_request *request,
                                   struct arena *arena, struct credentials *credentials,
                                   struct error *err) MUST_CHECK NONNULL;

#endif
