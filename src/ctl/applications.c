// SPDX-License-Identifier: MIT
#include "ctl/applications.h"

#include "auth/secret.h"
#include "db/connection.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <sys/random.h>

// The statements' slots in the connection.
enum {
    SLOT_CREATE,
    SLOT_FIND,
    SLOT_LIST,
    SLOT_ADD,
    SLOT_ROTATE,
    SLOT_DROP,
    SLOT_ENABLE,
    SLOT_REMOVE
};

struct applications {
    struct db *db;
};

struct applications *applications_new(const struct conf_database *conf, struct metrics_shard *shard)
{
    struct applications *const apps = calloc(1, sizeof(struct applications));
    if (apps == NULL) {
        return NULL;
    }
    apps->db = db_new(conf, NULL, shard);
    if (apps->db == NULL) {
        free(apps);
        return NULL;
    }
    db_allow_writes(apps->db);
    return apps;
}

void applications_free(struct applications *apps)
{
    if (apps != NULL) {
        db_free(apps->db);
        free(apps);
    }
}

// ---- texts ----

// Counts the characters of UTF-8 text.
static size_t count_characters(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

static bool has_blank_end(struct str text)
{
    return text.len > 0 && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
}

static const char *text_mistake(struct str text)
{
    if (!utf8_is_valid(text)) {
        return "not UTF-8 text";
    }
    if (!utf8_all_visible(text)) {
        return "not free of control characters and others that nobody sees";
    }
    return has_blank_end(text) ? "not free of blanks at its ends" : NULL;
}

const char *applications_code_mistake(struct str code)
{
    if (code.len == 0) {
        return "empty";
    }
    const char *const mistake = text_mistake(code);
    if (mistake != NULL) {
        return mistake;
    }
    return count_characters(code) > APPLICATION_CODE_MAX ? "longer than 128 characters" : NULL;
}

const char *applications_secret_mistake(struct str secret)
{
    if (secret.len < APPLICATION_SECRET_MIN_BYTES) {
        return "shorter than 16 bytes, which can be guessed by whoever gets hold of its digest";
    }
    return secret.len > APPLICATION_SECRET_MAX_BYTES ? "longer than 512 bytes"
                                                     : text_mistake(secret);
}

const char *applications_description_mistake(struct str description)
{
    const char *const mistake = text_mistake(description);
    if (mistake != NULL) {
        return mistake;
    }
    return count_characters(description) > APPLICATION_DESCRIPTION_MAX
               ? "longer than 255 characters"
               : NULL;
}

// ---- digests ----

bool applications_secret_is_current(const struct application *record, struct str secret)
{
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    return secret_digest(record->salt, secret, digest) &&
           secret_is_same_digest(digest, record->digest);
}

// ---- reading ----

enum {
    COLUMN_CODE,
    COLUMN_DESCRIPTION,
    COLUMN_ENABLED,
    COLUMN_CREATED,
    COLUMN_ROTATED,
    COLUMN_UNTIL,
    COLUMN_SALT,
    COLUMN_DIGEST,
    COLUMN_COUNT
};

#define SELECT_RECORDS                                                                             \
    "SELECT bk_app_code, description, is_enabled, created_at, rotated_at,"                         \
    " IF(previous_digest IS NULL, NULL, previous_expires_at), salt, secret_digest"                 \
    " FROM bkflow_states_app"

// A character takes up to four bytes in utf8mb4.
static const struct db_column columns[COLUMN_COUNT] = {
    [COLUMN_CODE] = {DB_TEXT, APPLICATION_CODE_MAX * 4},
    [COLUMN_DESCRIPTION] = {DB_TEXT, APPLICATION_DESCRIPTION_MAX * 4},
    [COLUMN_ENABLED] = {DB_TINYINT, 0},
    [COLUMN_CREATED] = {DB_TIME, 0},
    [COLUMN_ROTATED] = {DB_TIME, 0},
    [COLUMN_UNTIL] = {DB_TIME, 0},
    [COLUMN_SALT] = {DB_TEXT, LOOKUP_SALT_BYTES},
    [COLUMN_DIGEST] = {DB_TEXT, LOOKUP_DIGEST_BYTES},
};

static const struct db_statement find_statement = {
    .sql = SELECT_RECORDS " WHERE bk_app_code = ?",
    .parameter_count = 1,
    .columns = columns,
    .column_count = COLUMN_COUNT,
};

static const struct db_statement list_statement = {
    .sql = SELECT_RECORDS " ORDER BY bk_app_code",
    .columns = columns,
    .column_count = COLUMN_COUNT,
};

static int64_t time_of(const struct db_value *value)
{
    return value->is_null ? CLOCK_NO_TIME : value->number;
}

static void copy_bytes(uint8_t *to, size_t size, struct str bytes)
{
    memset(to, 0, size);
    if (bytes.len <= size) {
        memcpy(to, bytes.ptr, bytes.len);
    }
}

static int read_record(const struct db_value *values, struct arena *arena,
                       struct application **record, struct error *err)
{
    struct application *const made = arena_alloc(arena, 1, sizeof(struct application));
    if (made == NULL) {
        return error_set(err, ERR_NO_MEMORY, "application");
    }
    *made = (struct application){
        .code = arena_copy(arena, values[COLUMN_CODE].text),
        .description = arena_copy(arena, values[COLUMN_DESCRIPTION].text),
        .is_enabled = values[COLUMN_ENABLED].number != 0,
        .created_us = time_of(&values[COLUMN_CREATED]),
        .rotated_us = time_of(&values[COLUMN_ROTATED]),
        .previous_until_us = time_of(&values[COLUMN_UNTIL]),
    };
    copy_bytes(made->salt, sizeof made->salt, values[COLUMN_SALT].text);
    copy_bytes(made->digest, sizeof made->digest, values[COLUMN_DIGEST].text);
    if (str_is_absent(made->code) || str_is_absent(made->description)) {
        return error_set(err, ERR_NO_MEMORY, "application's texts");
    }
    *record = made;
    return 0;
}

static int fetch_records(struct db *db, struct arena *arena, struct application **first,
                         struct error *err)
{
    const struct db_value *values;
    struct application **end = first;
    *first = NULL;
    for (;;) {
        const int fetched = db_fetch(db, &values, err);
        if (fetched <= 0) {
            return fetched;
        }
        if (read_record(values, arena, end, err) != 0) {
            return -1;
        }
        end = &(*end)->next;
    }
}

static int query_records(struct applications *apps, unsigned slot,
                         const struct db_statement *statement,
                         const struct db_parameter *parameters, struct arena *arena,
                         struct application **first, struct error *err)
{
    if (db_query(apps->db, slot, statement, parameters, err) != 0) {
        return -1;
    }
    const int outcome = fetch_records(apps->db, arena, first, err);
    db_finish(apps->db);
    return outcome;
}

int applications_find(struct applications *apps, struct str code, struct arena *arena,
                      struct application **record, struct error *err)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_TEXT(code)};
    if (query_records(apps, SLOT_FIND, &find_statement, parameters, arena, record, err) != 0) {
        return -1;
    }
    // The column's collation may equate texts with different bytes.
    while (*record != NULL && !str_equal((*record)->code, code)) {
        *record = (*record)->next;
    }
    return 0;
}

int applications_list(struct applications *apps, struct arena *arena, struct application **first,
                      struct error *err)
{
    static const struct db_parameter none[1];
    return query_records(apps, SLOT_LIST, &list_statement, none, arena, first, err);
}

// ---- writing ----

// The build makes this from conf/schema/bkflow_states.sql.
static const char create_sql[] =
#include "ctl/create_table.inc"
    ;
static const struct db_statement create_statement = {.sql = create_sql, .is_write = true};

static const struct db_statement add_statement = {
    .sql = "INSERT INTO bkflow_states_app"
           " (bk_app_code, salt, secret_digest, is_enabled, description, created_at)"
           " VALUES (?, ?, ?, 1, ?, UTC_TIMESTAMP(6))",
    .parameter_count = 4,
    .is_write = true,
};

// Changes are conditional on the digest that was read: a row that somebody else has rotated, or
// removed and added again, is not changed.
//
// A rotation keeps the salt: a row has only one, and the previous digest was made with it.
// previous_digest is assigned first so that it gets the old digest whether the server assigns from
// left to right (the default) or all at once (MariaDB's sql_mode SIMULTANEOUS_ASSIGNMENT).
static const struct db_statement rotate_statement = {
    .sql = "UPDATE bkflow_states_app SET previous_digest = secret_digest,"
           " previous_expires_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND,"
           " secret_digest = ?, rotated_at = UTC_TIMESTAMP(6)"
           " WHERE bk_app_code = ? AND secret_digest = ?",
    .parameter_count = 4,
    .is_write = true,
};

static const struct db_statement drop_statement = {
    .sql = "UPDATE bkflow_states_app SET previous_digest = NULL, previous_expires_at = NULL,"
           " secret_digest = ?, rotated_at = UTC_TIMESTAMP(6)"
           " WHERE bk_app_code = ? AND secret_digest = ?",
    .parameter_count = 3,
    .is_write = true,
};

static const struct db_statement enable_statement = {
    .sql =
        "UPDATE bkflow_states_app SET is_enabled = ? WHERE bk_app_code = ? AND secret_digest = ?",
    .parameter_count = 3,
    .is_write = true,
};

static const struct db_statement remove_statement = {
    .sql = "DELETE FROM bkflow_states_app WHERE bk_app_code = ? AND secret_digest = ?",
    .parameter_count = 2,
    .is_write = true,
};

static struct db_parameter bytes_parameter(const uint8_t *bytes, size_t count)
{
    return DB_PARAMETER_BYTES(((struct str){(const char *)bytes, count}));
}

int applications_create_table(struct applications *apps, struct error *err)
{
    static const struct db_parameter none[1];
    if (db_query(apps->db, SLOT_CREATE, &create_statement, none, err) != 0) {
        return -1;
    }
    db_finish(apps->db);
    return 0;
}

// Runs a statement that changes at most one row. Returns the number of changed rows, or -1.
static int change(struct applications *apps, unsigned slot, const struct db_statement *statement,
                  const struct db_parameter *parameters, struct error *err)
{
    if (db_query(apps->db, slot, statement, parameters, err) != 0) {
        return -1;
    }
    const uint64_t changed = db_changed_rows(apps->db);
    db_finish(apps->db);
    return (int)changed;
}

int applications_add(struct applications *apps, struct str code, struct str secret,
                     struct str description, struct error *err)
{
    uint8_t salt[LOOKUP_SALT_BYTES];
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt ||
        !secret_digest(salt, secret, digest)) {
        return error_set(err, ERR_INTERNAL, "no random salt or no SHA-256");
    }
    const struct db_parameter parameters[] = {
        DB_PARAMETER_TEXT(code),
        bytes_parameter(salt, sizeof salt),
        bytes_parameter(digest, sizeof digest),
        DB_PARAMETER_TEXT(description),
    };
    return change(apps, SLOT_ADD, &add_statement, parameters, err) < 0 ? -1 : 0;
}

int applications_rotate(struct applications *apps, const struct application *record,
                        struct str secret, int64_t grace_seconds, struct error *err)
{
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    if (!secret_digest(record->salt, secret, digest)) {
        return error_set(err, ERR_INTERNAL, "no SHA-256");
    }
    const struct db_parameter parameters[] = {
        DB_PARAMETER_NUMBER(grace_seconds),
        bytes_parameter(digest, sizeof digest),
        DB_PARAMETER_TEXT(record->code),
        bytes_parameter(record->digest, sizeof record->digest),
    };
    return grace_seconds > 0 ? change(apps, SLOT_ROTATE, &rotate_statement, parameters, err)
                             : change(apps, SLOT_DROP, &drop_statement, parameters + 1, err);
}

int applications_set_enabled(struct applications *apps, const struct application *record,
                             bool enabled, struct error *err)
{
    const struct db_parameter parameters[] = {
        DB_PARAMETER_NUMBER(enabled),
        DB_PARAMETER_TEXT(record->code),
        bytes_parameter(record->digest, sizeof record->digest),
    };
    return change(apps, SLOT_ENABLE, &enable_statement, parameters, err);
}

int applications_remove(struct applications *apps, const struct application *record,
                        struct error *err)
{
    const struct db_parameter parameters[] = {
        DB_PARAMETER_TEXT(record->code),
        bytes_parameter(record->digest, sizeof record->digest),
    };
    return change(apps, SLOT_REMOVE, &remove_statement, parameters, err);
}
