// SPDX-License-Identifier: MIT
// request_id: the ids that tie an answer to the gateway's log, to the client's trace and to our
// log.
#ifndef BKFLOW_HTTP_REQUEST_ID_H
#define BKFLOW_HTTP_REQUEST_ID_H

#include "http/http.h"

enum { REQUEST_ID_MAX = 128, REQUEST_ID_RANDOM_BYTES = 32 };

// One thread's source of numbers: xorshift128+, unique enough to tell requests apart, which is all
// that an id is for. Its state is seeded by the system's random numbers and never both zero.
struct request_id_source {
    uint64_t state[2];
};

uint64_t request_id_random(struct request_id_source *source) NONNULL;

// Texts of the request, or its random bytes. Either is the other's substitute, so they differ only
// if the request sent both.
struct request_ids {
    // X-Request-Id, else X-Bkapi-Request-Id, if it is 1 to 128 characters of [A-Za-z0-9._-]; else
    // the trace id.
    struct str request;
    // Of a valid traceparent (W3C Trace Context); else the request id.
    struct str trace;
};

// A request that sent neither gets 32 random hex digits, which are written to BYTES.
struct request_ids request_id_choose(const struct http_request *request,
                                     struct request_id_source *source,
                                     char bytes[REQUEST_ID_RANDOM_BYTES]) MUST_CHECK NONNULL;

#endif
