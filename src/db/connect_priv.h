// SPDX-License-Identifier: MIT
// connect: makes a connection to one host: client library options, login, session settings. Blocks
// as long as the client library and the resolver do; see attempt_priv.h.
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
    MYSQL *handle;          // NULL: no connection
    unsigned code;          // the library's or server's error number
    char message[512];      // its message; as long as the library's longest
    bool has_no_time_limit; // the server cannot end slow statements
};

// Connects. The session is set up for this program, whatever the server's defaults, its
// init_connect and the option file say. The caller owns the connection.
void db_connect(const struct conf_database *conf, const struct conf_host *host,
                enum db_connect_use use, struct db_connect_result *result) NONNULL;

// Makes RESULT a failure.
void db_connect_fail(struct db_connect_result *result, unsigned code, const char *message) NONNULL;

// Closes a connection and frees all that belongs to it.
void db_connect_close(MYSQL *handle) NONNULL;

// The descriptor of a connection.
int db_connect_socket(MYSQL *handle) MUST_CHECK NONNULL;

#endif
