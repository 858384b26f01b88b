// SPDX-License-Identifier: MIT
#include "states/routes.h"

static bool is_always_on(const struct conf *conf)
{
    (void)conf;
    return true;
}

static bool is_healthz_on(const struct conf *conf)
{
    return conf->status.healthz;
}

static bool is_readyz_on(const struct conf *conf)
{
    return conf->status.readyz;
}

static bool is_metrics_on(const struct conf *conf)
{
    return conf->status.metrics;
}

enum {
    // What a route for one task takes.
    TAKES_ALL = ROUTE_TAKES_SUBTASKS | ROUTE_TAKES_FAILED | ROUTE_TAKES_WAIT | ROUTE_TAKES_VERSION,
    TAKES_BATCH = ROUTE_TAKES_TASK_IDS | ROUTE_TAKES_NODES | ROUTE_TAKES_WAIT | ROUTE_TAKES_VERSION,
};

static const struct route routes[] = {
    {ROUTE_STATES, ACCESS_BOUND_APPLICATION, TAKES_ALL, ROUTES_GET,
     STR("/task/{task_id}/get_task_states_by_app"), is_always_on},
    {ROUTE_SPACE_STATES, ACCESS_SPACE_APPLICATION, TAKES_ALL, ROUTES_GET,
     STR("/space/{space_id}/task/{task_id}/get_task_states"), is_always_on},
    {ROUTE_BATCH, ACCESS_BOUND_APPLICATION, TAKES_BATCH, ROUTES_GET,
     STR("/get_tasks_states_by_app"), is_always_on},
    {ROUTE_SPACE_BATCH, ACCESS_SPACE_APPLICATION, ROUTE_TAKES_BODY, ROUTES_POST,
     STR("/space/{space_id}/get_tasks_states"), is_always_on},
    {ROUTE_HEALTHZ, ACCESS_ANYBODY, ROUTE_TAKES_NONE, ROUTES_GET, STR("/healthz"), is_healthz_on},
    {ROUTE_READYZ, ACCESS_ANYBODY, ROUTE_TAKES_NONE, ROUTES_GET, STR("/readyz"), is_readyz_on},
    {ROUTE_METRICS, ACCESS_STATUS_ADDRESS, ROUTE_TAKES_NONE, ROUTES_GET, STR("/metrics"),
     is_metrics_on},
};

int64_t routes_parse_id(struct str digits)
{
    int64_t id = 0;
    for (size_t i = 0; i < digits.len; i++) {
        const char c = digits.ptr[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(id, 10, &id) ||
            __builtin_add_overflow(id, c - '0', &id)) {
            return 0;
        }
    }
    return id;
}

static struct str without_last_slash(struct str path)
{
    return path.len > 1 && path.ptr[path.len - 1] == '/' ? (struct str){path.ptr, path.len - 1}
                                                         : path;
}

// Matches one part of the path. If the pattern has an id there, sets the id.
static bool match_part(struct str pattern, struct str part, struct route_match *match)
{
    if (str_equal(pattern, STR("{task_id}"))) {
        match->task_id = routes_parse_id(part);
        return match->task_id != 0;
    }
    if (str_equal(pattern, STR("{space_id}"))) {
        match->space_id = routes_parse_id(part);
        return match->space_id != 0;
    }
    return str_equal(pattern, part);
}

static bool match_route(const struct route *route, struct str path, struct route_match *match)
{
    struct str pattern = route->pattern;
    *match = (struct route_match){.route = route};
    while (!str_is_absent(pattern) && !str_is_absent(path)) {
        if (!match_part(str_cut(&pattern, '/'), str_cut(&path, '/'), match)) {
            return false;
        }
    }
    return str_is_absent(pattern) && str_is_absent(path);
}

static int refuse_path(struct str path, struct error *err)
{
    if (str_starts_with(path, STR("/task/"))) {
        return error_set(err, ERR_TASK_ID, "no task id, or no such call");
    }
    if (str_starts_with(path, STR("/space/"))) {
        return error_set(err, ERR_SPACE_PATH, "no space or task id, or no such call");
    }
    return error_set(err, ERR_UNKNOWN_PATH, "unknown path");
}

int routes_find(const struct conf *conf, struct str path, struct route_match *match,
                struct error *err)
{
    if (path.len == 0) {
        *match = (struct route_match){.route = NULL};
        return error_set(err, ERR_NO_PATH_INFO, "no PATH_INFO");
    }
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (match_route(&routes[i], without_last_slash(path), match) && match->route->is_on(conf)) {
            return 0;
        }
    }
    *match = (struct route_match){.route = NULL};
    return refuse_path(path, err);
}

bool routes_allow(const struct route *route, struct str method)
{
    struct str allowed = route->methods;
    while (!str_is_absent(allowed)) {
        if (str_equal(str_trim(str_cut(&allowed, ',')), method)) {
            return true;
        }
    }
    return false;
}
