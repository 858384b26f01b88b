// SPDX-License-Identifier: MIT
// connect: one connection to one host in the making: the options of the client library, the login,
// and the session's settings, with a time limit. With MariaDB's library nothing in it blocks but
// the lookup of the host's name; Oracle's blocks.
#ifndef BKFLOW_DB_CONNECT_H
#define BKFLOW_DB_CONNECT_H

#include "base/base.h"
#include "conf/conf.h"

#include <mysql.h>
#include <poll.h>

// What a connection is for.
enum db_connect_use {
    DB_CONNECT_READ,  // the server refuses to write
    DB_CONNECT_WRITE, // the operator's tool
    DB_CONNECT_PROBE, // as READ; also asks whether the server takes queries, which a node of a
                      // cluster without quorum does not
};

enum { DB_CONNECT_SQL_BYTES = 768 };

struct db_connect {
    const struct conf_database *conf; // borrowed until the end
    enum db_connect_use use;
    MYSQL *handle;       // NULL: no memory
    int waits_for;       // MYSQL_WAIT_...; 0: there is nothing left to wait for
    int64_t started_us;  // monotonic
    int64_t deadline_us; // monotonic; for the address, or the statement, that is being tried
    // Private.
    bool is_async;    // the library can wait outside of its functions
    int step;         // 0: the login; else the statement of the session that is under way
    MYSQL *logged_in; // what the library returned for the login
    int query_failed; // what it returned for the statement
    bool is_over;
    bool has_no_time_limit;
    unsigned code;
    const char *message;
    char sql[DB_CONNECT_SQL_BYTES];
};

// Begins.
void db_connect_start(struct db_connect *connect, const struct conf_database *conf,
                      const struct conf_host *host, enum db_connect_use use) NONNULL;

// What to wait for; call db_connect_go_on when it is there, or the deadline is over.
struct pollfd db_connect_wants(const struct db_connect *connect) MUST_CHECK NONNULL;
void db_connect_go_on(struct db_connect *connect, int revents) NONNULL;

// The descriptor of a connection, or of one that is being made.
int db_connect_socket(MYSQL *handle) MUST_CHECK NONNULL;

// Goes on until there is nothing left to wait for, but not past UNTIL_US (monotonic). Returns
// whether it came to the end.
bool db_connect_wait(struct db_connect *connect, int64_t until_us) NONNULL;

// Makes it fail soon.
void db_connect_abandon(struct db_connect *connect) NONNULL;

// At the end: the library's or the server's error number, 0 when the connection is usable. Then the
// session is as this program needs it, whatever the server's defaults, its init_connect and the
// option file say.
unsigned db_connect_code(const struct db_connect *connect) MUST_CHECK NONNULL;
const char *db_connect_message(const struct db_connect *connect) MUST_CHECK NONNULL;

// Whether the server cannot end statements that take too long. Ours is then the only limit.
bool db_connect_has_no_time_limit(const struct db_connect *connect) MUST_CHECK NONNULL;

#endif
