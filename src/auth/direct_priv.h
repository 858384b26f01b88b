// SPDX-License-Identifier: MIT
// auth_direct: credentials given directly: the application's code and secret and the user's name,
// in the header X-Bkapi-Authorization or the query string.
#ifndef BKFLOW_AUTH_DIRECT_PRIV_H
#define BKFLOW_AUTH_DIRECT_PRIV_H

#include "auth/authenticate.h"

// Reads the three credentials. The query string is ignored if the header is present.
enum auth_verdict auth_direct_read(const struct auth_context *context,
                                   const struct http_request *request,
                                   struct credentials *credentials,
                                   struct error *err) MUST_CHECK NONNULL;

#endif
