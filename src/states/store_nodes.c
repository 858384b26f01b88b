// SPDX-License-Identifier: MIT
#include "states/store_nodes_priv.h"

#include "auth/authorize.h"
#include "states/node_row_priv.h"
#include "states/statements.h"

// The rows of one statement while they are distributed to its queries.
struct node_rows {
    struct node_query *queries;
    size_t count;
    struct node_query *current; // the query of the last row; NULL if there is none
    size_t rows;
    struct arena *arena;
};

static bool is_root_of(const struct node_query *query, struct str root_id)
{
    return query != NULL && str_equal(permit_root_id(query->permit), root_id);
}

// Returns the query for a root; NULL if a collation has found another root.
static struct node_query *query_of_root(const struct node_rows *rows, struct str root_id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (is_root_of(&rows->queries[i], root_id)) {
            return &rows->queries[i];
        }
    }
    return NULL;
}

static int take_node(struct node_rows *rows, const struct db_value *values, struct error *err)
{
    const struct str root_id = values[NODE_COLUMN_ROOT].text;
    if (!is_root_of(rows->current, root_id)) {
        rows->current = query_of_root(rows, root_id);
    }
    rows->rows++;
    return rows->current == NULL ? 0
                                 : node_row_add(&rows->current->nodes, values, rows->arena, err);
}

// The row limit was exceeded: the query of the last row is incomplete, and so may be those without
// any rows.
static void mark_incomplete(struct node_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct node_query *const query = &rows->queries[i];
        query->is_complete = query != rows->current && query->nodes.count > 0;
        if (!query->is_complete) {
            query->nodes = (struct node_list){0};
        }
    }
}

static int fetch_nodes(struct db *db, struct node_rows *rows, size_t row_limit, struct error *err)
{
    const struct db_value *values;
    int fetched;
    while ((fetched = db_fetch(db, &values, err)) == 1) {
        if (take_node(rows, values, err) != 0) {
            return -1;
        }
    }
    if (rows->rows > row_limit) {
        mark_incomplete(rows);
    }
    return fetched;
}

static int load_nodes_once(struct db *db, struct node_rows *rows, size_t row_limit,
                           struct error *err)
{
    struct statements_key_set roots = {.count = 0};
    for (size_t i = 0; i < rows->count; i++) {
        rows->queries[i].nodes = (struct node_list){0};
        rows->queries[i].is_complete = true;
        statements_add_key(&roots, DB_PARAMETER_TEXT(permit_root_id(rows->queries[i].permit)));
    }
    const size_t size = statements_size(roots.count);
    struct db_parameter parameters[STATEMENT_KEYS_MAX + 1];
    statements_put_keys(parameters, &roots, statements_keys(size));
    // One extra row shows whether the limit is exceeded.
    parameters[statements_keys(size)] = DB_PARAMETER_NUMBER((int64_t)row_limit + 1);
    if (db_query(db, statements_slot(STATEMENT_NODES, size), statements_get(STATEMENT_NODES, size),
                 parameters, err) != 0) {
        return -1;
    }
    const int outcome = fetch_nodes(db, rows, row_limit, err);
    db_finish(db);
    return outcome;
}

int store_nodes_load(struct db *db, struct node_query queries[], size_t count, size_t row_limit,
                     struct arena *arena, struct error *err)
{
    const struct node_rows start = {.queries = queries, .count = count, .arena = arena};
    struct node_rows rows = start;
    const int outcome = load_nodes_once(db, &rows, row_limit, err);
    if (outcome == 0 || !db_may_repeat(db)) {
        return outcome;
    }
    rows = start;
    return load_nodes_once(db, &rows, row_limit, err);
}
