// SPDX-License-Identifier: MIT
// service: answers requests, in groups. Each request is authenticated and authorized separately; a
// group only shares the database statements.
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

// Return the arena sizes for requests of up to REQUEST_BYTES, and for tasks of up to MAX_NODES
// nodes.
size_t service_request_arena_bytes(size_t request_bytes) MUST_CHECK;
size_t service_node_arena_bytes(size_t max_nodes) MUST_CHECK;

// Each request has its own arena of at most ARENA_BYTES. NULL if out of memory.
struct service_group *service_group_new(size_t arena_bytes) MUST_CHECK;
void service_group_free(struct service_group *group);

// Whether all requests have been answered and their memory released.
bool service_group_is_empty(const struct service_group *group) MUST_CHECK NONNULL;

// The service of one worker, used by one thread. All members are borrowed and set before the first
// request. CONF and GATEWAYS may be replaced between groups.
struct service {
    const struct conf *conf;
    const struct gateways *gateways; // of CONF
    struct limiter *limiter;         // shared with the other workers
    struct refusals *refusals;       // shared with the other workers
    const struct clock *clock;
    struct store store;
    struct auth *auth;
    struct service_group *group;
    struct arena *arena; // for the nodes of a group; reset when the group has been answered
    struct metrics *metrics;
    struct metrics_shard *shard; // this worker's own
    struct local_time local_time;
    struct request_id_source random;
};

// A request that waits until the states of its tasks change.
struct service_parking {
    const struct str *roots; // the tasks' root nodes
    size_t root_count;
    bool has_failed;     // the tasks could not be read now: the roots are those of before
    struct str app_code; // of the caller
    int64_t until_us;    // monotonic; end of the wait
    int64_t read_us;     // monotonic; the tasks' rows were read after this time
    int64_t reread_us;   // look again after this time even without a change; 0: no need to
};

// The client of one request.
struct service_client {
    // Called once when the answer begins. Returns a response with an initialized, empty buffer.
    struct http_response *(*open)(void *context);
    // Whether the client can take bytes now. Clients that cannot are answered last.
    bool (*is_ready)(void *context);
    // Called once when the request is finished and nothing of it is needed any more.
    void (*end)(void *context);
    void *context;
    // Called instead of the others if the states are still those that the client has. Returns
    // whether the request waits; it must then be added again when the wait is over. If it returns
    // false, the request is answered at once. Everything passed is valid during the call. NULL:
    // this client cannot wait.
    bool (*park)(void *context, const struct service_parking *parking);
    // Of a request that was parked before, monotonic: when it was first, and the end of its wait.
    // Else 0.
    int64_t waiting_since_us;
    int64_t waiting_until_us;
};

// Adds a request to the group, which has room for SERVICE_GROUP_MAX, and does everything that needs
// no database. VARS is only read during the call; the strings, and BODY, must stay until
// service_run returns.
void service_add(struct service *service, const struct http_var *vars, size_t count,
                 struct str body, struct service_client client) __attribute__((nonnull(1)));

// The same for a request that the transport refused with KIND.
void service_add_refused(struct service *service, enum error_kind kind,
                         struct service_client client) NONNULL;

// Answers all requests of the group, the smallest answers first. Cannot fail: every failure is an
// answer.
void service_run(struct service *service) NONNULL;

// Answers a single request into RESPONSE, whose buffer is initialized and empty.
void service_handle(struct service *service, const struct http_var *vars, size_t count,
                    struct str body, struct http_response *response) __attribute__((nonnull(1, 5)));

// The same for a request that the transport refused with KIND.
void service_handle_refused(struct service *service, enum error_kind kind,
                            struct http_response *response) NONNULL;

#endif
