// SPDX-License-Identifier: MIT
#include "http/request_id.h"

static bool is_lower_hex(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool is_all_zero(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0') {
            return false;
        }
    }
    return true;
}

// Returns the trace id of a traceparent (W3C Trace Context, section 3.2); absent if it is invalid.
static struct str trace_id_of(struct str traceparent)
{
    struct str rest = traceparent;
    const struct str version = str_cut(&rest, '-');
    const struct str trace = str_cut(&rest, '-');
    const struct str parent = str_cut(&rest, '-');
    const struct str flags = str_cut(&rest, '-');
    // Later versions may append members; version 00 may not.
    const bool has_more = !str_is_absent(rest);
    const bool is_valid = version.len == 2 && is_lower_hex(version) &&
                          !str_equal(version, STR("ff")) && trace.len == 32 &&
                          is_lower_hex(trace) && !is_all_zero(trace) && parent.len == 16 &&
                          is_lower_hex(parent) && !is_all_zero(parent) && flags.len == 2 &&
                          is_lower_hex(flags) && (!has_more || !str_equal(version, STR("00")));
    return is_valid ? trace : STR_ABSENT;
}

static bool is_request_id(struct str text)
{
    if (text.len == 0 || text.len > REQUEST_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

uint64_t request_id_random(struct request_id_source *source)
{
    uint64_t x = source->state[0];
    const uint64_t y = source->state[1];
    source->state[0] = y;
    x ^= x << 23;
    source->state[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
    return source->state[1] + y;
}

static struct str random_id(struct request_id_source *source, char bytes[REQUEST_ID_RANDOM_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    for (unsigned half = 0; half < 2; half++) {
        const uint64_t bits = request_id_random(source);
        for (unsigned i = 0; i < 16; i++) {
            bytes[half * 16 + i] = hex[bits >> (4 * i) & 15];
        }
    }
    return (struct str){bytes, REQUEST_ID_RANDOM_BYTES};
}

// Returns the id that the gateway or the client gave the request; absent if it is malformed.
static struct str request_id_of(const struct http_request *request)
{
    if (is_request_id(request->request_id)) {
        return request->request_id;
    }
    return is_request_id(request->bkapi_request_id) ? request->bkapi_request_id : STR_ABSENT;
}

struct request_ids request_id_choose(const struct http_request *request,
                                     struct request_id_source *source,
                                     char bytes[REQUEST_ID_RANDOM_BYTES])
{
    const struct str trace = trace_id_of(request->traceparent);
    const struct str given = request_id_of(request);
    if (!str_is_absent(given)) {
        return (struct request_ids){given, str_is_absent(trace) ? given : trace};
    }
    const struct str substitute = str_is_absent(trace) ? random_id(source, bytes) : trace;
    return (struct request_ids){substitute, substitute};
}
