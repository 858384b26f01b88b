// SPDX-License-Identifier: MIT
#include "db/row_priv.h"

#include "base/clock.h"

#include <stdlib.h>

// The client library's boolean type: my_bool in MariaDB's, bool in Oracle's since 8.0.
typedef __typeof__(*((MYSQL_BIND *)NULL)->is_null) client_bool;

union cell {
    long long bigint_value;
    int int_value;
    signed char tinyint_value;
    MYSQL_TIME time;
    char *text; // in the row's block
};

struct db_row {
    const struct db_statement *statement;
    struct db_value values[DB_COLUMNS_MAX];
    union cell cells[DB_COLUMNS_MAX];
    unsigned long lengths[DB_COLUMNS_MAX];
    client_bool nulls[DB_COLUMNS_MAX];
    client_bool errors[DB_COLUMNS_MAX]; // a conversion lost information
    char texts[];
};

static size_t text_bytes(const struct db_column *column)
{
    return column->type == DB_TEXT ? column->max_bytes : 0;
}

struct db_row *db_row_new(const struct db_statement *statement)
{
    size_t bytes = 0;
    for (size_t i = 0; i < statement->column_count; i++) {
        bytes += text_bytes(&statement->columns[i]);
    }
    struct db_row *const row = calloc(1, sizeof(struct db_row) + bytes);
    if (row == NULL) {
        return NULL;
    }
    row->statement = statement;
    char *text = row->texts;
    for (size_t i = 0; i < statement->column_count; i++) {
        row->cells[i].text = text;
        text += text_bytes(&statement->columns[i]);
    }
    return row;
}

// ---- what the server announces ----

static bool is_among(enum enum_field_types type, const enum enum_field_types *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

// Whether a column of type SENT can be read as TYPE. The library converts between widths and checks
// the result; it cannot convert unknown types.
static bool is_readable(enum db_type type, enum enum_field_types sent)
{
    static const enum enum_field_types numbers[] = {
        MYSQL_TYPE_LONGLONG, MYSQL_TYPE_LONG,       MYSQL_TYPE_TINY,    MYSQL_TYPE_SHORT,
        MYSQL_TYPE_INT24,    MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_DECIMAL, MYSQL_TYPE_YEAR,
    };
    static const enum enum_field_types times[] = {MYSQL_TYPE_DATETIME, MYSQL_TYPE_TIMESTAMP,
                                                  MYSQL_TYPE_DATE};
    static const enum enum_field_types texts[] = {
        MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_STRING,    MYSQL_TYPE_BLOB,    MYSQL_TYPE_MEDIUM_BLOB,
        MYSQL_TYPE_LONG_BLOB,  MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_VARCHAR,
    };
    if (sent == MYSQL_TYPE_NULL) {
        return true; // is always NULL
    }
    switch (type) {
    case DB_BIGINT:
    case DB_INT:
    case DB_TINYINT:
        return is_among(sent, numbers, COUNT_OF(numbers));
    case DB_TIME:
        return is_among(sent, times, COUNT_OF(times));
    case DB_TEXT:
        break;
    }
    return is_among(sent, texts, COUNT_OF(texts));
}

static bool has_expected_types(const struct db_statement *statement, MYSQL_STMT *handle)
{
    MYSQL_RES *const result = mysql_stmt_result_metadata(handle);
    bool is_expected = result != NULL && mysql_num_fields(result) == statement->column_count;
    for (unsigned i = 0; is_expected && i < statement->column_count; i++) {
        is_expected =
            is_readable(statement->columns[i].type, mysql_fetch_field_direct(result, i)->type);
    }
    mysql_free_result(result);
    return is_expected;
}

bool db_row_is_expected(const struct db_statement *statement, MYSQL_STMT *handle)
{
    return mysql_stmt_param_count(handle) == statement->parameter_count &&
           mysql_stmt_field_count(handle) == statement->column_count &&
           (statement->column_count == 0 || has_expected_types(statement, handle));
}

// ---- binding ----

static enum enum_field_types bound_type(enum db_type type)
{
    switch (type) {
    case DB_BIGINT:
        return MYSQL_TYPE_LONGLONG;
    case DB_INT:
        return MYSQL_TYPE_LONG;
    case DB_TINYINT:
        return MYSQL_TYPE_TINY;
    case DB_TIME:
        return MYSQL_TYPE_DATETIME;
    case DB_TEXT:
        break;
    }
    return MYSQL_TYPE_STRING;
}

int db_row_bind(struct db_row *row, MYSQL_STMT *handle)
{
    MYSQL_BIND binds[DB_COLUMNS_MAX]; // copied by the library
    for (size_t i = 0; i < row->statement->column_count; i++) {
        const struct db_column *const column = &row->statement->columns[i];
        binds[i] = (MYSQL_BIND){
            .buffer_type = bound_type(column->type),
            .buffer = column->type == DB_TEXT ? (void *)row->cells[i].text : &row->cells[i],
            .buffer_length = text_bytes(column),
            .length = &row->lengths[i],
            .is_null = &row->nulls[i],
            .error = &row->errors[i],
        };
    }
    return mysql_stmt_bind_result(handle, binds);
}

// ---- reading ----

static bool is_zero_date(const MYSQL_TIME *time)
{
    return time->month == 0 || time->day == 0;
}

static bool is_valid_time(const MYSQL_TIME *time)
{
    return time->year <= 9999 && time->month <= 12 && time->day <= 31 && time->hour <= 23 &&
           time->minute <= 59 && time->second <= 59 && time->second_part < US_PER_SECOND;
}

// A zero date, complete or partial, which a lax SQL mode may have allowed, is read as NULL, like in
// Django.
static bool read_time(struct db_value *value, const MYSQL_TIME *time)
{
    if (!is_valid_time(time)) {
        return false;
    }
    if (is_zero_date(time)) {
        value->is_null = true;
        return true;
    }
    const int64_t days = clock_days_from_civil(time->year, time->month, time->day);
    const int64_t seconds =
        days * 86400 + (int64_t)time->hour * 3600 + (int64_t)time->minute * 60 + time->second;
    value->number = seconds * US_PER_SECOND + (int64_t)time->second_part;
    return true;
}

static bool read_text(struct db_value *value, const char *text, size_t len, size_t max_bytes)
{
    value->text = (struct str){text, len};
    return len <= max_bytes;
}

static bool read_value(struct db_row *row, size_t i)
{
    const struct db_column *const column = &row->statement->columns[i];
    const union cell *const cell = &row->cells[i];
    struct db_value *const value = &row->values[i];
    *value = (struct db_value){.is_null = row->nulls[i]};
    if (value->is_null) {
        return true;
    }
    switch (column->type) {
    case DB_BIGINT:
        value->number = cell->bigint_value;
        break;
    case DB_INT:
        value->number = cell->int_value;
        break;
    case DB_TINYINT:
        value->number = cell->tinyint_value;
        break;
    case DB_TIME:
        return !row->errors[i] && read_time(value, &cell->time);
    case DB_TEXT:
        return !row->errors[i] && read_text(value, cell->text, row->lengths[i], column->max_bytes);
    }
    return !row->errors[i];
}

const struct db_value *db_row_read(struct db_row *row)
{
    for (size_t i = 0; i < row->statement->column_count; i++) {
        if (!read_value(row, i)) {
            return NULL;
        }
    }
    return row->values;
}
