// SPDX-License-Identifier: MIT
#include "db/row.h"

#include "base/clock.h"

#include <endian.h>

// ---- times ----

// False for MySQL's zero date, whole or in part.
static bool find_day(struct db_day *day, uint32_t date)
{
    const unsigned year = date & 0xFFFF;
    const unsigned month = date >> 16 & 0xFF;
    const unsigned day_of_month = date >> 24;
    if (month == 0 || day_of_month == 0) {
        return false;
    }
    *day = (struct db_day){date, clock_days_from_civil(year, month, day_of_month) * 86400};
    return true;
}

static inline void set_time(struct db_value *value, struct db_day *day, uint32_t date,
                            int64_t second_of_day, int64_t us)
{
    value->is_null = UNLIKELY(date != day->date || date == 0) && !find_day(day, date);
    value->number = value->is_null ? 0 : (day->begin_s + second_of_day) * US_PER_SECOND + us;
}

static inline int64_t second_of_day(unsigned hour, unsigned minute, unsigned second)
{
    return (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
}

void db_row_set_time(struct db_value *value, struct db_day *day, const MYSQL_TIME *time)
{
    const uint32_t date =
        (time->year & 0xFFFF) | (time->month & 0xFF) << 16 | (time->day & 0xFF) << 24;
    set_time(value, day, date, second_of_day(time->hour, time->minute, time->second),
             (int64_t)time->second_part);
}

// ---- the binary protocol's values: little-endian, texts and times behind their length ----

static inline bool has_room(const struct db_row *row, const unsigned char *at, size_t len)
{
    const unsigned char *const end = row->net->buff_end;
    return at <= end && len <= (size_t)(end - at);
}

static uint16_t read_2(const unsigned char *at)
{
    uint16_t number;
    memcpy(&number, at, sizeof number);
    return le16toh(number);
}

static uint32_t read_4(const unsigned char *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return le32toh(number);
}

static uint64_t read_8(const unsigned char *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return le64toh(number);
}

static const unsigned char *give_up(struct db_row *row, const unsigned char *at)
{
    row->is_broken = true;
    return at;
}

// A length below 0xFB is one byte; 0xFC says that two follow. Texts of more than 64 KB are in no
// column; nor is 0xFB, for NULL, which a binary row has in its bits.
static const unsigned char *take_text(struct db_row *row, struct db_value *value, size_t max_bytes,
                                      const unsigned char *at)
{
    if (!has_room(row, at, 1)) {
        return give_up(row, at);
    }
    size_t len = *at++;
    if (UNLIKELY(len >= 0xFB)) {
        if (len != 0xFC || !has_room(row, at, 2)) {
            return give_up(row, at);
        }
        len = read_2(at);
        at += 2;
    }
    if (len > max_bytes || !has_room(row, at, len)) {
        return give_up(row, at);
    }
    value->text = (struct str){(const char *)at, len};
    return at + len;
}

// Year, month, day; hour, minute, second; microseconds: each part may be missing. Out of line: the
// registers that it needs would be saved for the other values, too.
static __attribute__((noinline)) const unsigned char *
take_time(struct db_row *row, struct db_value *value, const unsigned char *at)
{
    const size_t len = has_room(row, at, 1) ? at[0] : SIZE_MAX;
    if (len > 11 || !has_room(row, at, 1 + len)) {
        return give_up(row, at);
    }
    const uint32_t date = len >= 4 ? read_4(at + 1) : 0;
    const int64_t second = len >= 7 ? second_of_day(at[5], at[6], at[7]) : 0;
    const int64_t us = len >= 11 ? read_4(at + 8) : 0;
    set_time(value, &row->day, date, second, us);
    return at + 1 + len;
}

static int64_t read_signed(enum db_type type, const unsigned char *at)
{
    switch (type) {
    case DB_BIGINT:
        return (int64_t)read_8(at);
    case DB_INT:
        return (int32_t)read_4(at);
    case DB_TINYINT:
    case DB_TIME:
    case DB_TEXT:
        break;
    }
    return (int8_t)*at;
}

static const unsigned char *take_number(struct db_row *row, struct db_value *value,
                                        enum db_type type, const unsigned char *at)
{
    const size_t len = type == DB_BIGINT ? 8 : type == DB_INT ? 4 : 1;
    if (!has_room(row, at, len)) {
        return give_up(row, at);
    }
    value->number = read_signed(type, at);
    return at + len;
}

static inline const unsigned char *take(struct db_row *row, struct db_value *value,
                                        const struct db_column *column, const unsigned char *at)
{
    value->is_null = false;
    if (column->type == DB_TEXT) {
        return take_text(row, value, column->max_bytes, at);
    }
    return column->type == DB_TIME ? take_time(row, value, at)
                                   : take_number(row, value, column->type, at);
}

void db_row_take_value(void *context, unsigned column, unsigned char **at)
{
    struct db_row *const row = context;
    struct db_value *const value = &row->values[column];
    if (at == NULL) {
        *value = (struct db_value){.is_null = true};
    } else if (LIKELY(!row->is_broken)) {
        *at = (unsigned char *)(uintptr_t)take(row, value, &row->columns[column], *at);
    }
}

// ---- which results can be read so ----

#ifdef MARIADB_PACKAGE_VERSION

static bool is_own_type(enum db_type type, const MYSQL_FIELD *field)
{
    const bool is_signed = (field->flags & UNSIGNED_FLAG) == 0;
    const enum enum_field_types sent = field->type;
    if (sent == MYSQL_TYPE_NULL) {
        return true; // it never has a value
    }
    switch (type) {
    case DB_BIGINT:
        return sent == MYSQL_TYPE_LONGLONG && is_signed;
    case DB_INT:
        return sent == MYSQL_TYPE_LONG && is_signed;
    case DB_TINYINT:
        return sent == MYSQL_TYPE_TINY && is_signed;
    case DB_TIME:
        return sent == MYSQL_TYPE_DATETIME || sent == MYSQL_TYPE_TIMESTAMP;
    case DB_TEXT:
        break;
    }
    return sent == MYSQL_TYPE_VAR_STRING || sent == MYSQL_TYPE_STRING || sent == MYSQL_TYPE_BLOB;
}

static bool all_own_types(MYSQL_STMT *handle, const struct db_statement *statement)
{
    MYSQL_RES *const result = mysql_stmt_result_metadata(handle);
    bool all = result != NULL && mysql_num_fields(result) == statement->column_count;
    for (unsigned i = 0; all && i < statement->column_count; i++) {
        all = is_own_type(statement->columns[i].type, mysql_fetch_field_direct(result, i));
    }
    mysql_free_result(result);
    return all;
}

bool db_row_attach(struct db_row *row, MYSQL *connection, MYSQL_STMT *handle,
                   const struct db_statement *statement)
{
    const bool is_direct = all_own_types(handle, statement);
    row->columns = statement->columns;
    row->net = &connection->net;
    row->is_broken = false;
    mysql_stmt_attr_set(handle, STMT_ATTR_CB_USER_DATA, row);
    mysql_stmt_attr_set(handle, STMT_ATTR_CB_RESULT,
                        is_direct ? (const void *)(uintptr_t)db_row_take_value : NULL);
    return is_direct;
}

#else // Oracle's client library has no such call

bool db_row_attach(struct db_row *row, MYSQL *connection, MYSQL_STMT *handle,
                   const struct db_statement *statement)
{
    (void)row, (void)connection, (void)handle, (void)statement;
    return false;
}

#endif
