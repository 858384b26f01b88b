// SPDX-License-Identifier: MIT
// reply: what goes back to one connection: the records of an answer, or a reply of the protocol.
#ifndef BKFLOW_REPLY_H
#define BKFLOW_REPLY_H

#include "base/base.h"
#include "base/outbuf.h"

#include <fastcgi.h>
#include <stdatomic.h>

enum {
    REPLY_HEAD_ROOM = FCGI_HEADER_LEN, // for a record's header
    REPLY_TAIL_ROOM = 24,              // for what ends a request
};

struct reply {
    int fd;
    unsigned id; // of the request
    // How long the client may still make its worker wait, for all that it has sent at once: a web
    // server that reads a byte now and then cannot hold the worker.
    int64_t write_budget_us;
    atomic_uint_fast64_t *requests_done; // NULL: not counted
    bool is_counted;                     // the request is, among those done
    bool is_gone;                        // the client takes nothing any more
};

// The sink of an answer: each call is a record, the last one ends the request in the same write.
// CONTEXT is the reply. The buffer has the two rooms.
int reply_send_record(void *context, char *bytes, size_t len, bool is_last);

// Counts the request as done, once. The sink does so with the last record of an answer.
void reply_count(struct reply *reply) NONNULL;

// Sends bytes as they are; -1 when the client is gone.
int reply_send(struct reply *reply, const char *bytes, size_t len) NONNULL;

// Whether the client takes bytes right now.
bool reply_is_ready(const struct reply *reply) NONNULL;

#endif
