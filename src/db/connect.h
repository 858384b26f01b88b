// SPDX-License-Identifier: MIT
// db_connect: one connection to one host in the making, with its options and time limit. Where the
// client library can, nothing in it blocks but looking up the host's name.
#ifndef BKFLOW_DB_CONNECT_H
#define BKFLOW_DB_CONNECT_H

#include "base/base.h"
#include "conf/conf.h"

#include <mysql.h>
#include <poll.h>

struct db_connect {
    const struct conf_database *conf; // borrowed until the end
    MYSQL *handle;                    // NULL: no memory
    MYSQL *result;                    // what the library gave back at the end
    int waits_for;                    // MYSQL_WAIT_...; 0: there is nothing left to wait for
    int64_t started_us;               // monotonic
    int64_t deadline_us;              // monotonic; for the address of the host that is being tried
};

// Begins. HOST empty: the local socket. A PROBE also asks the server whether it takes queries,
// which a node of a cluster without quorum does not.
void db_connect_start(struct db_connect *connect, const struct conf_database *conf,
                      const struct conf_host *host, bool is_probe) NONNULL;

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

// At the end: the library's error number, 0 when the connection stands.
unsigned db_connect_code(const struct db_connect *connect) MUST_CHECK NONNULL;
const char *db_connect_message(const struct db_connect *connect) MUST_CHECK NONNULL;

// Bounds the statements of a connection that stands, on the server's side. An error shows in
// db_connect_code.
void db_connect_set_session(struct db_connect *connect) NONNULL;

#endif
