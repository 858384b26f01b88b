// SPDX-License-Identifier: MIT
// routes: the table of routes with the access that each demands, and the way from a path to its
// route.
#ifndef BKFLOW_STATES_ROUTES_H
#define BKFLOW_STATES_ROUTES_H

#include "base/base.h"
#include "base/error.h"
#include "conf/conf.h"

enum route_id { ROUTE_STATES, ROUTE_HEALTHZ, ROUTE_READYZ, ROUTE_METRICS };

enum route_access {
    ACCESS_ANYBODY,
    ACCESS_STATUS_ADDRESS,    // only addresses of [status] allow
    ACCESS_BOUND_APPLICATION, // a caller whose application the task in the path is bound to
};

struct route {
    enum route_id id;
    enum route_access access;
    bool is_of_task;
    struct str path; // complete, or for a task's route what follows its id
    bool (*is_on)(const struct conf *conf);
};

struct route_match {
    const struct route *route;
    int64_t task_id; // 0: none in the path
};

// Finds the route of PATH, with or without a slash at its end. Everything below /task/ is either a
// route with a good task id or 400; anything else that is unknown or switched off is 404.
int routes_find(const struct conf *conf, struct str path, struct route_match *match,
                struct error *err) MUST_CHECK NONNULL;

// ASCII digits, 1 to INT64_MAX; leading zeros are accepted. 0: it is no task id.
int64_t routes_parse_task_id(struct str digits) MUST_CHECK;

#endif
