// SPDX-License-Identifier: MIT
#include "states/admission_priv.h"

// ---- failed logins ----

// Only guesses count. A client that has proved a secret or a gateway's signature and fails later is
// not guessing, and must not lock out others at the same address.
static bool is_guess(enum error_kind kind)
{
    return kind == ERR_CREDENTIALS_WRONG || kind == ERR_TOKEN_REFUSED;
}

// Counts the failed login if it was a guess. Returns -1, so that the caller can return that.
static int refuse_login(struct exchange *exchange, struct str app_code)
{
    const struct service *const service = exchange->service;
    if (is_guess(exchange->err.kind)) {
        limiter_count_failure(service->limiter, exchange->address, app_code,
                              service->conf->auth.failure_limit, exchange->started_us);
    }
    return -1;
}

static int check_failures(struct exchange *exchange, struct str app_code)
{
    const struct service *const service = exchange->service;
    exchange->err.wait_s =
        limiter_wait_seconds(service->limiter, exchange->address, app_code,
                             service->conf->auth.failure_limit, exchange->started_us);
    return exchange->err.wait_s == 0
               ? 0
               : error_set(&exchange->err, ERR_TOO_MANY_FAILURES, "too many failed logins");
}

// ---- what needs no database ----

static struct auth_context auth_context(const struct exchange *exchange)
{
    const struct service *const service = exchange->service;
    return (struct auth_context){
        .auth = service->auth,
        .conf = service->conf,
        .gateways = service->gateways,
        .arena = exchange->arena,
        .now_us = exchange->now_us,
    };
}

// A token is good if it was when the request came: it must not be refused because of the wait.
static int64_t waited_us(const struct exchange *exchange)
{
    const int64_t since_us = exchange->client.waiting_since_us;
    return since_us == 0 ? 0 : exchange->started_us - since_us;
}

// Reads the credentials. An address that keeps failing is stopped before a signature or secret is
// checked; the application's code is known only after the credentials have been read.
static int read_credentials(struct exchange *exchange)
{
    struct credentials *const credentials = &exchange->credentials;
    if (check_failures(exchange, STR_ABSENT) != 0) {
        return -1;
    }
    struct auth_context context = auth_context(exchange);
    context.now_us -= waited_us(exchange);
    if (auth_read_credentials(&context, &exchange->request, credentials, &exchange->err) != 0) {
        return refuse_login(exchange, STR_ABSENT);
    }
    // The gateway has authenticated this application: somebody who guesses its secret must not lock
    // it out.
    return credentials->kind == CREDENTIALS_GATEWAY
               ? 0
               : check_failures(exchange, credentials->app_code);
}

static int check_method(struct exchange *exchange)
{
    const struct route *const route = exchange->match.route;
    return routes_allow(route, exchange->request.method)
               ? 0
               : error_set_subject(&exchange->err, ERR_METHOD, route->methods,
                                   "method not allowed");
}

static int check_access(struct exchange *exchange)
{
    switch (exchange->match.route->access) {
    case ACCESS_ANYBODY:
        return 0;
    case ACCESS_STATUS_ADDRESS:
        if (cidr_list_has(&exchange->service->conf->status.allow, exchange->address)) {
            return 0;
        }
        return error_set(&exchange->err, ERR_METRICS_CLOSED, "not an address of [status] allow");
    case ACCESS_BOUND_APPLICATION:
    case ACCESS_SPACE_APPLICATION:
        break;
    }
    return read_credentials(exchange);
}

// Whether the caller must be authenticated and authorized.
static bool needs_caller(const struct exchange *exchange)
{
    return exchange->match.route->access == ACCESS_BOUND_APPLICATION ||
           exchange->match.route->access == ACCESS_SPACE_APPLICATION;
}

static int read_parameters(struct exchange *exchange)
{
    if (parameters_read(exchange->match.route, exchange->request.query, exchange->arena,
                        &exchange->parameters, &exchange->err) != 0) {
        return -1;
    }
    if (exchange->parameters.wait_ms > 0 && exchange->client.park == NULL) {
        return error_set_subject(&exchange->err, ERR_BAD_REQUEST,
                                 STR("wait is not possible in plain CGI"),
                                 "wait: the client cannot be parked");
    }
    return 0;
}

// Reads which tasks a request for several tasks is about.
static int read_task_ids(struct exchange *exchange)
{
    const unsigned takes = exchange->match.route->parameters;
    const size_t max = (size_t)exchange->service->conf->response.max_tasks;
    struct task_ids ids;
    if ((takes & (ROUTE_TAKES_TASK_IDS | ROUTE_TAKES_BODY)) == 0) {
        return 0;
    }
    const int outcome =
        (takes & ROUTE_TAKES_BODY) != 0
            ? task_ids_read_body(&exchange->request, max, exchange->arena, &ids, &exchange->err)
            : task_ids_read_list(exchange->parameters.task_ids, max, exchange->arena, &ids,
                                 &exchange->err);
    if (outcome != 0) {
        return -1;
    }
    exchange->batch = batch_new(&ids, exchange->arena);
    return exchange->batch != NULL ? 0 : error_set(&exchange->err, ERR_NO_MEMORY, "batch");
}

int admission_read(struct exchange *exchange)
{
    if (routes_find(exchange->service->conf, exchange->request.path_info, &exchange->match,
                    &exchange->err) != 0) {
        return -1;
    }
    if (check_method(exchange) != 0 || check_access(exchange) != 0) {
        return -1;
    }
    return read_parameters(exchange) != 0 ? -1 : read_task_ids(exchange);
}

// ---- who is asking, and may they ----

static struct exchange_list find_waiting(struct service_group *group)
{
    struct exchange_list waiting = {.count = 0};
    for (size_t i = 0; i < group->count; i++) {
        struct exchange *const exchange = &group->exchanges[i];
        if (!exchange->has_failed && needs_caller(exchange)) {
            auth_fill_lookup(exchange->service->conf, &exchange->credentials, &exchange->lookup);
            exchange->lookup.task_id = exchange->match.task_id;
            exchange->lookup.space_id = exchange->match.space_id;
            exchange_list_add(&waiting, exchange);
        }
    }
    return waiting;
}

typedef int (*find_function)(void *store, struct lookup *const lookups[], size_t count,
                             struct error *err);

// Runs one of the store's lookups for all requests of the list, which fail together.
static void find(struct service *service, find_function function, const struct exchange_list *list)
{
    struct lookup *lookups[SERVICE_GROUP_MAX];
    struct error err = {0};
    for (size_t i = 0; i < list->count; i++) {
        lookups[i] = &list->items[i]->lookup;
    }
    const int64_t before_us = clock_monotonic_us();
    if (list->count > 0 && function(service->store.context, lookups, list->count, &err) != 0) {
        exchange_list_fail(list, &err);
    }
    exchange_list_waited(list, before_us);
}

// Skips callers that a gateway has authenticated: they have nothing to look up.
static void find_callers(struct service *service, const struct exchange_list *waiting)
{
    struct exchange_list direct = {.count = 0};
    for (size_t i = 0; i < waiting->count; i++) {
        if (!str_is_absent(waiting->items[i]->lookup.app_code)) {
            exchange_list_add(&direct, waiting->items[i]);
        }
    }
    find(service, service->store.ops->find_callers, &direct);
}

static int authenticate_exchange(struct exchange *exchange)
{
    const struct auth_context context = auth_context(exchange);
    if (authenticate(&context, &exchange->credentials, &exchange->lookup.result, &exchange->caller,
                     &exchange->err) != 0) {
        return refuse_login(exchange, exchange->credentials.app_code);
    }
    return 0;
}

// ---- spaces ----

static bool is_of_space(const struct exchange *exchange)
{
    return exchange->match.route->access == ACCESS_SPACE_APPLICATION;
}

// The tasks of a batch are looked up when it is its turn.
static bool is_of_space_task(const struct exchange *exchange)
{
    return exchange->batch == NULL && is_of_space(exchange);
}

static bool is_of_bound_task(const struct exchange *exchange)
{
    return exchange->batch == NULL && !is_of_space(exchange);
}

static struct exchange_list select(const struct exchange_list *list,
                                   bool (*is_selected)(const struct exchange *exchange))
{
    struct exchange_list selected = {.count = 0};
    for (size_t i = 0; i < list->count; i++) {
        if (is_selected(list->items[i])) {
            exchange_list_add(&selected, list->items[i]);
        }
    }
    return selected;
}

static int authorize_space_exchange(struct exchange *exchange)
{
    return authorize_space(exchange->caller, &exchange->lookup.result.space,
                           exchange->match.space_id, exchange->arena, &exchange->space_permit,
                           &exchange->err);
}

// A task is looked up only for a caller who may see the space.
static void authorize_spaces(struct service *service, struct exchange_list *waiting)
{
    struct exchange_list of_space = select(waiting, is_of_space);
    find(service, service->store.ops->find_spaces, &of_space);
    exchange_list_drop_failed(&of_space);
    exchange_list_pass(&of_space, authorize_space_exchange);
    exchange_list_drop_failed(waiting);
}

// ---- tasks ----

static int authorize_exchange(struct exchange *exchange)
{
    if (exchange->batch != NULL) {
        return 0;
    }
    return is_of_space(exchange)
               ? authorize_in_space(exchange->space_permit, &exchange->lookup.result.task,
                                    exchange->match.task_id, exchange->arena, &exchange->permit,
                                    &exchange->err)
               : authorize(exchange->caller, &exchange->lookup.result, exchange->match.task_id,
                           exchange->arena, &exchange->permit, &exchange->err);
}

static void authorize_tasks(struct service *service, struct exchange_list *waiting)
{
    const struct exchange_list of_space = select(waiting, is_of_space_task);
    const struct exchange_list of_applications = select(waiting, is_of_bound_task);
    find(service, service->store.ops->find_tasks, &of_applications);
    find(service, service->store.ops->find_only_tasks, &of_space);
    exchange_list_drop_failed(waiting);
    exchange_list_pass(waiting, authorize_exchange);
}

// A task is looked up only for an authenticated caller, and nodes are read only with a permit.
struct exchange_list admission_run(struct service *service)
{
    struct exchange_list waiting = find_waiting(service->group);
    find_callers(service, &waiting);
    exchange_list_drop_failed(&waiting);
    exchange_list_pass(&waiting, authenticate_exchange);
    authorize_spaces(service, &waiting);
    authorize_tasks(service, &waiting);
    return waiting;
}
