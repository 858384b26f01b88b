// SPDX-License-Identifier: MIT
#include "states/tree.h"

#include "base/clock.h"
#include "base/hash.h"

static struct str node_id(const struct node *node)
{
    return (struct str){node->id, node->id_len};
}

static struct str node_state(const struct node *node)
{
    return (struct str){node->state, node->state_len};
}

// ---- finding nodes by id ----

static int table_init(struct tree_table *table, size_t count, uint64_t seed, struct arena *arena,
                      struct error *err)
{
    size_t size = 8;
    while (size < count * 2) {
        size *= 2;
    }
    table->places = arena_alloc(arena, size, sizeof *table->places);
    if (table->places == NULL) {
        return error_set(err, ERR_NO_MEMORY, "table of %zu nodes", count);
    }
    memset(table->places, 0, size * sizeof *table->places);
    table->mask = size - 1;
    table->seed = seed;
    return 0;
}

static uint32_t hash_id(const struct tree_table *table, struct str id)
{
    struct hash hash = hash_start(table->seed);
    hash_text(&hash, id.ptr, id.len);
    return (uint32_t)hash.a; // one lane is enough; the compiler removes the other
}

// Returns the place of the node with this id, or the free place for it.
static struct node **table_place(const struct tree_table *table, struct str id, uint32_t hash)
{
    size_t at = hash & table->mask;
    while (table->places[at] != NULL &&
           !(table->places[at]->hash == hash && str_equal(node_id(table->places[at]), id))) {
        at = (at + 1) & table->mask;
    }
    return &table->places[at];
}

static struct node *table_find(const struct tree_table *table, struct str id)
{
    return *table_place(table, id, hash_id(table, id));
}

// Called from the last row to the first. If several rows have the same id, which the database's
// unique index prevents, the last one counts.
static void table_add(const struct tree_table *table, struct node *node)
{
    node->hash = hash_id(table, node_id(node));
    struct node **const place = table_place(table, node_id(node), node->hash);
    if (*place != NULL) {
        node->flags |= NODE_DUPLICATE;
        return;
    }
    *place = node;
}

static void table_fill(const struct tree_table *table, const struct node_list *nodes)
{
    for (struct node_chunk *chunk = nodes->newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            table_add(table, &chunk->nodes[i - 1]);
        }
    }
}

// ---- linking ----

struct linker {
    const struct tree_table *table;
    const struct node *root;
    struct str parent_id; // the last one looked up; siblings are usually adjacent
    struct node *parent;
};

static struct node *find_parent(struct linker *linker, const struct node *node)
{
    // The same address means the same string; different addresses may still have equal strings.
    if (linker->parent_id.ptr != node->parent_id || linker->parent_id.len != node->parent_id_len) {
        linker->parent_id = (struct str){node->parent_id, node->parent_id_len};
        linker->parent = table_find(linker->table, linker->parent_id);
    }
    return linker->parent;
}

static void link_node(struct linker *linker, struct node *node)
{
    if (node == linker->root || (node->flags & NODE_DUPLICATE) != 0) {
        return;
    }
    struct node *const parent = find_parent(linker, node);
    if (parent == NULL || parent == node) {
        return; // an orphan or its own parent: not reachable from the root
    }
    node->parent = parent;
    node->next_sibling = parent->first_child;
    parent->first_child = node;
}

// From the last row to the first, each inserted before its siblings, so that they end up in the
// order of rows.
static void link_all(struct linker *linker, const struct node_list *nodes)
{
    for (struct node_chunk *chunk = nodes->newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            link_node(linker, &chunk->nodes[i - 1]);
        }
    }
}

// ---- walking ----

// Returns the first leaf, where walking from children to parents begins. Updates DEPTH.
static struct node *first_leaf(struct node *node, uint32_t *depth)
{
    while (node->first_child != NULL) {
        node = node->first_child;
        ++*depth;
    }
    return node;
}

// Returns the node after NODE in that order; NULL after ROOT. Updates DEPTH.
static struct node *next_upwards(struct node *node, const struct node *root, uint32_t *depth)
{
    if (node == root) {
        return NULL;
    }
    if (node->next_sibling != NULL) {
        return first_leaf(node->next_sibling, depth);
    }
    --*depth;
    return node->parent;
}

const struct node *tree_next(const struct tree *tree, const struct node *node, size_t *left)
{
    *left = 0;
    if (node->first_child != NULL) {
        return node->first_child;
    }
    for (*left = 1; node != tree->root; ++*left) {
        if (node->next_sibling != NULL) {
            return node->next_sibling;
        }
        node = node->parent;
    }
    return NULL;
}

// ---- roll-up and tag ----

static void set_state(struct node *node, struct str state)
{
    node->state = state.ptr;
    node->state_len = (uint16_t)state.len;
}

// Applies the children's flags to NODE, and NODE's state to its parent's flags. The children come
// first.
static void roll_up(struct node *node)
{
    if (str_equal(node_state(node), STR("RUNNING"))) {
        if ((node->flags & NODE_CHILD_FAILED) != 0) {
            set_state(node, STR("FAILED"));
        } else if ((node->flags & NODE_CHILD_SUSPENDED) != 0) {
            set_state(node, STR("NODE_SUSPENDED"));
        }
    }
    if (node->parent == NULL) {
        return;
    }
    if (str_equal(node_state(node), STR("FAILED"))) {
        node->parent->flags |= NODE_CHILD_FAILED;
    } else if (str_equal(node_state(node), STR("SUSPENDED"))) {
        node->parent->flags |= NODE_CHILD_SUSPENDED;
    }
}

int64_t tree_elapsed_seconds(int64_t from_us, int64_t to_us)
{
    const int64_t us = to_us - from_us;
    const int64_t seconds = clock_floor_div(us, US_PER_SECOND);
    const int64_t rest = us - seconds * US_PER_SECOND;
    const int64_t half = US_PER_SECOND / 2;
    return seconds + (rest > half || (rest == half && seconds % 2 != 0));
}

int64_t tree_node_elapsed(const struct tree *tree, const struct node *node)
{
    if (node->started_us == CLOCK_NO_TIME) {
        return 0;
    }
    return tree_elapsed_seconds(
        node->started_us, node->archived_us == CLOCK_NO_TIME ? tree->now_us : node->archived_us);
}

static uint64_t shown_second(int64_t us)
{
    return (uint64_t)(us == CLOCK_NO_TIME ? CLOCK_NO_TIME : clock_floor_div(us, US_PER_SECOND));
}

// The hashes of a tree: of its states, and of the elapsed times of nodes that are running.
struct digests {
    struct hash states;
    struct hash clock;
};

// The two must not start alike: the tag folds one into the other, and equal words would cancel.
static struct digests start_digests(enum tree_kind kind)
{
    return (struct digests){hash_start(kind), hash_start(UINT64_MAX)};
}

static bool is_running(const struct node *node)
{
    return node->started_us != CLOCK_NO_TIME && node->archived_us == CLOCK_NO_TIME;
}

// Hashes exactly what tree_write shows; fractions of seconds are not shown. The order, children
// first, and the depths determine the parents.
static void hash_node(struct digests *digests, const struct tree *tree, const struct node *node,
                      uint32_t depth)
{
    struct hash *const hash = &digests->states;
    const uint8_t shown_flags = node->flags & (NODE_SKIP | NODE_ERROR_IGNORED);
    const uint64_t elapsed = (uint64_t)tree_node_elapsed(tree, node);
    hash_text(hash, node->id, node->id_len);
    hash_text(hash, node->version, node->version_len);
    hash_text(hash, node->state, node->state_len);
    hash_words(hash, (uint64_t)(uint32_t)node->loop << 32 | (uint32_t)node->retry,
               (uint64_t)depth << 8 | shown_flags);
    hash_words(hash, shown_second(node->started_us), shown_second(node->archived_us));
    if (is_running(node)) {
        hash_words(&digests->clock, elapsed, 0);
    } else {
        hash_words(hash, elapsed, 0);
    }
}

static void keep_digests(struct tree *tree, const struct digests *digests)
{
    tree->states[0] = digests->states.a;
    tree->states[1] = digests->states.b;
    tree->clock[0] = digests->clock.a;
    tree->clock[1] = digests->clock.b;
}

static void finish_nodes(struct tree *tree)
{
    struct digests digests = start_digests(TREE_NODES);
    uint32_t depth = 0;
    struct node *node = first_leaf(tree->root, &depth);
    while (node != NULL) {
        node->flags |= NODE_REACHABLE;
        roll_up(node);
        hash_node(&digests, tree, node, depth);
        node = next_upwards(node, tree->root, &depth);
    }
    keep_digests(tree, &digests);
}

// ---- building ----

void tree_of_kind(struct tree *tree, enum tree_kind kind)
{
    const struct digests digests = start_digests(kind);
    *tree = (struct tree){.kind = kind};
    keep_digests(tree, &digests);
}

int tree_build(struct tree *tree, const struct node_list *nodes, struct str root_id, int64_t now_us,
               uint64_t seed, struct arena *arena, struct error *err)
{
    if (nodes->count == 0) {
        tree_of_kind(tree, TREE_CREATED);
        return 0;
    }
    struct tree_table table;
    if (table_init(&table, nodes->count, seed, arena, err) != 0) {
        return -1;
    }
    table_fill(&table, nodes);
    *tree = (struct tree){
        .kind = TREE_NODES,
        .root = table_find(&table, root_id),
        .table = table,
        .now_us = now_us,
    };
    if (tree->root == NULL) {
        return error_set(err, ERR_NO_ROOT_ROW, "%zu rows, none of the root", nodes->count);
    }
    struct linker linker = {.table = &table, .root = tree->root};
    link_all(&linker, nodes);
    finish_nodes(tree);
    return 0;
}

struct node *tree_find(const struct tree *tree, struct str id)
{
    struct node *const node = tree->kind == TREE_NODES ? table_find(&tree->table, id) : NULL;
    return node != NULL && (node->flags & NODE_REACHABLE) != 0 ? node : NULL;
}

// Adds one digest of a subtask to that of the answer's tree.
static void add_digest(uint64_t digest[2], const uint64_t added[2], const struct subtask *subtask)
{
    struct hash hash = hash_start((uint64_t)subtask->task_id);
    hash_text(&hash, subtask->starter->id, subtask->starter->id_len);
    hash_words(&hash, added[0], added[1]);
    digest[0] += hash.a;
    digest[1] += hash.b;
}

void tree_add_subtask(struct tree *tree, const struct subtask *subtask)
{
    add_digest(tree->states, subtask->tree.states, subtask);
    add_digest(tree->clock, subtask->tree.clock, subtask);
}

static void put_hex(char text[TREE_VERSION_BYTES], uint64_t a, uint64_t b)
{
    static const char hex[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        text[i] = hex[a >> (4 * i) & 15];
        text[16 + i] = hex[b >> (4 * i) & 15];
    }
}

struct str tree_tag(const struct tree *tree, bool shows_failed, const char *zone_name,
                    char text[TREE_TAG_BYTES])
{
    struct hash hash = {tree->states[0], tree->states[1]};
    hash_words(&hash, tree->clock[0], tree->clock[1]);
    hash_text(&hash, zone_name, strlen(zone_name));
    if (shows_failed) {
        hash_words(&hash, 1, 0);
    }
    text[0] = '"';
    put_hex(text + 1, hash.a, hash.b);
    text[TREE_TAG_BYTES - 1] = '"';
    return (struct str){text, TREE_TAG_BYTES};
}

struct str tree_version(const struct tree *tree, char text[TREE_VERSION_BYTES])
{
    put_hex(text, tree->states[0], tree->states[1]);
    return (struct str){text, TREE_VERSION_BYTES};
}
