// SPDX-License-Identifier: MIT
// routes: the table of routes with the access that each requires, and finding the route of a path.
#ifndef BKFLOW_STATES_ROUTES_H
#define BKFLOW_STATES_ROUTES_H

#include "base/base.h"
#include "base/error.h"
#include "conf/conf.h"

enum route_id {
    ROUTE_STATES,
    ROUTE_SPACE_STATES,
    ROUTE_BATCH,
    ROUTE_SPACE_BATCH,
    ROUTE_HEALTHZ,
    ROUTE_READYZ,
    ROUTE_METRICS
};

enum route_access {
    ACCESS_ANYBODY,
    ACCESS_STATUS_ADDRESS,    // only for addresses in [status] allow
    ACCESS_BOUND_APPLICATION, // only for callers whose application the task is bound to
    ACCESS_SPACE_APPLICATION, // only for callers whose application the path's space belongs to
};

// The parameters of the query string that a route takes.
enum route_parameter {
    ROUTE_TAKES_NONE = 0,
    ROUTE_TAKES_SUBTASKS = 1,
    ROUTE_TAKES_WAIT = 2, // the answer may wait for a change
    ROUTE_TAKES_VERSION = 4,
    ROUTE_TAKES_FAILED = 8,
    ROUTE_TAKES_TASK_IDS = 16, // the answer is for several tasks; they must be given
    ROUTE_TAKES_NODES = 32,
    ROUTE_TAKES_BODY = 64, // the answer is for several tasks; they must be given in the body
};

#define ROUTES_GET  STR("GET, HEAD")
#define ROUTES_POST STR("POST")

struct route {
    enum route_id id;
    enum route_access access;
    unsigned parameters; // ROUTE_TAKES_*
    struct str methods;  // as in the header Allow
    struct str pattern;  // the path; {task_id} and {space_id} stand for ids
    bool (*is_on)(const struct conf *conf);
};

struct route_match {
    const struct route *route;
    int64_t task_id;  // 0: none in the path
    int64_t space_id; // the same
};

// Finds the route of PATH, with or without a trailing slash. Below /task/ and /space/ anything but
// a route with valid ids is 400; any other path that is unknown or disabled is 404.
int routes_find(const struct conf *conf, struct str path, struct route_match *match,
                struct error *err) MUST_CHECK NONNULL;

// Whether the route allows METHOD.
bool routes_allow(const struct route *route, struct str method) MUST_CHECK NONNULL;

// Parses an id: ASCII digits, 1 to INT64_MAX, leading zeros allowed. 0 if it is invalid.
int64_t routes_parse_id(struct str digits) MUST_CHECK;

#endif
