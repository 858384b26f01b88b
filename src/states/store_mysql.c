// SPDX-License-Identifier: MIT
#include "states/store_mysql.h"

#include "db/connection.h"
#include "states/statements.h"
#include "states/store_digests_priv.h"
#include "states/store_links_priv.h"
#include "states/store_nodes_priv.h"

#include <stdlib.h>

_Static_assert((int)STORE_GROUP_MAX == (int)STATEMENT_KEYS_MAX, "a group is one statement");

struct store_mysql {
    const struct conf *conf;
    struct db *interface; // template_template, account_user, space_space, bkflow_states_app
    struct db *engine;    // task_taskinstance, eri_state; unused if one database has all tables
};

// Both connections are created at once: if a reload had no memory for the second one, the engine's
// tables would be looked for in the interface database.
static struct store_mysql *new_store(const struct conf *conf, struct db_health *health,
                                     struct metrics_shard *shard)
{
    struct store_mysql *const store = calloc(1, sizeof(struct store_mysql));
    if (store == NULL) {
        return NULL;
    }
    store->conf = conf;
    store->interface = db_new(&conf->database, health, shard);
    store->engine = db_new(&conf->engine_database, health, shard);
    return store;
}

static void free_store(void *context)
{
    struct store_mysql *const store = context;
    if (store != NULL) {
        db_free(store->interface);
        db_free(store->engine);
        free(store);
    }
}

static void reconfigure(void *context, const struct conf *conf)
{
    struct store_mysql *const store = context;
    store->conf = conf;
    db_reconfigure(store->interface, &conf->database);
    db_reconfigure(store->engine, &conf->engine_database);
}

static void failback(void *context)
{
    struct store_mysql *const store = context;
    db_failback(store->interface);
    db_failback(store->engine);
}

static void disconnect(void *context)
{
    struct store_mysql *const store = context;
    db_disconnect(store->interface);
    db_disconnect(store->engine);
}

static struct db *engine_of(const struct store_mysql *store)
{
    return store->conf->has_engine_database ? store->engine : store->interface;
}

// ---- one statement for a group ----

static int query(struct db *db, enum statement_kind kind, size_t size,
                 const struct db_parameter *parameters, struct error *err)
{
    return db_query(db, statements_slot(kind, size), statements_get(kind, size), parameters, err);
}

// Whether the result was incomplete because the connection was lost; it is then read again, once.
static bool is_cut_off(const struct db *db, int outcome)
{
    return outcome != 0 && db_may_repeat(db);
}

// The lookups of a statement, and the function that handles its rows.
struct group {
    struct lookup *const *lookups;
    size_t count;
    void (*take)(const struct group *group, const struct db_value *values);
};

static int take_rows(struct db *db, const struct group *group, struct error *err)
{
    const struct db_value *values;
    int fetched;
    while ((fetched = db_fetch(db, &values, err)) == 1) {
        group->take(group, values);
    }
    db_finish(db);
    return fetched;
}

static int run_once(struct db *db, enum statement_kind kind, size_t size,
                    const struct db_parameter *parameters, const struct group *group,
                    struct error *err)
{
    return query(db, kind, size, parameters, err) != 0 ? -1 : take_rows(db, group, err);
}

// Runs a statement and reads its rows.
static int run(struct db *db, enum statement_kind kind, size_t size,
               const struct db_parameter *parameters, const struct group *group, struct error *err)
{
    const int outcome = run_once(db, kind, size, parameters, group, err);
    return is_cut_off(db, outcome) ? run_once(db, kind, size, parameters, group, err) : outcome;
}

// Runs a statement that takes KEYS and nothing else.
static int run_by_keys(struct db *db, enum statement_kind kind,
                       const struct statements_key_set *keys, const struct group *group,
                       struct error *err)
{
    const size_t size = statements_size(keys->count);
    struct db_parameter parameters[STATEMENT_KEYS_MAX];
    statements_put_keys(parameters, keys, statements_keys(size));
    return run(db, kind, size, parameters, group, err);
}

// ---- callers ----

static void copy_bytes(uint8_t *to, size_t size, const struct db_value *value)
{
    if (value->text.len == size) {
        memcpy(to, value->text.ptr, size);
    }
}

static void read_application(struct lookup_application *app, const struct db_value *values)
{
    app->exists = true;
    app->is_enabled = values[CALLER_IS_ENABLED].number != 0;
    copy_bytes(app->salt, sizeof app->salt, &values[CALLER_SALT]);
    copy_bytes(app->digest, sizeof app->digest, &values[CALLER_DIGEST]);
    copy_bytes(app->previous_digest, sizeof app->previous_digest, &values[CALLER_PREVIOUS_DIGEST]);
    app->has_previous =
        !values[CALLER_PREVIOUS_DIGEST].is_null && !values[CALLER_PREVIOUS_EXPIRES_AT].is_null;
    app->previous_expires_us = values[CALLER_PREVIOUS_EXPIRES_AT].number;
}

// A collation may find rows with a similar key; only identical bytes count.
static void take_application(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup *const lookup = group->lookups[i];
        if (str_equal(values[CALLER_APP_CODE].text, lookup->app_code)) {
            read_application(&lookup->result.app, values);
        }
    }
}

static void take_user(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup *const lookup = group->lookups[i];
        if (str_equal(values[CALLER_USERNAME].text, lookup->username)) {
            lookup->result.user_is_active = values[CALLER_IS_ACTIVE].number == 1;
        }
    }
}

static void take_caller(const struct group *group, const struct db_value *values)
{
    if (!values[CALLER_APP_CODE].is_null) {
        take_application(group, values);
    } else {
        take_user(group, values);
    }
}

static int find_applications_and_users(struct db *db, const struct statements_key_set *codes,
                                       const struct statements_key_set *names,
                                       const struct group *group, struct error *err)
{
    const size_t size = statements_size(codes->count > names->count ? codes->count : names->count);
    struct db_parameter parameters[2 * STATEMENT_KEYS_MAX];
    statements_put_keys(parameters, codes, statements_keys(size));
    statements_put_keys(parameters + statements_keys(size), names, statements_keys(size));
    return run(db, STATEMENT_CALLERS, size, parameters, group, err);
}

static int find_callers(void *context, struct lookup *const lookups[], size_t count,
                        struct error *err)
{
    const struct store_mysql *const store = context;
    struct group group = {lookups, count, take_caller};
    struct statements_key_set codes = {.count = 0};
    struct statements_key_set names = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        statements_add_key(&codes, DB_PARAMETER_TEXT(lookups[i]->app_code));
        if (!str_is_absent(lookups[i]->username)) {
            statements_add_key(&names, DB_PARAMETER_TEXT(lookups[i]->username));
        }
    }
    if (names.count > 0) {
        return find_applications_and_users(store->interface, &codes, &names, &group, err);
    }
    group.take = take_application; // account_user need not exist then
    return run_by_keys(store->interface, STATEMENT_APPLICATIONS, &codes, &group, err);
}

// The column's value fits: the connection rejects longer ones.
static struct str keep_text(char *bytes, const struct db_value *value)
{
    if (value->is_null) {
        return STR_ABSENT;
    }
    memcpy(bytes, value->text.ptr, value->text.len);
    return (struct str){bytes, value->text.len};
}

// ---- spaces ----

static void take_space(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup_space *const space = &group->lookups[i]->result.space;
        if (group->lookups[i]->space_id == values[SPACE_ID].number) {
            space->exists = true;
            space->app_code = keep_text(space->app_code_bytes, &values[SPACE_APP_CODE]);
        }
    }
}

static int find_spaces(void *context, struct lookup *const lookups[], size_t count,
                       struct error *err)
{
    const struct store_mysql *const store = context;
    const struct group spaces = {lookups, count, take_space};
    struct statements_key_set ids = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        statements_add_key(&ids, DB_PARAMETER_NUMBER(lookups[i]->space_id));
    }
    return run_by_keys(store->interface, STATEMENT_SPACES, &ids, &spaces, err);
}

// ---- tasks and their templates ----

static void read_task(struct lookup_task *task, const struct db_value *values)
{
    task->exists = true;
    task->is_deleted = values[TASK_IS_DELETED].number != 0;
    task->is_started = values[TASK_IS_STARTED].number != 0;
    task->is_expired = values[TASK_IS_EXPIRED].number != 0;
    task->instance_id = keep_text(task->instance_id_bytes, &values[TASK_INSTANCE_ID]);
    task->template_id = values[TASK_TEMPLATE_ID].number;
    task->space_id = values[TASK_SPACE_ID].number;
}

static void read_template(struct lookup_template *template, const struct db_value *values)
{
    template->exists = !values[TEMPLATE_ID].is_null;
    template->is_deleted = values[TEMPLATE_IS_DELETED].number != 0;
    template->app_code = keep_text(template->app_code_bytes, &values[TEMPLATE_APP_CODE]);
}

static void take_task(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup *const lookup = group->lookups[i];
        if (lookup->task_id == values[TASK_ID].number) {
            read_task(&lookup->result.task, values);
        }
    }
}

static void take_template(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup_result *const result = &group->lookups[i]->result;
        if (result->task.template_id == values[TEMPLATE_ID].number) {
            read_template(&result->template, values);
        }
    }
}

static void take_task_and_template(const struct group *group, const struct db_value *values)
{
    for (size_t i = 0; i < group->count; i++) {
        struct lookup *const lookup = group->lookups[i];
        if (lookup->task_id == values[TASK_ID].number) {
            read_task(&lookup->result.task, values);
            read_template(&lookup->result.template, values + TASK_WIDTH);
        }
    }
}

static int find_tasks_by(struct db *engine, enum statement_kind kind, const struct group *group,
                         struct error *err)
{
    struct statements_key_set ids = {.count = 0};
    for (size_t i = 0; i < group->count; i++) {
        statements_add_key(&ids, DB_PARAMETER_NUMBER(group->lookups[i]->task_id));
    }
    return run_by_keys(engine, kind, &ids, group, err);
}

static int find_templates(struct db *interface, const struct group *group, struct error *err)
{
    struct statements_key_set ids = {.count = 0};
    for (size_t i = 0; i < group->count; i++) {
        const struct lookup_task *const task = &group->lookups[i]->result.task;
        if (task->template_id != 0) {
            statements_add_key(&ids, DB_PARAMETER_NUMBER(task->template_id));
        }
    }
    return ids.count == 0 ? 0 : run_by_keys(interface, STATEMENT_TEMPLATES, &ids, group, err);
}

static int find_tasks(void *context, struct lookup *const lookups[], size_t count,
                      struct error *err)
{
    const struct store_mysql *const store = context;
    const struct group both = {lookups, count, take_task_and_template};
    const struct group tasks = {lookups, count, take_task};
    const struct group templates = {lookups, count, take_template};
    if (!store->conf->has_engine_database) {
        return find_tasks_by(store->interface, STATEMENT_TASKS_AND_TEMPLATES, &both, err);
    }
    return find_tasks_by(store->engine, STATEMENT_TASKS, &tasks, err) != 0
               ? -1
               : find_templates(store->interface, &templates, err);
}

static int find_only_tasks(void *context, struct lookup *const lookups[], size_t count,
                           struct error *err)
{
    const struct group tasks = {lookups, count, take_task};
    return find_tasks_by(engine_of(context), STATEMENT_TASKS, &tasks, err);
}

static int find_links(void *context, const int64_t parents[], size_t count, size_t row_limit,
                      const struct store_link_reader *reader, struct error *err)
{
    return store_links_find(engine_of(context), parents, count, row_limit, reader, err);
}

static int load_nodes(void *context, struct node_query queries[], size_t count, size_t row_limit,
                      struct arena *arena, struct error *err)
{
    return store_nodes_load(engine_of(context), queries, count, row_limit, arena, err);
}

static int find_digests(void *context, const struct str roots[], size_t count,
                        struct store_digest digests[], struct error *err)
{
    return store_digests_find(engine_of(context), roots, count, digests, err);
}

// ---- the rest of the seam ----

// Checks with the statements that requests use.
static int ping(void *context, struct error *err)
{
    struct store_mysql *const store = context;
    const struct db_checks interface = statements_checks(store->conf, STATEMENTS_INTERFACE);
    const struct db_checks engine = statements_checks(store->conf, STATEMENTS_ENGINE);
    return db_check_database(store->interface, &interface, err) != 0
               ? -1
               : db_check_database(store->engine, &engine, err);
}

static const struct store_ops mysql_ops = {
    .find_callers = find_callers,
    .find_spaces = find_spaces,
    .find_tasks = find_tasks,
    .find_only_tasks = find_only_tasks,
    .find_links = find_links,
    .load_nodes = load_nodes,
    .find_digests = find_digests,
    .ping = ping,
    .reconfigure = reconfigure,
    .failback = failback,
    .disconnect = disconnect,
    .free = free_store,
};

int store_mysql_new(struct store *store, const struct conf *conf, struct db_health *health,
                    struct metrics_shard *shard)
{
    struct store_mysql *const mysql = new_store(conf, health, shard);
    if (mysql == NULL || mysql->interface == NULL || mysql->engine == NULL) {
        free_store(mysql);
        return -1;
    }
    *store = (struct store){.ops = &mysql_ops, .context = mysql};
    return 0;
}
