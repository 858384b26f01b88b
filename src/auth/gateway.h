// SPDX-License-Identifier: MIT
// auth_gateway: the token that BlueKing's API gateway signs for a request, X-Bkapi-JWT. The gateway
// has checked application and user; what is checked here is that it was the gateway.
#ifndef BKFLOW_AUTH_GATEWAY_H
#define BKFLOW_AUTH_GATEWAY_H

#include "auth/authenticate.h"

// The gateways whose tokens are accepted, with their keys; immutable, shared by threads.
struct gateways;

// Loads what the configuration names. All mistakes are reported before it gives up; NULL when there
// was any. Without [auth] gateway it is empty.
struct gateways *gateways_load(const struct conf *conf, conf_complain *complain,
                               void *context) MUST_CHECK __attribute__((nonnull(1, 2)));
void gateways_free(struct gateways *gateways);

struct auth_gateway; // one thread's tools

struct auth_gateway *auth_gateway_new(void) MUST_CHECK; // NULL: no memory or no such digests
void auth_gateway_free(struct auth_gateway *gateway);

// Reads and verifies the token of the request; absent when it has none. NOW_US: microseconds since
// 1970 UTC.
enum auth_verdict auth_gateway_read(struct auth_gateway *gateway, const struct conf *conf,
                                    const struct gateways *gateways,
                                    const struct http_request *request, int64_t now_us,
                                    struct arena *arena, struct credentials *credentials,
                                    struct error *err) MUST_CHECK NONNULL;

#endif
