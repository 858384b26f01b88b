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

static const struct route routes[] = {
    {ROUTE_STATES, ACCESS_BOUND_APPLICATION,
     ROUTE_TAKES_SUBTASKS | ROUTE_TAKES_FAILED | ROUTE_TAKES_WAIT | ROUTE_TAKES_VERSION, true,
     STR("/get_task_states_by_app"), is_always_on},
    {ROUTE_HEALTHZ, ACCESS_ANYBODY, ROUTE_TAKES_NONE, false, STR("/healthz"), is_healthz_on},
    {ROUTE_READYZ, ACCESS_ANYBODY, ROUTE_TAKES_NONE, false, STR("/readyz"), is_readyz_on},
    {ROUTE_METRICS, ACCESS_STATUS_ADDRESS, ROUTE_TAKES_NONE, false, STR("/metrics"), is_metrics_on},
};

int64_t routes_parse_task_id(struct str digits)
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

static const struct route *find_by_path(struct str path, bool is_of_task)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (routes[i].is_of_task == is_of_task && str_equal(routes[i].path, path)) {
            return &routes[i];
        }
    }
    return NULL;
}

static int find_task_route(struct str path, struct route_match *match, struct error *err)
{
    const struct str rest = without_last_slash(str_skip(path, sizeof "/task/" - 1));
    const char *const slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
    const size_t id_len = slash == NULL ? rest.len : (size_t)(slash - rest.ptr);
    match->route = find_by_path(str_skip(rest, id_len), true);
    match->task_id = routes_parse_task_id((struct str){rest.ptr, id_len});
    return match->route != NULL && match->task_id != 0
               ? 0
               : error_set(err, ERR_TASK_ID, "no task id, or no such call");
}

int routes_find(const struct conf *conf, struct str path, struct route_match *match,
                struct error *err)
{
    *match = (struct route_match){.task_id = 0};
    if (path.len == 0) {
        return error_set(err, ERR_NO_PATH_INFO, "no PATH_INFO");
    }
    if (str_starts_with(path, STR("/task/"))) {
        return find_task_route(path, match, err);
    }
    match->route = find_by_path(without_last_slash(path), false);
    return match->route != NULL && match->route->is_on(conf)
               ? 0
               : error_set(err, ERR_UNKNOWN_PATH, "unknown path");
}
