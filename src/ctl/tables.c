// SPDX-License-Identifier: MIT
#include "ctl/tables.h"

#include <inttypes.h>
#include <stdio.h>

// clang-format off
#define NUMBER(name)      {(name), CTL_TABLES_NUMBER, 0, false, NULL}
#define TEXT(name, size)  {(name), CTL_TABLES_TEXT, (size), false, NULL}
#define BYTES(name, size) {(name), CTL_TABLES_BYTES, (size), false, NULL}
#define TIME(name)        {(name), CTL_TABLES_TIME, 0, false, NULL}
#define JSON(name)        {(name), CTL_TABLES_JSON, 0, false, NULL}
// clang-format on

static const struct ctl_tables_column app_columns[] = {
    {"bk_app_code", CTL_TABLES_TEXT, 128, true, NULL},
    BYTES("salt", 16),
    BYTES("secret_digest", 32),
    BYTES("previous_digest", 32),
    TIME("previous_expires_at"),
    NUMBER("is_enabled"),
    TEXT("description", 255),
    TIME("created_at"),
    TIME("rotated_at"),
};
static const struct ctl_tables_index app_indexes[] = {
    {"bk_app_code", true, "an application can be there twice", false},
};

static const struct ctl_tables_column user_columns[] = {
    TEXT("username", 255),
    NUMBER("is_active"),
};
static const struct ctl_tables_index user_indexes[] = {
    {"username", true, "each request reads the whole table, and a user can be there twice", false},
};

static const struct ctl_tables_column template_columns[] = {
    NUMBER("id"),
    NUMBER("is_deleted"),
    {"bk_app_code", CTL_TABLES_TEXT, 128, false,
     "BKFlow of January 2026, by its migration 0010 of template"},
};
static const struct ctl_tables_column space_columns[] = {
    NUMBER("id"),
    TEXT("app_code", 32),
};

static const struct ctl_tables_column task_columns[] = {
    NUMBER("id"),         NUMBER("space_id"),    NUMBER("is_started"),    NUMBER("is_deleted"),
    NUMBER("is_expired"), NUMBER("template_id"), TEXT("instance_id", 33),
};
static const struct ctl_tables_index id_indexes[] = {
    {"id", true, "each request reads the whole table", false},
};

static const struct ctl_tables_column state_columns[] = {
    NUMBER("id"),     TEXT("node_id", 33),     TEXT("root_id", 33),  TEXT("parent_id", 33),
    TEXT("name", 64), TEXT("version", 33),     NUMBER("loop"),       NUMBER("retry"),
    NUMBER("skip"),   NUMBER("error_ignored"), TIME("started_time"), TIME("archived_time"),
};
static const struct ctl_tables_index state_indexes[] = {
    {"id", true, "the order of nodes costs a sort", false},
    {"root_id", false, "each request reads the whole table", false},
};
static const struct ctl_tables_index state_covering = {.column = "root_id", .covers = true};

static const struct ctl_tables_column relation_columns[] = {
    NUMBER("id"),
    NUMBER("task_id"),
    NUMBER("parent_task_id"),
    JSON("extra_info"),
};
static const struct ctl_tables_index relation_indexes[] = {
    {"parent_task_id", false, "each request with subtasks=1 reads the whole table", false},
};

#define COLUMNS(array) .columns = (array), .column_count = COUNT_OF(array)
#define INDEXES(array) .indexes = (array), .index_count = COUNT_OF(array)

const struct ctl_tables_table ctl_tables_all[] = {
    {.name = "bkflow_states_app",
     .is_ours = true,
     .need = CTL_TABLES_SECRETS,
     COLUMNS(app_columns),
     INDEXES(app_indexes)},
    {.name = "account_user",
     .need = CTL_TABLES_USERS,
     COLUMNS(user_columns),
     INDEXES(user_indexes)},
    {.name = "template_template", COLUMNS(template_columns), INDEXES(id_indexes)},
    {.name = "space_space",
     .only_for = "requests below /space/",
     COLUMNS(space_columns),
     INDEXES(id_indexes)},
    {.name = "task_taskinstance", .is_engine = true, COLUMNS(task_columns), INDEXES(id_indexes)},
    {.name = "eri_state",
     .is_engine = true,
     COLUMNS(state_columns),
     INDEXES(state_indexes),
     .covering = &state_covering},
    {.name = "task_taskflowrelation",
     .is_engine = true,
     .only_for = "requests with subtasks=1",
     COLUMNS(relation_columns),
     INDEXES(relation_indexes)},
};
const size_t ctl_tables_count = COUNT_OF(ctl_tables_all);

_Static_assert(COUNT_OF(state_columns) <= CTL_TABLES_COLUMNS_MAX, "raise CTL_TABLES_COLUMNS_MAX");
_Static_assert(COUNT_OF(app_columns) <= CTL_TABLES_COLUMNS_MAX, "raise CTL_TABLES_COLUMNS_MAX");

void ctl_tables_describe(const struct ctl_tables_column *column, char *text, size_t size)
{
    switch (column->type) {
    case CTL_TABLES_NUMBER:
        snprintf(text, size, "a whole number");
        break;
    case CTL_TABLES_TEXT:
        snprintf(text, size, "varchar(%" PRId64 ")", column->size);
        break;
    case CTL_TABLES_BYTES:
        snprintf(text, size, "binary(%" PRId64 ")", column->size);
        break;
    case CTL_TABLES_TIME:
        snprintf(text, size, "datetime(6)");
        break;
    case CTL_TABLES_JSON:
        snprintf(text, size, "json or longtext");
        break;
    }
}

// ---- SQL to be copied by a person ----

struct sql {
    char *next;
    size_t room; // without the terminator
};

static void put(struct sql *sql, struct str text)
{
    const size_t n = text.len < sql->room ? text.len : sql->room;
    memcpy(sql->next, text.ptr, n);
    sql->next += n;
    sql->room -= n;
    *sql->next = '\0';
}

static void put_quoted(struct sql *sql, char quote, struct str text)
{
    put(sql, (struct str){&quote, 1});
    for (size_t i = 0; i < text.len; i++) {
        const struct str one = {text.ptr + i, 1};
        // Doubling a quote works in every sql_mode; a backslash is an escape unless
        // NO_BACKSLASH_ESCAPES is set.
        if (one.ptr[0] == quote || (one.ptr[0] == '\\' && quote == '\'')) {
            put(sql, one);
        }
        put(sql, one);
    }
    put(sql, (struct str){&quote, 1});
}

void ctl_tables_account(struct str user, struct str host, char *text, size_t size)
{
    struct sql sql = {text, size - 1};
    put_quoted(&sql, '\'', user);
    put(&sql, STR("@"));
    put_quoted(&sql, '\'', host);
}

static void put_columns(struct sql *sql, const struct ctl_tables_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        put(sql, i == 0 ? STR(" (") : STR(", "));
        put_quoted(sql, '`', str_from(table->columns[i].name));
    }
    put(sql, STR(")"));
}

void ctl_tables_grant(const struct ctl_tables_table *table, struct str database,
                      const char *account, char *text, size_t size)
{
    struct sql sql = {text, size - 1};
    put(&sql, STR("GRANT SELECT"));
    if (!table->is_ours) {
        put_columns(&sql, table);
    }
    put(&sql, STR(" ON "));
    put_quoted(&sql, '`', database);
    put(&sql, STR("."));
    put_quoted(&sql, '`', str_from(table->name));
    put(&sql, STR(" TO "));
    put(&sql, str_from(account));
    put(&sql, STR(";"));
}
