// SPDX-License-Identifier: MIT
#include "tree.h"

#include "clock.h"
#include "hash.h"

static struct str node_id(const struct store_node *node)
{
    return (struct str){node->id, node->id_len};
}

static struct str node_state(const struct store_node *node)
{
    return (struct str){node->state, node->state_len};
}

// ---- finding nodes by id ----

// Open addressing, at most half full.
struct table {
    struct store_node **places;
    size_t mask;
    uint64_t seed;
};

static int table_init(struct table *table, size_t count, uint64_t seed, struct arena *arena,
                      struct err *err)
{
    size_t size = 8;
    while (size < count * 2) {
        size *= 2;
    }
    table->places = arena_alloc(arena, size, sizeof *table->places);
    if (table->places == NULL) {
        return err_set(err, ERR_NO_MEMORY, "table of %zu nodes", count);
    }
    memset(table->places, 0, size * sizeof *table->places);
    table->mask = size - 1;
    table->seed = seed;
    return 0;
}

static uint32_t hash_id(const struct table *table, struct str id)
{
    struct hash hash = hash_start(table->seed);
    hash_text(&hash, id.ptr, id.len);
    return (uint32_t)(hash.a ^ hash.b);
}

// The place where a node with this id is, or would be.
static struct store_node **table_place(const struct table *table, struct str id, uint32_t hash)
{
    size_t at = hash & table->mask;
    while (table->places[at] != NULL &&
           !(table->places[at]->hash == hash && str_equal(node_id(table->places[at]), id))) {
        at = (at + 1) & table->mask;
    }
    return &table->places[at];
}

static struct store_node *table_find(const struct table *table, struct str id)
{
    return *table_place(table, id, hash_id(table, id));
}

// Rows come here from the last to the first. Of rows with one id, which the database's unique index
// rules out, the last counts.
static void table_add(const struct table *table, struct store_node *node)
{
    node->hash = hash_id(table, node_id(node));
    struct store_node **const place = table_place(table, node_id(node), node->hash);
    if (*place != NULL) {
        node->flags |= STORE_NODE_DOUBLED;
        return;
    }
    *place = node;
}

static void table_fill(const struct table *table, const struct store_nodes *nodes)
{
    for (struct store_chunk *chunk = nodes->newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            table_add(table, &chunk->nodes[i - 1]);
        }
    }
}

// ---- linking ----

struct linker {
    const struct table *table;
    const struct store_node *root;
    struct str parent_id; // the last one looked up: siblings mostly stand together
    struct store_node *parent;
};

static struct store_node *find_parent(struct linker *linker, const struct store_node *node)
{
    // The same bytes at the same address are the same text; at another address they may still be.
    if (linker->parent_id.ptr != node->parent_id || linker->parent_id.len != node->parent_id_len) {
        linker->parent_id = (struct str){node->parent_id, node->parent_id_len};
        linker->parent = table_find(linker->table, linker->parent_id);
    }
    return linker->parent;
}

static void link_node(struct linker *linker, struct store_node *node)
{
    if (node == linker->root || (node->flags & STORE_NODE_DOUBLED) != 0) {
        return;
    }
    struct store_node *const parent = find_parent(linker, node);
    if (parent == NULL || parent == node) {
        return; // an orphan, or its own parent: the root does not lead to it
    }
    node->parent = parent;
    node->next_sibling = parent->first_child;
    parent->first_child = node;
}

// From the last row to the first, each put in front of its siblings: they end up in row order.
static void link_all(struct linker *linker, const struct store_nodes *nodes)
{
    for (struct store_chunk *chunk = nodes->newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            link_node(linker, &chunk->nodes[i - 1]);
        }
    }
}

// ---- walking ----

// The node deepest along the first children: where a walk from children to parents begins.
static struct store_node *first_leaf(struct store_node *node)
{
    while (node->first_child != NULL) {
        node = node->first_child;
    }
    return node;
}

// The node after NODE in that order, NULL after ROOT.
static struct store_node *next_upwards(struct store_node *node, const struct store_node *root)
{
    if (node == root) {
        return NULL;
    }
    return node->next_sibling != NULL ? first_leaf(node->next_sibling) : node->parent;
}

// ---- roll-up and tag ----

static void set_state(struct store_node *node, struct str state)
{
    node->state = state.ptr;
    node->state_len = (uint16_t)state.len;
}

// Takes over from the children, which are done, and tells the parent.
static void roll_up(struct store_node *node)
{
    if (str_equal(node_state(node), STR("RUNNING"))) {
        if ((node->flags & STORE_NODE_CHILD_FAILED) != 0) {
            set_state(node, STR("FAILED"));
        } else if ((node->flags & STORE_NODE_CHILD_SUSPENDED) != 0) {
            set_state(node, STR("NODE_SUSPENDED"));
        }
    }
    if (node->parent == NULL) {
        return;
    }
    if (str_equal(node_state(node), STR("FAILED"))) {
        node->parent->flags |= STORE_NODE_CHILD_FAILED;
    } else if (str_equal(node_state(node), STR("SUSPENDED"))) {
        node->parent->flags |= STORE_NODE_CHILD_SUSPENDED;
    }
}

static int64_t floor_seconds(int64_t us)
{
    return us / US_PER_SECOND - (us % US_PER_SECOND < 0);
}

int64_t tree_elapsed_seconds(int64_t from_us, int64_t to_us)
{
    const int64_t us = to_us - from_us;
    const int64_t seconds = floor_seconds(us);
    const int64_t rest = us - seconds * US_PER_SECOND;
    const int64_t half = US_PER_SECOND / 2;
    return seconds + (rest > half || (rest == half && seconds % 2 != 0));
}

static int64_t elapsed(const struct tree *tree, const struct store_node *node)
{
    if (node->started_us == STORE_NO_TIME) {
        return 0;
    }
    return tree_elapsed_seconds(
        node->started_us, node->archived_us == STORE_NO_TIME ? tree->now_us : node->archived_us);
}

static uint64_t shown_second(int64_t us)
{
    return us == STORE_NO_TIME ? UINT64_MAX : (uint64_t)floor_seconds(us);
}

// All that node_write shows, and nothing else: fractions of seconds that are cut don't count.
static void hash_node(struct hash *hash, const struct tree *tree, const struct store_node *node)
{
    const uint8_t shown_flags = node->flags & (STORE_NODE_SKIP | STORE_NODE_ERROR_IGNORED);
    hash_text(hash, node->id, node->id_len);
    hash_text(hash, node->version, node->version_len);
    hash_text(hash, node->state, node->state_len);
    if (node != tree->root) {
        hash_text(hash, node->parent_id, node->parent_id_len);
    }
    hash_words(hash, (uint64_t)(uint32_t)node->loop << 32 | (uint32_t)node->retry, shown_flags);
    hash_words(hash, shown_second(node->started_us), shown_second(node->archived_us));
    hash_words(hash, (uint64_t)elapsed(tree, node), 0);
}

static void finish_nodes(struct tree *tree)
{
    struct hash hash = hash_start(TREE_NODES);
    struct store_node *node = first_leaf(tree->root);
    while (node != NULL) {
        roll_up(node);
        hash_node(&hash, tree, node);
        node = next_upwards(node, tree->root);
    }
    tree->tag[0] = hash.a;
    tree->tag[1] = hash.b;
}

// ---- building ----

void tree_of_kind(struct tree *tree, enum tree_kind kind)
{
    const struct hash hash = hash_start(kind);
    *tree = (struct tree){.kind = kind, .tag = {hash.a, hash.b}};
}

int tree_build(struct tree *tree, const struct store_nodes *nodes, struct str root_id,
               int64_t now_us, uint64_t seed, struct arena *arena, struct err *err)
{
    if (nodes->count == 0) {
        tree_of_kind(tree, TREE_CREATED);
        return 0;
    }
    struct table table;
    if (table_init(&table, nodes->count, seed, arena, err) != 0) {
        return -1;
    }
    table_fill(&table, nodes);
    *tree =
        (struct tree){.kind = TREE_NODES, .root = table_find(&table, root_id), .now_us = now_us};
    if (tree->root == NULL) {
        return err_set(err, ERR_NO_ROOT_ROW, "%zu rows, none of the root", nodes->count);
    }
    struct linker linker = {.table = &table, .root = tree->root};
    link_all(&linker, nodes);
    finish_nodes(tree);
    return 0;
}

struct str tree_tag(const struct tree *tree, const char *zone_name, char text[TREE_TAG_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    struct hash hash = {tree->tag[0], tree->tag[1]};
    hash_text(&hash, zone_name, strlen(zone_name));
    text[0] = '"';
    for (unsigned i = 0; i < 16; i++) {
        text[1 + i] = hex[hash.a >> (4 * i) & 15];
        text[17 + i] = hex[hash.b >> (4 * i) & 15];
    }
    text[33] = '"';
    return (struct str){text, TREE_TAG_BYTES};
}

// ---- writing ----

struct writer {
    const struct tree *tree;
    struct zone *zone;
    struct jsonw *json;
    struct str root_id;
    // The members that every node has in common, made once; absent when they are too long for that.
    struct str root_members;
};

enum { ROOT_MEMBERS_MAX = OUTBUF_MIN_CAPACITY };

// BKFlow's own spelling, root_id:, and the one its document promises.
static void write_root_id(struct jsonw *json, struct str root_id)
{
    JSONW_KEY(json, "root_id:");
    jsonw_string(json, root_id);
    JSONW_KEY(json, "root_id");
    jsonw_string(json, root_id);
}

static int no_room(void *context, const char *bytes, size_t len)
{
    (void)context, (void)bytes, (void)len;
    return -1;
}

// Writes an object with a first member, which is cut off again, and the root's id.
static struct str make_root_members(struct str root_id, char bytes[ROOT_MEMBERS_MAX])
{
    struct outbuf out;
    struct jsonw json;
    outbuf_init(&out, bytes, ROOT_MEMBERS_MAX, no_room, NULL);
    jsonw_init(&json, &out);
    jsonw_open(&json);
    JSONW_KEY(&json, "");
    jsonw_null(&json);
    const size_t skipped = outbuf_pending(&out);
    write_root_id(&json, root_id);
    return out.failed ? STR_ABSENT : (struct str){bytes + skipped, outbuf_pending(&out) - skipped};
}

static void write_time(struct writer *writer, int64_t us)
{
    char text[ZONE_TEXT_MAX];
    const size_t len = us == STORE_NO_TIME ? 0 : zone_format(writer->zone, us, text);
    jsonw_plain(writer->json, (struct str){text, len});
}

#define FLAG_MEMBERS(skip, ignored)                                                                \
    STR(",\"skip\":" skip ",\"error_ignorable\":" ignored ",\"error_ignored\":" ignored)
static const struct str flag_members[] = {
    [0] = FLAG_MEMBERS("false", "false"),
    [STORE_NODE_SKIP] = FLAG_MEMBERS("true", "false"),
    [STORE_NODE_ERROR_IGNORED] = FLAG_MEMBERS("false", "true"),
    [STORE_NODE_SKIP | STORE_NODE_ERROR_IGNORED] = FLAG_MEMBERS("true", "true"),
};

// All up to the children, whose object is left open.
static void enter_node(struct writer *writer, const struct store_node *node)
{
    struct jsonw *const json = writer->json;
    const bool is_root = node == writer->tree->root;
    jsonw_open(json);
    JSONW_KEY(json, "id");
    jsonw_string(json, node_id(node));
    JSONW_KEY(json, "state");
    jsonw_string(json, node_state(node));
    if (LIKELY(!str_is_absent(writer->root_members))) {
        jsonw_members(json, writer->root_members);
    } else {
        write_root_id(json, writer->root_id);
    }
    JSONW_KEY(json, "parent_id");
    jsonw_string(json,
                 is_root ? writer->root_id : (struct str){node->parent_id, node->parent_id_len});
    JSONW_KEY(json, "version");
    jsonw_string(json, (struct str){node->version, node->version_len});
    JSONW_KEY(json, "loop");
    jsonw_number(json, node->loop);
    JSONW_KEY(json, "retry");
    jsonw_number(json, node->retry);
    jsonw_members(json, flag_members[node->flags & (STORE_NODE_SKIP | STORE_NODE_ERROR_IGNORED)]);
    JSONW_KEY(json, "children");
    jsonw_open(json);
}

static void leave_node(struct writer *writer, const struct store_node *node)
{
    struct jsonw *const json = writer->json;
    jsonw_close(json);
    JSONW_KEY(json, "elapsed_time");
    jsonw_number(json, elapsed(writer->tree, node));
    JSONW_KEY(json, "start_time");
    write_time(writer, node->started_us);
    JSONW_KEY(json, "finish_time");
    write_time(writer, node->archived_us);
    jsonw_close(json);
}

static void enter_child(struct writer *writer, const struct store_node *node)
{
    jsonw_key(writer->json, node_id(node));
    enter_node(writer, node);
}

// Down along first children, across to siblings, up to parents: no stack but the nodes' own links.
static void write_nodes(struct writer *writer)
{
    const struct store_node *const root = writer->tree->root;
    const struct store_node *node = root;
    enter_node(writer, root);
    for (;;) {
        if (node->first_child != NULL) {
            node = node->first_child;
            enter_child(writer, node);
            continue;
        }
        leave_node(writer, node);
        while (node != root && node->next_sibling == NULL) {
            node = node->parent;
            leave_node(writer, node);
        }
        if (node == root) {
            return;
        }
        node = node->next_sibling;
        enter_child(writer, node);
    }
}

static void write_not_started(struct jsonw *json)
{
    jsonw_open(json);
    JSONW_KEY(json, "start_time");
    jsonw_null(json);
    JSONW_KEY(json, "state");
    jsonw_string(json, STR("CREATED"));
    JSONW_KEY(json, "retry");
    jsonw_number(json, 0);
    JSONW_KEY(json, "skip");
    jsonw_number(json, 0); // BKFlow sends a number here, a boolean elsewhere
    JSONW_KEY(json, "finish_time");
    jsonw_null(json);
    JSONW_KEY(json, "elapsed_time");
    jsonw_number(json, 0);
    JSONW_KEY(json, "children");
    jsonw_open(json);
    jsonw_close(json);
    jsonw_close(json);
}

static void write_state_alone(struct jsonw *json, struct str state)
{
    jsonw_open(json);
    JSONW_KEY(json, "state");
    jsonw_string(json, state);
    jsonw_close(json);
}

static void write_tree(const struct tree *tree, struct zone *zone, struct jsonw *json)
{
    char root_members[ROOT_MEMBERS_MAX];
    const struct str root_id = node_id(tree->root);
    struct writer writer = {
        .tree = tree,
        .zone = zone,
        .json = json,
        .root_id = root_id,
        .root_members = make_root_members(root_id, root_members),
    };
    write_nodes(&writer);
}

void tree_write(const struct tree *tree, struct zone *zone, struct jsonw *json)
{
    switch (tree->kind) {
    case TREE_NOT_STARTED:
        write_not_started(json);
        break;
    case TREE_CREATED:
        write_state_alone(json, STR("CREATED"));
        break;
    case TREE_EXPIRED:
        write_state_alone(json, STR("EXPIRED"));
        break;
    case TREE_NODES:
        write_tree(tree, zone, json);
        break;
    }
}
