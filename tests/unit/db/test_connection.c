// SPDX-License-Identifier: MIT
// A connection to a server that answers whatever a test wants: values of every type, and what only
// a broken or hostile server sends.
#include "db/connection.h"
#include "db/fake_server.h"
#include "db/library.h"
#include "support.h"

#include <mysql.h>
#include <stdlib.h>

// The columns of the statement that the tests run.
enum { NUMBER, COUNT, FLAG, TEXT, TIME, COLUMN_COUNT };
enum { TEXT_BYTES = 12 };
#define TYPES "BITSD"

static const struct db_column columns[COLUMN_COUNT] = {
    {DB_BIGINT, 0}, {DB_INT, 0}, {DB_TINYINT, 0}, {DB_TEXT, TEXT_BYTES}, {DB_TIME, 0},
};
static const struct db_statement statement = {
    .sql = "SELECT number, count, flag, text, time FROM somewhere WHERE id = ?",
    .parameter_count = 1,
    .columns = columns,
    .column_count = COLUMN_COUNT,
};
static const struct db_statement write_statement = {
    .sql = "UPDATE somewhere SET number = ?", .parameter_count = 1, .is_write = true};

static struct script script;
static struct fake_server *server;
static struct conf_database conf;
static struct metrics_shard shard;
static struct db *db;
static struct error err;

static const uint8_t some_time[] = {0xE7, 0x07, 6, 15, 17, 29, 41, 42, 0, 0, 0};
#define SOME_TIME_US INT64_C(1686850181000042)

// ---- scripts ----

static void add_cells(int64_t number, int count, int flag, size_t text_len, size_t time_len)
{
    script_number(&script, 8, number);
    script_number(&script, 4, count);
    script_number(&script, 1, flag);
    script_text(&script, text_len, 'x');
    script_time(&script, some_time, time_len);
}

static void add_usual_row(void)
{
    add_cells(42, 7, 1, 3, sizeof some_time);
}

static void add_usual_result(unsigned rows)
{
    script_result(&script, TYPES, 0, rows);
    for (unsigned i = 0; i < rows; i++) {
        add_usual_row();
    }
}

// ---- running one ----

static void start(void)
{
    server = fake_server_new(script.bytes, script.len, -1);
    conf = (struct conf_database){
        .hosts = {.count = 1},
        .socket = fake_server_socket(server),
        .user = "reader",
        .password = "the-password",
        .password_file = "",
        .name = "somewhere",
        .connect_timeout_ms = 30000,
        .query_timeout_ms = 30050,
        .tls_ca = "",
        .option_file = conf.option_file == NULL ? "" : conf.option_file,
    };
    memset(&shard, 0, sizeof shard);
    err = (struct error){0};
    db = db_new(&conf, NULL, &shard);
    assert_non_null(db);
}

static int query(const struct db_statement *which)
{
    const struct db_parameter parameters[] = {DB_PARAMETER_NUMBER(5)};
    return db_query(db, 0, which, parameters, &err);
}

static int tear_down(void **state)
{
    (void)state;
    db_free(db);
    fake_server_free(server);
    conf.option_file = NULL;
    return 0;
}

static unsigned errors_counted(void)
{
    return (unsigned)atomic_load(&shard.database_errors);
}

// Checks that the statement fails because the answer does not fit it. The next connection is hung
// up on.
static void assert_query_rejected(void)
{
    start();
    assert_int_equal(query(&statement), -1);
    assert_int_equal(err.kind, ERR_DATABASE_FAULT);
    assert_int_equal(errors_counted(), 1);
}

// Checks that the statement runs, but its first row is rejected.
static void assert_row_rejected(void)
{
    const struct db_value *row;
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), -1);
    assert_int_equal(err.kind, ERR_DATABASE_FAULT);
    assert_int_equal(errors_counted(), 1);
    db_finish(db);
}

static void begin_prepared(void)
{
    script_start(&script, 0);
    script_prepared(&script, 1, TYPES);
}

// ---- idle connections ----

static _Atomic int64_t passed_us; // in addition to the real time
static unsigned pings;

int64_t __real_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void)
{
    return __real_clock_monotonic_us() + passed_us;
}

int __real_mysql_ping(MYSQL *connection);
int __wrap_mysql_ping(MYSQL *connection);
int __wrap_mysql_ping(MYSQL *connection)
{
    pings++;
    return __real_mysql_ping(connection);
}

static void query_after(int seconds)
{
    const struct db_value *row;
    passed_us += INT64_C(1000000) * seconds;
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    db_finish(db);
}

static void only_an_idle_connection_is_pinged_first(void **state)
{
    (void)state;
    begin_prepared();
    for (int i = 0; i < 5; i++) {
        script_result(&script, TYPES, 0, 1);
        add_usual_row();
    }
    start();
    pings = 0;
    query_after(0);
    // Used for longer than the limit, but never idle that long.
    query_after(6);
    query_after(6);
    assert_int_equal(pings, 0);
    query_after(60);
    assert_int_equal(pings, 1);
    query_after(0);
    assert_int_equal(pings, 1);
}

// ---- rows ----

static void values_have_their_types(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    script_result(&script, TYPES, 0, 2);
    add_usual_row();
    add_cells(INT64_MIN, INT32_MIN, INT8_MIN, TEXT_BYTES, 4);
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_int_equal(row[NUMBER].number, 42);
    assert_int_equal(row[COUNT].number, 7);
    assert_int_equal(row[FLAG].number, 1);
    assert_text(row[TEXT].text, "xxx");
    assert_int_equal(row[TIME].number, SOME_TIME_US);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_true(row[NUMBER].number == INT64_MIN);
    assert_int_equal(row[COUNT].number, INT32_MIN);
    assert_int_equal(row[FLAG].number, INT8_MIN);
    assert_int_equal(row[TEXT].text.len, TEXT_BYTES);
    assert_int_equal(row[TIME].number, INT64_C(1686787200000000));
    assert_int_equal(db_fetch(db, &row, &err), 0);
    db_finish(db);
}

static void null_has_no_value(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    script_result(&script, TYPES, 0, 2);
    add_usual_row();
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        script_null(&script);
    }
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        assert_true(row[i].is_null);
        assert_int_equal(row[i].number, 0);
        assert_text(row[i].text, NULL);
    }
    db_finish(db);
}

static void the_zero_date_is_null(void **state)
{
    (void)state;
    static const uint8_t partly_zero[] = {0xE7, 0x07, 6, 0};
    const struct db_value *row;
    begin_prepared();
    script_result(&script, TYPES, 0, 2);
    add_cells(1, 1, 1, 1, 0);
    script_number(&script, 8, 1);
    script_number(&script, 4, 1);
    script_number(&script, 1, 1);
    script_text(&script, 1, 'x');
    script_time(&script, partly_zero, sizeof partly_zero);
    start();
    assert_int_equal(query(&statement), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(db_fetch(db, &row, &err), 1);
        assert_true(row[TIME].is_null);
        assert_int_equal(row[TIME].number, 0);
    }
    db_finish(db);
}

static void other_widths_are_converted(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    script_result(&script, "UBISD", 0, 1);
    script_number(&script, 8, 42);
    script_number(&script, 8, -7);
    script_number(&script, 4, -128);
    script_text(&script, 0, 'x');
    script_time(&script, some_time, sizeof some_time);
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_int_equal(row[NUMBER].number, 42);
    assert_int_equal(row[COUNT].number, -7);
    assert_int_equal(row[FLAG].number, -128);
    assert_text(row[TEXT].text, "");
    db_finish(db);
}

static void a_column_that_is_always_null_has_any_type(void **state)
{
    (void)state;
    const struct db_value *row;
    script_start(&script, 0);
    script_prepared(&script, 1, "NNNNN");
    script_result(&script, "NNNNN", 0, 1);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        script_null(&script);
    }
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_true(row[NUMBER].is_null && row[TEXT].is_null && row[TIME].is_null);
    db_finish(db);
}

static void a_too_long_text_is_rejected(void **state)
{
    (void)state;
    begin_prepared();
    script_result(&script, TYPES, 0, 1);
    add_cells(1, 1, 1, TEXT_BYTES + 1, 4);
    assert_row_rejected();
}

static void too_large_numbers_are_rejected(void **state)
{
    (void)state;
    begin_prepared();
    script_result(&script, "UITSD", 0, 1);
    add_cells(-1, 1, 1, 1, 4); // unsigned: 2^64 - 1
    assert_row_rejected();
}

static void times_that_do_not_exist_are_rejected(void **state)
{
    (void)state;
    static const uint8_t wrong[][11] = {
        {0x10, 0x27, 6, 15},               // the year 10000
        {0xE7, 0x07, 13, 15},              //
        {0xE7, 0x07, 6, 32},               //
        {0xE7, 0x07, 6, 15, 24},           //
        {0xE7, 0x07, 6, 15, 17, 60},       //
        {0xE7, 0x07, 6, 15, 17, 29, 60},   //
        {0xE7, 0x07, 6, 15, 1, 1, 1, 0x40, // 1000000 us
         0x42, 0x0F, 0},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        begin_prepared();
        script_result(&script, TYPES, 0, 1);
        script_number(&script, 8, 1);
        script_number(&script, 4, 1);
        script_number(&script, 1, 1);
        script_text(&script, 1, 'x');
        script_time(&script, wrong[i], sizeof wrong[i]);
        assert_row_rejected();
        if (i + 1 < COUNT_OF(wrong)) {
            tear_down(NULL);
        }
    }
}

// With an option file that tells the library not to report truncation.
static void truncation_is_detected_without_the_library(void **state)
{
    (void)state;
    char *const folder = scratch_new();
    char *const path =
        scratch_write(folder, "options", "[bkflow-states]\nreport-data-truncation = 0\n");
    conf.option_file = path;
    begin_prepared();
    script_result(&script, TYPES, 0, 1);
    add_cells(1, 1, 1, 4000, 4);
    assert_row_rejected();
    free(path);
    scratch_free(folder);
}

// ---- answers to other statements than ours ----

static void other_parameters_are_rejected(void **state)
{
    (void)state;
    script_start(&script, 0);
    script_prepared(&script, 20000, TYPES);
    assert_query_rejected();
    tear_down(NULL);
    script_start(&script, 0);
    script_prepared(&script, 0, TYPES);
    assert_query_rejected();
}

static void other_columns_are_rejected_when_prepared(void **state)
{
    (void)state;
    static const char *const types[] = {"BITS",  "BITSDB", "",      "BITSB",
                                        "SITSD", "BITSW",  "BITGD", "BIT?D"};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        script_start(&script, 0);
        script_prepared(&script, 1, types[i]);
        assert_query_rejected();
        if (i + 1 < COUNT_OF(types)) {
            tear_down(NULL);
        }
    }
}

static void other_types_are_rejected_when_executed(void **state)
{
    (void)state;
    static const char *const types[] = {"SITSD", "BITSW", "BIT?D", "BITGD"};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        begin_prepared();
        script_result(&script, types[i], 0, 0);
        assert_query_rejected();
        if (i + 1 < COUNT_OF(types)) {
            tear_down(NULL);
        }
    }
}

// The library replaces its array of binds for these with one longer than ours.
static void more_columns_in_a_later_result_are_rejected(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    add_usual_result(1);
    script_result(&script, TYPES "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS", SCRIPT_MORE_RESULTS, 0);
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_int_equal(db_fetch(db, &row, &err), 0);
    db_finish(db);
    assert_int_equal(query(&statement), -1);
    assert_int_not_equal(err.kind, 0);
}

static void further_results_are_rejected(void **state)
{
    (void)state;
    script_start(&script, 0);
    script_prepared(&script, 1, "");
    script_ok(&script);
    script.bytes[script.len - 2] = SCRIPT_MORE_RESULTS;
    start();
    assert_int_equal(query(&write_statement), -1);
    assert_int_equal(err.kind, ERR_DATABASE_FAULT);
}

static void rows_for_a_statement_without_rows_are_rejected(void **state)
{
    (void)state;
    script_start(&script, 0);
    script_prepared(&script, 1, "");
    add_usual_result(1);
    start();
    assert_int_equal(query(&write_statement), -1);
    assert_int_equal(err.kind, ERR_DATABASE_FAULT);
}

static void no_rows_for_a_statement_with_rows_is_rejected(void **state)
{
    (void)state;
    begin_prepared();
    script_ok(&script);
    start();
    assert_int_equal(query(&statement), -1);
    assert_int_equal(err.kind, ERR_DATABASE_FAULT);
}

// ---- one failure after the other ----

enum { ACCESS_DENIED = 1142 };

static void two_failures_after_a_success_harm_nothing(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    add_usual_result(1);
    script_error(&script, ACCESS_DENIED); // executed
    script_error(&script, ACCESS_DENIED); // prepared
    script_prepared(&script, 1, TYPES);
    add_usual_result(1);
    start();
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    db_finish(db);
    assert_int_equal(query(&statement), -1);
    assert_int_equal(query(&statement), -1);
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 1);
    assert_text(row[TEXT].text, "xxx");
    db_finish(db);
    assert_int_equal(errors_counted(), 2);
}

static void find_nothing(void)
{
    const struct db_value *row;
    assert_int_equal(query(&statement), 0);
    assert_int_equal(db_fetch(db, &row, &err), 0);
    db_finish(db);
}

static void only_a_refused_statement_leaves_a_young_connection(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned code;
        int age_s;
        unsigned connects;
    } rows[] = {
        {"no such table", 1146, 0, 1},        {"column not granted", 1143, 0, 1},
        {"not granted", ACCESS_DENIED, 8, 1}, {"granted meanwhile", ACCESS_DENIED, 11, 2},
        {"a damaged table", 1194, 0, 2},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_prepared();
        add_usual_result(0);
        script_error(&script, rows[i].code);
        script_prepared(&script, 1, TYPES);
        add_usual_result(0);
        start();
        find_nothing();
        passed_us += INT64_C(1000000) * rows[i].age_s;
        assert_int_equal(query(&statement), -1);
        find_nothing();
        check_number(rows[i].name, atomic_load(&shard.database_connects), rows[i].connects);
        db_free(db);
        fake_server_free(server);
    }
    start();
}

static void one_result_is_read_after_another(void **state)
{
    (void)state;
    const struct db_value *row;
    begin_prepared();
    for (unsigned i = 0; i < 3; i++) {
        add_usual_result(5);
    }
    start();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(query(&statement), 0);
        for (unsigned rows = 0; rows < i + 2; rows++) { // drops the rest
            assert_int_equal(db_fetch(db, &row, &err), 1);
            assert_int_equal(row[NUMBER].number, 42);
        }
        db_finish(db);
    }
    assert_int_equal(errors_counted(), 0);
}

// ---- the session ----

// Connects. The script has no answer for the statement, which fails.
static int log_in(void)
{
    static const struct db_statement nothing = {.sql = "DO 0", .is_write = true};
    static const struct db_parameter none;
    return db_query(db, 0, &nothing, &none, &err);
}

enum { SYNTAX_ERROR = 1064, UNKNOWN_VARIABLE = 1193, NOT_ALLOWED = 1227 };

static void the_session_is_set_by_one_statement(void **state)
{
    (void)state;
    script_start(&script, 0);
    start();
    (void)log_in();
    db_free(db);
    db = NULL;
    static const char *const parts[] = {"SET NAMES utf8mb4 COLLATE ",
                                        "autocommit=1",
                                        "sql_mode='",
                                        "'READ-COMMITTED'",
                                        "tx_read_only=1",
                                        "max_execution_time=30050*/",
                                        "max_statement_time=30.050*/",
                                        "sql_select_limit=18446744073709551615"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        check(parts[i], has_text(fake_server_received(server), parts[i]));
    }
    assert_false(has_text(fake_server_received(server), "SET SESSION TRANSACTION"));
}

static void a_writing_connection_may_write(void **state)
{
    (void)state;
    script_start(&script, 0);
    start();
    db_allow_writes(db);
    (void)log_in();
    db_free(db);
    db = NULL;
    assert_true(has_text(fake_server_received(server), "tx_read_only=0"));
    assert_false(has_text(fake_server_received(server), "READ-COMMITTED"));
}

static void settings_are_made_one_by_one_if_necessary(void **state)
{
    (void)state;
    script_start(&script, SCRIPT_ANSWERS_QUERIES);
    script_error(&script, SYNTAX_ERROR);
    script_ok(&script);
    script_ok(&script);
    script_error(&script, UNKNOWN_VARIABLE); // for the time limit: only ours remains
    start();
    (void)log_in();
    db_free(db);
    db = NULL;
    assert_true(has_text(fake_server_received(server),
                         "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"));
}

static void a_session_without_its_settings_is_not_used(void **state)
{
    (void)state;
    script_start(&script, SCRIPT_ANSWERS_QUERIES);
    script_error(&script, UNKNOWN_VARIABLE);
    script_ok(&script);
    script_error(&script, NOT_ALLOWED);
    start();
    assert_int_equal(log_in(), -1);
    assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    assert_int_equal(err.server_code, NOT_ALLOWED);
    assert_non_null(strstr(err.detail, "of the script's choice"));
}

// ---- the login ----

static void the_password_is_not_sent_on_request(void **state)
{
    (void)state;
    script_start(&script, SCRIPT_ASKS_FOR_PASSWORD);
    start();
    assert_int_equal(log_in(), -1);
    assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    db_free(db);
    db = NULL;
    assert_true(has_text(fake_server_received(server), "reader"));
    assert_false(has_text(fake_server_received(server), "the-password"));
}

static void a_connection_without_required_tls_fails(void **state)
{
    (void)state;
    script_start(&script, 0);
    start();
    conf.tls_ca = "/dev/null";
    assert_int_equal(log_in(), -1);
    assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    db_free(db);
    db = NULL;
    assert_false(has_text(fake_server_received(server), "SET NAMES"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(only_an_idle_connection_is_pinged_first, tear_down),
        cmocka_unit_test_teardown(values_have_their_types, tear_down),
        cmocka_unit_test_teardown(null_has_no_value, tear_down),
        cmocka_unit_test_teardown(the_zero_date_is_null, tear_down),
        cmocka_unit_test_teardown(other_widths_are_converted, tear_down),
        cmocka_unit_test_teardown(a_column_that_is_always_null_has_any_type, tear_down),
        cmocka_unit_test_teardown(a_too_long_text_is_rejected, tear_down),
        cmocka_unit_test_teardown(too_large_numbers_are_rejected, tear_down),
        cmocka_unit_test_teardown(times_that_do_not_exist_are_rejected, tear_down),
        cmocka_unit_test_teardown(truncation_is_detected_without_the_library, tear_down),
        cmocka_unit_test_teardown(other_parameters_are_rejected, tear_down),
        cmocka_unit_test_teardown(other_columns_are_rejected_when_prepared, tear_down),
        cmocka_unit_test_teardown(other_types_are_rejected_when_executed, tear_down),
        cmocka_unit_test_teardown(more_columns_in_a_later_result_are_rejected, tear_down),
        cmocka_unit_test_teardown(further_results_are_rejected, tear_down),
        cmocka_unit_test_teardown(rows_for_a_statement_without_rows_are_rejected, tear_down),
        cmocka_unit_test_teardown(no_rows_for_a_statement_with_rows_is_rejected, tear_down),
        cmocka_unit_test_teardown(two_failures_after_a_success_harm_nothing, tear_down),
        cmocka_unit_test_teardown(only_a_refused_statement_leaves_a_young_connection, tear_down),
        cmocka_unit_test_teardown(one_result_is_read_after_another, tear_down),
        cmocka_unit_test_teardown(the_session_is_set_by_one_statement, tear_down),
        cmocka_unit_test_teardown(a_writing_connection_may_write, tear_down),
        cmocka_unit_test_teardown(settings_are_made_one_by_one_if_necessary, tear_down),
        cmocka_unit_test_teardown(a_session_without_its_settings_is_not_used, tear_down),
        cmocka_unit_test_teardown(the_password_is_not_sent_on_request, tear_down),
        cmocka_unit_test_teardown(a_connection_without_required_tls_fails, tear_down),
    };
    if (db_library_init() != 0) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
