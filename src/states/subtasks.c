// SPDX-License-Identifier: MIT
#include "states/subtasks_priv.h"

#include "base/json_members.h"
#include "base/log.h"
#include "http/request_id.h"

#include <inttypes.h>

enum {
    BUCKETS = 256,
    SCRATCH_BYTES = 16 * 1024, // for the JSON of one link
    WATCHED_MAX = 100,
};

// A task being read: the one that was asked for, or a subtask.
struct task {
    struct subtask subtask; // of the first task, only its id is set
    struct tree *tree;      // the subtask's, or the answer's
    const struct permit *permit;
    struct task *next; // of the same level
    struct task *next_in_bucket;
};

// Tasks of one level, in the order in which their links were read.
struct level {
    struct task *first;
    struct task **end; // where the next one goes
};

struct chunk {
    struct task *tasks[STORE_GROUP_MAX];
    size_t count;
};

// Everything that one answer with subtasks needs. In the service's arena, but for SCRATCH.
struct walk {
    struct service *service;
    struct tree *tree; // the answer's
    const struct permit *permit;
    struct lookup *lookups;        // STORE_GROUP_MAX of them
    struct task first;             // the task that was asked for; has no permit of its own
    struct task *buckets[BUCKETS]; // tasks of the answer by id
    struct chunk chunk;            // whose links are being read
    struct level found;            // by these links
    size_t nodes_left;
    size_t rows;
    bool lacks_memory; // set while links are read
    struct arena *scratch;
    struct error err;
};

static void level_clear(struct level *level)
{
    *level = (struct level){.first = NULL, .end = &level->first};
}

static void level_add(struct level *level, struct task *task)
{
    task->next = NULL;
    *level->end = task;
    level->end = &task->next;
}

// Moves up to STORE_GROUP_MAX tasks from *TASKS to BATCH. Returns false if none is left.
static bool take_chunk(struct task **tasks, struct chunk *chunk)
{
    chunk->count = 0;
    while (*tasks != NULL && chunk->count < STORE_GROUP_MAX) {
        chunk->tasks[chunk->count++] = *tasks;
        *tasks = (*tasks)->next;
    }
    return chunk->count > 0;
}

static int no_memory(struct walk *walk)
{
    return error_set(&walk->err, ERR_NO_MEMORY, "subtasks");
}

// ---- each task once ----

static struct task **bucket_of(struct walk *walk, int64_t task_id)
{
    return &walk->buckets[(uint64_t)task_id % BUCKETS];
}

static bool is_known(struct walk *walk, int64_t task_id)
{
    const struct task *task = *bucket_of(walk, task_id);
    while (task != NULL && task->subtask.task_id != task_id) {
        task = task->next_in_bucket;
    }
    return task != NULL;
}

static void remember(struct walk *walk, struct task *task)
{
    struct task **const bucket = bucket_of(walk, task->subtask.task_id);
    task->next_in_bucket = *bucket;
    *bucket = task;
}

// ---- links ----

static struct str member_of(const struct json_members *members, struct str name)
{
    for (const struct json_member *one = members->first; one != NULL; one = one->next) {
        if (str_equal(one->name, name)) {
            return one->text;
        }
    }
    return STR_ABSENT;
}

// Returns the node that a link names, if the link is of the node's current version.
static struct node *starter_of(struct walk *walk, const struct tree *tree, struct str extra_info)
{
    struct json_members members;
    struct error unused = {0};
    arena_reset(walk->scratch);
    if (str_is_absent(extra_info) || json_members_read(extra_info, "extra_info", ERR_INTERNAL,
                                                       walk->scratch, &members, &unused) != 0) {
        return NULL;
    }
    const struct str id = member_of(&members, STR("node_id"));
    const struct str version = member_of(&members, STR("node_version"));
    struct node *const node = str_is_absent(id) ? NULL : tree_find(tree, id);
    return node != NULL && !str_is_absent(version) &&
                   str_equal(version, (struct str){node->version, node->version_len})
               ? node
               : NULL;
}

static struct task *add_task(struct walk *walk, const struct task *parent, struct node *starter)
{
    struct task *const task = arena_alloc(walk->service->arena, 1, sizeof(struct task));
    if (task == NULL) {
        walk->lacks_memory = true;
        return NULL;
    }
    *task = (struct task){.subtask = {.starter = starter, .above = parent->tree}};
    task->tree = &task->subtask.tree;
    starter->subtask = &task->subtask;
    level_add(&walk->found, task);
    return task;
}

static const struct task *parent_of(const struct walk *walk, const struct store_link *link)
{
    for (size_t i = 0; i < walk->chunk.count; i++) {
        if (walk->chunk.tasks[i]->subtask.task_id == link->parent_task_id) {
            return walk->chunk.tasks[i];
        }
    }
    return NULL;
}

// Links come in the order of their ids: the last one of a node is its newest.
static void take_link(void *context, const struct store_link *link)
{
    struct walk *const walk = context;
    const struct task *const parent = parent_of(walk, link);
    struct node *const starter =
        parent == NULL ? NULL : starter_of(walk, parent->tree, link->extra_info);
    if (starter == NULL) {
        return;
    }
    if (starter->subtask != NULL || add_task(walk, parent, starter) != NULL) {
        starter->subtask->task_id = link->task_id;
    }
}

// Finds the tasks that nodes of these tasks started.
static int find_links(struct walk *walk, struct task *parents)
{
    const struct store *const store = &walk->service->store;
    const struct store_link_reader reader = {take_link, walk};
    level_clear(&walk->found);
    while (take_chunk(&parents, &walk->chunk)) {
        int64_t ids[STORE_GROUP_MAX];
        for (size_t i = 0; i < walk->chunk.count; i++) {
            ids[i] = walk->chunk.tasks[i]->subtask.task_id;
        }
        if (store->ops->find_links(store->context, ids, walk->chunk.count,
                                   (size_t)walk->service->conf->response.max_nodes, &reader,
                                   &walk->err) != 0) {
            return -1;
        }
    }
    return walk->lacks_memory ? no_memory(walk) : 0;
}

// ---- which of them may be shown ----

static int spend_nodes(struct walk *walk, size_t count)
{
    if (count > walk->nodes_left) {
        return error_set(&walk->err, ERR_TOO_MANY_NODES, "more than %" PRId64 " nodes, in subtasks",
                         walk->service->conf->response.max_nodes);
    }
    walk->nodes_left -= count;
    return 0;
}

// The task's states are known.
static void show(struct walk *walk, struct task *task)
{
    task->tree->of = &task->subtask;
    tree_add_subtask(walk->tree, &task->subtask);
}

static int show_not_started(struct walk *walk, struct task *task)
{
    tree_of_kind(task->tree, TREE_NOT_STARTED);
    show(walk, task);
    return spend_nodes(walk, 1);
}

static void leave_out(const struct task *task)
{
    task->subtask.starter->subtask = NULL;
}

// Decides about one task and adds it to STARTED if it has nodes to be read. A task that is part of
// the answer already is not shown again: links in a circle end here.
static int authorize_task(struct walk *walk, struct task *task, const struct lookup *lookup,
                          struct level *started)
{
    const int64_t task_id = task->subtask.task_id;
    if (is_known(walk, task_id)) {
        leave_out(task);
        return 0;
    }
    if (permit_for_subtask(walk->permit, &lookup->result.task, task_id, walk->service->arena,
                           &task->permit, &walk->err) != 0) {
        leave_out(task);
        return walk->err.kind == ERR_NO_TASK ? 0 : -1;
    }
    remember(walk, task);
    if (permit_kind(task->permit) == PERMIT_NOT_STARTED) {
        return show_not_started(walk, task);
    }
    level_add(started, task);
    return 0;
}

static int find_tasks(struct walk *walk, const struct chunk *chunk)
{
    const struct store *const store = &walk->service->store;
    struct lookup *lookups[STORE_GROUP_MAX];
    for (size_t i = 0; i < chunk->count; i++) {
        walk->lookups[i] = (struct lookup){.task_id = chunk->tasks[i]->subtask.task_id};
        lookups[i] = &walk->lookups[i];
    }
    return store->ops->find_only_tasks(store->context, lookups, chunk->count, &walk->err);
}

// Sets STARTED to those of the tasks whose nodes are to be read.
static int authorize_tasks(struct walk *walk, struct task *tasks, struct level *started)
{
    struct chunk chunk;
    level_clear(started);
    while (take_chunk(&tasks, &chunk)) {
        if (find_tasks(walk, &chunk) != 0) {
            return -1;
        }
        for (size_t i = 0; i < chunk.count; i++) {
            if (authorize_task(walk, chunk.tasks[i], &walk->lookups[i], started) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

// ---- their nodes ----

static void report_rootless(const struct task *task)
{
    LOG_EVENT(LOG_LEVEL_WARNING, "a subtask is left out: its rows hold no root node",
              LOG_NUMBER("task_id", task->subtask.task_id));
}

static int build_tree(struct walk *walk, struct task *task, const struct node_query *query,
                      struct level *with_nodes)
{
    struct service *const service = walk->service;
    const size_t count = query->nodes.count;
    walk->rows += count;
    if (spend_nodes(walk, count > 0 ? count : 1) != 0) {
        return -1;
    }
    if (tree_build(task->tree, &query->nodes, permit_root_id(task->permit), walk->tree->now_us,
                   request_id_random(&service->random), service->arena, &walk->err) != 0) {
        leave_out(task);
        if (walk->err.kind != ERR_NO_ROOT_ROW) {
            return -1;
        }
        report_rootless(task);
        return 0;
    }
    show(walk, task);
    if (count > 0) {
        level_add(with_nodes, task);
    }
    return 0;
}

static int load_chunk(struct walk *walk, const struct chunk *chunk, struct level *with_nodes)
{
    const struct service *const service = walk->service;
    struct node_query queries[STORE_GROUP_MAX];
    for (size_t i = 0; i < chunk->count; i++) {
        queries[i] = (struct node_query){.permit = chunk->tasks[i]->permit};
    }
    if (service->store.ops->load_nodes(service->store.context, queries, chunk->count,
                                       walk->nodes_left, service->arena, &walk->err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < chunk->count; i++) {
        if (!queries[i].is_complete) {
            return spend_nodes(walk, walk->nodes_left + 1);
        }
        if (build_tree(walk, chunk->tasks[i], &queries[i], with_nodes) != 0) {
            return -1;
        }
    }
    return 0;
}

// Sets WITH_NODES to those of the tasks that have nodes.
static int load_all(struct walk *walk, struct task *tasks, struct level *with_nodes)
{
    struct chunk chunk;
    level_clear(with_nodes);
    while (take_chunk(&tasks, &chunk)) {
        if (load_chunk(walk, &chunk, with_nodes) != 0) {
            return -1;
        }
    }
    return 0;
}

// ---- level by level ----

static int walk_levels(struct walk *walk, struct task *first)
{
    struct level started;
    struct level with_nodes;
    remember(walk, first);
    for (struct task *parents = first; parents != NULL; parents = with_nodes.first) {
        if (find_links(walk, parents) != 0 ||
            authorize_tasks(walk, walk->found.first, &started) != 0 ||
            load_all(walk, started.first, &with_nodes) != 0) {
            return -1;
        }
    }
    return 0;
}

static int run(struct walk *walk)
{
    walk->first = (struct task){
        .subtask = {.task_id = permit_task_id(walk->permit)},
        .tree = walk->tree,
    };
    walk->lookups = arena_alloc(walk->service->arena, STORE_GROUP_MAX, sizeof(struct lookup));
    walk->scratch = arena_new(SCRATCH_BYTES);
    if (walk->lookups == NULL || walk->scratch == NULL) {
        return no_memory(walk);
    }
    return walk_levels(walk, &walk->first);
}

// ---- what a request that waits must watch ----

static bool any_waits(const struct exchange_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->parameters.wait_ms > 0) {
            return true;
        }
    }
    return false;
}

// Returns the root of the answer's task, then those of subtasks. Of more than WATCHED_MAX some are
// left out: they are looked at again anyway, as new ones must be. NULL: out of memory.
static struct str *list_roots(const struct walk *walk, size_t *count)
{
    struct str *const roots = arena_alloc(walk->service->arena, WATCHED_MAX, sizeof(struct str));
    *count = 0;
    if (roots == NULL) {
        return NULL;
    }
    roots[(*count)++] = permit_root_id(walk->permit);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct task *task = walk->buckets[i]; task != NULL && *count < WATCHED_MAX;
             task = task->next_in_bucket) {
            if (task->permit != NULL) {
                roots[(*count)++] = permit_root_id(task->permit);
            }
        }
    }
    return roots;
}

static void keep_roots(const struct walk *walk, const struct exchange_list *same_task)
{
    size_t count;
    const struct str *const roots = any_waits(same_task) ? list_roots(walk, &count) : NULL;
    for (size_t i = 0; roots != NULL && i < same_task->count; i++) {
        same_task->items[i]->roots = roots;
        same_task->items[i]->root_count = count;
    }
}

void subtasks_load(struct service *service, const struct exchange_list *same_task)
{
    const struct exchange *const one = same_task->items[0];
    const int64_t before_us = clock_monotonic_us();
    if (one->tree->kind != TREE_NODES) {
        return;
    }
    struct walk walk = {
        .service = service,
        .tree = one->tree,
        .permit = one->permit,
        .nodes_left = (size_t)service->conf->response.max_nodes - one->query->nodes.count,
        .err = {.task_id = one->match.task_id},
    };
    if (run(&walk) != 0) {
        exchange_list_fail(same_task, &walk.err);
    } else {
        keep_roots(&walk, same_task);
    }
    arena_free(walk.scratch);
    exchange_list_waited(same_task, before_us);
    metrics_add(&service->shard->rows, walk.rows);
    for (size_t i = 0; i < same_task->count; i++) {
        same_task->items[i]->subtask_rows = walk.rows;
    }
}
