// SPDX-License-Identifier: MIT
// service: from requests to their answers, in groups. Each request is authenticated and authorized
// by itself; a group only shares the statements that bring the facts.
#ifndef BKFLOW_STATES_SERVICE_H
#define BKFLOW_STATES_SERVICE_H

#include "auth/authenticate.h"
#include "auth/limiter.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/local_time.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "http/http.h"
#include "http/request_id.h"
#include "states/refusals.h"
#include "states/store.h"

enum { SERVICE_GROUP_MAX = STORE_GROUP_MAX };

// The requests of one worker's group, with their memory.
struct service_group;

// The sizes of the arenas that requests of up to REQUEST_BYTES, and tasks of up to MAX_NODES nodes,
// can do with.
size_t service_request_arena_bytes(size_t request_bytes) MUST_CHECK;
size_t service_node_arena_bytes(size_t max_nodes) MUST_CHECK;

// Each request has an arena of its own, of at most ARENA_BYTES. NULL: no memory.
struct service_group *service_group_new(size_t arena_bytes) MUST_CHECK;
void service_group_free(struct service_group *group);

// Whether all requests are answered and their memory is free.
bool service_group_is_empty(const struct service_group *group) MUST_CHECK NONNULL;

// One worker's service; used by one thread. All members are borrowed, and set before the first
// request; CONF and GATEWAYS may be exchanged between groups.
struct service {
    const struct conf *conf;
    const struct gateways *gateways; // belongs to the configuration
    struct limiter *limiter;         // shared with the other workers
    struct refusals *refusals;       // likewise
    const struct clock *clock;
    struct store store;
    struct auth *auth;
    struct service_group *group;
    struct arena *arena; // for the nodes of a group; reset when it is answered
    struct metrics *metrics;
    struct metrics_shard *shard; // this worker's own
    struct local_time zone;
    struct request_id_source random;
};

// Where one answer goes.
struct service_client {
    // Called once, when the answer begins: a response whose buffer is initialized and empty.
    struct http_response *(*open)(void *context);
    // Whether the client takes bytes right now; one that does not is answered after the others.
    bool (*is_ready)(void *context);
    // Called once, when the request is over and nothing of it is needed any more.
    void (*end)(void *context);
    void *context;
};

// Adds a request to the group, which has room for SERVICE_GROUP_MAX, and does all that needs no
// database. VARS is read during the call; what the values point to must stay until service_run.
void service_add(struct service *service, const struct http_var *vars, size_t count,
                 struct service_client client) __attribute__((nonnull(1)));

// The same for a request that the transport refused, with KIND.
void service_add_refused(struct service *service, enum error_kind kind,
                         struct service_client client) NONNULL;

// Answers all requests that were added, the smallest answers first. Never fails: whatever goes
// wrong is the answer.
void service_run(struct service *service) NONNULL;

// A group of one: answers into RESPONSE, whose buffer is initialized and empty.
void service_handle(struct service *service, const struct http_var *vars, size_t count,
                    struct http_response *response) __attribute__((nonnull(1, 4)));

#endif
