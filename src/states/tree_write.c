// SPDX-License-Identifier: MIT
// The writing half of tree: see tree.h.
#include "states/tree.h"

#define ROOT_ID_MISSPELT ",\"root_id:\":" // BKFlow's own spelling
#define ROOT_ID          ",\"root_id\":"  // as in BKFlow's API document

enum {
    TEXT_AT_ONCE = 96, // bytes; most columns are shorter
    QUOTED_MAX = TEXT_AT_ONCE + 2,
    ROOT_MEMBERS_MAX = sizeof ROOT_ID_MISSPELT + sizeof ROOT_ID + 2 * QUOTED_MAX,
    MEMBERS_MAX = 300, // everything but the strings; more than needed
    NODE_ROOM = 5 * QUOTED_MAX + ROOT_MEMBERS_MAX + MEMBERS_MAX,
};
_Static_assert((int)NODE_ROOM <= (int)OUTBUF_MIN_CAPACITY, "a node must fit the buffer");

// Writes nodes directly into the buffer; room for a complete node is reserved first.
struct writer {
    const struct tree *tree;
    const struct node *lists_failed; // the root that lists the failed nodes; NULL: none
    struct local_time *local_time;
    struct outbuf *out;
    char *to; // in the reserved room; not committed
    struct str root_id;
    // The members that are the same for every node, prepared once; absent if the root's id is
    // unusual.
    struct str root_members;
    char root_members_bytes[ROOT_MEMBERS_MAX];
};

static void begin_writing(struct writer *writer)
{
    writer->to = outbuf_reserve(writer->out, NODE_ROOM);
}

static void end_writing(struct writer *writer)
{
    outbuf_claim(writer->out, writer->to);
}

#define PUT(writer, literal) put_literal((writer), literal, sizeof(literal) - 1)
static inline void put_literal(struct writer *writer, const char *literal, size_t len)
{
    memcpy(writer->to, literal, len);
    writer->to += len;
}

static void put_any_text(struct writer *writer, struct str text)
{
    end_writing(writer);
    json_write_quote_any(writer->out, text);
    begin_writing(writer);
}

static inline void put_text(struct writer *writer, const char *text, size_t len)
{
    const struct str string = {text, len};
    char *const end = len <= TEXT_AT_ONCE ? json_write_quote(writer->to, string) : NULL;
    if (LIKELY(end != NULL)) {
        writer->to = end;
    } else {
        put_any_text(writer, string);
    }
}

static inline void put_number(struct writer *writer, int64_t number)
{
    writer->to = json_write_put_number(writer->to, number);
}

static void put_time(struct writer *writer, int64_t us)
{
    *writer->to++ = '"';
    if (us != CLOCK_NO_TIME) {
        writer->to += local_time_format(writer->local_time, us, writer->to);
    }
    *writer->to++ = '"';
}

static struct str make_root_members(struct str root_id, char bytes[ROOT_MEMBERS_MAX])
{
    struct writer writer = {.to = bytes};
    char quoted[QUOTED_MAX];
    const char *const end = root_id.len <= TEXT_AT_ONCE ? json_write_quote(quoted, root_id) : NULL;
    if (end == NULL) {
        return STR_ABSENT;
    }
    PUT(&writer, ROOT_ID_MISSPELT);
    put_literal(&writer, quoted, (size_t)(end - quoted));
    PUT(&writer, ROOT_ID);
    put_literal(&writer, quoted, (size_t)(end - quoted));
    return (struct str){bytes, (size_t)(writer.to - bytes)};
}

// From here on, nodes of TREE are written.
static void select_tree(struct writer *writer, const struct tree *tree)
{
    writer->tree = tree;
    writer->root_id = (struct str){tree->root->id, tree->root->id_len};
    writer->root_members = make_root_members(writer->root_id, writer->root_members_bytes);
}

static void put_root_members(struct writer *writer)
{
    if (LIKELY(!str_is_absent(writer->root_members))) {
        put_literal(writer, writer->root_members.ptr, writer->root_members.len);
        return;
    }
    PUT(writer, ROOT_ID_MISSPELT);
    put_text(writer, writer->root_id.ptr, writer->root_id.len);
    PUT(writer, ROOT_ID);
    put_text(writer, writer->root_id.ptr, writer->root_id.len);
}

static void put_flags(struct writer *writer, uint8_t flags)
{
    if ((flags & NODE_SKIP) != 0) {
        PUT(writer, ",\"skip\":true");
    } else {
        PUT(writer, ",\"skip\":false");
    }
    // BKFlow sends both names, always with the same value.
    if ((flags & NODE_ERROR_IGNORED) != 0) {
        PUT(writer, ",\"error_ignorable\":true,\"error_ignored\":true");
    } else {
        PUT(writer, ",\"error_ignorable\":false,\"error_ignored\":false");
    }
}

// Writes a node up to its children and leaves their object open.
static void put_node(struct writer *writer, const struct node *node)
{
    PUT(writer, "{\"id\":");
    put_text(writer, node->id, node->id_len);
    PUT(writer, ",\"state\":");
    put_text(writer, node->state, node->state_len);
    put_root_members(writer);
    PUT(writer, ",\"parent_id\":");
    if (node == writer->tree->root) {
        put_text(writer, writer->root_id.ptr, writer->root_id.len);
    } else {
        put_text(writer, node->parent_id, node->parent_id_len);
    }
    PUT(writer, ",\"version\":");
    put_text(writer, node->version, node->version_len);
    PUT(writer, ",\"loop\":");
    put_number(writer, node->loop);
    PUT(writer, ",\"retry\":");
    put_number(writer, node->retry);
    put_flags(writer, node->flags);
    PUT(writer, ",\"children\":{");
}

// Starts to write the nodes of TREE and returns its root.
static const struct node *enter_tree(struct writer *writer, const struct tree *tree)
{
    select_tree(writer, tree);
    begin_writing(writer);
    put_node(writer, tree->root);
    end_writing(writer);
    return tree->root;
}

static void enter_child(struct writer *writer, const struct node *node)
{
    begin_writing(writer);
    if (node != node->parent->first_child) {
        PUT(writer, ",");
    }
    put_text(writer, node->id, node->id_len);
    PUT(writer, ":");
    put_node(writer, node);
    end_writing(writer);
}

// Writes the ids in the order of the answer.
static void put_failed_nodes(struct writer *writer, const struct tree *tree)
{
    bool has_any = false;
    size_t left;
    PUT(writer, ",\"failed_nodes\":[");
    for (const struct node *node = tree->root; node != NULL; node = tree_next(tree, node, &left)) {
        if (!str_equal((struct str){node->state, node->state_len}, STR("FAILED"))) {
            continue;
        }
        if (has_any) {
            PUT(writer, ",");
        }
        put_text(writer, node->id, node->id_len);
        has_any = true;
        end_writing(writer);
        begin_writing(writer);
    }
    PUT(writer, "]");
}

static void leave_node(struct writer *writer, const struct node *node)
{
    begin_writing(writer);
    PUT(writer, "},\"elapsed_time\":");
    put_number(writer, tree_node_elapsed(writer->tree, node));
    PUT(writer, ",\"start_time\":");
    put_time(writer, node->started_us);
    PUT(writer, ",\"finish_time\":");
    put_time(writer, node->archived_us);
    if (UNLIKELY(node == writer->lists_failed)) {
        put_failed_nodes(writer, writer->tree);
    }
    PUT(writer, "}");
    end_writing(writer);
}

// The list of a task without nodes.
static void write_no_failed_nodes(struct json_writer *json)
{
    JSON_WRITE_KEY(json, "failed_nodes");
    if (json_write_begin_value(json)) {
        outbuf_put(json->out, '[');
        outbuf_put(json->out, ']');
        json_write_end_value(json);
    }
}

static void write_not_started(struct json_writer *json)
{
    JSON_WRITE_KEY(json, "start_time");
    json_write_null(json);
    JSON_WRITE_KEY(json, "state");
    json_write_string(json, STR("CREATED"));
    JSON_WRITE_KEY(json, "retry");
    json_write_number(json, 0);
    JSON_WRITE_KEY(json, "skip");
    json_write_number(json, 0); // BKFlow sends a number here and a boolean elsewhere
    JSON_WRITE_KEY(json, "finish_time");
    json_write_null(json);
    JSON_WRITE_KEY(json, "elapsed_time");
    json_write_number(json, 0);
    JSON_WRITE_KEY(json, "children");
    json_write_open(json);
    json_write_close(json);
}

static void write_created(struct json_writer *json)
{
    JSON_WRITE_KEY(json, "state");
    json_write_string(json, STR("CREATED"));
}

// ---- trees in trees ----

static void write_without_nodes(const struct tree *tree, bool shows_failed,
                                struct json_writer *json)
{
    json_write_open(json);
    if (tree->kind == TREE_NOT_STARTED) {
        write_not_started(json);
    } else {
        write_created(json);
    }
    if (shows_failed) {
        write_no_failed_nodes(json);
    }
    json_write_close(json);
}

// Ends the node's children and writes the task that the node started up to its states.
static void begin_subtask(struct writer *writer, const struct subtask *subtask)
{
    begin_writing(writer);
    PUT(writer, "},\"subtask\":{\"task_id\":");
    put_number(writer, subtask->task_id);
    PUT(writer, ",\"states\":");
    end_writing(writer);
}

// Writes the task that NODE started. If that has nodes, it starts with them and returns the root.
static const struct node *enter_subtask(struct writer *writer, const struct node *node)
{
    struct json_writer json;
    if (LIKELY(node->subtask == NULL)) {
        return NULL;
    }
    begin_subtask(writer, node->subtask);
    if (node->subtask->tree.kind == TREE_NODES) {
        return enter_tree(writer, &node->subtask->tree);
    }
    json_write_init(&json, writer->out);
    write_without_nodes(&node->subtask->tree, false, &json);
    return NULL;
}

// Writes the rest of NODE. With a subtask's root, the node that started it is complete, too, and so
// on. Returns the outermost node that is complete.
static const struct node *leave_nodes(struct writer *writer, const struct node *node)
{
    leave_node(writer, node);
    while (node == writer->tree->root && writer->tree->of != NULL) {
        const struct subtask *const subtask = writer->tree->of;
        select_tree(writer, subtask->above);
        node = subtask->starter;
        leave_node(writer, node);
    }
    return node;
}

// Ends NODE, whose children are written, and its ancestors up to one that has more children.
// Returns the next node, which is begun; NULL: all is written.
static const struct node *end_branch(struct writer *writer, const struct node *node)
{
    for (;;) {
        const struct node *const root = enter_subtask(writer, node);
        if (root != NULL) {
            return root;
        }
        node = leave_nodes(writer, node);
        if (node == writer->tree->root) {
            return NULL;
        }
        if (node->next_sibling != NULL) {
            enter_child(writer, node->next_sibling);
            return node->next_sibling;
        }
        node = node->parent;
    }
}

// Needs no stack: it follows the nodes' links.
static void write_nodes(struct writer *writer, const struct tree *tree)
{
    const struct node *node = enter_tree(writer, tree);
    while (node != NULL) {
        if (node->first_child != NULL) {
            node = node->first_child;
            enter_child(writer, node);
        } else {
            node = end_branch(writer, node);
        }
    }
}

void tree_write(const struct tree *tree, bool shows_failed, struct local_time *local_time,
                struct json_writer *json)
{
    struct writer writer = {
        .lists_failed = shows_failed ? tree->root : NULL,
        .local_time = local_time,
        .out = json->out,
    };
    if (tree->kind != TREE_NODES) {
        write_without_nodes(tree, shows_failed, json);
    } else if (json_write_begin_value(json)) {
        write_nodes(&writer, tree);
        json_write_end_value(json);
    }
}
