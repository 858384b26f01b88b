// SPDX-License-Identifier: MIT
#include "states/service.h"

#include "states/admission_priv.h"
#include "states/answer_priv.h"
#include "states/exchange_priv.h"
#include "states/loading_priv.h"
#include "states/request_log_priv.h"
#include "states/waiting_priv.h"

#include <stdlib.h>

enum {
    ARENA_BYTES_BESIDE_VARIABLES = 1 << 20, // credentials, a caller, a permit
    // Generous: a node with its strings takes about 250 bytes, and 32 in the hash table.
    ARENA_BYTES_PER_NODE = 512,
    ARENA_BYTES_BESIDE_NODES = 1 << 20,
    STACK_BYTES = 24 * 1024, // more than any request uses
};

// ---- a group and its memory ----

size_t service_request_arena_bytes(size_t request_bytes)
{
    return ARENA_BYTES_BESIDE_VARIABLES + 4 * request_bytes;
}

size_t service_node_arena_bytes(size_t max_nodes)
{
    const size_t nodes = max_nodes > LOADING_GROUP_ROWS ? max_nodes : LOADING_GROUP_ROWS;
    return ARENA_BYTES_BESIDE_NODES + nodes * ARENA_BYTES_PER_NODE;
}

struct service_group *service_group_new(size_t arena_bytes)
{
    struct service_group *const group = calloc(1, sizeof(struct service_group));
    for (size_t i = 0; group != NULL && i < SERVICE_GROUP_MAX; i++) {
        group->arenas[i] = arena_new(arena_bytes);
        if (group->arenas[i] == NULL) {
            service_group_free(group);
            return NULL;
        }
    }
    return group;
}

void service_group_free(struct service_group *group)
{
    if (group == NULL) {
        return;
    }
    for (size_t i = 0; i < SERVICE_GROUP_MAX; i++) {
        arena_free(group->arenas[i]);
    }
    free(group);
}

bool service_group_is_empty(const struct service_group *group)
{
    size_t used = group->count;
    for (size_t i = 0; i < SERVICE_GROUP_MAX; i++) {
        used += arena_used(group->arenas[i]);
    }
    return used == 0;
}

static struct exchange *begin_exchange(struct service *service, struct service_client client)
{
    struct service_group *const group = service->group;
    struct exchange *const exchange = &group->exchanges[group->count];
    *exchange = (struct exchange){
        .service = service,
        .client = client,
        .arena = group->arenas[group->count],
        .started_us = clock_monotonic_us(),
        .now_us = service->clock->wall_us(),
        .outcome = METRICS_OK,
    };
    group->count++;
    atomic_store_explicit(&service->shard->busy, true, memory_order_relaxed);
    return exchange;
}

// Sets what every answer needs; REQUEST must be filled in.
static void identify(struct exchange *exchange)
{
    exchange->lang = answer_language(exchange);
    exchange->address =
        http_client_address(&exchange->request, &exchange->service->conf->server.trusted_proxies);
    exchange->ids =
        request_id_choose(&exchange->request, &exchange->service->random, exchange->random_id);
}

void service_add(struct service *service, const struct http_var *vars, size_t count,
                 struct str body, struct service_client client)
{
    struct exchange *const exchange = begin_exchange(service, client);
    const int understood = http_request_init(&exchange->request, vars, count, &exchange->err);
    exchange->request.body = body;
    identify(exchange);
    exchange->has_failed = understood != 0 || admission_read(exchange) != 0;
}

void service_add_refused(struct service *service, enum error_kind kind,
                         struct service_client client)
{
    struct exchange *const exchange = begin_exchange(service, client);
    identify(exchange);
    error_record(&exchange->err, kind, "refused before the request was complete");
    exchange->has_failed = true;
}

// ---- answers ----

static void end_exchange(struct exchange *exchange)
{
    struct service *const service = exchange->service;
    const struct outbuf *const out = &exchange->response->out;
    http_end(exchange->response);
    const uint64_t bytes = outbuf_delivered(out);
    const int64_t total_us = clock_monotonic_us() - exchange->started_us;
    metrics_request(service->shard, exchange->outcome, total_us);
    metrics_add(&service->shard->bytes, bytes);
    metrics_add(&service->shard->hangups, outbuf_has_failed(out));
    request_log_fault(exchange);
    request_log_refusal(exchange);
    request_log_slow(exchange, total_us);
    request_log_access(exchange, total_us, bytes);
    arena_reset(exchange->arena);
    exchange->client.end(exchange->client.context);
}

static int answer_ready(struct exchange *exchange)
{
    const struct store *const store = &exchange->service->store;
    if (store->ops->ping(store->context, &exchange->err) != 0) {
        return -1;
    }
    answer_status(exchange, STR("ready"));
    return 0;
}

static int answer_route(struct exchange *exchange)
{
    switch (exchange->match.route->id) {
    case ROUTE_STATES:
    case ROUTE_SPACE_STATES:
        answer_states(exchange);
        return 0;
    case ROUTE_BATCH:
        answer_batch(exchange);
        return 0;
    case ROUTE_SPACE_BATCH:
        answer_space_batch(exchange);
        return 0;
    case ROUTE_HEALTHZ:
        answer_status(exchange, STR("alive"));
        return 0;
    case ROUTE_READYZ:
        return answer_ready(exchange);
    case ROUTE_METRICS:
        break;
    }
    answer_metrics(exchange);
    return 0;
}

static void answer(struct exchange *exchange)
{
    if (waiting_park(exchange)) {
        arena_reset(exchange->arena); // from here on the request is another thread's
        return;
    }
    exchange->response = exchange->client.open(exchange->client.context);
    exchange->response->is_head_only = str_equal(exchange->request.method, STR("HEAD"));
    if (exchange->has_failed || answer_route(exchange) != 0) {
        answer_error(exchange);
    }
    end_exchange(exchange);
}

// Small answers come first, and those for clients that are not ready come last: a slow reader must
// not delay others.
static size_t weight(const struct exchange *exchange)
{
    const size_t nodes = exchange->query == NULL ? 0 : exchange->query->nodes.count;
    return nodes + (exchange->client.is_ready(exchange->client.context) ? 0 : SIZE_MAX / 2);
}

static void answer_in_order(struct exchange_list *list)
{
    size_t weights[SERVICE_GROUP_MAX];
    for (size_t i = 0; i < list->count; i++) {
        weights[i] = list->count == 1 ? 0 : weight(list->items[i]);
    }
    for (size_t left = list->count; left > 0; left--) {
        size_t next = 0;
        for (size_t i = 1; i < left; i++) {
            next = weights[i] < weights[next] ? i : next;
        }
        answer(list->items[next]);
        for (size_t i = next + 1; i < left; i++) { // keeps the order of the others
            list->items[i - 1] = list->items[i];
            weights[i - 1] = weights[i];
        }
    }
}

static bool contains(const struct exchange_list *list, const struct exchange *exchange)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == exchange) {
            return true;
        }
    }
    return false;
}

static void answer_all_but(struct service_group *group, const struct exchange_list *large)
{
    struct exchange_list list = {.count = 0};
    for (size_t i = 0; i < group->count; i++) {
        if (!contains(large, &group->exchanges[i])) {
            exchange_list_add(&list, &group->exchanges[i]);
        }
    }
    answer_in_order(&list);
}

// A batch has no query; it is like no other.
static bool is_of_same_task(const struct exchange *one, const struct exchange *other)
{
    return one == other || (one->query != NULL && one->query == other->query);
}

// Moves the first exchange and all others of the same task from LARGE to the result.
static struct exchange_list take_same_task(struct exchange_list *large)
{
    struct exchange_list same = {.count = 0};
    const struct exchange *const first = large->items[0];
    size_t kept = 0;
    for (size_t i = 0; i < large->count; i++) {
        if (is_of_same_task(first, large->items[i])) {
            exchange_list_add(&same, large->items[i]);
        } else {
            large->items[kept++] = large->items[i];
        }
    }
    large->count = kept;
    return same;
}

// Answers large tasks one by one; each can use all the memory for nodes.
static void answer_large(struct service *service, struct exchange_list *large)
{
    while (large->count > 0) {
        struct exchange_list same = take_same_task(large);
        loading_run_alone(service, same);
        answer_in_order(&same);
    }
}

// Wipes the unused stack: saved registers and old frames may contain parts of secrets.
static __attribute__((noinline)) void wipe_stack(void)
{
    char below[STACK_BYTES];
    explicit_bzero(below, sizeof below);
}

void service_run(struct service *service)
{
    struct service_group *const group = service->group;
    metrics_group(service->shard, group->count);
    const struct exchange_list admitted = admission_run(service);
    struct exchange_list large = loading_run(service, &admitted);
    answer_all_but(group, &large);
    answer_large(service, &large);
    arena_reset(service->arena);
    group->count = 0;
    atomic_store_explicit(&service->shard->busy, false, memory_order_relaxed);
    wipe_stack();
}

// ---- a group of one ----

static struct http_response *open_response(void *context)
{
    return context;
}

static bool is_always_ready(void *context)
{
    (void)context;
    return true;
}

static void do_nothing(void *context)
{
    (void)context;
}

static struct service_client only_client(struct http_response *response)
{
    return (struct service_client){
        .open = open_response, .is_ready = is_always_ready, .end = do_nothing, .context = response};
}

void service_handle(struct service *service, const struct http_var *vars, size_t count,
                    struct str body, struct http_response *response)
{
    service_add(service, vars, count, body, only_client(response));
    service_run(service);
}

void service_handle_refused(struct service *service, enum error_kind kind,
                            struct http_response *response)
{
    service_add_refused(service, kind, only_client(response));
    service_run(service);
}
