// SPDX-License-Identifier: MIT
#include "ctl/stored_key.h"

#include "db/connection.h"

// Four keys take a few KB. A longer value is no key and counts as empty.
enum { KEY_CHARS = 16 * 1024, NAME_CHARS = 255 };

static const struct ctl_tables_column table_columns[] = {
    {"scope", CTL_TABLES_TEXT, 128, false, NULL},
    {"key", CTL_TABLES_TEXT, NAME_CHARS, false, NULL},
    {"value", CTL_TABLES_TEXT, KEY_CHARS, false, NULL},
};
const struct ctl_tables_table ctl_stored_key_table = {
    .name = "apigw_manager_context",
    .columns = table_columns,
    .column_count = COUNT_OF(table_columns),
};

enum { COLUMN_NAME, COLUMN_PEM, COLUMN_COUNT };

static const struct db_column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {DB_TEXT, NAME_CHARS * 4},
    [COLUMN_PEM] = {DB_TEXT, KEY_CHARS * 4},
};
static const struct db_statement statement = {
    .sql = "SELECT `key`, IF(CHAR_LENGTH(`value`) <= 16384, `value`, '') FROM apigw_manager_context"
           " WHERE scope = 'public_key' AND `key` = ?",
    .parameter_count = 1,
    .columns = columns,
    .column_count = COLUMN_COUNT,
};

// The column's collation may equate names with different bytes.
static int fetch(struct db *db, struct str name, struct arena *arena, struct str *pem,
                 struct error *err)
{
    const struct db_value *values;
    int fetched = 0;
    while ((fetched = db_fetch(db, &values, err)) > 0) {
        if (str_equal(values[COLUMN_NAME].text, name) && !values[COLUMN_PEM].is_null) {
            *pem = arena_copy(arena, values[COLUMN_PEM].text);
            return str_is_absent(*pem) ? error_set(err, ERR_NO_MEMORY, "public key") : 0;
        }
    }
    return fetched;
}

int ctl_stored_key_find(const struct conf_database *database, struct metrics_shard *shard,
                        struct str name, struct arena *arena, struct str *pem, struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_TEXT(name)};
    struct db *const db = db_new(database, NULL, shard);
    *pem = STR_ABSENT;
    if (db == NULL) {
        return error_set(err, ERR_NO_MEMORY, "connection");
    }
    int outcome = db_query(db, 0, &statement, parameters, err);
    if (outcome == 0) {
        outcome = fetch(db, name, arena, pem, err);
        db_finish(db);
    }
    db_free(db);
    return outcome;
}
