// SPDX-License-Identifier: MIT
#include "store_rows.h"

enum {
    NODE_ID,
    NODE_PARENT,
    NODE_STATE,
    NODE_VERSION,
    NODE_LOOP,
    NODE_RETRY,
    NODE_SKIP,
    NODE_IGNORED,
    NODE_STARTED,
    NODE_ARCHIVED,
};

static bool keep_node_text(const char **kept, uint16_t *kept_len, const struct db_value *value,
                           const char *before, uint16_t before_len, struct arena *arena)
{
    const struct str text = value->text;
    *kept_len = (uint16_t)text.len; // bounded by the column
    if (before != NULL && str_equal(text, (struct str){before, before_len})) {
        *kept = before;
        return true;
    }
    char *const copy = arena_text(arena, text.len);
    if (copy == NULL) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    *kept = copy;
    return true;
}

static int64_t node_time(const struct db_value *value)
{
    return value->is_null ? STORE_NO_TIME : value->number;
}

static bool read_node(struct store_node *node, const struct store_node *before,
                      const struct db_value *values, struct arena *arena)
{
    static const struct store_node none;
    before = before == NULL ? &none : before;
    node->loop = (int32_t)values[NODE_LOOP].number;
    node->retry = (int32_t)values[NODE_RETRY].number;
    node->flags = (uint8_t)((values[NODE_SKIP].number != 0 ? STORE_NODE_SKIP : 0) |
                            (values[NODE_IGNORED].number != 0 ? STORE_NODE_ERROR_IGNORED : 0));
    node->started_us = node_time(&values[NODE_STARTED]);
    node->archived_us = node_time(&values[NODE_ARCHIVED]);
    return keep_node_text(&node->id, &node->id_len, &values[NODE_ID], NULL, 0, arena) &&
           keep_node_text(&node->parent_id, &node->parent_id_len, &values[NODE_PARENT],
                          before->parent_id, before->parent_id_len, arena) &&
           keep_node_text(&node->state, &node->state_len, &values[NODE_STATE], before->state,
                          before->state_len, arena) &&
           keep_node_text(&node->version, &node->version_len, &values[NODE_VERSION],
                          before->version, before->version_len, arena);
}

int store_rows_add(struct store_nodes *nodes, const struct db_value values[NODE_WIDTH],
                   struct arena *arena, struct err *err)
{
    const struct store_node *const before = store_nodes_last(nodes);
    struct store_node *const node = store_nodes_add(nodes, arena);
    if (node == NULL || !read_node(node, before, values, arena)) {
        return err_set(err, ERR_NO_MEMORY, "node %zu", nodes->count);
    }
    return 0;
}
