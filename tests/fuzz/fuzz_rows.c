// SPDX-License-Identifier: MIT
// Any rows: the answer is JSON that json-c parses, and holds no more nodes than there were rows.
// Each row takes 8 bytes of the input: ids and parents from a small set, so that they meet.
#include "tree.h"

#include <json.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROW_BYTES = 8, ROWS_MAX = 512, OUTPUT_MAX = 4 << 20, BUFFER = 2048 };

static char output[OUTPUT_MAX];
static size_t output_len;

static int collect(void *context, const char *bytes, size_t len)
{
    (void)context;
    if (len > OUTPUT_MAX - output_len) {
        return -1;
    }
    memcpy(output + output_len, bytes, len);
    output_len += len;
    return 0;
}

static const char *text_of(struct arena *arena, const uint8_t *bytes, uint16_t len)
{
    char *const text = arena_text(arena, len);
    memcpy(text, bytes, len);
    return text;
}

static void add_row(struct store_nodes *nodes, struct arena *arena, const uint8_t row[ROW_BYTES])
{
    static const char *const states[] = {"RUNNING", "FAILED", "SUSPENDED", "FINISHED"};
    struct store_node *const node = store_nodes_add(nodes, arena);
    node->id_len = node->parent_id_len = 1;
    node->id = text_of(arena, row, 1);
    node->parent_id = text_of(arena, row + 1, 1);
    node->version_len = row[2] % 6;
    node->version = text_of(arena, row + 2, node->version_len);
    node->state = states[row[3] % 4];
    node->state_len = (uint16_t)strlen(node->state);
    node->flags = row[4] & (STORE_NODE_SKIP | STORE_NODE_ERROR_IGNORED);
    node->loop = (int8_t)row[5];
    node->retry = row[5] * 1000003;
    node->started_us = row[6] == 0 ? STORE_NO_TIME : (int64_t)row[6] * 1234567890123;
    node->archived_us = row[7] == 0 ? STORE_NO_TIME : -(int64_t)row[7] * 98765432101;
}

static long count_nodes(json_object *node)
{
    json_object *children;
    long count = 1;
    if (!json_object_object_get_ex(node, "children", &children)) {
        abort();
    }
    json_object_object_foreach(children, id, child)
    {
        (void)id;
        count += count_nodes(child);
    }
    return count;
}

static void check_json(size_t rows)
{
    struct json_tokener *const tokener = json_tokener_new_ex(4096);
    json_object *const parsed = json_tokener_parse_ex(tokener, output, (int)output_len);
    if (parsed == NULL || json_tokener_get_parse_end(tokener) != output_len ||
        count_nodes(parsed) > (long)rows) {
        abort();
    }
    json_object_put(parsed);
    json_tokener_free(tokener);
}

static void write_and_check(const struct tree *tree, size_t rows)
{
    static struct zone zone;
    static char buffer[BUFFER];
    struct outbuf out;
    struct jsonw json;
    output_len = 0;
    outbuf_init(&out, buffer, sizeof buffer, collect, NULL);
    jsonw_init(&json, &out);
    tree_write(tree, &zone, &json);
    if (outbuf_flush(&out) != 0 || !jsonw_is_whole(&json)) {
        abort();
    }
    check_json(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    if (arena == NULL) {
        arena = arena_new(16 << 20);
    }
    struct store_nodes nodes = {0};
    for (size_t at = 0; at + ROW_BYTES <= size && nodes.count < ROWS_MAX; at += ROW_BYTES) {
        add_row(&nodes, arena, data + at);
    }
    struct tree tree;
    struct err err = {0};
    const struct str root = {(const char *)data, size == 0 ? 0 : 1};
    if (nodes.count > 0 && tree_build(&tree, &nodes, root, 1000000, 42, arena, &err) == 0) {
        write_and_check(&tree, nodes.count);
    }
    arena_reset(arena);
    return 0;
}
