// SPDX-License-Identifier: MIT
// auth_direct: the application's code and secret and the user's name, as the header
// X-Bkapi-Authorization or the query string gives them.
#ifndef BKFLOW_AUTH_DIRECT_H
#define BKFLOW_AUTH_DIRECT_H

#include "auth/authenticate.h"

struct auth_direct; // used by one thread at a time

struct auth_direct *auth_direct_new(void) MUST_CHECK; // NULL: no memory, or no SHA-256
void auth_direct_free(struct auth_direct *direct);

// Reads the three credentials. With the header present the query string is not looked at.
enum auth_verdict auth_direct_read(const struct conf *conf, const struct http_request *request,
                                   struct arena *arena, struct credentials *credentials,
                                   struct error *err) MUST_CHECK NONNULL;

// Whether SECRET is the application's, or the one rotated out that still holds at NOW_US. Takes the
// same work for an unknown application, a disabled one, and a wrong secret.
bool auth_direct_secret_holds(struct auth_direct *direct, const struct lookup_application *app,
                              struct str secret, int64_t now_us) MUST_CHECK NONNULL;

#endif
