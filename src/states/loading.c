// SPDX-License-Identifier: MIT
#include "states/loading_priv.h"

#include "http/request_id.h"
#include "states/subtasks_priv.h"

// ---- the nodes ----

// Whether the task's nodes must be read; if not, sets the exchange's tree.
static bool has_nodes(struct exchange *exchange)
{
    switch (permit_kind(exchange->permit)) {
    case PERMIT_NOT_STARTED:
        tree_of_kind(&exchange->own_tree, TREE_NOT_STARTED);
        break;
    case PERMIT_STARTED:
        return true;
    }
    exchange->tree = &exchange->own_tree;
    return false;
}

// Returns the query of the permit's task: one of the queries from FIRST on, or a new one. Exchanges
// of the same task share it.
static struct node_query *share_query(struct service_group *group, size_t first,
                                      const struct permit *permit)
{
    for (size_t i = first; i < group->query_count; i++) {
        if (permit_task_id(group->queries[i].permit) == permit_task_id(permit)) {
            return &group->queries[i];
        }
    }
    struct node_query *const query = &group->queries[group->query_count++];
    *query = (struct node_query){.permit = permit};
    return query;
}

// Adds the exchanges that need nodes to LOADING: those with subtasks, or those without.
static void plan(struct service_group *group, const struct exchange_list *admitted, bool subtasks,
                 struct exchange_list *loading)
{
    const size_t first = group->query_count;
    for (size_t i = 0; i < admitted->count; i++) {
        struct exchange *const exchange = admitted->items[i];
        if (exchange->batch == NULL && exchange->parameters.subtasks == subtasks &&
            has_nodes(exchange)) {
            exchange->query = share_query(group, first, exchange->permit);
            exchange_list_add(loading, exchange);
        }
    }
}

static int check_node_count(struct exchange *exchange, size_t max_nodes)
{
    const struct node_query *const query = exchange->query;
    if (query->is_complete && query->nodes.count <= max_nodes) {
        return 0;
    }
    return error_set(&exchange->err, ERR_TOO_MANY_NODES, "more than %zu nodes", max_nodes);
}

// Sets the exchange's tree, and builds it if no other exchange has.
static int build_tree(struct exchange *exchange)
{
    struct service *const service = exchange->service;
    struct service_group *const group = service->group;
    const size_t i = (size_t)(exchange->query - group->queries);
    struct tree *const tree = &group->trees[i];
    if (check_node_count(exchange, (size_t)service->conf->response.max_nodes) != 0) {
        return -1;
    }
    if (!group->is_built[i] &&
        tree_build(tree, &exchange->query->nodes, permit_root_id(exchange->permit),
                   exchange->now_us, request_id_random(&service->random), service->arena,
                   &exchange->err) != 0) {
        return -1;
    }
    group->is_built[i] = true;
    exchange->tree = tree;
    return 0;
}

// Runs COUNT queries beginning with FIRST for the exchanges of the list, and removes those that
// fail.
static void load(struct service *service, struct node_query *first, size_t count, size_t row_limit,
                 struct exchange_list *list)
{
    struct service_group *const group = service->group;
    struct error err = {0};
    const int64_t before_us = clock_monotonic_us();
    if (service->store.ops->load_nodes(service->store.context, first, count, row_limit,
                                       service->arena, &err) != 0) {
        exchange_list_fail(list, &err);
    }
    exchange_list_waited(list, before_us);
    for (size_t i = 0; i < count; i++) {
        group->is_built[first - group->queries + (ptrdiff_t)i] = false;
        metrics_add(&service->shard->rows, first[i].nodes.count);
    }
    exchange_list_drop_failed(list);
}

// Moves the exchanges whose tasks exceeded the row limit from LIST to the result.
static struct exchange_list take_large(struct exchange_list *list)
{
    struct exchange_list large = {.count = 0};
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->query->is_complete) {
            list->items[kept++] = list->items[i];
        } else {
            exchange_list_add(&large, list->items[i]);
        }
    }
    list->count = kept;
    return large;
}

static void add_batches(const struct exchange_list *admitted, struct exchange_list *large)
{
    for (size_t i = 0; i < admitted->count; i++) {
        if (admitted->items[i]->batch != NULL) {
            exchange_list_add(large, admitted->items[i]);
        }
    }
}

struct exchange_list loading_run(struct service *service, const struct exchange_list *admitted)
{
    struct service_group *const group = service->group;
    struct exchange_list loading = {.count = 0};
    struct exchange_list large = {.count = 0};
    group->query_count = 0;
    plan(group, admitted, false, &loading);
    if (group->query_count == 1) {
        loading_run_alone(service, loading);
    } else if (group->query_count > 1) {
        load(service, group->queries, group->query_count, LOADING_GROUP_ROWS, &loading);
        large = take_large(&loading);
        exchange_list_pass(&loading, build_tree);
    }
    plan(group, admitted, true, &large);
    add_batches(admitted, &large);
    return large;
}

void loading_run_alone(struct service *service, struct exchange_list same_task)
{
    if (same_task.items[0]->batch != NULL) {
        batch_load(same_task.items[0]);
        return;
    }
    arena_reset(service->arena);
    load(service, same_task.items[0]->query, 1, (size_t)service->conf->response.max_nodes,
         &same_task);
    exchange_list_pass(&same_task, build_tree);
    if (same_task.count > 0 && same_task.items[0]->parameters.subtasks) {
        subtasks_load(service, &same_task);
    }
}
