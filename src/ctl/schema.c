// SPDX-License-Identifier: MIT
#include "ctl/schema.h"

#include "base/clock.h"
#include "db/connection.h"

#include <stdio.h>
#include <stdlib.h>

// The statements' slots in the connection.
enum { SLOT_SERVER, SLOT_LIMIT, SLOT_KIND, SLOT_COLUMNS, SLOT_INDEX, SLOT_EXCESS, SLOT_ROWS };

struct ctl_schema {
    struct db *db;
};

struct ctl_schema *ctl_schema_new(const struct conf_database *conf, struct metrics_shard *shard)
{
    struct ctl_schema *const schema = calloc(1, sizeof(struct ctl_schema));
    if (schema == NULL) {
        return NULL;
    }
    schema->db = db_new(conf, NULL, shard);
    if (schema->db == NULL) {
        free(schema);
        return NULL;
    }
    return schema;
}

void ctl_schema_free(struct ctl_schema *schema)
{
    if (schema != NULL) {
        db_free(schema->db);
        free(schema);
    }
}

static void keep(char *to, size_t size, const struct db_value *value)
{
    snprintf(to, size, "%.*s", (int)value->text.len,
             value->text.ptr == NULL ? "" : value->text.ptr);
}

// Fetches the only row of a statement; its values live until the next call.
static int fetch_one(struct ctl_schema *schema, unsigned slot, const struct db_statement *statement,
                     const struct db_parameter *parameters, const struct db_value **values,
                     struct error *err)
{
    if (db_query(schema->db, slot, statement, parameters, err) != 0) {
        return -1;
    }
    const int fetched = db_fetch(schema->db, values, err);
    return fetched == 0 ? error_set(err, ERR_INTERNAL, "a one-row statement gave none")
                        : fetched - 1;
}

static const struct db_parameter no_parameters[1];

// ---- the server ----

enum {
    SERVER_CLOCK,
    SERVER_VERSION,
    SERVER_USER,
    SERVER_HOST,
    SERVER_DATABASE,
    SERVER_IDENTITY,
    SERVER_WIDTH
};

static const struct db_column server_columns[SERVER_WIDTH] = {
    [SERVER_CLOCK] = {DB_TIME, 0},       [SERVER_VERSION] = {DB_TEXT, 1024},
    [SERVER_USER] = {DB_TEXT, 1024},     [SERVER_HOST] = {DB_TEXT, 1024},
    [SERVER_DATABASE] = {DB_TEXT, 1024}, [SERVER_IDENTITY] = {DB_TEXT, 2048},
};

// A user name may contain an @, a host name cannot. MariaDB has no server_uuid.
static const struct db_statement server_statement = {
    .sql = "SELECT UTC_TIMESTAMP(6), VERSION(),"
           " LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - 1"
           " - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))),"
           " SUBSTRING_INDEX(CURRENT_USER(), '@', -1), DATABASE(),"
           " CONCAT(@@hostname, ' ', @@port, ' ', @@datadir /*!50708 , @@server_uuid*/)",
    .columns = server_columns,
    .column_count = SERVER_WIDTH,
};

int ctl_schema_server(struct ctl_schema *schema, struct ctl_schema_server *server,
                      struct error *err)
{
    const struct db_value *values;
    // The first run connects and prepares; only the second measures a round trip.
    if (fetch_one(schema, SLOT_SERVER, &server_statement, no_parameters, &values, err) != 0) {
        return -1;
    }
    db_finish(schema->db);
    const int64_t asked_us = clock_system.wall_us();
    if (fetch_one(schema, SLOT_SERVER, &server_statement, no_parameters, &values, err) != 0) {
        return -1;
    }
    server->uncertain_us = (clock_system.wall_us() - asked_us) / 2;
    server->ahead_us = values[SERVER_CLOCK].number - (asked_us + server->uncertain_us);
    keep(server->version, sizeof server->version, &values[SERVER_VERSION]);
    keep(server->user, sizeof server->user, &values[SERVER_USER]);
    keep(server->host, sizeof server->host, &values[SERVER_HOST]);
    keep(server->database, sizeof server->database, &values[SERVER_DATABASE]);
    keep(server->identity, sizeof server->identity, &values[SERVER_IDENTITY]);
    db_finish(schema->db);
    return 0;
}

static const struct db_column limit_columns[] = {{DB_BIGINT, 0}};
// Each server runs the comment in its own dialect; NULL where it can do neither.
static const struct db_statement limit_statement = {
    .sql = "SELECT CAST(COALESCE(NULL /*!50708 , @@SESSION.max_execution_time*/"
           " /*M!100101 , @@SESSION.max_statement_time * 1000*/) AS SIGNED)",
    .columns = limit_columns,
    .column_count = COUNT_OF(limit_columns),
};

int ctl_schema_time_limit(struct ctl_schema *schema, int64_t *milliseconds, struct error *err)
{
    const struct db_value *values;
    if (fetch_one(schema, SLOT_LIMIT, &limit_statement, no_parameters, &values, err) != 0) {
        return -1;
    }
    *milliseconds = values[0].is_null ? -1 : values[0].number;
    db_finish(schema->db);
    return 0;
}

// ---- tables ----

static const struct db_column kind_columns[] = {{DB_BIGINT, 0}, {DB_BIGINT, 0}};
static const struct db_statement kind_statement = {
    .sql = "SELECT COUNT(*), CAST(COALESCE(SUM(table_type LIKE '%VIEW'), 0) AS SIGNED)"
           " FROM information_schema.tables"
           " WHERE table_schema = DATABASE() AND table_name = ?",
    .parameter_count = 1,
    .columns = kind_columns,
    .column_count = COUNT_OF(kind_columns),
};

int ctl_schema_kind(struct ctl_schema *schema, const char *table, enum ctl_schema_kind *kind,
                    struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_TEXT(str_from(table))};
    const struct db_value *values;
    if (fetch_one(schema, SLOT_KIND, &kind_statement, parameters, &values, err) != 0) {
        return -1;
    }
    if (values[0].number == 0) {
        *kind = CTL_SCHEMA_NOTHING;
    } else {
        *kind = values[1].number > 0 ? CTL_SCHEMA_VIEW : CTL_SCHEMA_TABLE;
    }
    db_finish(schema->db);
    return 0;
}

static const struct db_column rows_columns[] = {{DB_BIGINT, 0}};
#define ROWS(table)                                                                                \
    {                                                                                              \
        .sql = "SELECT COUNT(*) FROM (SELECT id FROM " table " LIMIT 1) AS found",                 \
        .columns = rows_columns, .column_count = COUNT_OF(rows_columns)                            \
    }
static const struct db_statement rows_statements[] = {
    [CTL_SCHEMA_TEMPLATES] = ROWS("template_template"),
    [CTL_SCHEMA_TASKS] = ROWS("task_taskinstance"),
};

bool ctl_schema_has_rows(struct ctl_schema *schema, enum ctl_schema_rows table)
{
    const struct db_value *values;
    struct error err = {0};
    const unsigned slot = SLOT_ROWS + (unsigned)table;
    if (fetch_one(schema, slot, &rows_statements[table], no_parameters, &values, &err) != 0) {
        return false;
    }
    const bool has = values[0].number > 0;
    db_finish(schema->db);
    return has;
}

enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_SIZE, COLUMN_COLLATION, COLUMN_READABLE, COLUMN_WIDTH };

static const struct db_column column_columns[COLUMN_WIDTH] = {
    [COLUMN_NAME] = {DB_TEXT, 256},     [COLUMN_TYPE] = {DB_TEXT, 256},
    [COLUMN_SIZE] = {DB_BIGINT, 0},     [COLUMN_COLLATION] = {DB_TEXT, 256},
    [COLUMN_READABLE] = {DB_BIGINT, 0},
};

static const struct db_statement columns_statement = {
    .sql =
        "SELECT column_name, data_type, CAST(character_maximum_length AS SIGNED), collation_name,"
        " FIND_IN_SET('select', privileges) > 0 FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = ?",
    .parameter_count = 1,
    .columns = column_columns,
    .column_count = COLUMN_WIDTH,
};

static void take_column(const struct ctl_tables_table *table, const struct db_value *values,
                        struct ctl_schema_column *columns)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (str_equal(values[COLUMN_NAME].text, str_from(table->columns[i].name))) {
            columns[i].is_there = true;
            columns[i].is_readable = values[COLUMN_READABLE].number != 0;
            columns[i].size = values[COLUMN_SIZE].number;
            keep(columns[i].type, sizeof columns[i].type, &values[COLUMN_TYPE]);
            keep(columns[i].collation, sizeof columns[i].collation, &values[COLUMN_COLLATION]);
        }
    }
}

int ctl_schema_columns(struct ctl_schema *schema, const struct ctl_tables_table *table,
                       struct ctl_schema_column columns[CTL_TABLES_COLUMNS_MAX], struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_TEXT(str_from(table->name))};
    const struct db_value *values;
    memset(columns, 0, CTL_TABLES_COLUMNS_MAX * sizeof *columns);
    if (db_query(schema->db, SLOT_COLUMNS, &columns_statement, parameters, err) != 0) {
        return -1;
    }
    int fetched;
    while ((fetched = db_fetch(schema->db, &values, err)) == 1) {
        take_column(table, values, columns);
    }
    db_finish(schema->db);
    return fetched;
}

enum { INDEX_NOT_UNIQUE, INDEX_PLACE, INDEX_COLUMN, INDEX_WIDTH };

static const struct db_column index_columns[INDEX_WIDTH] = {
    [INDEX_NOT_UNIQUE] = {DB_BIGINT, 0},
    [INDEX_PLACE] = {DB_BIGINT, 0},
    [INDEX_COLUMN] = {DB_TEXT, 256},
};

// Rows are combined here, not in SQL: a subquery over the same table would make the server open
// every table of every database.
static const struct db_statement index_statement = {
    .sql = "SELECT non_unique, seq_in_index, column_name"
           " FROM information_schema.statistics"
           " WHERE table_schema = DATABASE() AND table_name = ?"
           " ORDER BY index_name, seq_in_index",
    .parameter_count = 1,
    .columns = index_columns,
    .column_count = INDEX_WIDTH,
};

// The index whose columns are being read.
struct index_look {
    bool begins_with; // the column looked for
    bool is_unique;
    bool has_others; // further columns
    size_t read;     // of its columns, those that are read
};

static bool is_read(const struct ctl_tables_table *table, struct str name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (str_equal(name, str_from(table->columns[i].name))) {
            return true;
        }
    }
    return false;
}

static bool fits(const struct index_look *look, const struct ctl_tables_table *table,
                 const struct ctl_tables_index *index)
{
    return look->begins_with && (!index->is_unique || (look->is_unique && !look->has_others)) &&
           (!index->covers || look->read == table->column_count);
}

int ctl_schema_has_index(struct ctl_schema *schema, const struct ctl_tables_table *table,
                         const struct ctl_tables_index *index, bool *has, struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_TEXT(str_from(table->name))};
    const struct db_value *values;
    struct index_look look = {0};
    *has = false;
    if (db_query(schema->db, SLOT_INDEX, &index_statement, parameters, err) != 0) {
        return -1;
    }
    int fetched;
    while ((fetched = db_fetch(schema->db, &values, err)) == 1) {
        if (values[INDEX_PLACE].number == 1) { // the next index: the one before is complete
            *has = *has || fits(&look, table, index);
            look = (struct index_look){
                .begins_with = str_equal(values[INDEX_COLUMN].text, str_from(index->column)),
                .is_unique = values[INDEX_NOT_UNIQUE].number == 0,
            };
        } else {
            look.has_others = true;
        }
        look.read += is_read(table, values[INDEX_COLUMN].text);
    }
    *has = *has || fits(&look, table, index);
    db_finish(schema->db);
    return fetched;
}

// ---- privileges ----

static const struct db_column excess_columns[] = {{DB_TEXT, 256}};

// Privileges of the account itself: global, on this database, its tables and columns. The schema's
// name in a grant is a pattern.
static const struct db_statement excess_statement = {
    .sql = "SELECT DISTINCT privilege_type FROM ("
           "SELECT grantee, privilege_type FROM information_schema.user_privileges"
           " UNION ALL SELECT grantee, privilege_type FROM information_schema.schema_privileges"
           " WHERE DATABASE() LIKE table_schema"
           " UNION ALL SELECT grantee, privilege_type FROM information_schema.table_privileges"
           " WHERE table_schema = DATABASE()"
           " UNION ALL SELECT grantee, privilege_type FROM information_schema.column_privileges"
           " WHERE table_schema = DATABASE()) AS granted"
           " WHERE grantee = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - 1"
           " - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))), '''@''',"
           " SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
           " AND privilege_type NOT IN ('SELECT', 'USAGE') ORDER BY privilege_type",
    .columns = excess_columns,
    .column_count = COUNT_OF(excess_columns),
};

int ctl_schema_excess(struct ctl_schema *schema, char *list, size_t size, struct error *err)
{
    const struct db_value *values;
    size_t len = 0;
    list[0] = '\0';
    if (db_query(schema->db, SLOT_EXCESS, &excess_statement, no_parameters, err) != 0) {
        return -1;
    }
    int fetched;
    while ((fetched = db_fetch(schema->db, &values, err)) == 1) {
        const int added = snprintf(list + len, size - len, "%s%.*s", len > 0 ? ", " : "",
                                   (int)values[0].text.len, values[0].text.ptr);
        len = added > 0 && len + (size_t)added < size ? len + (size_t)added : len;
    }
    db_finish(schema->db);
    return fetched;
}
