// SPDX-License-Identifier: MIT
#include "states/service.h"

#include "auth/authorize.h"
#include "base/json_write.h"
#include "base/log.h"
#include "states/tree.h"

#include <stdio.h>
#include <strings.h>

enum { MESSAGE_MAX = 4096 };

// One request on its way to its answer.
struct exchange {
    struct service *service;
    struct http_request request;
    struct cidr_address client;
    struct http_response *response;
    struct error err;
    enum lang lang;
    char trace_bytes[REQUEST_ID_RANDOM_BYTES];
    struct str trace_id;
    int64_t started_us;  // monotonic
    int64_t now_us;      // wall clock, by which credentials are judged
    int64_t database_us; // time spent waiting for the store
    int64_t task_id;
    const struct caller *caller;
    const struct permit *permit; // set before the handler of a route that demands it
    size_t rows;
    int outcome; // METRICS_*
};

// ---- the language ----

static bool is_chinese(struct str language)
{
    return (language.len == 5 && strncasecmp(language.ptr, "zh-cn", 5) == 0) ||
           (language.len == 7 && strncasecmp(language.ptr, "zh-hans", 7) == 0);
}

static enum lang choose_language(const struct exchange *exchange)
{
    struct str language = exchange->request.language;
    if (str_is_absent(language)) {
        language = http_cookie(exchange->request.cookie, STR("blueking_language"));
    }
    if (is_chinese(language)) {
        return LANG_ZH;
    }
    const bool is_english = language.len == 2 && strncasecmp(language.ptr, "en", 2) == 0;
    return is_english ? LANG_EN : exchange->service->conf->response.language;
}

// ---- answers ----

static void begin_answer(struct exchange *exchange, int status, struct str content_type)
{
    http_begin(exchange->response, status);
    if (status != 304) {
        http_header(exchange->response, "Content-Type", content_type);
    }
    http_header(exchange->response, "Cache-Control", STR("no-cache"));
    http_header(exchange->response, "X-Content-Type-Options", STR("nosniff"));
    http_header(exchange->response, "X-Request-Id", exchange->trace_id);
}

static void begin_json(struct exchange *exchange, int status)
{
    begin_answer(exchange, status, STR("application/json"));
}

static void write_error_body(struct exchange *exchange, struct outbuf *out)
{
    char text[MESSAGE_MAX];
    struct json_writer json;
    json_write_init(&json, out);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "result");
    json_write_bool(&json, false);
    JSON_WRITE_KEY(&json, "message");
    json_write_string(&json, error_message(&exchange->err, exchange->lang, text, sizeof text));
    JSON_WRITE_KEY(&json, "code");
    json_write_number(&json, error_code(exchange->err.kind));
    JSON_WRITE_KEY(&json, "data");
    json_write_null(&json);
    JSON_WRITE_KEY(&json, "trace_id");
    json_write_string(&json, exchange->trace_id);
    json_write_close(&json);
}

static void put_number_header(struct exchange *exchange, const char *name, unsigned number)
{
    char text[16];
    const int len = snprintf(text, sizeof text, "%u", number);
    http_header(exchange->response, name, (struct str){text, (size_t)len});
}

static void answer_error(struct exchange *exchange)
{
    const enum error_kind kind = exchange->err.kind;
    exchange->outcome = METRICS_FAILED + (int)kind;
    begin_json(exchange, error_status(kind));
    if (error_retry_after(&exchange->err) > 0) {
        put_number_header(exchange, "Retry-After", error_retry_after(&exchange->err));
    }
    if (kind == ERR_METHOD) {
        http_header(exchange->response, "Allow", STR("GET, HEAD"));
    }
    if (error_status(kind) == 401) {
        http_header(exchange->response, "WWW-Authenticate",
                    STR("Bkapi realm=\"bkflow-states\"")); // RFC 9110, 11.6.1
    }
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_error_body(exchange, body);
    }
}

// The envelope up to the value of "data", and from there.
static void open_envelope(struct json_writer *json)
{
    json_write_open(json);
    JSON_WRITE_KEY(json, "result");
    json_write_bool(json, true);
    JSON_WRITE_KEY(json, "data");
}

static void close_envelope(struct json_writer *json, struct str trace_id)
{
    JSON_WRITE_KEY(json, "message");
    json_write_string(json, STR(""));
    JSON_WRITE_KEY(json, "code");
    json_write_number(json, 0);
    JSON_WRITE_KEY(json, "trace_id");
    json_write_string(json, trace_id);
    json_write_close(json);
}

// ---- handlers: -1 with the error set as long as no byte is written, else 0 ----

static int answer_status(struct exchange *exchange, struct str status)
{
    begin_json(exchange, 200);
    struct outbuf *const body = http_body(exchange->response);
    if (body == NULL) {
        return 0;
    }
    struct json_writer json;
    json_write_init(&json, body);
    open_envelope(&json);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "status");
    json_write_string(&json, status);
    json_write_close(&json);
    close_envelope(&json, exchange->trace_id);
    return 0;
}

static int handle_healthz(struct exchange *exchange)
{
    return answer_status(exchange, STR("alive"));
}

static int handle_readyz(struct exchange *exchange)
{
    const struct store *const store = &exchange->service->store;
    if (store->ops->ping(store->context, &exchange->err) != 0) {
        return -1;
    }
    return answer_status(exchange, STR("ready"));
}

static int handle_metrics(struct exchange *exchange)
{
    begin_answer(exchange, 200, STR("text/plain; version=0.0.4; charset=utf-8"));
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        metrics_write(exchange->service->metrics, body);
    }
    return 0;
}

static int load_tree(struct exchange *exchange, int64_t now_us, struct tree *tree)
{
    struct service *const service = exchange->service;
    struct node_list nodes;
    const int64_t before_us = clock_monotonic_us();
    const int loaded = service->store.ops->load_nodes(service->store.context, exchange->permit,
                                                      (size_t)service->conf->response.max_nodes,
                                                      service->arena, &nodes, &exchange->err);
    exchange->database_us += clock_monotonic_us() - before_us;
    if (loaded != 0) {
        return -1;
    }
    exchange->rows = nodes.count;
    metrics_add(&service->shard->rows, nodes.count);
    return tree_build(tree, &nodes, permit_root_id(exchange->permit), now_us,
                      request_id_random(&service->random), service->arena, &exchange->err);
}

static int make_tree(struct exchange *exchange, struct tree *tree)
{
    switch (permit_kind(exchange->permit)) {
    case PERMIT_NOT_STARTED:
        tree_of_kind(tree, TREE_NOT_STARTED);
        return 0;
    case PERMIT_EXPIRED:
        tree_of_kind(tree, TREE_EXPIRED);
        return 0;
    case PERMIT_STARTED:
        break;
    }
    return load_tree(exchange, exchange->service->clock->wall_us(), tree);
}

static void write_states_body(struct exchange *exchange, const struct tree *tree,
                              struct outbuf *out)
{
    struct json_writer json;
    json_write_init(&json, out);
    open_envelope(&json);
    tree_write(tree, &exchange->service->zone, &json);
    close_envelope(&json, exchange->trace_id);
    if (!json_write_is_whole(&json)) {
        LOG_EVENT(LOG_LEVEL_ERROR, "the answer is not whole JSON: a defect, please report it",
                  LOG_TEXT("trace_id", exchange->trace_id),
                  LOG_NUMBER("task_id", exchange->task_id));
    }
}

static int handle_states(struct exchange *exchange)
{
    struct tree tree;
    char tag_text[TREE_TAG_BYTES];
    if (make_tree(exchange, &tree) != 0) {
        return -1;
    }
    const struct str tag = tree_tag(&tree, exchange->service->conf->response.timezone, tag_text);
    const bool is_known = http_tag_matches(exchange->request.if_none_match, tag);
    exchange->outcome = is_known ? METRICS_NOT_MODIFIED : METRICS_OK;
    // From here on only a vanished client can stop the answer.
    begin_json(exchange, is_known ? 304 : 200);
    http_header(exchange->response, "ETag", tag);
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_states_body(exchange, &tree, body);
    }
    return 0;
}

// ---- routes ----

enum access {
    ACCESS_ANYBODY,
    ACCESS_STATUS_ADDRESS,    // only addresses of [status] allow
    ACCESS_BOUND_APPLICATION, // a caller whose application the task in the path is bound to
};

struct route {
    struct str path; // whole, or for a task's route what stands behind its id
    bool is_of_task;
    enum access access;
    size_t is_on; // the bool in struct conf that switches it; ALWAYS_ON without one
    int (*handle)(struct exchange *exchange);
};

#define ALWAYS_ON SIZE_MAX

static const struct route routes[] = {
    {STR("/get_task_states_by_app"), true, ACCESS_BOUND_APPLICATION, ALWAYS_ON, handle_states},
    {STR("/healthz"), false, ACCESS_ANYBODY, offsetof(struct conf, status.healthz), handle_healthz},
    {STR("/readyz"), false, ACCESS_ANYBODY, offsetof(struct conf, status.readyz), handle_readyz},
    {STR("/metrics"), false, ACCESS_STATUS_ADDRESS, offsetof(struct conf, status.metrics),
     handle_metrics},
};

// ASCII digits, 1 to INT64_MAX; leading zeros don't matter. 0 when it is no task id.
static int64_t parse_task_id(struct str digits)
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

static const struct route *find_route(struct str path, bool is_of_task)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (routes[i].is_of_task == is_of_task && str_equal(routes[i].path, path)) {
            return &routes[i];
        }
    }
    return NULL;
}

// Everything under /task/ is either a route with a good task id or 400.
static const struct route *find_task_route(struct exchange *exchange, struct str path)
{
    const struct str rest = without_last_slash(str_skip(path, sizeof "/task/" - 1));
    const char *const slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
    const size_t id_len = slash == NULL ? rest.len : (size_t)(slash - rest.ptr);
    const struct route *const route = find_route(str_skip(rest, id_len), true);
    exchange->task_id = parse_task_id((struct str){rest.ptr, id_len});
    if (route == NULL || exchange->task_id == 0) {
        error_record(&exchange->err, ERR_TASK_ID, "no task id, or no such call");
        return NULL;
    }
    return route;
}

static bool is_switched_on(const struct route *route, const struct conf *conf)
{
    return route->is_on == ALWAYS_ON || *(const bool *)((const char *)conf + route->is_on);
}

// The route of the request, or NULL with the error set.
static const struct route *choose_route(struct exchange *exchange)
{
    const struct str path = exchange->request.path_info;
    if (path.len == 0) {
        error_record(&exchange->err, ERR_NO_PATH_INFO, "no PATH_INFO");
        return NULL;
    }
    if (str_starts_with(path, STR("/task/"))) {
        return find_task_route(exchange, path);
    }
    const struct route *const route = find_route(without_last_slash(path), false);
    if (route == NULL || !is_switched_on(route, exchange->service->conf)) {
        error_record(&exchange->err, ERR_UNKNOWN_PATH, "unknown path");
        return NULL;
    }
    return route;
}

static int check_method(struct exchange *exchange)
{
    const struct str method = exchange->request.method;
    if (str_equal(method, STR("GET")) || str_equal(method, STR("HEAD"))) {
        return 0;
    }
    return error_set(&exchange->err, ERR_METHOD, "method not allowed");
}

// Only guesses count: whoever has proved a secret or a gateway's signature and fails later does not
// guess, and must not lock out those who share the address.
static bool is_guess(enum error_kind kind)
{
    return kind == ERR_CREDENTIALS_WRONG || kind == ERR_TOKEN_REFUSED;
}

// Counts a login that was a guess; -1, for the caller to return.
static int refuse_login(struct exchange *exchange, struct str app_code)
{
    const struct service *const service = exchange->service;
    if (is_guess(exchange->err.kind)) {
        limiter_count_failure(service->limiter, exchange->client, app_code,
                              service->conf->auth.failure_limit, exchange->started_us);
    }
    return -1;
}

static int check_failures(struct exchange *exchange, struct str app_code)
{
    const struct service *const service = exchange->service;
    exchange->err.wait_s =
        limiter_wait_seconds(service->limiter, exchange->client, app_code,
                             service->conf->auth.failure_limit, exchange->started_us);
    return exchange->err.wait_s == 0
               ? 0
               : error_set(&exchange->err, ERR_TOO_MANY_FAILURES, "too many failed logins");
}

// Reads who the request says is asking. An address that keeps failing is stopped before a signature
// or a secret costs anything; an application's code is known only once the credentials is read.
static int read_credentials(struct exchange *exchange, struct credentials *credentials)
{
    struct service *const service = exchange->service;
    if (check_failures(exchange, STR_ABSENT) != 0) {
        return -1;
    }
    if (auth_read_credentials(service->auth, service->conf, service->gateways, &exchange->request,
                              exchange->now_us, service->arena, credentials, &exchange->err) != 0) {
        return refuse_login(exchange, STR_ABSENT);
    }
    // A gateway has let this application in: whoever guesses at its secret must not keep it out.
    return credentials->way == CREDENTIALS_GATEWAY
               ? 0
               : check_failures(exchange, credentials->app_code);
}

static int look_up(struct exchange *exchange, const struct credentials *credentials,
                   struct lookup_result *result)
{
    struct service *const service = exchange->service;
    struct lookup lookup;
    if (auth_fill_lookup(service->auth, service->conf, credentials, service->arena, &lookup,
                         &exchange->err) != 0) {
        return -1;
    }
    lookup.task_id = exchange->task_id;
    lookup.now_us = exchange->now_us;
    const int64_t before_us = clock_monotonic_us();
    const int looked_up = service->store.ops->look_up(service->store.context, &lookup,
                                                      service->arena, result, &exchange->err);
    exchange->database_us += clock_monotonic_us() - before_us;
    return looked_up;
}

// Who is asking, and may they see this task? Leaves the proof in the exchange.
static int admit_application(struct exchange *exchange)
{
    struct service *const service = exchange->service;
    struct credentials credentials;
    struct lookup_result result;
    if (read_credentials(exchange, &credentials) != 0 ||
        look_up(exchange, &credentials, &result) != 0) {
        return -1;
    }
    if (authenticate(service->auth, service->conf, &credentials, &result, exchange->now_us,
                     service->arena, &exchange->caller, &exchange->err) != 0) {
        return refuse_login(exchange, credentials.app_code);
    }
    return authorize(exchange->caller, &result, exchange->task_id, service->arena,
                     &exchange->permit, &exchange->err);
}

static int admit(struct exchange *exchange, const struct route *route)
{
    switch (route->access) {
    case ACCESS_ANYBODY:
        return 0;
    case ACCESS_STATUS_ADDRESS:
        if (cidr_list_has(&exchange->service->conf->status.allow, exchange->client)) {
            return 0;
        }
        return error_set(&exchange->err, ERR_METRICS_CLOSED, "not an address of [status] allow");
    case ACCESS_BOUND_APPLICATION:
        break;
    }
    return admit_application(exchange);
}

static int dispatch(struct exchange *exchange)
{
    const struct route *const route = choose_route(exchange);
    if (route == NULL || check_method(exchange) != 0 || admit(exchange, route) != 0) {
        return -1;
    }
    return route->handle(exchange);
}

// ---- the frame of every request ----

static void begin_exchange(struct exchange *exchange)
{
    exchange->started_us = clock_monotonic_us();
    exchange->now_us = exchange->service->clock->wall_us();
    exchange->lang = choose_language(exchange);
    exchange->client =
        http_client_address(&exchange->request, &exchange->service->conf->server.trusted_proxies);
    exchange->trace_id =
        request_id_choose(&exchange->request, &exchange->service->random, exchange->trace_bytes);
    exchange->response->is_head_only = str_equal(exchange->request.method, STR("HEAD"));
    atomic_store_explicit(&exchange->service->shard->busy, true, memory_order_relaxed);
}

// A fault of ours or the database's is an event of its own. An outage is reported where it is
// noticed, once, and not for every request that it hits.
static void log_fault(const struct exchange *exchange)
{
    if (exchange->outcome < METRICS_FAILED || error_status(exchange->err.kind) < 500) {
        return;
    }
    const enum error_kind kind = exchange->err.kind;
    const bool is_outage = kind == ERR_DATABASE_DOWN || kind == ERR_OVERLOADED;
    LOG_EVENT(is_outage ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "request failed",
              LOG_TEXT("trace_id", exchange->trace_id), LOG_NUMBER("task_id", exchange->task_id),
              LOG_TEXT("cause", str_from(error_label(kind))),
              LOG_TEXT("detail", str_from(exchange->err.detail)));
}

static void log_access(const struct exchange *exchange, int64_t total_us, uint64_t bytes)
{
    if (!exchange->service->conf->log.access) {
        return;
    }
    const struct str app = exchange->caller == NULL ? STR("-") : caller_app_code(exchange->caller);
    const char *const cause =
        exchange->outcome < METRICS_FAILED
            ? "ok"
            : error_label((enum error_kind)(exchange->outcome - METRICS_FAILED));
    LOG_EVENT(LOG_LEVEL_INFO, "request", LOG_TEXT("trace_id", exchange->trace_id),
              LOG_NUMBER("task_id", exchange->task_id), LOG_TEXT("app", app),
              LOG_NUMBER("status", exchange->response->status), LOG_TEXT("cause", str_from(cause)),
              LOG_NUMBER("bytes", (int64_t)bytes), LOG_NUMBER("rows", (int64_t)exchange->rows),
              LOG_NUMBER("database_us", exchange->database_us), LOG_NUMBER("total_us", total_us));
}

// Where the time went, for requests that took longer than the operator wants.
static void log_slow(const struct exchange *exchange, int64_t total_us)
{
    const int64_t limit_us = exchange->service->conf->log.slow_ms * 1000;
    if (limit_us == 0 || total_us < limit_us) {
        return;
    }
    LOG_EVENT(LOG_LEVEL_WARNING, "slow request", LOG_TEXT("trace_id", exchange->trace_id),
              LOG_NUMBER("task_id", exchange->task_id),
              LOG_NUMBER("status", exchange->response->status),
              LOG_NUMBER("rows", (int64_t)exchange->rows),
              LOG_NUMBER("database_us", exchange->database_us), LOG_NUMBER("total_us", total_us));
}

static void end_exchange(struct exchange *exchange)
{
    struct service *const service = exchange->service;
    const struct outbuf *const out = &exchange->response->out;
    http_end(exchange->response);
    const uint64_t bytes = out->drained;
    const int64_t total_us = clock_monotonic_us() - exchange->started_us;
    metrics_request(service->shard, exchange->outcome, total_us);
    metrics_add(&service->shard->bytes, bytes);
    metrics_add(&service->shard->hangups, out->failed);
    log_fault(exchange);
    log_slow(exchange, total_us);
    log_access(exchange, total_us, bytes);
    arena_reset(service->arena);
    atomic_store_explicit(&service->shard->busy, false, memory_order_relaxed);
}

void service_handle(struct service *service, const struct http_var *vars, size_t count,
                    struct http_response *response)
{
    struct exchange exchange = {.service = service, .response = response, .outcome = METRICS_OK};
    const int understood = http_request_init(&exchange.request, vars, count, &exchange.err);
    begin_exchange(&exchange);
    if (understood != 0 || dispatch(&exchange) != 0) {
        answer_error(&exchange);
    }
    end_exchange(&exchange);
}

void service_refuse(struct service *service, enum error_kind kind, struct http_response *response)
{
    struct exchange exchange = {.service = service, .response = response};
    begin_exchange(&exchange);
    error_record(&exchange.err, kind, "refused before the request was whole");
    answer_error(&exchange);
    end_exchange(&exchange);
}
