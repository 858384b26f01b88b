// SPDX-License-Identifier: MIT
// request_id: the ids that connect an answer with the gateway's log, the client's trace and our
// log.
#ifndef BKFLOW_HTTP_REQUEST_ID_H
#define BKFLOW_HTTP_REQUEST_ID_H

#include "http/http.h"

enum { REQUEST_ID_MAX = 128, REQUEST_ID_RANDOM_BYTES = 32 };

// The random numbers of one thread: xorshift128+, unique enough to tell requests apart. The state
// is seeded with the system's random numbers; it is never all zero.
struct request_id_source {
    uint64_t state[2];
};

uint64_t request_id_random(struct request_id_source *source) NONNULL;

// Strings of the request, or its random bytes. Each replaces a missing other one, so they differ
// only if the request sent both.
struct request_ids {
    // X-Request-Id, else X-Bkapi-Request-Id, if it is 1 to 128 characters of [A-Za-z0-9._-]; else
    // the trace id.
    struct str request;
    // The trace id of a valid traceparent (W3C Trace Context); else the request id.
    struct str trace;
};

// Chooses the ids. A request that sent neither gets 32 random hex digits, which are written to
// BYTES.
struct request_ids request_id_choose(const struct http_request *request,
                                     struct request_id_source *source,
                                     char bytes[REQUEST_ID_RANDOM_BYTES]) MUST_CHECK NONNULL;

#endif
