// SPDX-License-Identifier: MIT
// fake_server: a database server in a thread. It speaks the protocol as far as the client library
// needs it, and answers what a script says. Row packets always have the announced lengths: client
// libraries read past them without a check, before our code can look.
#ifndef BKFLOW_TEST_FAKE_SERVER_H
#define BKFLOW_TEST_FAKE_SERVER_H

#include "base/base.h"

// A script: flags of the server, then an answer for each command that needs one, on whichever
// connection. The server hangs up when there is no answer left.
enum { SCRIPT_BYTES = 4096 };
struct script {
    uint8_t bytes[SCRIPT_BYTES];
    size_t len;
};

enum {
    SCRIPT_ASKS_FOR_PASSWORD = 1, // with another plug-in, in clear text
    SCRIPT_ANSWERS_QUERIES = 2,   // from the script; else with OK
};
void script_start(struct script *script, unsigned how) NONNULL;

enum { SCRIPT_MORE_RESULTS = 8 }; // a status flag

// Answers COM_STMT_PREPARE. TYPES has a letter for each column: B bigint, U unsigned bigint, I int,
// T tinyint, S varchar, D datetime, N null, W time, G geometry, ? an unknown type.
void script_prepared(struct script *script, unsigned parameters, const char *types) NONNULL;

// Answers COM_STMT_EXECUTE: ROWS rows follow, each with a cell for each column.
void script_result(struct script *script, const char *types, unsigned status,
                   unsigned rows) NONNULL;
void script_null(struct script *script) NONNULL;
void script_number(struct script *script, size_t width, int64_t number) NONNULL;
void script_text(struct script *script, size_t len, char fill) NONNULL;
void script_time(struct script *script, const uint8_t *bytes, size_t len) NONNULL;

void script_ok(struct script *script) NONNULL;
void script_error(struct script *script, unsigned code) NONNULL;

struct fake_server;

// Starts a server. SCRIPT is copied. It hangs up after IDLE_MS without a command; -1: never.
struct fake_server *fake_server_new(const uint8_t *script, size_t size, int idle_ms);
const char *fake_server_socket(const struct fake_server *server) NONNULL;

// Returns all packets that clients sent. Call it after the client is gone.
struct str fake_server_received(const struct fake_server *server) NONNULL;
void fake_server_free(struct fake_server *server) NONNULL;

#endif
