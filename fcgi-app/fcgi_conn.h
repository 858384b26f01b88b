// SPDX-License-Identifier: MIT
// fcgi_conn: the records of one FastCGI connection (FastCGI 1.0 specification), as a state machine
// that is fed with bytes. Every length is checked against our limits before anything is stored or
// allocated. Knows nothing of sockets.
#ifndef BKFLOW_FCGI_CONN_H
#define BKFLOW_FCGI_CONN_H

#include "base/base.h"
#include "base/error.h"
#include "http/http.h"

#include <fastcgi.h>

enum {
    FCGI_CONN_VARS_MAX = 512,   // variables of one request; nginx and Apache send about 30
    FCGI_CONN_VALUES_MAX = 512, // bytes of one FCGI_GET_VALUES; the rest is ignored
    FCGI_CONN_REPLY_MAX = 128,
    FCGI_CONN_END_BYTES = 24, // end of FCGI_STDOUT and FCGI_END_REQUEST
};

// The result of consuming bytes.
enum fcgi_event {
    FCGI_EVENT_MORE,    // all bytes have been consumed
    FCGI_EVENT_REQUEST, // a request is complete: answer it, then call fcgi_conn_request_done
    FCGI_EVENT_REPLY,   // send the bytes in reply, then continue, or close if is_over
    FCGI_EVENT_BROKEN,  // not FastCGI, or out of sync: close
};

// Why a request is refused regardless of its content.
enum fcgi_refusal {
    FCGI_REFUSE_NOTHING,
    FCGI_REFUSE_HEAD_TOO_LARGE,
    FCGI_REFUSE_BODY_TOO_LARGE,
    FCGI_REFUSE_NO_MEMORY, // not the client's fault
};

// The content of a stream as far as it has come; owned.
struct fcgi_stream {
    char *bytes; // NULL: none
    size_t len;
    size_t capacity;
};

struct fcgi_conn {
    size_t max_request_bytes; // limit for the variables, and for the body
    size_t max_connections;   // for FCGI_GET_VALUES

    // The current record.
    unsigned char header[FCGI_HEADER_LEN];
    size_t header_len;
    size_t content_left;
    size_t padding_left;
    unsigned char content[FCGI_CONN_VALUES_MAX]; // of records that are handled when complete
    size_t content_len;

    // The current request. Only one at a time: others are answered FCGI_CANT_MPX_CONN.
    bool has_request;
    bool keeps; // FCGI_KEEP_CONN
    bool has_all_vars;
    unsigned id;
    struct fcgi_stream vars; // FCGI_PARAMS
    struct fcgi_stream body; // FCGI_STDIN; empty if the request is refused
    enum fcgi_refusal refusal;

    bool is_over; // the client does not keep the connection
    char reply[FCGI_CONN_REPLY_MAX];
    size_t reply_len;
};

void fcgi_conn_init(struct fcgi_conn *conn, size_t max_request_bytes,
                    size_t max_connections) NONNULL;
void fcgi_conn_fini(struct fcgi_conn *conn) NONNULL;

// Consumes BYTES until the caller must do something. *USED is the number of bytes consumed.
enum fcgi_event fcgi_conn_consume(struct fcgi_conn *conn, const char *bytes, size_t len,
                                  size_t *used) MUST_CHECK NONNULL;

// Returns the variables of the complete request. They point into the connection and are valid until
// the request is done. -1 if the stream is malformed or has more than FCGI_CONN_VARS_MAX variables.
int fcgi_conn_vars(const struct fcgi_conn *conn, struct http_var vars[FCGI_CONN_VARS_MAX],
                   size_t *count) MUST_CHECK NONNULL;

// Returns the body of the complete request, with the same lifetime.
struct str fcgi_conn_body(const struct fcgi_conn *conn) MUST_CHECK NONNULL;

// Returns how many bytes the variables that are needed take.
size_t fcgi_conn_needed_bytes(const struct fcgi_conn *conn,
                              bool (*is_needed)(struct str name)) MUST_CHECK NONNULL;

// Drops the body, and the variables that are not needed, so that a request that waits occupies
// less. Without memory they all stay. Invalidates what fcgi_conn_vars returned.
void fcgi_conn_keep_vars(struct fcgi_conn *conn, bool (*is_needed)(struct str name)) NONNULL;

// Whether the record with this header aborts the request, and has nothing after the header.
bool fcgi_conn_is_abort(const struct fcgi_conn *conn,
                        const char header[FCGI_HEADER_LEN]) MUST_CHECK NONNULL;

// Ends the request, which has been answered, and wipes its variables and body, which may contain
// secrets.
void fcgi_conn_request_done(struct fcgi_conn *conn) NONNULL;

// Whether no request and no record has begun.
bool fcgi_conn_is_idle(const struct fcgi_conn *conn) MUST_CHECK NONNULL;

// Writes a record header.
void fcgi_put_header(char header[FCGI_HEADER_LEN], unsigned type, unsigned id,
                     size_t content_len) NONNULL;

// Writes the end of request ID: an empty FCGI_STDOUT record and FCGI_END_REQUEST.
void fcgi_put_end(char end[FCGI_CONN_END_BYTES], unsigned id) NONNULL;

#endif
