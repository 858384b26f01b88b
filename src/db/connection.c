// SPDX-License-Identifier: MIT
#include "db/connection.h"

#include "base/clock.h"
#include "db/bind_priv.h"
#include "db/connect_priv.h"
#include "db/error_code_priv.h"
#include "db/hosts_priv.h"
#include "db/row_priv.h"
#include "db/deadline.h"

#include <assert.h>
#include <errmsg.h>
#include <mysql.h>
#include <stdlib.h>

enum {
    GRACE_US = 250 * 1000,
    // After this idle time a firewall or load balancer may have dropped the connection. It is
    // pinged before use and must answer soon.
    IDLE_US = 10 * 1000 * 1000,
    IDLE_ANSWER_US = 300 * 1000,
    // A connection that refused a statement is kept until this age. Privileges on a whole database
    // that are granted later count for new connections only.
    REFUSING_US = 10 * 1000 * 1000,
};

// A prepared statement on the connection. All zero if it is not prepared.
struct slot {
    const struct db_statement *statement;
    MYSQL_STMT *handle;
    struct db_row *row; // owned; the handle writes into it
};

struct db {
    const struct conf_database *conf;
    struct metrics_shard *shard;
    MYSQL *connection; // NULL if there is none
    struct slot slots[DB_STATEMENTS_MAX];
    struct slot *active;   // the slot with an open result
    struct db_binds binds; // as large as a statement has needed so far
    struct db_hosts hosts;
    struct db_health *own_health; // NULL if it is shared
    struct db_deadline deadline;
    int64_t connected_us; // monotonic; when the connection was adopted
    int64_t started_us;   // monotonic; when the current statement was sent
    int64_t answered_us;  // monotonic; when the connection last worked
    bool may_repeat;      // the statement failed, but may succeed on a new connection
};

struct db *db_new(const struct conf_database *conf, struct db_health *health,
                  struct metrics_shard *shard)
{
    struct db *const db = calloc(1, sizeof(struct db));
    struct db_health *const own_health = health == NULL ? db_health_new() : NULL;
    if (db == NULL || (health == NULL && own_health == NULL)) {
        db_health_free(own_health);
        free(db);
        return NULL;
    }
    db->conf = conf;
    db->shard = shard;
    db->own_health = own_health;
    db_hosts_init(&db->hosts, conf, health == NULL ? own_health : health, shard);
    db_deadline_join(db_health_deadlines(db->hosts.health), &db->deadline);
    return db;
}

void db_allow_writes(struct db *db)
{
    db->hosts.use = DB_CONNECT_WRITE;
}

// After the connection has been closed the library does not talk to the server.
static void close_slot(struct slot *slot)
{
    if (slot->handle != NULL) {
        mysql_stmt_close(slot->handle);
    }
    free(slot->row);
    *slot = (struct slot){0};
}

void db_disconnect(struct db *db)
{
    db_deadline_detach(&db->deadline);
    db_hosts_end_failback(&db->hosts);
    if (db->connection != NULL) {
        db_connect_close(db->connection);
        db->connection = NULL;
    }
    for (size_t i = 0; i < DB_STATEMENTS_MAX; i++) {
        close_slot(&db->slots[i]);
    }
    db->active = NULL;
}

void db_free(struct db *db)
{
    if (db != NULL) {
        db_disconnect(db);
        db_deadline_leave(db_health_deadlines(db->hosts.health), &db->deadline);
        db_health_free(db->own_health);
        db_binds_free(&db->binds);
        free(db);
    }
}

void db_reconfigure(struct db *db, const struct conf_database *conf)
{
    if (!conf_is_same_database(db->conf, conf)) {
        db_disconnect(db);
        db_hosts_reconfigure(&db->hosts, conf);
    }
    db->conf = conf;
    db->hosts.conf = conf;
}

// Makes HANDLE the connection, and fails if its statements cannot have a time limit.
static int adopt(struct db *db, MYSQL *handle, struct error *err)
{
    db->connection = handle;
    db->connected_us = clock_monotonic_us();
    db->answered_us = db->connected_us;
    if (db_deadline_attach(&db->deadline, db_connect_socket(handle)) == 0) {
        return 0;
    }
    db_disconnect(db);
    return error_set(err, ERR_DATABASE_DOWN, "no descriptor is left for a time limit");
}

static bool answers(struct db *db)
{
    db_deadline_arm(&db->deadline, clock_monotonic_us() + IDLE_ANSWER_US);
    const bool is_answered = mysql_ping(db->connection) == 0;
    db_deadline_disarm(&db->deadline);
    return is_answered;
}

// Returns true if the connection must be replaced. A lost connection does not blame its host:
// making the next one shows whether the host is at fault.
static bool is_lost(struct db *db)
{
    // The prober found this host unresponsive: fail over now instead of waiting for the timeout.
    if (db_hosts_is_unresponsive(&db->hosts)) {
        return true;
    }
    return clock_monotonic_us() - db->answered_us >= IDLE_US && !answers(db);
}

static int ensure_connected(struct db *db, struct error *err)
{
    if (db->connection != NULL && is_lost(db)) {
        db_disconnect(db);
    }
    if (db->connection != NULL) {
        return 0;
    }
    MYSQL *const handle = db_hosts_connect(&db->hosts, err);
    return handle == NULL ? -1 : adopt(db, handle, err);
}

void db_failback(struct db *db)
{
    MYSQL *const better = db->connection == NULL ? NULL : db_hosts_failback(&db->hosts);
    struct error unused;
    if (better != NULL) {
        db_disconnect(db);
        (void)adopt(db, better, &unused);
    }
}

// Starts the time limit of a statement, up to its last row. It is a little later than the server's
// own limit, which is better because the connection survives it.
static void start_clock(struct db *db)
{
    db->started_us = clock_monotonic_us();
    db_deadline_arm(&db->deadline, db->started_us + db->conf->query_timeout_ms * 1000 + GRACE_US);
}

static bool is_late(const struct db *db)
{
    return clock_monotonic_us() - db->started_us >= db->conf->query_timeout_ms * 1000;
}

static enum error_kind kind_of(enum db_verdict verdict)
{
    switch (verdict) {
    case DB_VERDICT_RETRY:
    case DB_VERDICT_NEXT_HOST:
        return ERR_DATABASE_DOWN;
    case DB_VERDICT_TIMEOUT:
    case DB_VERDICT_NO_ANSWER:
        return ERR_QUERY_TIMEOUT;
    case DB_VERDICT_FAULT:
    case DB_VERDICT_REFUSED:
        break;
    }
    return ERR_DATABASE_FAULT;
}

static bool may_keep_connection(const struct db *db, unsigned code)
{
    return !db->may_repeat && db_error_code_is_statements(code) &&
           clock_monotonic_us() - db->connected_us < REFUSING_US;
}

// Ends what the slot was used for, but not the connection.
static void give_up_slot(struct db *db, struct slot *slot)
{
    close_slot(slot);
    db_deadline_disarm(&db->deadline);
    db->answered_us = clock_monotonic_us();
    db->active = NULL;
}

// Converts an error of the server or the client library into ERR. Gives up the connection if it may
// be out of step with the server.
static int fail_statement(struct db *db, struct slot *slot, struct error *err)
{
    const unsigned code = mysql_stmt_errno(slot->handle);
    const char *const message = mysql_stmt_error(slot->handle);
    const enum db_verdict verdict = db_error_code_verdict(code, is_late(db));
    const char *const said = message[0] == '\0' ? "the connection was lost" : message;
    metrics_add(&db->shard->database_errors, 1);
    error_record(err, kind_of(verdict), "database error %u: %s", code, said);
    err->server_code = code;
    db->may_repeat = db_hosts_failed(&db->hosts, verdict, code, said);
    if (may_keep_connection(db, code)) {
        give_up_slot(db, slot);
    } else {
        db_disconnect(db);
    }
    return -1;
}

// The server's answer does not fit the statement: the two are out of step, or the peer is not a
// database server. Nothing more is read from the connection.
static int reject_answer(struct db *db, const char *what, struct error *err)
{
    metrics_add(&db->shard->database_errors, 1);
    db->may_repeat = db_hosts_failed(&db->hosts, DB_VERDICT_REFUSED, CR_MALFORMED_PACKET, what);
    db_disconnect(db);
    return error_set(err, ERR_DATABASE_FAULT, "unexpected answer from the database server: %s",
                     what);
}

static int no_memory(struct db *db, struct error *err)
{
    db_disconnect(db);
    return error_set(err, ERR_NO_MEMORY, "prepared statement");
}

static int prepare(struct db *db, struct slot *slot, const struct db_statement *statement,
                   struct error *err)
{
    assert(statement->column_count <= DB_COLUMNS_MAX);
    start_clock(db);
    slot->statement = statement;
    slot->row = db_row_new(statement);
    slot->handle = mysql_stmt_init(db->connection);
    if (slot->row == NULL || slot->handle == NULL ||
        db_binds_reserve(&db->binds, statement->parameter_count) != 0) {
        return no_memory(db, err);
    }
    if (mysql_stmt_prepare(slot->handle, statement->sql, strlen(statement->sql)) != 0) {
        return fail_statement(db, slot, err);
    }
    return db_row_is_expected(statement, slot->handle)
               ? 0
               : reject_answer(db, "other parameters or columns than the statement has", err);
}

// Compares and binds the columns for each execution: they may have changed since the last one, and
// the library then drops what was bound.
static int expect_rows(struct db *db, struct slot *slot, struct error *err)
{
    if (mysql_more_results(db->connection) ||
        mysql_field_count(db->connection) != slot->statement->column_count ||
        !db_row_is_expected(slot->statement, slot->handle)) {
        return reject_answer(db, "other results or columns than the statement gives", err);
    }
    if (slot->statement->column_count > 0 && db_row_bind(slot->row, slot->handle) != 0) {
        return fail_statement(db, slot, err);
    }
    return 0;
}

static int execute(struct db *db, struct slot *slot, const struct db_parameter *parameters,
                   struct error *err)
{
    start_clock(db);
    if (!db_bind_parameters(slot->handle, &db->binds, parameters,
                            slot->statement->parameter_count) ||
        mysql_stmt_execute(slot->handle) != 0) {
        return fail_statement(db, slot, err);
    }
    db->active = slot;
    return expect_rows(db, slot, err);
}

static int query_once(struct db *db, unsigned slot_index, const struct db_statement *statement,
                      const struct db_parameter *parameters, struct error *err)
{
    struct slot *const slot = &db->slots[slot_index];
    db->may_repeat = false;
    if (slot->handle == NULL && prepare(db, slot, statement, err) != 0) {
        return -1;
    }
    return execute(db, slot, parameters, err);
}

int db_query(struct db *db, unsigned slot, const struct db_statement *statement,
             const struct db_parameter *parameters, struct error *err)
{
    const int64_t last_try_us = clock_monotonic_us() + 2 * db->conf->query_timeout_ms * 1000;
    struct error unused; // if no other host can be reached, report the statement's error
    for (size_t tries = 0; ensure_connected(db, tries == 0 ? err : &unused) == 0; tries++) {
        if (query_once(db, slot, statement, parameters, err) == 0) {
            return 0;
        }
        if (!db->may_repeat || statement->is_write || tries == 2 * db->hosts.count ||
            clock_monotonic_us() >= last_try_us) {
            break;
        }
    }
    db->may_repeat = false;
    return -1;
}

bool db_may_repeat(const struct db *db)
{
    return db->may_repeat;
}

int db_fetch(struct db *db, const struct db_value **row, struct error *err)
{
    struct slot *const slot = db->active;
    const int outcome = mysql_stmt_fetch(slot->handle);
    if (outcome == MYSQL_NO_DATA) {
        db_hosts_answered(&db->hosts);
        return 0;
    }
    if (outcome != 0 && outcome != MYSQL_DATA_TRUNCATED) {
        return fail_statement(db, slot, err);
    }
    *row = outcome == 0 ? db_row_read(slot->row) : NULL;
    if (*row == NULL) {
        return reject_answer(db, "a value does not fit its column", err);
    }
    db_hosts_answered(&db->hosts);
    return 1;
}

void db_finish(struct db *db)
{
    if (db->active != NULL) {
        mysql_stmt_free_result(db->active->handle);
        db_deadline_disarm(&db->deadline);
        db->answered_us = clock_monotonic_us();
        db->active = NULL;
    }
}

uint64_t db_changed_rows(const struct db *db)
{
    return db->active == NULL ? 0 : mysql_stmt_affected_rows(db->active->handle);
}
