// SPDX-License-Identifier: MIT
#include "states/statements.h"

#include "auth/lookup.h"

#include <assert.h>

// varchar(n) in utf8mb4 takes up to four bytes a character.
// clang-format off
#define BIGINT        {DB_BIGINT, 0}
#define INT           {DB_INT, 0}
#define FLAG          {DB_TINYINT, 0}
#define TIME          {DB_TIME, 0}
#define VARCHAR(n)    {DB_TEXT, (n) * 4}
#define BINARY(bytes) {DB_TEXT, (bytes)}

#define KEYS_1  "?"
#define KEYS_2  "?,?"
#define KEYS_4  KEYS_2 "," KEYS_2
#define KEYS_8  KEYS_4 "," KEYS_4
#define KEYS_16 KEYS_8 "," KEYS_8
#define KEYS_32 KEYS_16 "," KEYS_16
#define KEYS_64 KEYS_32 "," KEYS_32
#define KEYS_128 KEYS_64 "," KEYS_64
#define KEYS_256 KEYS_128 "," KEYS_128

#define EACH_SIZE(STATEMENT)                                                                       \
    {STATEMENT(1, KEYS_1), STATEMENT(2, KEYS_2), STATEMENT(4, KEYS_4), STATEMENT(8, KEYS_8),       \
     STATEMENT(16, KEYS_16)}
// clang-format on

#define STATEMENT(text, parameters, types)                                                         \
    {                                                                                              \
        .sql = (text), .parameter_count = (parameters), .columns = (types),                        \
        .column_count = COUNT_OF(types)                                                            \
    }

// ---- who is asking: in the interface's database ----

#define APPLICATION_TYPES                                                                          \
    VARCHAR(LOOKUP_APP_CODE_CHARS), FLAG, BINARY(LOOKUP_SALT_BYTES), BINARY(LOOKUP_DIGEST_BYTES),  \
        BINARY(LOOKUP_DIGEST_BYTES), TIME

static const struct db_column application_columns[] = {APPLICATION_TYPES};
static const struct db_column caller_columns[] = {APPLICATION_TYPES, VARCHAR(LOOKUP_USERNAME_CHARS),
                                                  FLAG};

#define APPLICATIONS(n, keys)                                                                      \
    STATEMENT("SELECT a.bk_app_code, a.is_enabled, a.salt, a.secret_digest, a.previous_digest,"    \
              " a.previous_expires_at"                                                             \
              " FROM bkflow_states_app a WHERE a.bk_app_code IN (" keys ")",                       \
              n, application_columns)

// Code and name are separate columns: one column for both would need one collation.
#define CALLERS(n, keys)                                                                           \
    STATEMENT("SELECT a.bk_app_code, a.is_enabled, a.salt, a.secret_digest, a.previous_digest,"    \
              " a.previous_expires_at, NULL, NULL"                                                 \
              " FROM bkflow_states_app a WHERE a.bk_app_code IN (" keys ")"                        \
              " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, u.username, u.is_active"      \
              " FROM account_user u WHERE u.username IN (" keys ")",                               \
              2 * (n), caller_columns)

// ---- spaces: in the interface's database ----

static const struct db_column space_columns[] = {INT, VARCHAR(LOOKUP_SPACE_APP_CODE_CHARS)};

#define SPACES(n, keys)                                                                            \
    STATEMENT("SELECT o.id, o.app_code FROM space_space o WHERE o.id IN (" keys ")", n,            \
              space_columns)

// ---- what they ask about ----

#define TASK_TYPES     BIGINT, FLAG, FLAG, FLAG, VARCHAR(LOOKUP_INSTANCE_ID_CHARS), BIGINT, INT
#define TEMPLATE_TYPES BIGINT, FLAG, VARCHAR(LOOKUP_APP_CODE_CHARS)

static const struct db_column task_columns[] = {TASK_TYPES};
static const struct db_column template_columns[] = {TEMPLATE_TYPES};
static const struct db_column task_and_template_columns[] = {TASK_TYPES, TEMPLATE_TYPES};

// In the engine's database.
#define TASKS(n, keys)                                                                             \
    STATEMENT("SELECT t.id, t.is_deleted, t.is_started, t.is_expired, t.instance_id,"              \
              " t.template_id, t.space_id"                                                         \
              " FROM task_taskinstance t WHERE t.id IN (" keys ")",                                \
              n, task_columns)

// In the interface's database.
#define TEMPLATES(n, keys)                                                                         \
    STATEMENT("SELECT p.id, p.is_deleted, p.bk_app_code"                                           \
              " FROM template_template p WHERE p.id IN (" keys ")",                                \
              n, template_columns)

#define TASKS_AND_TEMPLATES(n, keys)                                                               \
    STATEMENT("SELECT t.id, t.is_deleted, t.is_started, t.is_expired, t.instance_id,"              \
              " t.template_id, t.space_id, p.id, p.is_deleted, p.bk_app_code"                      \
              " FROM task_taskinstance t LEFT JOIN template_template p ON p.id = t.template_id"    \
              " WHERE t.id IN (" keys ")",                                                         \
              n, task_and_template_columns)

// ---- the nodes: in the engine's database ----

static const struct db_column node_columns[] = {VARCHAR(33), VARCHAR(33), VARCHAR(33), VARCHAR(64),
                                                VARCHAR(33), INT,         INT,         FLAG,
                                                FLAG,        TIME,        TIME};

// The index on root_id contains id, so it delivers the rows in this order without sorting.
#define NODES_BY(order, n, keys)                                                                   \
    STATEMENT("SELECT s.root_id, s.node_id, s.parent_id, s.name, s.version, s.`loop`, s.retry,"    \
              " s.skip, s.error_ignored, s.started_time, s.archived_time"                          \
              " FROM eri_state s WHERE s.root_id IN (" keys ")"                                    \
              " ORDER BY " order " LIMIT ?",                                                       \
              (n) + 1, node_columns)

// One task's nodes need no root_id in the order. With it, MariaDB sorts them unless the column has
// the collation of the connection.
#define NODES_OF_ONE(n, keys) NODES_BY("s.id", n, keys)
#define NODES(n, keys)        NODES_BY("s.root_id, s.id", n, keys)

// ---- digests of nodes: in the engine's database ----

static const struct db_column digest_columns[] = {VARCHAR(33), BIGINT, BIGINT};

// What an answer shows of a row, and its place among the others, as one text that no other row has:
// the numbers at its end tell where each string ends, and -1 is not a length. The first string
// makes bytes of all of it, because the columns may differ in character set and collation. root_id
// is there because a collation groups rows whose root_id differs in case.
#define ROW_LENGTH(column) ",IFNULL(LENGTH(s." column "),-1)"
#define ROW_VALUE(column)  ",IFNULL(s." column ",'')"
// clang-format off
#define ROW_TEXT                                                                                   \
    "CONCAT_WS(',',CAST(s.node_id AS BINARY),s.parent_id,s.name,s.version,s.root_id,s.id"          \
    ROW_LENGTH("node_id") ROW_LENGTH("parent_id") ROW_LENGTH("name") ROW_LENGTH("version")         \
    ROW_VALUE("`loop`") ROW_VALUE("retry") ROW_VALUE("skip") ROW_VALUE("error_ignored")            \
    ROW_VALUE("started_time") ROW_VALUE("archived_time") ")"
// clang-format on

// 64 bits of a cryptographic hash for each row, combined by XOR, so the order of rows does not
// matter. CRC32 would not do: it is linear, so equal changes of two rows would cancel out. MySQL
// has no MD5 and SHA1 since 9.6.
#define DIGESTS_BY(root, n, keys, group)                                                           \
    STATEMENT("SELECT " root ", COUNT(*), CAST(BIT_XOR(CAST(CONV(LEFT(SHA2(" ROW_TEXT              \
              ",256),16),16,10) AS UNSIGNED)) AS SIGNED)"                                          \
              " FROM eri_state s WHERE s.root_id IN (" keys ")" group,                             \
              n, digest_columns)

// One task's nodes are not grouped, because MariaDB would sort them, as above. There is always one
// row then; without nodes it counts 0.
#define DIGEST_OF_ONE(n, keys) DIGESTS_BY("MIN(s.root_id)", n, keys, "")
#define DIGESTS(n, keys)       DIGESTS_BY("s.root_id", n, keys, " GROUP BY s.root_id")

// ---- the tasks that tasks started: in the engine's database ----

// BKFlow's JSON takes about 100 characters. A longer one is cut, so it is no JSON and no link.
enum { EXTRA_INFO_CHARS = 512 };
static const struct db_column link_columns[] = {BIGINT, BIGINT, VARCHAR(EXTRA_INFO_CHARS)};

#define LINKS(n, keys)                                                                             \
    STATEMENT("SELECT r.parent_task_id, r.task_id, LEFT(r.extra_info, 512)"                        \
              " FROM task_taskflowrelation r WHERE r.parent_task_id IN (" keys ")"                 \
              " ORDER BY r.parent_task_id, r.id LIMIT ?",                                          \
              (n) + 1, link_columns)

// ---- all of them ----

static const struct db_statement statements[STATEMENT_KINDS][STATEMENT_SIZES] = {
    [STATEMENT_APPLICATIONS] = EACH_SIZE(APPLICATIONS),
    [STATEMENT_CALLERS] = EACH_SIZE(CALLERS),
    [STATEMENT_SPACES] = EACH_SIZE(SPACES),
    [STATEMENT_TASKS] = EACH_SIZE(TASKS),
    [STATEMENT_TEMPLATES] = EACH_SIZE(TEMPLATES),
    [STATEMENT_TASKS_AND_TEMPLATES] = EACH_SIZE(TASKS_AND_TEMPLATES),
    [STATEMENT_NODES] = {NODES_OF_ONE(1, KEYS_1), NODES(2, KEYS_2), NODES(4, KEYS_4),
                         NODES(8, KEYS_8), NODES(16, KEYS_16)},
    [STATEMENT_LINKS] = EACH_SIZE(LINKS),
    [STATEMENT_DIGESTS] = {DIGEST_OF_ONE(1, KEYS_1), DIGESTS(4, KEYS_4), DIGESTS(16, KEYS_16),
                           DIGESTS(64, KEYS_64), DIGESTS(256, KEYS_256)},
};
_Static_assert(STATEMENT_KINDS *STATEMENT_SIZES <= (int)DB_STATEMENTS_MAX,
               "raise DB_STATEMENTS_MAX");

size_t statements_keys(size_t size)
{
    return (size_t)1 << size;
}

size_t statements_size(size_t count)
{
    assert(count > 0 && count <= STATEMENT_KEYS_MAX);
    size_t size = 0;
    while (statements_keys(size) < count) {
        size++;
    }
    return size;
}

size_t statements_digest_keys(size_t size)
{
    return (size_t)1 << 2 * size;
}

size_t statements_digest_size(size_t count)
{
    assert(count > 0 && count <= STATEMENT_DIGEST_KEYS_MAX);
    size_t size = 0;
    while (statements_digest_keys(size) < count) {
        size++;
    }
    return size;
}

void statements_add_key(struct statements_key_set *keys, struct db_parameter key)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->list[i].number == key.number && str_equal(keys->list[i].text, key.text)) {
            return;
        }
    }
    assert(keys->count < STATEMENT_KEYS_MAX);
    keys->list[keys->count++] = key;
}

void statements_put_keys(struct db_parameter *parameters, const struct statements_key_set *keys,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        parameters[i] = keys->list[i < keys->count ? i : keys->count - 1];
    }
}

const struct db_statement *statements_get(enum statement_kind kind, size_t size)
{
    return &statements[kind][size];
}

unsigned statements_slot(enum statement_kind kind, size_t size)
{
    return (unsigned)kind * STATEMENT_SIZES + (unsigned)size;
}

// ---- checks ----

static void add_check(struct db_checks *checks, enum statement_kind kind)
{
    // Each statement in its smallest size, with keys that match nothing.
    static const struct db_parameter texts[] = {{.text = STR("")}, {.text = STR("")}};
    static const struct db_parameter id[] = {{.is_number = true}};
    static const struct db_parameter root[] = {{.text = STR("")}, {.is_number = true, .number = 1}};
    static const struct db_parameter *const parameters[STATEMENT_KINDS] = {
        [STATEMENT_APPLICATIONS] = texts,
        [STATEMENT_CALLERS] = texts,
        [STATEMENT_TASKS] = id,
        [STATEMENT_TEMPLATES] = id,
        [STATEMENT_TASKS_AND_TEMPLATES] = id,
        [STATEMENT_NODES] = root};
    checks->list[checks->count++] = (struct db_check){.statement = statements_get(kind, 0),
                                                      .parameters = parameters[kind],
                                                      .slot = statements_slot(kind, 0)};
}

static void add_interface(struct db_checks *checks, const struct conf *conf)
{
    if (conf->auth.direct) {
        add_check(checks, conf->auth.user_table_check ? STATEMENT_CALLERS : STATEMENT_APPLICATIONS);
    }
    if (conf->has_engine_database) {
        add_check(checks, STATEMENT_TEMPLATES);
    } else {
        add_check(checks, STATEMENT_TASKS_AND_TEMPLATES);
        add_check(checks, STATEMENT_NODES);
    }
}

struct db_checks statements_checks(const struct conf *conf, enum statements_database database)
{
    struct db_checks checks = {.count = 0};
    if (database == STATEMENTS_INTERFACE) {
        add_interface(&checks, conf);
    } else if (conf->has_engine_database) {
        add_check(&checks, STATEMENT_TASKS);
        add_check(&checks, STATEMENT_NODES);
    }
    return checks;
}
