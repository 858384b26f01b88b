// SPDX-License-Identifier: MIT
#include "ctl/check_table.h"

#include <inttypes.h>
#include <stdio.h>

// One table being checked.
struct look {
    const struct ctl_check_place *place;
    const struct ctl_tables_table *table;
    struct ctl_report *report;
    struct ctl_schema_column columns[CTL_TABLES_COLUMNS_MAX];
};

// Adds a finding about the table. What is wrong with a table that only some requests need is a
// warning.
static void add(const struct look *look, struct ctl_finding *finding)
{
    if (finding->verdict == CTL_WRONG && look->table->only_for != NULL) {
        const size_t len = strlen(finding->what);
        finding->verdict = CTL_WARNING;
        snprintf(finding->what + len, sizeof finding->what - len, "; only %s need it",
                 look->table->only_for);
    }
    ctl_report_add(look->report, finding);
}

static bool sees_all(const struct look *look)
{
    return look->place->structure != look->place->responder;
}

static void add_failure(const struct look *look, const char *kind, const struct error *err)
{
    struct ctl_finding finding = {.verdict = CTL_WRONG, .topic = {kind, look->table->name}};
    ctl_report_what(&finding, "it cannot be told: %s", err->detail);
    add(look, &finding);
}

// Advises the GRANT that lets the responder's account read the table.
static void advise_grant(const struct look *look, struct ctl_finding *finding, const char *before)
{
    const struct ctl_schema_server *const server = &look->place->server;
    char account[CTL_TABLES_SQL_MAX];
    char grant[CTL_TABLES_SQL_MAX];
    ctl_tables_account(str_from(server->user), str_from(server->host), account, sizeof account);
    ctl_tables_grant(look->table, str_from(server->database), account, grant, sizeof grant);
    ctl_report_to_do(finding, "%s%s", before, grant);
}

// ---- the table itself ----

static void add_missing(const struct look *look)
{
    struct ctl_finding finding = {.verdict = CTL_WRONG, .topic = {"table", look->table->name}};
    ctl_report_what(&finding, "it is not in database %s%s", look->place->server.database,
                    sees_all(look) ? "" : ", or this account may not read it");
    if (look->table->is_ours) {
        advise_grant(look, &finding, "Make it with bkflow-statesctl init-db, then: ");
    } else if (sees_all(look)) {
        ctl_report_to_do(&finding,
                         "It is BKFlow's own: [%s] name must be the database where "
                         "BKFlow has it.",
                         look->place->section);
    } else {
        advise_grant(look, &finding,
                     "It is BKFlow's own; if [database] and [engine_database] name "
                     "the right ones: ");
    }
    add(look, &finding);
}

static bool look_at_table(const struct look *look, enum ctl_schema_kind *kind)
{
    struct error err = {0};
    if (ctl_schema_kind(look->place->structure, look->table->name, kind, &err) != 0) {
        add_failure(look, "table", &err);
        return false;
    }
    if (*kind == CTL_SCHEMA_NOTHING) {
        add_missing(look);
        return false;
    }
    struct ctl_finding finding = {.topic = {"table", look->table->name}};
    ctl_report_what(&finding, "it is there");
    add(look, &finding);
    return true;
}

// ---- its columns ----

static bool is_one_of(const char *type, const char *const *types)
{
    for (size_t i = 0; types[i] != NULL; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_type(const struct ctl_schema_column *column, const struct ctl_tables_column *needed)
{
    static const char *const numbers[] = {"tinyint", "smallint", "mediumint",
                                          "int",     "bigint",   NULL};
    static const char *const texts[] = {"varchar", "char", NULL};
    static const char *const bytes[] = {"binary", "varbinary", NULL};
    static const char *const json[] = {"json", "longtext", NULL};
    switch (needed->type) {
    case CTL_TABLES_NUMBER:
        return is_one_of(column->type, numbers);
    case CTL_TABLES_TEXT:
        return is_one_of(column->type, texts);
    case CTL_TABLES_BYTES:
        return is_one_of(column->type, bytes) && column->size == needed->size;
    case CTL_TABLES_JSON:
        return is_one_of(column->type, json);
    case CTL_TABLES_TIME:
        break;
    }
    return strcmp(column->type, "datetime") == 0;
}

// Whether the collation distinguishes texts with different bytes. Binary collations compare code
// points.
static bool distinguishes_texts(const struct ctl_schema_column *column)
{
    static const char suffix[] = "_bin";
    const size_t len = strlen(column->collation);
    return len >= sizeof suffix - 1 &&
           strcmp(column->collation + len - (sizeof suffix - 1), suffix) == 0;
}

// Checks a column that exists. FINDING stays unchanged if it is right.
static void check_column(const struct look *look, const struct ctl_schema_column *column,
                         const struct ctl_tables_column *needed, struct ctl_finding *finding)
{
    char expected[64];
    ctl_tables_describe(needed, expected, sizeof expected);
    if (!has_type(column, needed)) {
        finding->verdict = CTL_WRONG;
        ctl_report_what(finding, "it is %s(%" PRId64 ") and should be %s", column->type,
                        column->size, expected);
        ctl_report_to_do(finding, "This version of the program cannot work with that table: is it "
                                  "of a BKFlow that is newer or older than expected?");
    } else if (needed->type == CTL_TABLES_TEXT && column->size > needed->size) {
        finding->verdict = CTL_WARNING;
        ctl_report_what(finding, "it is %s(%" PRId64 "), the program reads no more than %s",
                        column->type, column->size, expected);
        ctl_report_to_do(finding, "A row with a longer text is answered 503: look for a version of "
                                  "the program that is as new as this BKFlow.");
    } else if (needed->is_exact && !distinguishes_texts(column)) {
        finding->verdict = CTL_WRONG;
        ctl_report_what(finding, "its collation %s takes different codes for the same",
                        column->collation);
        ctl_report_to_do(finding,
                         "ALTER TABLE `%s` MODIFY `%s` %s CHARACTER SET utf8mb4 COLLATE "
                         "utf8mb4_bin NOT NULL;",
                         look->table->name, needed->name, expected);
    }
}

static void add_missing_column(const struct look *look, const struct ctl_tables_column *needed,
                               struct ctl_finding *finding)
{
    char before[256];
    finding->verdict = CTL_WRONG;
    ctl_report_what(finding, "it is not there%s",
                    sees_all(look) ? "" : ", or this account may not read it");
    if (needed->since != NULL) {
        snprintf(before, sizeof before, "It was added by %s: an older BKFlow has to be updated",
                 needed->since);
    } else {
        snprintf(before, sizeof before, "A table of another BKFlow has other columns");
    }
    if (sees_all(look)) {
        ctl_report_to_do(finding, "%s.", before);
        return;
    }
    snprintf(before + strlen(before), sizeof before - strlen(before),
             "; if only the right to read it is missing: ");
    advise_grant(look, finding, before);
}

static bool look_at_column(const struct look *look, size_t i)
{
    const struct ctl_tables_column *const needed = &look->table->columns[i];
    const struct ctl_schema_column *const column = &look->columns[i];
    struct ctl_finding finding = {.topic = {"columns", look->table->name, needed->name}};
    if (column->is_there) {
        check_column(look, column, needed, &finding);
    } else {
        add_missing_column(look, needed, &finding);
    }
    if (finding.verdict != CTL_RIGHT) {
        add(look, &finding);
    }
    return finding.verdict == CTL_RIGHT;
}

static void look_at_columns(struct look *look)
{
    struct error err = {0};
    size_t right = 0;
    if (ctl_schema_columns(look->place->structure, look->table, look->columns, &err) != 0) {
        add_failure(look, "columns", &err);
        return;
    }
    for (size_t i = 0; i < look->table->column_count; i++) {
        right += look_at_column(look, i);
    }
    if (right == look->table->column_count) {
        struct ctl_finding finding = {.topic = {"columns", look->table->name}};
        ctl_report_what(&finding, "all %zu that are read are there, of the right type", right);
        add(look, &finding);
    }
}

// ---- its indexes ----

static void add_missing_index(const struct look *look, const struct ctl_tables_index *index)
{
    struct ctl_finding finding = {
        .verdict = CTL_WRONG,
        .topic = {"indexes", look->table->name, index->column},
    };
    ctl_report_what(&finding, "there is no %sindex %s it; without one %s",
                    index->is_unique ? "unique " : "", index->is_unique ? "on" : "that begins with",
                    index->purpose);
    ctl_report_to_do(&finding, "CREATE %sINDEX `%s_%s` ON `%s` (`%s`);",
                     index->is_unique ? "UNIQUE " : "", look->table->name, index->column,
                     look->table->name, index->column);
    add(look, &finding);
}

static void add_complete_indexes(const struct look *look)
{
    struct ctl_finding finding = {.topic = {"indexes", look->table->name}};
    struct error err = {0};
    bool covers = false;
    if (look->table->covering == NULL) {
        ctl_report_what(&finding, "all that are needed are there");
    } else if (ctl_schema_has_index(look->place->structure, look->table, look->table->covering,
                                    &covers, &err) != 0) {
        add_failure(look, "indexes", &err);
        return;
    } else {
        ctl_report_what(&finding, "all that are needed are there; %s covers all that is read%s",
                        covers ? "one of them" : "none",
                        covers ? "" : " (replica_index.sql makes one, for a read replica)");
    }
    add(look, &finding);
}

static void look_at_indexes(const struct look *look)
{
    struct error err = {0};
    size_t right = 0;
    for (size_t i = 0; i < look->table->index_count; i++) {
        const struct ctl_tables_index *const index = &look->table->indexes[i];
        bool has;
        if (ctl_schema_has_index(look->place->structure, look->table, index, &has, &err) != 0) {
            add_failure(look, "indexes", &err);
            return;
        }
        right += has;
        if (!has) {
            add_missing_index(look, index);
        }
    }
    if (right == look->table->index_count) {
        add_complete_indexes(look);
    }
}

static void add_view(const struct look *look)
{
    struct ctl_finding finding = {.verdict = CTL_WARNING, .topic = {"indexes", look->table->name}};
    ctl_report_what(&finding, "it is a view: what is below it cannot be looked at");
    ctl_report_to_do(&finding, "See with EXPLAIN that a lookup by id is quick.");
    add(look, &finding);
}

// ---- its grants ----

// Always checks the responder's own account.
static void look_at_grants(const struct look *look)
{
    struct ctl_schema_column mine[CTL_TABLES_COLUMNS_MAX];
    struct error err = {0};
    const char *unreadable = NULL;
    if (ctl_schema_columns(look->place->responder, look->table, mine, &err) != 0) {
        add_failure(look, "grants", &err);
        return;
    }
    for (size_t i = 0; i < look->table->column_count; i++) {
        // A missing column has been reported already.
        if (look->columns[i].is_there && !mine[i].is_readable) {
            unreadable = look->table->columns[i].name;
        }
    }
    struct ctl_finding finding = {.topic = {"grants", look->table->name}};
    if (unreadable == NULL) {
        ctl_report_what(&finding, "%s@%s may read it", look->place->server.user,
                        look->place->server.host);
    } else {
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding, "%s@%s may not read its column %s", look->place->server.user,
                        look->place->server.host, unreadable);
        advise_grant(look, &finding, "");
    }
    add(look, &finding);
}

void ctl_check_table_run(const struct ctl_check_place *place, const struct ctl_tables_table *table,
                         struct ctl_report *report)
{
    struct look look = {.place = place, .table = table, .report = report};
    enum ctl_schema_kind kind;
    if (!look_at_table(&look, &kind)) {
        return;
    }
    look_at_columns(&look);
    if (kind == CTL_SCHEMA_VIEW) {
        add_view(&look);
    } else {
        look_at_indexes(&look);
    }
    if (place->responder != NULL) {
        look_at_grants(&look);
    }
}
