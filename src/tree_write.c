// SPDX-License-Identifier: MIT
// The writing half of tree: see tree.h.
#include "tree.h"

static struct str id_of(const struct store_node *node)
{
    return (struct str){node->id, node->id_len};
}

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
    jsonw_string(json, id_of(node));
    JSONW_KEY(json, "state");
    jsonw_string(json, (struct str){node->state, node->state_len});
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
    jsonw_number(json, tree_node_elapsed(writer->tree, node));
    JSONW_KEY(json, "start_time");
    write_time(writer, node->started_us);
    JSONW_KEY(json, "finish_time");
    write_time(writer, node->archived_us);
    jsonw_close(json);
}

static void enter_child(struct writer *writer, const struct store_node *node)
{
    jsonw_key(writer->json, id_of(node));
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
    const struct str root_id = id_of(tree->root);
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
