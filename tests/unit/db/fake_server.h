// SPDX-License-Identifier: MIT
// fake_server: a database server in a thread, which speaks the protocol as far as the client
// library needs it, and says in it whatever a script tells it to. Row packets have the lengths that
// they claim: beyond those, the client libraries read without a check, and nothing of ours is
// between.
#ifndef BKFLOW_TEST_FAKE_SERVER_H
#define BKFLOW_TEST_FAKE_SERVER_H

#include "base/base.h"

// What a script is made of: how the server is, then an answer for each command of the client that
// wants one, whichever connection it comes from. When no answer is left, it hangs up.
enum { SCRIPT_BYTES = 4096 };
struct script {
    uint8_t bytes[SCRIPT_BYTES];
    size_t len;
};

enum {
    SCRIPT_ASKS_FOR_PASSWORD = 1, // by another plugin, in the clear
    SCRIPT_ANSWERS_QUERIES = 2,   // by the script; else with OK
};
void script_start(struct script *script, unsigned how) NONNULL;

enum { SCRIPT_MORE_RESULTS = 8 }; // in a status

// To COM_STMT_PREPARE. A letter of TYPES for each column: B bigint, U unsigned bigint, I int, T
// tinyint, S varchar, D datetime, N null, W time, G geometry, ? a type that nobody knows.
void script_prepared(struct script *script, unsigned parameters, const char *types) NONNULL;

// The same with a number of columns announced that is another one.
void script_prepared_as(struct script *script, unsigned parameters, unsigned columns,
                        const char *types) NONNULL;

// To COM_STMT_EXECUTE: ROWS rows follow, each with a cell for each column.
void script_result(struct script *script, const char *types, unsigned status,
                   unsigned rows) NONNULL;
void script_null(struct script *script) NONNULL;
void script_number(struct script *script, size_t width, int64_t number) NONNULL;
void script_text(struct script *script, size_t len, char fill) NONNULL;
void script_time(struct script *script, const uint8_t *bytes, size_t len) NONNULL;

void script_ok(struct script *script) NONNULL;
void script_error(struct script *script, unsigned code) NONNULL;

struct fake_server;

// SCRIPT is copied. PATIENCE_MS: after so long without a command it hangs up; -1: never.
struct fake_server *fake_server_new(const uint8_t *script, size_t size, int patience_ms);
const char *fake_server_socket(const struct fake_server *server) NONNULL;

// All packets that clients sent, one after the other. For after the client is gone.
struct str fake_server_received(const struct fake_server *server) NONNULL;
void fake_server_free(struct fake_server *server) NONNULL;

#endif
