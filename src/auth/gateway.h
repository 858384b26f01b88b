// SPDX-License-Identifier: MIT
// auth_gateway: X-Bkapi-JWT, the token that BlueKing's API gateway signs for a request. The gateway
// has authenticated application and user; this module verifies that the token is the gateway's.
#ifndef BKFLOW_AUTH_GATEWAY_H
#define BKFLOW_AUTH_GATEWAY_H

#include "auth/authenticate.h"

// The accepted gateways with their keys and a cache of verified tokens. Threads share it; all but
// the cache is immutable. A reload loads new ones with an empty cache.
struct gateways;

// Loads the gateways of the configuration; none without [auth] gateway. Reports all mistakes before
// it fails with NULL.
struct gateways *gateways_load(const struct conf *conf, conf_complain *complain,
                               void *context) MUST_CHECK __attribute__((nonnull(1, 2)));
void gateways_free(struct gateways *gateways);

enum { GATEWAYS_WHY_BYTES = 160 };

// Whether PEM is a complete public key that can verify tokens, or several. If not, WHY names the
// mistake and nothing of the content.
bool gateways_is_key(struct str pem, char why[GATEWAYS_WHY_BYTES]) MUST_CHECK NONNULL;

// Whether the file is good and has all keys of PEM.
bool gateways_file_has(const char *path, struct str pem) MUST_CHECK NONNULL;

struct auth_gateway; // one thread's tools

struct auth_gateway *
auth_gateway_new(void) MUST_CHECK; // NULL: no memory, or OpenSSL lacks a digest
void auth_gateway_free(struct auth_gateway *gateway);

// Reads and verifies the request's token; absent if it has none.
enum auth_verdict auth_gateway_read(struct auth_gateway *gateway,
                                    const struct auth_context *context,
                                    const struct http_request *request,
                                    struct credentials *credentials,
                                    struct error *err) MUST_CHECK NONNULL;

#endif
