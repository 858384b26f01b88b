// SPDX-License-Identifier: MIT
// waiting_look: what a client sends while its request waits. Never blocks.
#ifndef BKFLOW_WAITING_LOOK_H
#define BKFLOW_WAITING_LOOK_H

#include "loop_conn.h"

enum waiting_look {
    WAITING_LOOK_NOTHING,
    WAITING_LOOK_BYTES, // something that must be read when the request has been answered
    WAITING_LOOK_ABORT, // a record that aborts the request
    // It has closed the connection, even if only its own direction: web servers do this to abort.
    WAITING_LOOK_GONE,
};

// Takes nothing from the connection.
enum waiting_look waiting_look_at(const struct loop_conn *conn) MUST_CHECK NONNULL;

// Consumes the record that aborts the request, and answers it. False if the connection must be
// closed.
bool waiting_look_end_request(struct loop_conn *conn) MUST_CHECK NONNULL;

#endif
