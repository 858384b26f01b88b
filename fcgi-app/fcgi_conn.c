// SPDX-License-Identifier: MIT
#include "fcgi_conn.h"

#include "fcgi_pairs.h"

#include <stdio.h>
#include <stdlib.h>

enum { STREAM_FIRST_CAPACITY = 4096, VARS_KEPT_CAPACITY = 16 * 1024 };

void fcgi_conn_init(struct fcgi_conn *conn, size_t max_request_bytes, size_t max_connections)
{
    *conn = (struct fcgi_conn){
        .max_request_bytes = max_request_bytes,
        .max_connections = max_connections,
    };
}

static void drop_stream(struct fcgi_stream *stream)
{
    if (stream->bytes != NULL) {
        explicit_bzero(stream->bytes, stream->len);
        free(stream->bytes);
    }
    *stream = (struct fcgi_stream){.bytes = NULL};
}

void fcgi_conn_fini(struct fcgi_conn *conn)
{
    drop_stream(&conn->vars);
    drop_stream(&conn->body);
}

// ---- records that are sent ----

void fcgi_put_header(char header[FCGI_HEADER_LEN], unsigned type, unsigned id, size_t content_len)
{
    header[0] = FCGI_VERSION_1;
    header[1] = (char)type;
    header[2] = (char)(id >> 8);
    header[3] = (char)id;
    header[4] = (char)(content_len >> 8);
    header[5] = (char)content_len;
    header[6] = 0;
    header[7] = 0;
}

static void put_end_request(char record[16], unsigned id, unsigned protocol_status)
{
    fcgi_put_header(record, FCGI_END_REQUEST, id, 8);
    memset(record + FCGI_HEADER_LEN, 0, 8);
    record[FCGI_HEADER_LEN + 4] = (char)protocol_status;
}

void fcgi_put_end(char end[FCGI_CONN_END_BYTES], unsigned id)
{
    fcgi_put_header(end, FCGI_STDOUT, id, 0);
    put_end_request(end + FCGI_HEADER_LEN, id, FCGI_REQUEST_COMPLETE);
}

static enum fcgi_event reply_end_request(struct fcgi_conn *conn, unsigned id,
                                         unsigned protocol_status)
{
    put_end_request(conn->reply, id, protocol_status);
    conn->reply_len = 16;
    return FCGI_EVENT_REPLY;
}

// ---- the streams ----

static bool grow(struct fcgi_stream *stream, size_t need)
{
    size_t capacity = stream->capacity == 0 ? STREAM_FIRST_CAPACITY : stream->capacity;
    while (capacity < need) {
        capacity *= 2;
    }
    if (capacity == stream->capacity) {
        return true;
    }
    // realloc could leave a copy of a secret in freed memory.
    char *const bigger = malloc(capacity);
    if (bigger == NULL) {
        return false;
    }
    const size_t len = stream->len;
    if (len > 0) {
        memcpy(bigger, stream->bytes, len);
    }
    drop_stream(stream);
    *stream = (struct fcgi_stream){.bytes = bigger, .len = len, .capacity = capacity};
    return true;
}

// Nobody will read the body of a refused request.
static void refuse(struct fcgi_conn *conn, enum fcgi_refusal refusal)
{
    conn->refusal = refusal;
    drop_stream(&conn->body);
}

static void add_bytes(struct fcgi_conn *conn, struct fcgi_stream *stream, const char *bytes,
                      size_t len, enum fcgi_refusal too_large)
{
    if (conn->refusal != FCGI_REFUSE_NOTHING) {
        return;
    }
    if (len > conn->max_request_bytes - stream->len) {
        refuse(conn, too_large);
        return;
    }
    if (!grow(stream, stream->len + len)) {
        refuse(conn, FCGI_REFUSE_NO_MEMORY);
        return;
    }
    memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
}

int fcgi_conn_vars(const struct fcgi_conn *conn, struct http_var vars[FCGI_CONN_VARS_MAX],
                   size_t *count)
{
    struct str stream = {conn->vars.bytes, conn->vars.len};
    *count = 0;
    while (stream.len > 0) {
        if (*count == FCGI_CONN_VARS_MAX || !fcgi_pairs_cut(&stream, &vars[*count])) {
            return -1;
        }
        (*count)++;
    }
    return 0;
}

struct str fcgi_conn_body(const struct fcgi_conn *conn)
{
    return conn->body.len == 0 ? STR("") : (struct str){conn->body.bytes, conn->body.len};
}

// Copies the variables that are needed to TO, unless it is NULL, and returns their length.
static size_t copy_needed(const struct fcgi_conn *conn, bool (*is_needed)(struct str name),
                          char *to)
{
    struct str stream = {conn->vars.bytes, conn->vars.len};
    struct http_var var;
    size_t len = 0;
    while (stream.len > 0) {
        const char *const pair = stream.ptr;
        if (!fcgi_pairs_cut(&stream, &var)) {
            break; // fcgi_conn_vars has reported this
        }
        const size_t pair_len = (size_t)(stream.ptr - pair);
        if (!is_needed(var.name)) {
            continue;
        }
        if (to != NULL) {
            memcpy(to + len, pair, pair_len);
        }
        len += pair_len;
    }
    return len;
}

size_t fcgi_conn_needed_bytes(const struct fcgi_conn *conn, bool (*is_needed)(struct str name))
{
    return copy_needed(conn, is_needed, NULL);
}

void fcgi_conn_keep_vars(struct fcgi_conn *conn, bool (*is_needed)(struct str name))
{
    const size_t len = fcgi_conn_needed_bytes(conn, is_needed);
    char *const kept = malloc(len > 0 ? len : 1);
    if (kept == NULL) {
        return;
    }
    (void)copy_needed(conn, is_needed, kept);
    drop_stream(&conn->vars);
    conn->vars = (struct fcgi_stream){.bytes = kept, .len = len, .capacity = len};
    drop_stream(&conn->body); // requests that wait have none
}

// ---- requests ----

void fcgi_conn_request_done(struct fcgi_conn *conn)
{
    if (conn->vars.capacity > VARS_KEPT_CAPACITY) {
        drop_stream(&conn->vars);
    } else if (conn->vars.bytes != NULL) {
        explicit_bzero(conn->vars.bytes, conn->vars.len);
    }
    conn->vars.len = 0;
    drop_stream(&conn->body); // few requests have one
    conn->has_request = false;
    conn->has_all_vars = false;
    conn->refusal = FCGI_REFUSE_NOTHING;
    conn->is_over = conn->is_over || !conn->keeps;
}

bool fcgi_conn_is_idle(const struct fcgi_conn *conn)
{
    return !conn->has_request && conn->header_len == 0;
}

bool fcgi_conn_is_abort(const struct fcgi_conn *conn, const char header[FCGI_HEADER_LEN])
{
    char expected[FCGI_HEADER_LEN];
    fcgi_put_header(expected, FCGI_ABORT_REQUEST, conn->id, 0);
    return conn->has_request && memcmp(header, expected, sizeof expected - 1) == 0;
}

// ---- records that are received ----

static unsigned record_type(const struct fcgi_conn *conn)
{
    return conn->header[1];
}

static unsigned record_id(const struct fcgi_conn *conn)
{
    return (unsigned)conn->header[2] << 8 | conn->header[3];
}

static size_t record_content_len(const struct fcgi_conn *conn)
{
    return (size_t)conn->header[4] << 8 | conn->header[5];
}

static bool is_of_request(const struct fcgi_conn *conn)
{
    return conn->has_request && record_id(conn) == conn->id;
}

static enum fcgi_event begin_request(struct fcgi_conn *conn)
{
    const unsigned id = record_id(conn);
    if (id == FCGI_NULL_REQUEST_ID || conn->content_len != sizeof(FCGI_BeginRequestBody)) {
        return FCGI_EVENT_BROKEN;
    }
    const unsigned role = (unsigned)conn->content[0] << 8 | conn->content[1];
    const bool keeps = (conn->content[2] & FCGI_KEEP_CONN) != 0;
    if (conn->has_request) {
        return reply_end_request(conn, id, FCGI_CANT_MPX_CONN);
    }
    if (role != FCGI_RESPONDER) {
        conn->is_over = !keeps;
        return reply_end_request(conn, id, FCGI_UNKNOWN_ROLE);
    }
    conn->has_request = true;
    conn->id = id;
    conn->keeps = keeps;
    return FCGI_EVENT_MORE;
}

static enum fcgi_event abort_request(struct fcgi_conn *conn)
{
    if (!is_of_request(conn)) {
        return FCGI_EVENT_MORE; // for a request that has been answered
    }
    const unsigned id = conn->id;
    fcgi_conn_request_done(conn);
    return reply_end_request(conn, id, FCGI_REQUEST_COMPLETE);
}

static void put_value(struct fcgi_conn *conn, struct str name, size_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%zu", number);
    char *const at = conn->reply + conn->reply_len;
    at[0] = (char)name.len;
    at[1] = (char)len;
    memcpy(at + 2, name.ptr, name.len);
    memcpy(at + 2 + name.len, digits, (size_t)len);
    conn->reply_len += 2 + name.len + (size_t)len;
}

static const struct str value_names[] = {
    {FCGI_MAX_CONNS, sizeof FCGI_MAX_CONNS - 1},
    {FCGI_MAX_REQS, sizeof FCGI_MAX_REQS - 1},
    {FCGI_MPXS_CONNS, sizeof FCGI_MPXS_CONNS - 1},
};
_Static_assert(FCGI_HEADER_LEN + COUNT_OF(value_names) * (2 + 16 + 20) <= FCGI_CONN_REPLY_MAX,
               "all values must fit a reply");

// Answers each known name once, even if it is repeated.
static enum fcgi_event get_values(struct fcgi_conn *conn)
{
    bool asked[COUNT_OF(value_names)] = {false};
    struct str stream = {(const char *)conn->content, conn->content_len};
    struct http_var pair;
    while (stream.len > 0 && fcgi_pairs_cut(&stream, &pair)) {
        for (size_t i = 0; i < COUNT_OF(value_names); i++) {
            asked[i] = asked[i] || str_equal(pair.name, value_names[i]);
        }
    }
    const size_t values[] = {conn->max_connections, conn->max_connections, 0};
    conn->reply_len = FCGI_HEADER_LEN;
    for (size_t i = 0; i < COUNT_OF(value_names); i++) {
        if (asked[i]) {
            put_value(conn, value_names[i], values[i]);
        }
    }
    fcgi_put_header(conn->reply, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID,
                    conn->reply_len - FCGI_HEADER_LEN);
    return FCGI_EVENT_REPLY;
}

static enum fcgi_event unknown_management(struct fcgi_conn *conn)
{
    fcgi_put_header(conn->reply, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 8);
    memset(conn->reply + FCGI_HEADER_LEN, 0, 8);
    conn->reply[FCGI_HEADER_LEN] = (char)record_type(conn);
    conn->reply_len = 16;
    return FCGI_EVENT_REPLY;
}

static enum fcgi_event end_of_params(struct fcgi_conn *conn)
{
    conn->has_all_vars = true;
    return FCGI_EVENT_MORE;
}

// Handles the end of the body. A body that ends before the variables means that the client is out
// of sync.
static enum fcgi_event end_of_body(struct fcgi_conn *conn)
{
    return conn->has_all_vars ? FCGI_EVENT_REQUEST : FCGI_EVENT_BROKEN;
}

static enum fcgi_event end_of_management(struct fcgi_conn *conn)
{
    return record_type(conn) == FCGI_GET_VALUES ? get_values(conn) : unknown_management(conn);
}

// Handles a complete record. Ignores records of unknown requests and of types that a responder does
// not need, as the specification's section 3.3 requires.
static enum fcgi_event end_of_record(struct fcgi_conn *conn)
{
    if (record_id(conn) == FCGI_NULL_REQUEST_ID && record_type(conn) != FCGI_BEGIN_REQUEST) {
        return end_of_management(conn);
    }
    const bool is_stream_end = record_content_len(conn) == 0 && is_of_request(conn);
    switch (record_type(conn)) {
    case FCGI_BEGIN_REQUEST:
        return begin_request(conn);
    case FCGI_ABORT_REQUEST:
        return abort_request(conn);
    case FCGI_PARAMS:
        return is_stream_end ? end_of_params(conn) : FCGI_EVENT_MORE;
    case FCGI_STDIN:
        return is_stream_end ? end_of_body(conn) : FCGI_EVENT_MORE;
    default:
        return FCGI_EVENT_MORE;
    }
}

static void take_content(struct fcgi_conn *conn, const char *bytes, size_t len)
{
    const unsigned type = record_type(conn);
    if (type == FCGI_PARAMS && is_of_request(conn) && !conn->has_all_vars) {
        add_bytes(conn, &conn->vars, bytes, len, FCGI_REFUSE_HEAD_TOO_LARGE);
    } else if (type == FCGI_STDIN && is_of_request(conn)) {
        add_bytes(conn, &conn->body, bytes, len, FCGI_REFUSE_BODY_TOO_LARGE);
    } else if (type == FCGI_BEGIN_REQUEST || type == FCGI_GET_VALUES) {
        const size_t room = sizeof conn->content - conn->content_len;
        const size_t n = len < room ? len : room;
        memcpy(conn->content + conn->content_len, bytes, n);
        conn->content_len += n;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Collects header bytes; false if the complete header is invalid.
static bool take_header(struct fcgi_conn *conn, const char *bytes, size_t len, size_t *used)
{
    const size_t n = smaller(FCGI_HEADER_LEN - conn->header_len, len - *used);
    memcpy(conn->header + conn->header_len, bytes + *used, n);
    conn->header_len += n;
    *used += n;
    if (conn->header_len < FCGI_HEADER_LEN) {
        return true;
    }
    conn->content_left = record_content_len(conn);
    conn->padding_left = conn->header[6];
    conn->content_len = 0;
    return conn->header[0] == FCGI_VERSION_1;
}

static void take_rest(struct fcgi_conn *conn, const char *bytes, size_t len, size_t *used)
{
    const size_t content = smaller(conn->content_left, len - *used);
    if (content > 0) {
        take_content(conn, bytes + *used, content);
    }
    conn->content_left -= content;
    *used += content;
    const size_t padding = smaller(conn->padding_left, len - *used);
    conn->padding_left -= padding;
    *used += padding;
}

enum fcgi_event fcgi_conn_consume(struct fcgi_conn *conn, const char *bytes, size_t len,
                                  size_t *used)
{
    *used = 0;
    while (*used < len) {
        if (conn->header_len < FCGI_HEADER_LEN && !take_header(conn, bytes, len, used)) {
            return FCGI_EVENT_BROKEN;
        }
        if (conn->header_len < FCGI_HEADER_LEN) {
            return FCGI_EVENT_MORE;
        }
        take_rest(conn, bytes, len, used);
        if (conn->content_left > 0 || conn->padding_left > 0) {
            return FCGI_EVENT_MORE;
        }
        conn->header_len = 0;
        const enum fcgi_event event = end_of_record(conn);
        if (event != FCGI_EVENT_MORE) {
            return event;
        }
    }
    return FCGI_EVENT_MORE;
}
