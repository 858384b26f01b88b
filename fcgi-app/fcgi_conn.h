// SPDX-License-Identifier: MIT
// fcgi_conn: the records of one FastCGI connection (FastCGI 1.0 specification), as a state machine
// over bytes. Every length is checked against a bound of ours before anything is stored or
// allocated. Knows no sockets.
#ifndef BKFLOW_FCGI_CONN_H
#define BKFLOW_FCGI_CONN_H

#include "base/base.h"
#include "base/error.h"
#include "http/http.h"

#include <fastcgi.h>

enum {
    FCGI_CONN_VARS_MAX = 512,   // variables of one request; nginx and Apache send about 30
    FCGI_CONN_VALUES_MAX = 512, // bytes of one FCGI_GET_VALUES that are looked at
    FCGI_CONN_REPLY_MAX = 128,
    FCGI_CONN_END_BYTES = 24, // end of FCGI_STDOUT and FCGI_END_REQUEST
};

// What the bytes consumed so far led to.
enum fcgi_event {
    FCGI_EVENT_MORE,    // all bytes are used up
    FCGI_EVENT_REQUEST, // a request is whole: answer it, then call fcgi_conn_request_done
    FCGI_EVENT_REPLY,   // reply holds bytes to send; then go on consuming, or close if is_over
    FCGI_EVENT_BROKEN,  // not FastCGI, or not in step any more: close
};

// Which requests are refused whatever they ask.
enum fcgi_refusal {
    FCGI_REFUSE_NOTHING,
    FCGI_REFUSE_HEAD_TOO_LARGE,
    FCGI_REFUSE_BODY_TOO_LARGE,
    FCGI_REFUSE_NO_MEMORY, // for the variables: no fault of the client's
};

struct fcgi_conn {
    size_t max_request_bytes; // bound on the variables, and on the body
    size_t max_connections;   // what FCGI_GET_VALUES is told

    // The record under way.
    unsigned char header[FCGI_HEADER_LEN];
    size_t header_len;
    size_t content_left;
    size_t padding_left;
    unsigned char content[FCGI_CONN_VALUES_MAX]; // of records that are looked at when whole
    size_t content_len;

    // The request under way: one at a time, others are told FCGI_CANT_MPX_CONN.
    bool has_request;
    bool keeps; // FCGI_KEEP_CONN
    bool has_all_vars;
    unsigned id;
    char *vars; // the stream FCGI_PARAMS; owned
    size_t vars_len;
    size_t vars_capacity;
    size_t body_len;
    enum fcgi_refusal refusal;

    bool is_over; // nothing more is wanted on this connection
    char reply[FCGI_CONN_REPLY_MAX];
    size_t reply_len;
};

void fcgi_conn_init(struct fcgi_conn *conn, size_t max_request_bytes,
                    size_t max_connections) NONNULL;
void fcgi_conn_fini(struct fcgi_conn *conn) NONNULL;

// Goes on with BYTES until something is to be done; *USED says how many it took.
enum fcgi_event fcgi_conn_consume(struct fcgi_conn *conn, const char *bytes, size_t len,
                                  size_t *used) MUST_CHECK NONNULL;

// The whole request's variables; they point into the connection and live until the request is done.
// -1 when the stream is not made of name-value pairs, or there are more than FCGI_CONN_VARS_MAX.
int fcgi_conn_vars(const struct fcgi_conn *conn, struct http_var vars[FCGI_CONN_VARS_MAX],
                   size_t *count) MUST_CHECK NONNULL;

// The request has been answered. Wipes its variables: they held a secret.
void fcgi_conn_request_done(struct fcgi_conn *conn) NONNULL;

// Neither a request nor a record is under way.
bool fcgi_conn_is_idle(const struct fcgi_conn *conn) MUST_CHECK NONNULL;

// Writes a record header.
void fcgi_put_header(char header[FCGI_HEADER_LEN], unsigned type, unsigned id,
                     size_t content_len) NONNULL;

// Writes what ends request ID: an empty FCGI_STDOUT record and FCGI_END_REQUEST.
void fcgi_put_end(char end[FCGI_CONN_END_BYTES], unsigned id) NONNULL;

#endif
