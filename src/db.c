// SPDX-License-Identifier: MIT
#include "db.h"

#include "clock.h"
#include "log.h"

#include <errmsg.h>
#include <inttypes.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The client library's own boolean: my_bool in MariaDB's, bool in Oracle's since 8.0.
typedef __typeof__(*((MYSQL_BIND *)NULL)->is_null) client_bool;

enum {
    HOSTS_MAX = 16,
    HOST_BYTES = 256,
    FIRST_PAUSE_US = 50 * 1000,
    LONGEST_PAUSE_US = 800 * 1000, // so that the service is right again within a second
};

// Codes that one of the two header sets lacks.
enum {
    SERVER_SHUTDOWN = 1053,
    SERVER_NOT_PREPARED = 1047, // Galera without quorum answers this on a connection that stays up
    SERVER_QUERY_INTERRUPTED = 1317,
    SERVER_NEEDS_REPREPARE = 1615,
    SERVER_CONNECTION_KILLED = 1927,
    SERVER_STATEMENT_TIMEOUT = 1969, // MariaDB
    SERVER_QUERY_TIMEOUT = 3024,     // MySQL
    SERVER_CLIENT_IDLE = 4031,       // MySQL
    CLIENT_NEW_METADATA = 2057,      // a table was altered under a prepared statement
};

struct host {
    char name[HOST_BYTES]; // empty: the local socket
    int64_t retry_at_us;   // monotonic; not tried before
    int64_t pause_us;      // after the last failure
};

union cell {
    long long bigint_value;
    int int_value;
    signed char tinyint_value;
    MYSQL_TIME time;
    char *text; // owned, max_bytes of the column
};

struct slot {
    const struct db_statement *statement;
    MYSQL_STMT *handle; // NULL until prepared on this connection
    MYSQL_BIND binds[DB_COLUMNS_MAX];
    union cell cells[DB_COLUMNS_MAX];
    unsigned long lengths[DB_COLUMNS_MAX];
    client_bool nulls[DB_COLUMNS_MAX];
};

struct db {
    const struct conf_database *conf;
    struct metrics_shard *shard;
    MYSQL *connection; // NULL when there is none
    struct slot slots[DB_STATEMENTS_MAX];
    struct slot *active; // whose result is open
    struct host hosts[HOSTS_MAX];
    size_t host_count;
    int64_t started_us; // monotonic; when the statement under way was sent
    uint64_t random;    // for the jitter of pauses
    bool reported_down;
};

static void split_hosts(struct db *db)
{
    struct str rest = str_from(db->conf->hosts);
    db->host_count = 0;
    while (!str_is_absent(rest) && db->host_count < HOSTS_MAX) {
        const struct str name = str_trim(str_cut(&rest, ','));
        if (name.len < HOST_BYTES) {
            struct host *const host = &db->hosts[db->host_count++];
            *host = (struct host){.retry_at_us = 0};
            memcpy(host->name, name.ptr, name.len);
        }
    }
}

struct db *db_new(const struct conf_database *conf, struct metrics_shard *shard)
{
    struct db *const db = calloc(1, sizeof(struct db));
    if (db == NULL) {
        return NULL;
    }
    db->conf = conf;
    db->shard = shard;
    db->random =
        (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)db ^ (uint64_t)getpid() << 32;
    split_hosts(db);
    return db;
}

static void free_cells(struct slot *slot)
{
    for (size_t i = 0; slot->statement != NULL && i < slot->statement->column_count; i++) {
        if (slot->statement->columns[i].type == DB_TEXT) {
            free(slot->cells[i].text);
        }
    }
    slot->statement = NULL;
}

static void disconnect(struct db *db)
{
    // The connection goes first: its statements then die without asking the server.
    if (db->connection != NULL) {
        mysql_close(db->connection);
        db->connection = NULL;
    }
    for (size_t i = 0; i < DB_STATEMENTS_MAX; i++) {
        if (db->slots[i].handle != NULL) {
            mysql_stmt_close(db->slots[i].handle);
            db->slots[i].handle = NULL;
        }
        free_cells(&db->slots[i]);
    }
    db->active = NULL;
}

void db_free(struct db *db)
{
    if (db != NULL) {
        disconnect(db);
        free(db);
    }
}

void db_reconfigure(struct db *db, const struct conf_database *conf)
{
    const bool same = conf_is_same_database(db->conf, conf);
    db->conf = conf;
    if (!same) {
        disconnect(db);
        split_hosts(db);
    }
}

// ---- connecting ----

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static void require_tls(MYSQL *handle, const struct conf_database *conf)
{
    mysql_options(handle, MYSQL_OPT_SSL_CA, conf->tls_ca);
#ifdef MARIADB_PACKAGE_VERSION
    client_bool yes = 1;
    client_bool verify = conf->tls_verify;
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
#else
    unsigned mode = conf->tls_verify ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_REQUIRED;
    mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode);
#endif
}

static unsigned whole_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

static void set_options(MYSQL *handle, const struct conf_database *conf)
{
    const unsigned connect_s = whole_seconds(conf->connect_timeout_ms);
    // The server's own limit ends a slow statement; the client's ends the wait for a frozen server.
    const unsigned answer_s = whole_seconds(conf->query_timeout_ms) + 1;
    const unsigned no_local_files = 0; // a hostile server could ask for them
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no_local_files);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (conf->option_file[0] != '\0') {
        mysql_options(handle, MYSQL_READ_DEFAULT_FILE, conf->option_file);
        mysql_options(handle, MYSQL_READ_DEFAULT_GROUP, "bkflow-states");
    }
    if (conf->tls_ca[0] != '\0') {
        require_tls(handle, conf);
    }
}

// Bounds each statement on the server's side, in the server's own dialect.
static int set_session(MYSQL *handle, const struct conf_database *conf)
{
    char sql[128];
    if (strstr(mysql_get_server_info(handle), "MariaDB") != NULL) {
        snprintf(sql, sizeof sql, "SET SESSION max_statement_time=%" PRId64 ".%03" PRId64,
                 conf->query_timeout_ms / 1000, conf->query_timeout_ms % 1000);
    } else {
        snprintf(sql, sizeof sql, "SET SESSION max_execution_time=%" PRId64,
                 conf->query_timeout_ms);
    }
    return mysql_real_query(handle, sql, strlen(sql));
}

static MYSQL *open_connection(const struct conf_database *conf, const char *host)
{
    MYSQL *const handle = mysql_init(NULL);
    if (handle == NULL) {
        return NULL;
    }
    set_options(handle, conf);
    const bool is_local = host[0] == '\0';
    const unsigned port = is_local ? 0 : (unsigned)conf->port;
    const char *const socket = is_local ? or_null(conf->socket) : NULL;
    if (mysql_real_connect(handle, or_null(host), or_null(conf->user), or_null(conf->password),
                           or_null(conf->name), port, socket, 0) != NULL) {
        (void)set_session(handle, conf); // a failure shows in mysql_errno, which the caller reads
    }
    return handle;
}

// A pause that doubles with each failure, and is cut short at random so that the workers of many
// processes don't come back all at once.
static void postpone(struct db *db, struct host *host)
{
    const int64_t doubled = host->pause_us == 0 ? FIRST_PAUSE_US : host->pause_us * 2;
    host->pause_us = doubled > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : doubled;
    db->random ^= db->random << 13; // Marsaglia's xorshift64
    db->random ^= db->random >> 7;
    db->random ^= db->random << 17;
    const int64_t jitter = (int64_t)(db->random % (uint64_t)(host->pause_us / 2 + 1));
    host->retry_at_us = clock_monotonic_us() + host->pause_us - jitter;
}

static void report_failure(struct db *db, const struct host *host, MYSQL *handle)
{
    metrics_add(&db->shard->database_errors, 1);
    if (db->reported_down && !log_wants(LOG_LEVEL_DEBUG)) {
        return; // one line per outage and connection, not one per attempt
    }
    db->reported_down = true;
    LOG_EVENT(
        LOG_LEVEL_WARNING, "cannot connect to the database",
        LOG_TEXT("host", str_from(host->name[0] == '\0' ? "(local)" : host->name)),
        LOG_NUMBER("errno", handle == NULL ? CR_OUT_OF_MEMORY : mysql_errno(handle)),
        LOG_TEXT("error", handle == NULL ? STR("out of memory") : str_from(mysql_error(handle))));
}

static void report_success(struct db *db, const struct host *host)
{
    metrics_add(&db->shard->database_connects, 1);
    LOG_EVENT(db->reported_down ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "connected to the database",
              LOG_TEXT("host", str_from(host->name[0] == '\0' ? "(local)" : host->name)),
              LOG_TEXT("server", str_from(mysql_get_server_info(db->connection))));
    db->reported_down = false;
}

static bool connect_host(struct db *db, struct host *host)
{
    MYSQL *const handle = open_connection(db->conf, host->name);
    if (handle == NULL || mysql_errno(handle) != 0) {
        report_failure(db, host, handle);
        postpone(db, host);
        if (handle != NULL) {
            mysql_close(handle);
        }
        return false;
    }
    db->connection = handle;
    host->pause_us = 0;
    report_success(db, host);
    return true;
}

static int connect_any(struct db *db, struct err *err)
{
    if (db->connection != NULL) {
        return 0;
    }
    for (size_t i = 0; i < db->host_count; i++) {
        if (db->hosts[i].retry_at_us <= clock_monotonic_us() && connect_host(db, &db->hosts[i])) {
            return 0;
        }
    }
    return err_set(err, ERR_DATABASE_DOWN, "no database host can be reached");
}

// ---- statements ----

static bool is_lost_connection(unsigned code)
{
    switch (code) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_MALFORMED_PACKET:
    case CLIENT_NEW_METADATA:
    case SERVER_NEEDS_REPREPARE:
    case SERVER_SHUTDOWN:
    case SERVER_NOT_PREPARED:
    case SERVER_CONNECTION_KILLED:
    case SERVER_CLIENT_IDLE:
        return true;
    default:
        return false;
    }
}

static bool is_time_limit(unsigned code)
{
    return code == SERVER_STATEMENT_TIMEOUT || code == SERVER_QUERY_TIMEOUT ||
           code == SERVER_QUERY_INTERRUPTED;
}

// Turns the server's or the client library's complaint into ours. The connection is given up where
// it may no longer be in step with the server.
static int fail(struct db *db, unsigned code, const char *message, struct err *err)
{
    metrics_add(&db->shard->database_errors, 1);
    enum err_kind kind = ERR_DATABASE_FAULT;
    if (is_time_limit(code)) {
        kind = ERR_QUERY_TIMEOUT;
    } else if (is_lost_connection(code)) {
        const bool waited =
            clock_monotonic_us() - db->started_us >= db->conf->query_timeout_ms * 1000;
        kind = waited ? ERR_QUERY_TIMEOUT : ERR_DATABASE_DOWN;
    }
    err_record(err, kind, "database error %u: %s", code, message);
    disconnect(db);
    return -1;
}

static bool bind_column(struct slot *slot, size_t i)
{
    const struct db_column *const column = &slot->statement->columns[i];
    MYSQL_BIND *const bind = &slot->binds[i];
    *bind = (MYSQL_BIND){.is_null = &slot->nulls[i], .length = &slot->lengths[i]};
    switch (column->type) {
    case DB_BIGINT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &slot->cells[i].bigint_value;
        return true;
    case DB_INT:
        bind->buffer_type = MYSQL_TYPE_LONG;
        bind->buffer = &slot->cells[i].int_value;
        return true;
    case DB_TINYINT:
        bind->buffer_type = MYSQL_TYPE_TINY;
        bind->buffer = &slot->cells[i].tinyint_value;
        return true;
    case DB_TIME:
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &slot->cells[i].time;
        return true;
    case DB_TEXT:
        break;
    }
    slot->cells[i].text = malloc(column->max_bytes);
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = slot->cells[i].text;
    bind->buffer_length = column->max_bytes;
    return slot->cells[i].text != NULL;
}

static bool bind_columns(struct slot *slot)
{
    bool bound = true;
    for (size_t i = 0; i < slot->statement->column_count; i++) {
        bound = bind_column(slot, i) && bound;
    }
    return bound;
}

static int prepare(struct db *db, struct slot *slot, const struct db_statement *statement,
                   struct err *err)
{
    db->started_us = clock_monotonic_us();
    slot->statement = statement;
    slot->handle = mysql_stmt_init(db->connection);
    if (!bind_columns(slot) || slot->handle == NULL) {
        disconnect(db);
        return err_set(err, ERR_NO_MEMORY, "prepared statement");
    }
    if (mysql_stmt_prepare(slot->handle, statement->sql, strlen(statement->sql)) != 0 ||
        (statement->column_count > 0 && mysql_stmt_bind_result(slot->handle, slot->binds) != 0)) {
        return fail(db, mysql_stmt_errno(slot->handle), mysql_stmt_error(slot->handle), err);
    }
    return 0;
}

static void bind_parameter(MYSQL_BIND *bind, const struct db_parameter *parameter,
                           long long *number, unsigned long *length)
{
    memset(bind, 0, sizeof *bind);
    if (parameter->is_number) {
        *number = parameter->number;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = number;
    } else if (str_is_absent(parameter->text)) {
        bind->buffer_type = MYSQL_TYPE_NULL;
    } else {
        *length = parameter->text.len;
        bind->buffer_type = parameter->is_binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        bind->buffer = (void *)(uintptr_t)parameter->text.ptr; // the library only reads it
        bind->buffer_length = parameter->text.len;
        bind->length = length;
    }
}

static int execute(struct db *db, struct slot *slot, const struct db_parameter *parameters,
                   struct err *err)
{
    MYSQL_BIND binds[DB_PARAMETERS_MAX];
    long long numbers[DB_PARAMETERS_MAX];
    unsigned long lengths[DB_PARAMETERS_MAX];
    for (size_t i = 0; i < slot->statement->parameter_count; i++) {
        bind_parameter(&binds[i], &parameters[i], &numbers[i], &lengths[i]);
    }
    db->started_us = clock_monotonic_us();
    if (mysql_stmt_bind_param(slot->handle, binds) != 0 || mysql_stmt_execute(slot->handle) != 0) {
        return fail(db, mysql_stmt_errno(slot->handle), mysql_stmt_error(slot->handle), err);
    }
    db->active = slot;
    return 0;
}

static int query_once(struct db *db, unsigned slot_index, const struct db_statement *statement,
                      const struct db_parameter *parameters, struct err *err)
{
    if (connect_any(db, err) != 0) {
        return -1;
    }
    struct slot *const slot = &db->slots[slot_index];
    if (slot->handle == NULL && prepare(db, slot, statement, err) != 0) {
        return -1;
    }
    return execute(db, slot, parameters, err);
}

int db_query(struct db *db, unsigned slot, const struct db_statement *statement,
             const struct db_parameter *parameters, struct err *err)
{
    const bool was_connected = db->connection != NULL;
    if (query_once(db, slot, statement, parameters, err) == 0) {
        return 0;
    }
    const bool was_stale = was_connected && err->kind == ERR_DATABASE_DOWN && !statement->is_write;
    return was_stale ? query_once(db, slot, statement, parameters, err) : -1;
}

static int64_t microseconds(const MYSQL_TIME *time)
{
    const int64_t days = clock_days_from_civil((int64_t)time->year, time->month, time->day);
    const int64_t seconds = days * 86400 + (int64_t)time->hour * 3600 + (int64_t)time->minute * 60 +
                            (int64_t)time->second;
    return seconds * US_PER_SECOND + (int64_t)time->second_part;
}

static void read_cell(const struct slot *slot, size_t i, struct db_value *value)
{
    const union cell *const cell = &slot->cells[i];
    *value = (struct db_value){.is_null = slot->nulls[i]};
    if (value->is_null) {
        return;
    }
    switch (slot->statement->columns[i].type) {
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
        // MySQL's zero date, where a lax SQL mode let one in, is no date: so Django reads it.
        value->is_null = cell->time.month == 0 || cell->time.day == 0;
        value->number = value->is_null ? 0 : microseconds(&cell->time);
        break;
    case DB_TEXT:
        value->text = (struct str){cell->text, slot->lengths[i]};
        break;
    }
}

int db_fetch(struct db *db, struct db_value *values, struct err *err)
{
    struct slot *const slot = db->active;
    const int outcome = mysql_stmt_fetch(slot->handle);
    if (outcome == MYSQL_NO_DATA) {
        return 0;
    }
    if (outcome == MYSQL_DATA_TRUNCATED) {
        return fail(db, 0, "a value is longer than its column can be", err);
    }
    if (outcome != 0) {
        return fail(db, mysql_stmt_errno(slot->handle), mysql_stmt_error(slot->handle), err);
    }
    for (size_t i = 0; i < slot->statement->column_count; i++) {
        read_cell(slot, i, &values[i]);
    }
    return 1;
}

void db_finish(struct db *db)
{
    if (db->active != NULL) {
        mysql_stmt_free_result(db->active->handle);
        db->active = NULL;
    }
}

uint64_t db_changed_rows(const struct db *db)
{
    return db->active == NULL ? 0 : mysql_stmt_affected_rows(db->active->handle);
}

int db_ping(struct db *db, struct err *err)
{
    const bool was_connected = db->connection != NULL;
    for (int attempt = was_connected ? 0 : 1; attempt < 2; attempt++) {
        if (connect_any(db, err) != 0) {
            return -1;
        }
        db->started_us = clock_monotonic_us();
        if (mysql_ping(db->connection) == 0) {
            return 0;
        }
        (void)fail(db, mysql_errno(db->connection), mysql_error(db->connection), err);
    }
    return -1;
}

int db_library_init(void)
{
    return mysql_library_init(0, NULL, NULL) == 0 ? 0 : -1;
}

void db_library_end(void)
{
    mysql_library_end();
}

int db_thread_init(void)
{
    return mysql_thread_init() == 0 ? 0 : -1;
}

void db_thread_end(void)
{
    mysql_thread_end();
}
