// SPDX-License-Identifier: MIT
// connect: makes one connection to one host: the options of the client library, the login, and the
// session's settings. Blocks for as long as the client library and the system's resolver like: see
// attempt_priv.h.
#ifndef BKFLOW_DB_CONNECT_PRIV_H
#define BKFLOW_DB_CONNECT_PRIV_H

#include "base/base.h"
#include "conf/conf.h"

#include <mysql.h>

// What a connection is for.
enum db_connect_use {
    DB_CONNECT_READ,  // the server refuses to write
    DB_CONNECT_WRITE, // the operator's tool
};

struct db_connect_result {
    MYSQL *handle;          // NULL: the connection could not be made
    unsigned code;          // why not: the library's or the server's error number
    char message[512];      // what goes with it; as long as the library's longest
    bool has_no_time_limit; // the server cannot end statements that take too long: only we can
};

// The session is as this program needs it, whatever the server's defaults, its init_connect and the
// option file say. The connection is the caller's.
void db_connect(const struct conf_database *conf, const struct conf_host *host,
                enum db_connect_use use, struct db_connect_result *result) NONNULL;

// Makes RESULT a failure.
void db_connect_fail(struct db_connect_result *result, unsigned code, const char *message) NONNULL;

// The descriptor of a connection.
int db_connect_socket(MYSQL *handle) MUST_CHECK NONNULL;

#endif
