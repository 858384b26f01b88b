// SPDX-License-Identifier: MIT
#include "states/store_links_priv.h"

#include "states/statements.h"

static int fetch_links(struct db *db, size_t row_limit, const struct store_link_reader *reader,
                       struct error *err)
{
    const struct db_value *values;
    size_t rows = 0;
    int fetched;
    while ((fetched = db_fetch(db, &values, err)) == 1) {
        const struct store_link link = {
            .parent_task_id = values[LINK_PARENT].number,
            .task_id = values[LINK_TASK].number,
            .extra_info = values[LINK_EXTRA_INFO].text,
        };
        rows++;
        reader->take(reader->context, &link);
    }
    return fetched == 0 && rows > row_limit
               ? error_set(err, ERR_TOO_MANY_NODES, "more than %zu links to tasks", row_limit)
               : fetched;
}

static int find_links_once(struct db *db, const struct statements_key_set *parents,
                           size_t row_limit, const struct store_link_reader *reader,
                           struct error *err)
{
    const size_t size = statements_size(parents->count);
    struct db_parameter parameters[STATEMENT_KEYS_MAX + 1];
    statements_put_keys(parameters, parents, statements_keys(size));
    parameters[statements_keys(size)] = DB_PARAMETER_NUMBER((int64_t)row_limit + 1);
    if (db_query(db, statements_slot(STATEMENT_LINKS, size), statements_get(STATEMENT_LINKS, size),
                 parameters, err) != 0) {
        return -1;
    }
    const int outcome = fetch_links(db, row_limit, reader, err);
    db_finish(db);
    return outcome;
}

int store_links_find(struct db *db, const int64_t parents[], size_t count, size_t row_limit,
                     const struct store_link_reader *reader, struct error *err)
{
    struct statements_key_set keys = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        statements_add_key(&keys, DB_PARAMETER_NUMBER(parents[i]));
    }
    const int outcome = find_links_once(db, &keys, row_limit, reader, err);
    return outcome != 0 && db_may_repeat(db) ? find_links_once(db, &keys, row_limit, reader, err)
                                             : outcome;
}
