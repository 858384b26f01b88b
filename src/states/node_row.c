// SPDX-License-Identifier: MIT
#include "states/node_row_priv.h"

#include "states/statements.h"

static bool keep_node_text(const char **kept, uint16_t *kept_len, const struct db_value *value,
                           const char *before, uint16_t before_len, struct arena *arena)
{
    const struct str text = value->text;
    *kept_len = (uint16_t)text.len; // the column's type limits it
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
    return value->is_null ? CLOCK_NO_TIME : value->number;
}

static bool read_node(struct node *node, const struct node *before, const struct db_value *values,
                      struct arena *arena)
{
    static const struct node none;
    before = before == NULL ? &none : before;
    node->loop = (int32_t)values[NODE_COLUMN_LOOP].number;
    node->retry = (int32_t)values[NODE_COLUMN_RETRY].number;
    node->flags = (uint8_t)((values[NODE_COLUMN_SKIP].number != 0 ? NODE_SKIP : 0) |
                            (values[NODE_COLUMN_IGNORED].number != 0 ? NODE_ERROR_IGNORED : 0));
    node->started_us = node_time(&values[NODE_COLUMN_STARTED]);
    node->archived_us = node_time(&values[NODE_COLUMN_ARCHIVED]);
    return keep_node_text(&node->id, &node->id_len, &values[NODE_COLUMN_ID], NULL, 0, arena) &&
           keep_node_text(&node->parent_id, &node->parent_id_len, &values[NODE_COLUMN_PARENT],
                          before->parent_id, before->parent_id_len, arena) &&
           keep_node_text(&node->state, &node->state_len, &values[NODE_COLUMN_STATE], before->state,
                          before->state_len, arena) &&
           keep_node_text(&node->version, &node->version_len, &values[NODE_COLUMN_VERSION],
                          before->version, before->version_len, arena);
}

int node_row_add(struct node_list *nodes, const struct db_value *values, struct arena *arena,
                 struct error *err)
{
    const struct node *const before = node_list_last(nodes);
    struct node *const node = node_list_add(nodes, arena);
    if (node == NULL || !read_node(node, before, values, arena)) {
        return error_set(err, ERR_NO_MEMORY, "node %zu", nodes->count);
    }
    return 0;
}
