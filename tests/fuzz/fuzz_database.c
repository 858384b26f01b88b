// SPDX-License-Identifier: MIT
// Any bytes as a script for a database server (tests/unit/db/fake_server.h): whatever it announces
// and sends, nothing is written or read where it should not be, values are within their columns'
// bounds, and what is no answer to the statement is an error of the database.
#include "base/log.h"
#include "db/connection.h"
#include "db/fake_server.h"
#include "db/library.h"
#include "fuzz.h"

enum { ROUNDS = 4, ROWS_MAX = 600, SHORT_BYTES = 5, LONG_BYTES = 1020, PATIENCE_MS = 30 };

static const struct db_column columns[] = {
    {DB_BIGINT, 0},         {DB_INT, 0},  {DB_TINYINT, 0},
    {DB_TEXT, SHORT_BYTES}, {DB_TIME, 0}, {DB_TEXT, LONG_BYTES},
};
static const struct db_statement read_statement = {
    .sql = "SELECT",
    .parameter_count = 2,
    .columns = columns,
    .column_count = COUNT_OF(columns),
};
static const struct db_statement write_statement = {
    .sql = "UPDATE", .parameter_count = 1, .is_write = true};

static void check_text(const struct db_value *value, size_t max_bytes)
{
    volatile char sum = 0;
    REQUIRE(value->text.len <= max_bytes);
    for (size_t i = 0; i < value->text.len; i++) {
        sum = (char)(sum + value->text.ptr[i]); // all of it may be read
    }
    REQUIRE(value->is_null == str_is_absent(value->text));
}

static void check_row(const struct db_value *row)
{
    REQUIRE(row[1].number >= INT32_MIN && row[1].number <= INT32_MAX);
    REQUIRE(row[2].number >= INT8_MIN && row[2].number <= INT8_MAX);
    check_text(&row[3], SHORT_BYTES);
    check_text(&row[5], LONG_BYTES);
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        REQUIRE(!row[i].is_null || row[i].number == 0);
    }
}

static void check_error(const struct error *err)
{
    REQUIRE(err->kind == ERR_DATABASE_FAULT || err->kind == ERR_DATABASE_DOWN ||
            err->kind == ERR_QUERY_TIMEOUT);
}

static void run(struct db *db, unsigned slot, const struct db_statement *statement)
{
    static const struct db_parameter parameters[] = {DB_PARAMETER_NUMBER(1), {.text = {"text", 4}}};
    const struct db_value *row;
    struct error err = {0};
    if (db_query(db, slot, statement, parameters, &err) != 0) {
        check_error(&err);
        return;
    }
    int fetched = 0;
    for (unsigned i = 0; statement->column_count > 0 && i < ROWS_MAX; i++) {
        fetched = db_fetch(db, &row, &err);
        if (fetched != 1) {
            break;
        }
        check_row(row);
    }
    if (fetched < 0) {
        check_error(&err);
    }
    db_finish(db);
}

static void be_silent(void)
{
    const struct log_options options = {.target = "file:/dev/null", .level = LOG_LEVEL_ERROR};
    REQUIRE(log_open(&options) == 0 && db_library_init() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    static struct metrics_shard shard;
    if (!is_ready) {
        be_silent();
        is_ready = true;
    }
    if (size == 0) {
        return 0;
    }
    struct fake_server *const server = fake_server_new(data, size, PATIENCE_MS);
    const struct conf_database conf = {
        .hosts = {.count = 1},
        .socket = fake_server_socket(server),
        .user = "reader",
        .password = "secret",
        .password_file = "",
        .name = "somewhere",
        .connect_timeout_ms = 10000,
        .query_timeout_ms = 10000,
        .tls_ca = "",
        .option_file = "",
    };
    struct db *const db = db_new(&conf, NULL, &shard);
    REQUIRE(db != NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        run(db, 0, &read_statement);
        run(db, 1, &write_statement);
    }
    db_free(db);
    fake_server_free(server);
    return 0;
}
