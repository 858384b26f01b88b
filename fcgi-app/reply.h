// SPDX-License-Identifier: MIT
// reply: sends to one connection: the records of an answer, or a reply of the protocol.
#ifndef BKFLOW_REPLY_H
#define BKFLOW_REPLY_H

#include "base/base.h"
#include "base/outbuf.h"

#include <fastcgi.h>
#include <stdatomic.h>

enum {
    REPLY_HEAD_ROOM = FCGI_HEADER_LEN, // for a record's header
    REPLY_TAIL_ROOM = 24,              // for the end of a request
};

struct reply {
    int fd;
    unsigned id; // of the request
    // How long the worker may still wait for this client, for everything that it has sent at once.
    // A web server that reads a byte now and then cannot occupy the worker.
    int64_t write_budget_us;
    atomic_uint_fast64_t *requests_done; // NULL: not counted
    bool is_counted;                     // whether requests_done includes the request
    bool is_gone;                        // the client has closed, or its budget is used up
};

// The sink of an answer. Each call is a record; the last one also ends the request, in the same
// write. CONTEXT is the reply. The buffer has head and tail room.
int reply_send_record(void *context, char *bytes, size_t len, bool is_last);

// Counts the request as done, once. The sink does this with the last record of an answer.
void reply_count(struct reply *reply) NONNULL;

// Sends bytes unchanged; -1 if the client is gone.
int reply_send(struct reply *reply, const char *bytes, size_t len) NONNULL;

// Whether the client can take bytes now.
bool reply_is_ready(const struct reply *reply) NONNULL;

#endif
