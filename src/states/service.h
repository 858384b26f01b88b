// SPDX-License-Identifier: MIT
// service: from a request's variables to its answer. Routes with the access each demands, the one
// dispatcher that enforces it, and the use case itself as a list of calls.
#ifndef BKFLOW_STATES_SERVICE_H
#define BKFLOW_STATES_SERVICE_H

#include "base/arena.h"
#include "auth/authenticate.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "http/http.h"
#include "auth/limiter.h"
#include "base/metrics.h"
#include "states/store.h"
#include "http/request_id.h"
#include "base/local_time.h"

// One worker's service; used by one thread. All members are borrowed, and set before the first
// request; CONF and GATEWAYS may be exchanged between requests.
struct service {
    const struct conf *conf;
    const struct gateways *gateways; // belongs to the configuration
    struct limiter *limiter;         // shared with the other workers
    const struct clock *clock;
    struct store store;
    struct auth *auth;
    struct arena *arena; // reset at the end of each request
    struct metrics *metrics;
    struct metrics_shard *shard; // this worker's own
    struct local_time zone;
    struct request_id_source random;
};

// Answers one request into RESPONSE, whose buffer is initialized and empty, and ends it. Never
// fails: whatever goes wrong is the answer.
void service_handle(struct service *service, const struct http_var *vars, size_t count,
                    struct http_response *response) __attribute__((nonnull(1, 4)));

// Answers a request that the transport refused, with KIND.
void service_refuse(struct service *service, enum error_kind kind,
                    struct http_response *response) NONNULL;

#endif
