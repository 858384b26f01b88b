// SPDX-License-Identifier: MIT
#include "states/batch_priv.h"

#include "base/hash.h"
#include "base/log.h"
#include "http/request_id.h"
#include "states/exchange_priv.h"
#include "states/loading_priv.h"
#include "states/messages_priv.h"

struct batch *batch_new(const struct task_ids *ids, struct arena *arena)
{
    struct batch *const batch = arena_alloc(arena, 1, sizeof *batch);
    struct batch_entry *const entries = arena_alloc(arena, ids->count, sizeof *entries);
    if (batch == NULL || entries == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ids->count; i++) {
        entries[i] = (struct batch_entry){.task_id = ids->list[i]};
    }
    *batch = (struct batch){.entries = entries, .count = ids->count};
    return batch;
}

struct error batch_refusal(const struct exchange *exchange, const struct batch_entry *entry)
{
    return (struct error){
        .kind = entry->refusal,
        .task_id = entry->task_id,
        .template_id = entry->template_id,
        .space_id = exchange->match.space_id,
        .app = caller_app_code(exchange->caller),
        .bound_app = entry->bound_app,
    };
}

// Some tasks of a batch, at most STORE_GROUP_MAX, while they are read.
struct chunk {
    struct exchange *exchange;
    struct batch_entry *entries;
    size_t count;
    struct lookup *lookups;                        // STORE_GROUP_MAX of them
    const struct permit *permits[STORE_GROUP_MAX]; // NULL: refused
    struct node_query queries[STORE_GROUP_MAX];
    struct batch_entry *queried[STORE_GROUP_MAX]; // the entries of the queries
    size_t query_count;
    size_t nodes_left; // if nodes are shown
};

// ---- entries that are refused ----

// Whether the failure is that of one task, so that the others can be shown.
static bool is_of_one_task(enum error_kind kind)
{
    static const enum error_kind kinds[] = {
        ERR_TASK_WITHOUT_TEMPLATE, ERR_TEMPLATE_UNBOUND, ERR_OTHER_APPLICATION,
        ERR_TASK_OF_OTHER_SPACE,   ERR_NO_TASK,          ERR_NO_TEMPLATE,
        ERR_NO_ROOT_ROW,           ERR_TOO_MANY_NODES,
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i] == kind) {
            return true;
        }
    }
    return false;
}

// The caller's mistakes are answered; what is wrong with the data is for the operator as well.
static void log_refusal(const struct exchange *exchange, const struct batch_entry *entry)
{
    if (error_status(entry->refusal) >= 500) {
        LOG_EVENT(LOG_LEVEL_ERROR, "a task of a request for several cannot be shown",
                  LOG_TEXT("trace_id", exchange->ids.trace), LOG_NUMBER("task_id", entry->task_id),
                  LOG_TEXT("cause", str_from(error_label(entry->refusal))));
    }
}

// Makes the exchange's error that of the entry, if it is one task's; else fails.
static int refuse_entry(struct exchange *exchange, struct batch_entry *entry)
{
    struct error *const err = &exchange->err;
    if (!is_of_one_task(err->kind)) {
        return -1;
    }
    entry->is_refused = true;
    entry->refusal = err->kind;
    entry->template_id = err->template_id;
    exchange->batch->has_unstarted |= err->kind == ERR_NO_TASK;
    if (err->kind == ERR_TOO_MANY_NODES) {
        entry->root_id = STR_ABSENT; // watching it would cost more than it is worth
    }
    if (err->kind == ERR_OTHER_APPLICATION) { // it is in the lookup, which the next task will use
        entry->bound_app = arena_copy(exchange->arena, err->bound_app);
        if (str_is_absent(entry->bound_app)) {
            return error_set(err, ERR_NO_MEMORY, "batch");
        }
    }
    log_refusal(exchange, entry);
    *err = (struct error){0};
    return 0;
}

// ---- which tasks may be seen ----

static int find_tasks(struct chunk *chunk)
{
    struct exchange *const exchange = chunk->exchange;
    const struct store *const store = &exchange->service->store;
    struct lookup *lookups[STORE_GROUP_MAX];
    for (size_t i = 0; i < chunk->count; i++) {
        chunk->lookups[i] = (struct lookup){.task_id = chunk->entries[i].task_id};
        lookups[i] = &chunk->lookups[i];
    }
    return exchange->space_permit == NULL
               ? store->ops->find_tasks(store->context, lookups, chunk->count, &exchange->err)
               : store->ops->find_only_tasks(store->context, lookups, chunk->count, &exchange->err);
}

static int authorize_entry(struct chunk *chunk, size_t i)
{
    struct exchange *const exchange = chunk->exchange;
    const struct lookup_result *const result = &chunk->lookups[i].result;
    const int64_t task_id = chunk->entries[i].task_id;
    chunk->permits[i] = NULL;
    return exchange->space_permit == NULL
               ? authorize(exchange->caller, result, task_id, exchange->arena, &chunk->permits[i],
                           &exchange->err)
               : authorize_in_space(exchange->space_permit, &result->task, task_id, exchange->arena,
                                    &chunk->permits[i], &exchange->err);
}

static int authorize_entries(struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        if (authorize_entry(chunk, i) != 0 &&
            refuse_entry(chunk->exchange, &chunk->entries[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

// ---- what is shown of them ----

static bool shows_nodes(const struct exchange *exchange)
{
    return exchange->parameters.nodes;
}

static struct str state_of(const struct tree *tree)
{
    return tree->kind == TREE_NODES ? (struct str){tree->root->state, tree->root->state_len}
                                    : STR("CREATED");
}

// Keeps what is shown of the tree, which may be dropped afterwards unless nodes are shown.
static int keep_tree(struct exchange *exchange, struct batch_entry *entry, const struct tree *tree)
{
    entry->state = arena_copy(exchange->arena, state_of(tree));
    if (str_is_absent(entry->state)) {
        return error_set(&exchange->err, ERR_NO_MEMORY, "batch");
    }
    (void)tree_version(tree, entry->version);
    entry->tree = shows_nodes(exchange) ? tree : NULL;
    return 0;
}

static struct tree *new_tree(struct exchange *exchange)
{
    struct tree *const tree = arena_alloc(exchange->service->arena, 1, sizeof *tree);
    if (tree == NULL) {
        (void)error_set(&exchange->err, ERR_NO_MEMORY, "batch");
    }
    return tree;
}

static int keep_not_started(struct exchange *exchange, struct batch_entry *entry)
{
    struct tree *const tree = new_tree(exchange);
    if (tree == NULL) {
        return -1;
    }
    tree_of_kind(tree, TREE_NOT_STARTED);
    return keep_tree(exchange, entry, tree);
}

static int keep_nodes(struct chunk *chunk, const struct node_query *query,
                      struct batch_entry *entry)
{
    struct exchange *const exchange = chunk->exchange;
    struct service *const service = exchange->service;
    struct tree *const tree = new_tree(exchange);
    if (tree == NULL) {
        return -1;
    }
    exchange->err.task_id = entry->task_id;
    if (tree_build(tree, &query->nodes, entry->root_id, exchange->now_us,
                   request_id_random(&service->random), service->arena, &exchange->err) != 0) {
        return refuse_entry(exchange, entry);
    }
    return keep_tree(exchange, entry, tree);
}

static size_t max_nodes(const struct chunk *chunk)
{
    return (size_t)chunk->exchange->service->conf->response.max_nodes;
}

// ---- their nodes ----

static int load(struct chunk *chunk, struct node_query *first, size_t count, size_t row_limit)
{
    struct exchange *const exchange = chunk->exchange;
    struct service *const service = exchange->service;
    if (service->store.ops->load_nodes(service->store.context, first, count, row_limit,
                                       service->arena, &exchange->err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        exchange->batch->rows += first[i].nodes.count;
    }
    return 0;
}

// The trees are shown together, so their nodes must fit together.
static int load_shown(struct chunk *chunk)
{
    if (load(chunk, chunk->queries, chunk->query_count, chunk->nodes_left) != 0) {
        return -1;
    }
    for (size_t i = 0; i < chunk->query_count; i++) {
        const struct node_query *const query = &chunk->queries[i];
        if (!query->is_complete) {
            return error_set(&chunk->exchange->err, ERR_TOO_MANY_NODES_TOGETHER,
                             "more than %zu nodes", max_nodes(chunk));
        }
        chunk->nodes_left -= query->nodes.count;
        if (keep_nodes(chunk, query, chunk->queried[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static int keep_if_it_fits(struct chunk *chunk, size_t i)
{
    const struct node_query *const query = &chunk->queries[i];
    if (query->is_complete && query->nodes.count <= max_nodes(chunk)) {
        return keep_nodes(chunk, query, chunk->queried[i]);
    }
    (void)error_set(&chunk->exchange->err, ERR_TOO_MANY_NODES, "more than %zu nodes",
                    max_nodes(chunk));
    return refuse_entry(chunk->exchange, chunk->queried[i]);
}

// Reads a task that did not fit the statement of its chunk.
static int load_large(struct chunk *chunk, size_t i)
{
    arena_reset(chunk->exchange->service->arena);
    return load(chunk, &chunk->queries[i], 1, max_nodes(chunk)) != 0 ? -1
                                                                     : keep_if_it_fits(chunk, i);
}

// Only the states are shown: nodes of one chunk are dropped before the next, and large tasks are
// read one by one.
static int load_unshown(struct chunk *chunk)
{
    if (load(chunk, chunk->queries, chunk->query_count, LOADING_GROUP_ROWS) != 0) {
        return -1;
    }
    for (size_t i = 0; i < chunk->query_count; i++) {
        if (chunk->queries[i].is_complete && keep_if_it_fits(chunk, i) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < chunk->query_count; i++) {
        if (!chunk->queries[i].is_complete && load_large(chunk, i) != 0) {
            return -1;
        }
    }
    arena_reset(chunk->exchange->service->arena);
    return 0;
}

static void add_query(struct chunk *chunk, const struct permit *permit, struct batch_entry *entry)
{
    chunk->queries[chunk->query_count] = (struct node_query){.permit = permit};
    chunk->queried[chunk->query_count++] = entry;
}

// The permit refers to the lookup, which the next chunk will use.
static int plan_entry(struct chunk *chunk, const struct permit *permit, struct batch_entry *entry)
{
    entry->root_id = arena_copy(chunk->exchange->arena, permit_root_id(permit));
    if (str_is_absent(entry->root_id)) {
        return error_set(&chunk->exchange->err, ERR_NO_MEMORY, "batch");
    }
    switch (permit_kind(permit)) {
    case PERMIT_NOT_STARTED:
        chunk->exchange->batch->has_unstarted = true;
        return keep_not_started(chunk->exchange, entry);
    case PERMIT_STARTED:
        break;
    }
    add_query(chunk, permit, entry);
    return 0;
}

static int plan_nodes(struct chunk *chunk)
{
    chunk->query_count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if (chunk->permits[i] != NULL &&
            plan_entry(chunk, chunk->permits[i], &chunk->entries[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static int load_chunk(struct chunk *chunk)
{
    if (find_tasks(chunk) != 0 || authorize_entries(chunk) != 0 || plan_nodes(chunk) != 0) {
        return -1;
    }
    if (chunk->query_count == 0) {
        return 0;
    }
    return shows_nodes(chunk->exchange) ? load_shown(chunk) : load_unshown(chunk);
}

// ---- all of them ----

static void hash_refusal(struct hash *hash, const struct exchange *exchange,
                         const struct batch_entry *entry)
{
    char text[MESSAGES_MAX];
    const struct error refusal = batch_refusal(exchange, entry);
    const struct str message = messages_render(&refusal, exchange->lang, text, sizeof text);
    hash_text(hash, message.ptr, message.len);
}

static void hash_entry(struct hash *states, struct hash *rest, const struct exchange *exchange,
                       const struct batch_entry *entry)
{
    const int code = entry->is_refused ? error_code(entry->refusal) : 0;
    hash_words(states, (uint64_t)entry->task_id, (uint64_t)code);
    if (entry->is_refused) {
        hash_refusal(rest, exchange, entry);
        return;
    }
    hash_text(states, entry->version, sizeof entry->version);
    if (entry->tree != NULL) {
        hash_words(rest, entry->tree->clock[0], entry->tree->clock[1]);
    }
}

static void finish(struct exchange *exchange)
{
    struct batch *const batch = exchange->batch;
    struct hash states = hash_start(batch->count);
    struct hash rest = hash_start(shows_nodes(exchange));
    for (size_t i = 0; i < batch->count; i++) {
        hash_entry(&states, &rest, exchange, &batch->entries[i]);
    }
    batch->digest = (struct tree){.states = {states.a, states.b}, .clock = {rest.a, rest.b}};
}

static int load_all(struct chunk *chunk)
{
    struct batch *const batch = chunk->exchange->batch;
    for (size_t first = 0; first < batch->count; first += STORE_GROUP_MAX) {
        const size_t left = batch->count - first;
        chunk->entries = batch->entries + first;
        chunk->count = left < STORE_GROUP_MAX ? left : STORE_GROUP_MAX;
        if (load_chunk(chunk) != 0) {
            return -1;
        }
    }
    return 0;
}

static int run(struct exchange *exchange)
{
    struct chunk chunk = {
        .exchange = exchange,
        .lookups = arena_alloc(exchange->arena, STORE_GROUP_MAX, sizeof(struct lookup)),
        .nodes_left = (size_t)exchange->service->conf->response.max_nodes,
    };
    if (chunk.lookups == NULL) {
        return error_set(&exchange->err, ERR_NO_MEMORY, "batch");
    }
    if (load_all(&chunk) != 0) {
        return -1;
    }
    finish(exchange);
    return 0;
}

void batch_load(struct exchange *exchange)
{
    const int64_t before_us = clock_monotonic_us();
    arena_reset(exchange->service->arena);
    exchange->has_failed = run(exchange) != 0;
    exchange->database_us += clock_monotonic_us() - before_us;
    metrics_add(&exchange->service->shard->rows, exchange->batch->rows);
}
