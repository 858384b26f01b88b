// SPDX-License-Identifier: MIT
#include "states/store_mysql.h"

#include "auth/authorize.h"
#include "db/connection.h"
#include "states/node_row.h"

#include <stdlib.h>

struct store_mysql {
    const struct conf *conf;
    struct db *interface; // template_template, account_user, bkflow_states_app
    struct db *engine;    // task_taskinstance, eri_state; not connected if they are there, too
    // Nodes that came along with the facts of the request under way.
    bool has_nodes;
    struct str nodes_root;
    struct node_list nodes;
};

struct store_mysql *store_mysql_new(const struct conf *conf, struct db_health *health,
                                    struct metrics_shard *shard)
{
    struct store_mysql *const store = calloc(1, sizeof(struct store_mysql));
    if (store == NULL) {
        return NULL;
    }
    store->conf = conf;
    store->interface = db_new(&conf->database, health, shard);
    // Also without an engine's database: a reload may bring one, and must not fail.
    store->engine = db_new(&conf->engine_database, health, shard);
    if (store->interface == NULL || store->engine == NULL) {
        store_mysql_free(store);
        return NULL;
    }
    return store;
}

void store_mysql_free(struct store_mysql *store)
{
    if (store != NULL) {
        db_free(store->interface);
        db_free(store->engine);
        free(store);
    }
}

void store_mysql_reconfigure(struct store_mysql *store, const struct conf *conf)
{
    store->conf = conf;
    db_reconfigure(store->interface, &conf->database);
    db_reconfigure(store->engine, &conf->engine_database);
}

void store_mysql_failback(struct store_mysql *store)
{
    db_failback(store->interface);
    db_failback(store->engine);
}

static struct db *engine_of(const struct store_mysql *store)
{
    return store->conf->has_engine_database ? store->engine : store->interface;
}

// ---- the facts ----

// A connection's prepared statements. The first three of each kind are by what a claim needs.
enum {
    SLOT_TOGETHER,
    SLOT_APART = SLOT_TOGETHER + 3,
    SLOT_USUAL = SLOT_APART + 3,
    SLOT_TASK = SLOT_USUAL + 3,
    SLOT_NODES,
};
_Static_assert((int)SLOT_NODES < (int)DB_STATEMENTS_MAX, "raise DB_STATEMENTS_MAX");

#define APP_COLUMNS                                                                                \
    "a.bk_app_code, a.is_enabled, a.salt, a.secret_digest, a.previous_digest, "                    \
    "a.previous_expires_at"
#define USER_COLUMNS     "u.username, u.is_active"
#define TASK_COLUMNS     "t.is_deleted, t.is_started, t.is_expired, t.instance_id, t.template_id"
#define TEMPLATE_COLUMNS "p.is_deleted, p.bk_app_code"

// What stands in for columns that a claim does not need.
#define NO_APP_COLUMNS  "NULL, NULL, NULL, NULL, NULL, NULL"
#define NO_USER_COLUMNS "NULL, NULL"

#define APP_TYPES                                                                                  \
    VARCHAR(128), FLAG, BINARY(LOOKUP_SALT_BYTES), BINARY(LOOKUP_DIGEST_BYTES),                    \
        BINARY(LOOKUP_DIGEST_BYTES), TIME
#define USER_TYPES     VARCHAR(255), FLAG
#define TASK_TYPES     FLAG, FLAG, FLAG, VARCHAR(33), BIGINT
#define TEMPLATE_TYPES FLAG, VARCHAR(128)

enum { CALLER_WIDTH = 8, TASK_WIDTH = 5, TEMPLATE_WIDTH = 2 };

// Always exactly one row: each table is looked up by a unique key, and what is missing is NULL, so
// that an unknown application costs what a known one does.
#define ONE_ROW       " FROM (SELECT 1) AS one"
#define JOIN_APP      " LEFT JOIN bkflow_states_app a ON a.bk_app_code = ?"
#define JOIN_USER     " LEFT JOIN account_user u ON u.username = ?"
#define JOIN_TASK     " LEFT JOIN task_taskinstance t ON t.id = ?"
#define JOIN_TEMPLATE " LEFT JOIN template_template p ON p.id = "

#define STATEMENT(text, parameters, types)                                                         \
    {                                                                                              \
        .sql = (text), .parameter_count = (parameters), .columns = (types),                        \
        .column_count = COUNT_OF(types)                                                            \
    }

// What must be looked up about the caller: a gateway vouches for both, and the users may live
// elsewhere. A table that is not needed need not exist.
enum need { NEED_APP_AND_USER, NEED_APP, NEED_NEITHER };

// Everything in one database: one round trip.
#define TOGETHER(app, user, joins, parameters)                                                     \
    STATEMENT("SELECT " app ", " user ", " TASK_COLUMNS                                            \
              ", " TEMPLATE_COLUMNS ONE_ROW joins JOIN_TASK JOIN_TEMPLATE "t.template_id",         \
              parameters, together_columns)
static const struct db_column together_columns[] = {APP_TYPES, USER_TYPES, TASK_TYPES,
                                                    TEMPLATE_TYPES};
static const struct db_statement together_statements[] = {
    [NEED_APP_AND_USER] = TOGETHER(APP_COLUMNS, USER_COLUMNS, JOIN_APP JOIN_USER, 3),
    [NEED_APP] = TOGETHER(APP_COLUMNS, NO_USER_COLUMNS, JOIN_APP, 2),
    [NEED_NEITHER] = TOGETHER(NO_APP_COLUMNS, NO_USER_COLUMNS, "", 1),
};

// In the interface's database, when the task, which names the template, is in another.
#define APART(app, user, joins, parameters)                                                        \
    STATEMENT("SELECT " app ", " user ", " TEMPLATE_COLUMNS ONE_ROW joins JOIN_TEMPLATE "?",       \
              parameters, apart_columns)
static const struct db_column apart_columns[] = {APP_TYPES, USER_TYPES, TEMPLATE_TYPES};
static const struct db_statement apart_statements[] = {
    [NEED_APP_AND_USER] = APART(APP_COLUMNS, USER_COLUMNS, JOIN_APP JOIN_USER, 3),
    [NEED_APP] = APART(APP_COLUMNS, NO_USER_COLUMNS, JOIN_APP, 2),
    [NEED_NEITHER] = APART(NO_APP_COLUMNS, NO_USER_COLUMNS, "", 1),
};

static const struct db_column task_columns[] = {TASK_TYPES};
static const struct db_statement task_statement =
    STATEMENT("SELECT " TASK_COLUMNS ONE_ROW JOIN_TASK, 1, task_columns);

static enum need need_of(const struct lookup *lookup)
{
    if (str_is_absent(lookup->app_code)) {
        return NEED_NEITHER;
    }
    return str_is_absent(lookup->username) ? NEED_APP : NEED_APP_AND_USER;
}

// Puts the statement's parameters together: what the caller needs, and LAST.
static void fill_parameters(struct db_parameter parameters[3], const struct lookup *lookup,
                            int64_t last)
{
    size_t count = 0;
    if (!str_is_absent(lookup->app_code)) {
        parameters[count++] = DB_PARAMETER_TEXT(lookup->app_code);
        if (!str_is_absent(lookup->username)) {
            parameters[count++] = DB_PARAMETER_TEXT(lookup->username);
        }
    }
    parameters[count] = DB_PARAMETER_NUMBER(last);
}

// The one row of a statement of this kind; its values live until the next call on DB.
static int fetch_only_row(struct db *db, unsigned slot, const struct db_statement *statement,
                          const struct db_parameter *parameters, const struct db_value **values,
                          struct error *err)
{
    if (db_query(db, slot, statement, parameters, err) != 0) {
        return -1;
    }
    const int fetched = db_fetch(db, values, err);
    return fetched == 0 ? error_set(err, ERR_INTERNAL, "a one-row statement gave none")
                        : fetched - 1;
}

static void copy_bytes(uint8_t *to, size_t size, const struct db_value *value)
{
    if (value->text.len == size) {
        memcpy(to, value->text.ptr, size);
    }
}

static void read_app(struct lookup_application *app, const struct db_value *values, struct str code)
{
    // The column is binary-collated in our schema; this holds even where an operator changed that.
    app->exists = !values[0].is_null && str_equal(values[0].text, code);
    app->is_enabled = values[1].number != 0;
    copy_bytes(app->salt, sizeof app->salt, &values[2]);
    copy_bytes(app->digest, sizeof app->digest, &values[3]);
    copy_bytes(app->previous_digest, sizeof app->previous_digest, &values[4]);
    app->has_previous = !values[4].is_null && !values[5].is_null;
    app->previous_expires_us = values[5].number;
}

static bool read_user_is_active(const struct db_value *values, struct str username)
{
    return !values[6].is_null && str_equal(values[6].text, username) && values[7].number == 1;
}

static int keep_text(struct str *kept, const struct db_value *value, struct arena *arena,
                     struct error *err)
{
    if (value->is_null) {
        *kept = STR_ABSENT;
        return 0;
    }
    *kept = arena_copy(arena, value->text);
    return str_is_absent(*kept) ? error_set(err, ERR_NO_MEMORY, "facts") : 0;
}

static int read_task(struct lookup_task *task, const struct db_value *values, struct arena *arena,
                     struct error *err)
{
    task->exists = !values[0].is_null;
    task->is_deleted = values[0].number != 0;
    task->is_started = values[1].number != 0;
    task->is_expired = values[2].number != 0;
    task->template_id = values[4].number;
    return keep_text(&task->instance_id, &values[3], arena, err);
}

static int read_template(struct lookup_template *template, const struct db_value *values,
                         struct arena *arena, struct error *err)
{
    template->exists = !values[0].is_null;
    template->is_deleted = values[0].number != 0;
    return keep_text(&template->app_code, &values[1], arena, err);
}

// One database: everything in one round trip.
static int look_up_together(struct store_mysql *store, const struct lookup *lookup,
                            struct arena *arena, struct lookup_result *result, struct error *err)
{
    const enum need need = need_of(lookup);
    struct db_parameter parameters[3];
    const struct db_value *values;
    fill_parameters(parameters, lookup, lookup->task_id);
    if (fetch_only_row(store->interface, SLOT_TOGETHER + need, &together_statements[need],
                       parameters, &values, err) != 0) {
        return -1;
    }
    read_app(&result->app, values, lookup->app_code);
    result->user_is_active = read_user_is_active(values, lookup->username);
    if (read_task(&result->task, values + CALLER_WIDTH, arena, err) != 0) {
        return -1;
    }
    return read_template(&result->template, values + CALLER_WIDTH + TASK_WIDTH, arena, err);
}

static int look_up_task(struct store_mysql *store, int64_t task_id, struct arena *arena,
                        struct lookup_task *task, struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_NUMBER(task_id)};
    const struct db_value *values;
    const bool got =
        fetch_only_row(store->engine, SLOT_TASK, &task_statement, parameters, &values, err) == 0 &&
        read_task(task, values, arena, err) == 0;
    db_finish(store->engine);
    return got ? 0 : -1;
}

// Two databases: the task first, since it names the template.
static int look_up_apart(struct store_mysql *store, const struct lookup *lookup,
                         struct arena *arena, struct lookup_result *result, struct error *err)
{
    if (look_up_task(store, lookup->task_id, arena, &result->task, err) != 0) {
        return -1;
    }
    const enum need need = need_of(lookup);
    struct db_parameter parameters[3];
    const struct db_value *values;
    fill_parameters(parameters, lookup, result->task.template_id);
    if (fetch_only_row(store->interface, SLOT_APART + need, &apart_statements[need], parameters,
                       &values, err) != 0) {
        return -1;
    }
    read_app(&result->app, values, lookup->app_code);
    result->user_is_active = read_user_is_active(values, lookup->username);
    return read_template(&result->template, values + CALLER_WIDTH, arena, err);
}

// ---- the usual case: facts and nodes in one round trip ----

enum { USUAL_INSTANCE_ID, USUAL_ROW_ID, USUAL_NODE };

static const struct db_column usual_columns[] = {VARCHAR(33), BIGINT, NODE_TYPES};

// A node's row comes only where the secret, the user, the task's state and the binding are all as
// they should be: that row proves it, so that nothing of it needs to be repeated in every row.
// Everything else gives no such row, and is asked about in detail. Names are compared as bytes,
// too: a collation may find another one. No ORDER BY: rows come off the index on (root_id, id) in
// the order of id, which is checked; sorting would cost a temporary table.
#define USUAL_COLUMNS "t.instance_id, s.id, " NODE_COLUMNS
#define USUAL_JOINS                                                                                \
    " LEFT JOIN template_template p ON p.id = t.template_id AND p.is_deleted = 0"                  \
    " LEFT JOIN eri_state s ON s.root_id = t.instance_id AND t.is_started = 1"                     \
    " AND t.is_expired = 0 AND CAST(p.bk_app_code AS BINARY) = ?"
#define USUAL_TASK " LEFT JOIN task_taskinstance t ON t.id = ? AND t.is_deleted = 0"
// The clock is ours, as in the detailed case: a server with another time lets nobody in for longer.
#define USUAL_SECRET                                                                               \
    " AND (a.secret_digest = ? OR (a.previous_digest = ?"                                          \
    " AND TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.previous_expires_at) > ?))"
#define USUAL_WHERE_APP " WHERE a.bk_app_code = ? AND a.is_enabled = 1 LIMIT ?"

static const struct db_statement usual_statements[] = {
    [NEED_APP_AND_USER] = STATEMENT(
        "SELECT " USUAL_COLUMNS " FROM bkflow_states_app a"
        " LEFT JOIN account_user u ON u.username = ?" USUAL_TASK USUAL_JOINS
        " AND u.is_active = 1 AND CAST(u.username AS BINARY) = ?" USUAL_SECRET USUAL_WHERE_APP,
        9, usual_columns),
    [NEED_APP] =
        STATEMENT("SELECT " USUAL_COLUMNS
                  " FROM bkflow_states_app a" USUAL_TASK USUAL_JOINS USUAL_SECRET USUAL_WHERE_APP,
                  7, usual_columns),
    [NEED_NEITHER] = STATEMENT("SELECT " USUAL_COLUMNS " FROM task_taskinstance t" USUAL_JOINS
                               " WHERE t.id = ? AND t.is_deleted = 0 LIMIT ?",
                               3, usual_columns),
};

static void fill_usual_parameters(struct db_parameter parameters[DB_PARAMETERS_MAX], enum need need,
                                  const struct lookup *lookup, int64_t limit)
{
    size_t count = 0;
    if (need == NEED_APP_AND_USER) {
        parameters[count++] = DB_PARAMETER_TEXT(lookup->username);
    }
    if (need != NEED_NEITHER) {
        parameters[count++] = DB_PARAMETER_NUMBER(lookup->task_id);
    }
    parameters[count++] = DB_PARAMETER_BYTES(lookup->binding_code);
    if (need == NEED_APP_AND_USER) {
        parameters[count++] = DB_PARAMETER_BYTES(lookup->username);
    }
    if (need == NEED_NEITHER) {
        parameters[count++] = DB_PARAMETER_NUMBER(lookup->task_id);
    } else {
        parameters[count++] = DB_PARAMETER_BYTES(lookup->secret_digest);
        parameters[count++] = DB_PARAMETER_BYTES(lookup->secret_digest);
        parameters[count++] = DB_PARAMETER_NUMBER(lookup->now_us);
        parameters[count++] = DB_PARAMETER_TEXT(lookup->app_code);
    }
    parameters[count] = DB_PARAMETER_NUMBER(limit);
}

// The facts that a node's row proves.
static int read_usual_facts(const struct db_value *values, const struct lookup *lookup,
                            struct arena *arena, struct lookup_result *result, struct error *err)
{
    result->is_proven = true;
    result->task.exists = result->task.is_started = true;
    result->template.app_code = lookup->binding_code; // compared byte for byte by the statement
    return keep_text(&result->task.instance_id, &values[USUAL_INSTANCE_ID], arena, err);
}

// Takes the rows as long as they are nodes in the order of their ids. 1: the facts and all nodes
// are read, 0: this is not the usual case, -1 an error.
static int fetch_usual(struct store_mysql *store, const struct lookup *lookup, struct arena *arena,
                       struct lookup_result *result, struct error *err)
{
    const struct db_value *values;
    int64_t last_id = INT64_MIN;
    int fetched;
    while ((fetched = db_fetch(store->interface, &values, err)) == 1) {
        const struct db_value *const row_id = &values[USUAL_ROW_ID];
        if (row_id->is_null || row_id->number <= last_id) {
            return 0;
        }
        if (last_id == INT64_MIN && read_usual_facts(values, lookup, arena, result, err) != 0) {
            return -1;
        }
        last_id = row_id->number;
        if (node_row_add(&store->nodes, values + USUAL_NODE, arena, err) != 0) {
            return -1;
        }
    }
    return fetched != 0 ? -1 : last_id != INT64_MIN;
}

static int look_up_usual(struct store_mysql *store, const struct lookup *lookup,
                         struct arena *arena, struct lookup_result *result, struct error *err)
{
    const enum need need = need_of(lookup);
    struct db_parameter parameters[DB_PARAMETERS_MAX];
    // One more than allowed tells that there are more.
    fill_usual_parameters(parameters, need, lookup, store->conf->response.max_nodes + 1);
    store->nodes = (struct node_list){0};
    if (db_query(store->interface, SLOT_USUAL + need, &usual_statements[need], parameters, err) !=
        0) {
        return -1;
    }
    const int outcome = fetch_usual(store, lookup, arena, result, err);
    db_finish(store->interface);
    store->has_nodes = outcome == 1;
    store->nodes_root = result->task.instance_id;
    return outcome;
}

static int look_up_same(struct store_mysql *store, const struct lookup *lookup, struct arena *arena,
                        struct lookup_result *result, struct error *err)
{
    const int outcome = look_up_usual(store, lookup, arena, result, err);
    if (outcome != 0) {
        return outcome == 1 ? 0 : -1;
    }
    memset(result, 0, sizeof *result);
    return look_up_together(store, lookup, arena, result, err);
}

static int look_up(void *context, const struct lookup *lookup, struct arena *arena,
                   struct lookup_result *result, struct error *err)
{
    struct store_mysql *const store = context;
    memset(result, 0, sizeof *result);
    store->has_nodes = false;
    const int outcome = store->conf->has_engine_database
                            ? look_up_apart(store, lookup, arena, result, err)
                            : look_up_same(store, lookup, arena, result, err);
    db_finish(store->interface);
    return outcome;
}

// ---- the nodes alone ----

static const struct db_column node_columns[] = {NODE_TYPES};
static const struct db_statement nodes_statement =
    STATEMENT("SELECT " NODE_COLUMNS " FROM eri_state s WHERE s.root_id = ? ORDER BY s.id LIMIT ?",
              2, node_columns);

static int fetch_nodes(struct db *db, struct arena *arena, struct node_list *nodes,
                       struct error *err)
{
    const struct db_value *values;
    int fetched;
    while ((fetched = db_fetch(db, &values, err)) == 1) {
        if (node_row_add(nodes, values, arena, err) != 0) {
            return -1;
        }
    }
    return fetched;
}

static int read_nodes(struct db *db, struct str root_id, size_t limit, struct arena *arena,
                      struct node_list *nodes, struct error *err)
{
    const struct db_parameter parameters[] = {
        DB_PARAMETER_TEXT(root_id),
        DB_PARAMETER_NUMBER((int64_t)limit + 1), // one more tells that there are more
    };
    *nodes = (struct node_list){0};
    if (db_query(db, SLOT_NODES, &nodes_statement, parameters, err) != 0) {
        return -1;
    }
    const int outcome = fetch_nodes(db, arena, nodes, err);
    db_finish(db);
    return outcome;
}

static int load_nodes(void *context, const struct permit *permit, size_t limit, struct arena *arena,
                      struct node_list *nodes, struct error *err)
{
    struct store_mysql *const store = context;
    const struct str root_id = permit_root_id(permit);
    if (store->has_nodes && str_equal(root_id, store->nodes_root)) {
        *nodes = store->nodes;
    } else if (read_nodes(engine_of(store), root_id, limit, arena, nodes, err) != 0) {
        return -1;
    }
    return nodes->count <= limit ? 0
                                 : error_set(err, ERR_TOO_MANY_NODES, "more than %zu nodes", limit);
}

static int ping(void *context, struct error *err)
{
    struct store_mysql *const store = context;
    if (db_ping(store->interface, err) != 0) {
        return -1;
    }
    return store->conf->has_engine_database ? db_ping(store->engine, err) : 0;
}

const struct store_ops store_mysql_ops = {
    .look_up = look_up,
    .load_nodes = load_nodes,
    .ping = ping,
};
