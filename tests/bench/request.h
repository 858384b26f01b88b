// SPDX-License-Identifier: MIT
// request: a FastCGI client: what a web server sends for a request, and an answer read piece by
// piece.
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include <fastcgi.h>
#include <stddef.h>

enum { REQUEST_BYTES = 4096, HEAD_BYTES = 1024, BODY_START_BYTES = 16 };

// A further parameter of a request.
struct param {
    const char *name;
    const char *value;
};

// Writes the request for the states of a task, as nginx sends it. MORE ends with a name of NULL.
// Returns its length.
size_t request_put(unsigned char out[REQUEST_BYTES], const char *task_id, const char *query,
                   int keeps, const struct param *more);

struct answer {
    // the record being read
    unsigned char record[FCGI_HEADER_LEN];
    size_t record_have, content_left, padding_left;
    int has_ended; // END_REQUEST has come
    // the answer
    char head[HEAD_BYTES + 1];
    size_t head_bytes;
    int in_body;
    char body_start[BODY_START_BYTES];
    size_t body_bytes;
};

void answer_begin(struct answer *answer);
void answer_take(struct answer *answer, const char *data, size_t n);

// A header's value, up to the end of its line; NULL: there is none.
const char *answer_header(const struct answer *answer, const char *name);
int answer_status(const struct answer *answer);

// Whether the body begins like a success.
int answer_is_success(const struct answer *answer);

// A connection to a unix socket. A mistake ends the program.
int connect_unix(const char *path);

#endif
