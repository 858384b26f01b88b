// SPDX-License-Identifier: MIT
// Any bytes as what a web server sends on a FastCGI connection: bounds hold; events, variables and
// replies do not depend on where the bytes are cut (the first byte says where); and variables that
// are understood are the same when they are sent once more, in records of another size.
#include "fcgi_conn.h"
#include "fuzz.h"

enum { EVENTS_MAX = 4096, REQUEST_BYTES_MAX = 8192, HISTORY_MAX = 1 << 20 };

// All that a connection did, byte for byte.
struct history {
    char bytes[HISTORY_MAX];
    size_t len;
    size_t events;
};

static void note(struct history *history, const void *bytes, size_t len)
{
    const size_t room = HISTORY_MAX - history->len;
    if (len > 0) {
        memcpy(history->bytes + history->len, bytes, len < room ? len : room);
    }
    history->len += len < room ? len : room;
}

static void note_text(struct history *history, struct str text)
{
    note(history, &text.len, sizeof text.len);
    note(history, text.ptr, text.len);
}

// ---- variables sent once more ----

static size_t put_length(char *to, size_t length)
{
    if (length < 0x80) {
        to[0] = (char)length;
        return 1;
    }
    to[0] = (char)(0x80 | length >> 24);
    to[1] = (char)(length >> 16);
    to[2] = (char)(length >> 8);
    to[3] = (char)length;
    return 4;
}

static size_t put_vars(char *to, const struct http_var *vars, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += put_length(to + len, vars[i].name.len);
        len += put_length(to + len, vars[i].value.len);
        memcpy(to + len, vars[i].name.ptr, vars[i].name.len);
        len += vars[i].name.len;
        memcpy(to + len, vars[i].value.ptr, vars[i].value.len);
        len += vars[i].value.len;
    }
    return len;
}

static void send_record(struct fcgi_conn *conn, unsigned type, const char *bytes, size_t len,
                        enum fcgi_event expected)
{
    char record[FCGI_HEADER_LEN + 1024];
    size_t used;
    fcgi_put_header(record, type, 1, len);
    memcpy(record + FCGI_HEADER_LEN, bytes, len);
    REQUIRE(fcgi_conn_consume(conn, record, FCGI_HEADER_LEN + len, &used) == expected);
    REQUIRE(used == FCGI_HEADER_LEN + len);
}

static void send_again(const struct http_var *vars, size_t count)
{
    static char stream[REQUEST_BYTES_MAX * 5];
    static struct http_var again[FCGI_CONN_VARS_MAX];
    static const char begin[8] = {0, FCGI_RESPONDER, FCGI_KEEP_CONN};
    struct fcgi_conn conn;
    size_t again_count;
    const size_t len = put_vars(stream, vars, count);
    fcgi_conn_init(&conn, sizeof stream, 100);
    send_record(&conn, FCGI_BEGIN_REQUEST, begin, sizeof begin, FCGI_EVENT_MORE);
    for (size_t at = 0; at < len; at += 251) {
        send_record(&conn, FCGI_PARAMS, stream + at, len - at < 251 ? len - at : 251,
                    FCGI_EVENT_MORE);
    }
    send_record(&conn, FCGI_PARAMS, "", 0, FCGI_EVENT_MORE);
    send_record(&conn, FCGI_STDIN, "", 0, FCGI_EVENT_REQUEST);
    REQUIRE(fcgi_conn_vars(&conn, again, &again_count) == 0 && again_count == count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(again[i].name.len == vars[i].name.len && again[i].value.len == vars[i].value.len);
        REQUIRE(memcmp(again[i].name.ptr, vars[i].name.ptr, vars[i].name.len) == 0);
        REQUIRE(memcmp(again[i].value.ptr, vars[i].value.ptr, vars[i].value.len) == 0);
    }
    fcgi_conn_request_done(&conn);
    REQUIRE(fcgi_conn_is_idle(&conn) && !conn.is_over);
    fcgi_conn_fini(&conn);
}

// ---- a connection ----

static void take_request(struct fcgi_conn *conn, struct history *history)
{
    static struct http_var vars[FCGI_CONN_VARS_MAX];
    size_t count;
    const int outcome = fcgi_conn_vars(conn, vars, &count);
    REQUIRE(conn->has_request && count <= FCGI_CONN_VARS_MAX);
    note(history, &conn->id, sizeof conn->id);
    note(history, &conn->keeps, sizeof conn->keeps);
    note(history, &conn->refusal, sizeof conn->refusal);
    if (conn->refusal == FCGI_REFUSE_HEAD_TOO_LARGE) {
        count = 0; // how much of them was kept is of no matter: nobody looks
    } else {
        note(history, &outcome, sizeof outcome);
    }
    for (size_t i = 0; i < count; i++) {
        note_text(history, vars[i].name);
        note_text(history, vars[i].value);
    }
    note_text(history, fcgi_conn_body(conn));
    if (outcome == 0 && conn->refusal == FCGI_REFUSE_NOTHING) {
        send_again(vars, count);
    }
    const bool keeps = conn->keeps;
    fcgi_conn_request_done(conn);
    REQUIRE(fcgi_conn_is_idle(conn) && conn->is_over == !keeps);
}

static void check_bounds(const struct fcgi_conn *conn)
{
    REQUIRE(conn->vars.len <= REQUEST_BYTES_MAX && conn->vars.len <= conn->vars.capacity);
    REQUIRE(conn->vars.capacity <= 2 * REQUEST_BYTES_MAX);
    REQUIRE(conn->body.len <= REQUEST_BYTES_MAX && conn->body.len <= conn->body.capacity);
    REQUIRE(conn->body.capacity <= 2 * REQUEST_BYTES_MAX);
    REQUIRE(conn->body.len == 0 || conn->refusal == FCGI_REFUSE_NOTHING);
    REQUIRE(conn->reply_len <= sizeof conn->reply && conn->content_len <= sizeof conn->content);
}

// What a reply is for: it is one whole record.
static void check_reply(const struct fcgi_conn *conn)
{
    const unsigned char *const reply = (const unsigned char *)conn->reply;
    REQUIRE(conn->reply_len >= FCGI_HEADER_LEN && reply[0] == FCGI_VERSION_1);
    REQUIRE((size_t)(reply[4] << 8 | reply[5]) + FCGI_HEADER_LEN == conn->reply_len);
}

static void run(struct history *history, const char *bytes, size_t len, size_t step)
{
    struct fcgi_conn conn;
    enum fcgi_event event = FCGI_EVENT_MORE;
    history->len = history->events = 0;
    fcgi_conn_init(&conn, REQUEST_BYTES_MAX, 100);
    for (size_t at = 0;
         at < len && !conn.is_over && event != FCGI_EVENT_BROKEN && history->events < EVENTS_MAX;) {
        size_t used;
        const size_t piece = len - at < step ? len - at : step;
        event = fcgi_conn_consume(&conn, bytes + at, piece, &used);
        REQUIRE(used <= piece && (event != FCGI_EVENT_MORE || used == piece));
        at += used;
        check_bounds(&conn);
        if (event == FCGI_EVENT_MORE) {
            continue;
        }
        history->events++;
        note(history, &event, sizeof event);
        note(history, &at, sizeof at);
        if (event == FCGI_EVENT_REQUEST) {
            take_request(&conn, history);
        } else if (event == FCGI_EVENT_REPLY) {
            check_reply(&conn);
            note(history, conn.reply, conn.reply_len);
        }
    }
    fcgi_conn_fini(&conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct history whole;
    static struct history pieces;
    if (size < 2) {
        return 0;
    }
    const char *const bytes = (const char *)data + 1;
    run(&whole, bytes, size - 1, size);
    run(&pieces, bytes, size - 1, (size_t)data[0] + 1);
    REQUIRE(whole.events == pieces.events && whole.len == pieces.len);
    REQUIRE(memcmp(whole.bytes, pieces.bytes, whole.len) == 0);
    return 0;
}
