// SPDX-License-Identifier: MIT
// routes: the table of routes with the access that each requires, and finding the route of a path.
#ifndef BKFLOW_STATES_ROUTES_H
#define BKFLOW_STATES_ROUTES_H

#include "base/base.h"
#include "base/error.h"
#include "conf/conf.h"

enum route_id { ROUTE_STATES, ROUTE_HEALTHZ, ROUTE_READYZ, ROUTE_METRICS };

enum route_access {
    ACCESS_ANYBODY,
    ACCESS_STATUS_ADDRESS,    // only for addresses in [status] allow
    ACCESS_BOUND_APPLICATION, // only for callers whose application the path's task is bound to
};

// The parameters of the query string that a route takes.
enum route_parameter {
    ROUTE_TAKES_NONE = 0,
    ROUTE_TAKES_SUBTASKS = 1,
    ROUTE_TAKES_WAIT = 2, // the answer may wait for a change
    ROUTE_TAKES_VERSION = 4,
    ROUTE_TAKES_FAILED = 8,
};

struct route {
    enum route_id id;
    enum route_access access;
    unsigned parameters; // ROUTE_TAKES_*
    bool is_of_task;
    struct str path; // complete; for a task's route, what follows the id
    bool (*is_on)(const struct conf *conf);
};

struct route_match {
    const struct route *route;
    int64_t task_id; // 0: none in the path
};

// Finds the route of PATH, with or without a trailing slash. Below /task/ anything but a route with
// a valid task id is 400; any other path that is unknown or disabled is 404.
int routes_find(const struct conf *conf, struct str path, struct route_match *match,
                struct error *err) MUST_CHECK NONNULL;

// Parses a task id: ASCII digits, 1 to INT64_MAX, leading zeros allowed. 0 if it is invalid.
int64_t routes_parse_task_id(struct str digits) MUST_CHECK;

#endif
