// SPDX-License-Identifier: MIT
// exchange: the state of one request until it is answered, and the group that it belongs to.
// Private to this directory.
#ifndef BKFLOW_STATES_EXCHANGE_PRIV_H
#define BKFLOW_STATES_EXCHANGE_PRIV_H

#include "auth/authenticate.h"
#include "auth/authorize.h"
#include "base/arena.h"
#include "base/error.h"
#include "http/http.h"
#include "http/request_id.h"
#include "states/batch_priv.h"
#include "states/parameters_priv.h"
#include "states/routes.h"
#include "states/service.h"
#include "states/tree.h"

struct exchange {
    struct service *service;
    struct service_client client;
    struct arena *arena; // this request's own; reset at its end
    struct http_request request;
    struct cidr_address address; // of the client
    struct error err;
    bool has_failed; // ERR is the answer
    enum lang lang;
    char random_id[REQUEST_ID_RANDOM_BYTES];
    struct request_ids ids; // strings in REQUEST or RANDOM_ID
    int64_t started_us;     // monotonic
    int64_t now_us;         // wall clock, read once
    int64_t database_us;    // time spent waiting for the store
    struct route_match match;
    struct parameters parameters;
    struct credentials credentials;
    struct lookup lookup;
    const struct caller *caller;             // NULL: not authenticated
    const struct space_permit *space_permit; // NULL: not authorized, or no call of a space
    const struct permit *permit;             // NULL: not authorized
    struct batch *batch;                     // NULL: not a request for several tasks
    struct node_query *query;                // its task's nodes; NULL: none are read
    size_t subtask_rows;                     // nodes read in addition to those of QUERY
    const struct str *roots;                 // of the tasks that are shown; NULL: the permit's
    size_t root_count;
    struct tree *tree;              // of QUERY; other requests of the group may share it
    struct tree own_tree;           // for a task without nodes
    struct http_response *response; // set when the answer begins
    int outcome;                    // METRICS_*
};

struct service_group {
    struct exchange exchanges[SERVICE_GROUP_MAX];
    struct arena *arenas[SERVICE_GROUP_MAX]; // one for each exchange
    size_t count;
    // One for each task with nodes; another one if its subtasks are asked for.
    struct node_query queries[SERVICE_GROUP_MAX];
    struct tree trees[SERVICE_GROUP_MAX]; // one for each query
    bool is_built[SERVICE_GROUP_MAX];     // whether the tree is
    size_t query_count;
};

// Some of a group's exchanges.
struct exchange_list {
    struct exchange *items[SERVICE_GROUP_MAX];
    size_t count;
};

static inline void exchange_list_add(struct exchange_list *list, struct exchange *exchange)
{
    list->items[list->count++] = exchange;
}

static inline void exchange_list_drop_failed(struct exchange_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i]->has_failed) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

// Runs STEP on each exchange of the list, and removes those that fail.
static inline void exchange_list_pass(struct exchange_list *list,
                                      int (*step)(struct exchange *exchange))
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i]->has_failed = step(list->items[i]) != 0;
    }
    exchange_list_drop_failed(list);
}

// Makes all exchanges of the list fail with ERR.
static inline void exchange_list_fail(const struct exchange_list *list, const struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i]->err = *err;
        list->items[i]->has_failed = true;
    }
}

// Adds the time since SINCE_US (monotonic) to the database time of all exchanges of the list.
static inline void exchange_list_waited(const struct exchange_list *list, int64_t since_us)
{
    const int64_t passed_us = clock_monotonic_us() - since_us;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i]->database_us += passed_us;
    }
}

#endif
