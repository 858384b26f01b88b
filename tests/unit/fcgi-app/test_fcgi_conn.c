// SPDX-License-Identifier: MIT
// fcgi_conn: the events of records, complete, byte by byte and cut anywhere. Some are hostile
// records that abort libfcgi's own reader.
#include "alloc.h"
#include "fcgi_conn.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_REQUEST_BYTES = 8192,
    MAX_CONNECTIONS = 100,
    WIRE_BYTES = 1 << 20,
    NOTES_BYTES = 1 << 18
};

// ---- what a web server sends ----

struct wire {
    unsigned char bytes[WIRE_BYTES];
    size_t len;
};

static struct wire wire;

static void put_bytes(const void *bytes, size_t len)
{
    assert_true(len <= WIRE_BYTES - wire.len);
    if (len > 0) {
        memcpy(wire.bytes + wire.len, bytes, len);
    }
    wire.len += len;
}

static void put_padded_record(unsigned type, unsigned id, const void *content, size_t len,
                              unsigned padding)
{
    static const unsigned char garbage[255] = {[0 ... 254] = 0xEE};
    unsigned char header[FCGI_HEADER_LEN] = {
        FCGI_VERSION_1,
        (unsigned char)type,
        (unsigned char)(id >> 8),
        (unsigned char)id,
        (unsigned char)(len >> 8),
        (unsigned char)len,
        (unsigned char)padding,
        0xEE,
    };
    put_bytes(header, sizeof header);
    put_bytes(content, len);
    put_bytes(garbage, padding);
}

static void put_record(unsigned type, unsigned id, const void *content, size_t len)
{
    put_padded_record(type, id, content, len, 0);
}

static void put_begin_role(unsigned id, unsigned role, unsigned flags)
{
    const unsigned char body[8] = {(unsigned char)(role >> 8), (unsigned char)role,
                                   (unsigned char)flags};
    put_record(FCGI_BEGIN_REQUEST, id, body, sizeof body);
}

static void put_begin(unsigned id, unsigned flags)
{
    put_begin_role(id, FCGI_RESPONDER, flags);
}

static void put_end(unsigned type, unsigned id)
{
    put_record(type, id, NULL, 0);
}

// Name-value pairs, collected before they go into a record.
struct pairs {
    unsigned char bytes[65535];
    size_t len;
};

static struct pairs pairs;

static void add_length(size_t len, bool is_long)
{
    if (!is_long) {
        pairs.bytes[pairs.len++] = (unsigned char)len;
        return;
    }
    pairs.bytes[pairs.len++] = (unsigned char)(len >> 24 | 0x80);
    pairs.bytes[pairs.len++] = (unsigned char)(len >> 16);
    pairs.bytes[pairs.len++] = (unsigned char)(len >> 8);
    pairs.bytes[pairs.len++] = (unsigned char)len;
}

static void add_pair(const char *name, const char *value)
{
    const size_t name_len = strlen(name);
    const size_t value_len = strlen(value);
    add_length(name_len, name_len > 127);
    add_length(value_len, value_len > 127);
    memcpy(pairs.bytes + pairs.len, name, name_len);
    memcpy(pairs.bytes + pairs.len + name_len, value, value_len);
    pairs.len += name_len + value_len;
}

// Sends the collected pairs.
static void put_pairs(unsigned type, unsigned id)
{
    put_record(type, id, pairs.bytes, pairs.len);
    pairs.len = 0;
}

static void put_one_param(unsigned id, const char *name, const char *value)
{
    add_pair(name, value);
    put_pairs(FCGI_PARAMS, id);
}

// Sends a complete request with one variable and a body.
static void put_request(unsigned id, unsigned flags, const char *value, const char *body)
{
    put_begin(id, flags);
    put_one_param(id, "V", value);
    put_end(FCGI_PARAMS, id);
    if (body[0] != '\0') {
        put_record(FCGI_STDIN, id, body, strlen(body));
    }
    put_end(FCGI_STDIN, id);
}

// ---- what comes of it: the events as text ----

struct reader {
    struct fcgi_conn conn;
    char notes[NOTES_BYTES];
    size_t len;
    bool has_ended;
};

static struct reader reader;

static void note(const char *format, ...) PRINTF_LIKE(1, 2);

static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len =
        vsnprintf(reader.notes + reader.len, sizeof reader.notes - reader.len, format, arguments);
    va_end(arguments);
    reader.len += (size_t)len;
    assert_true(reader.len < sizeof reader.notes);
}

static void note_vars(void)
{
    static struct http_var vars[FCGI_CONN_VARS_MAX];
    size_t count = 0;
    if (fcgi_conn_vars(&reader.conn, vars, &count) != 0) {
        note(" malformed");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        note(" %.*s=%.*s", (int)vars[i].name.len, vars[i].name.ptr, (int)vars[i].value.len,
             vars[i].value.ptr);
    }
}

// Writes "request 1: V=x, body 3, refused for its head; ".
static void note_request(void)
{
    static const char *const refusals[] = {"", ", head too large", ", body too large",
                                           ", no memory"};
    note("request %u:", reader.conn.id);
    if (reader.conn.refusal == FCGI_REFUSE_NOTHING) {
        note_vars();
    }
    note(", body %zu%s; ", reader.conn.body.len, refusals[reader.conn.refusal]);
    fcgi_conn_request_done(&reader.conn);
}

static void note_reply(void)
{
    note("reply");
    for (size_t i = 0; i < reader.conn.reply_len; i++) {
        note(" %02x", (unsigned char)reader.conn.reply[i]);
    }
    note("; ");
}

static void note_event(enum fcgi_event event)
{
    switch (event) {
    case FCGI_EVENT_MORE:
        return;
    case FCGI_EVENT_REQUEST:
        note_request();
        break;
    case FCGI_EVENT_REPLY:
        note_reply();
        break;
    case FCGI_EVENT_BROKEN:
        note("broken");
        reader.has_ended = true;
        return;
    }
    if (reader.conn.is_over) {
        note("over");
        reader.has_ended = true;
    }
}

// Consumes PIECE like a worker.
static void consume(const unsigned char *piece, size_t len)
{
    size_t at = 0;
    while (at < len && !reader.has_ended) {
        size_t used = 0;
        const enum fcgi_event event =
            fcgi_conn_consume(&reader.conn, (const char *)piece + at, len - at, &used);
        assert_true(used <= len - at);
        assert_true(used > 0 || event == FCGI_EVENT_BROKEN);
        assert_true(event != FCGI_EVENT_MORE || used == len - at);
        at += used;
        note_event(event);
    }
}

static void reader_start(size_t max_request_bytes)
{
    fcgi_conn_fini(&reader.conn);
    fcgi_conn_init(&reader.conn, max_request_bytes, MAX_CONNECTIONS);
    reader.len = 0;
    reader.notes[0] = '\0';
    reader.has_ended = false;
}

// Consumes the wire in pieces of separate memory, which detects reads past their end.
static const char *read_in_pieces(size_t (*next_len)(struct dice *dice), struct dice *dice)
{
    reader_start(MAX_REQUEST_BYTES);
    for (size_t at = 0; at < wire.len;) {
        const size_t wanted = next_len(dice);
        const size_t len = wanted < wire.len - at ? wanted : wire.len - at;
        unsigned char *const piece = malloc(len);
        assert_non_null(piece);
        memcpy(piece, wire.bytes + at, len);
        consume(piece, len);
        free(piece);
        at += len;
    }
    return reader.notes;
}

static size_t all_at_once(struct dice *dice)
{
    (void)dice;
    return WIRE_BYTES;
}

static size_t one_byte(struct dice *dice)
{
    (void)dice;
    return 1;
}

static size_t a_few_bytes(struct dice *dice)
{
    return 1 + dice_below(dice, 30);
}

// Checks that the wire leads to EXPECTED, however it is cut.
static void expect_events(const char *expected)
{
    struct dice dice = {37};
    assert_string_equal(read_in_pieces(all_at_once, NULL), expected);
    assert_string_equal(read_in_pieces(one_byte, NULL), expected);
    for (unsigned round = 0; round < 20; round++) {
        assert_string_equal(read_in_pieces(a_few_bytes, &dice), expected);
    }
    wire.len = 0;
}

static int set_up(void **state)
{
    (void)state;
    wire.len = 0;
    pairs.len = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fcgi_conn_fini(&reader.conn);
    return 0;
}

// ---- requests ----

static void a_request_is_complete_at_the_end_of_its_body(void **state)
{
    (void)state;
    put_request(1, 0, "x", "");
    expect_events("request 1: V=x, body 0; over");
}

static void a_request_is_not_complete_before_that(void **state)
{
    (void)state;
    put_request(1, 0, "x", "body");
    wire.len--;
    expect_events("");
}

static void a_kept_connection_takes_the_next_request(void **state)
{
    (void)state;
    put_request(1, FCGI_KEEP_CONN, "one", "");
    put_request(1, FCGI_KEEP_CONN, "two", "12345");
    put_request(65535, 0, "three", "");
    expect_events("request 1: V=one, body 0; request 1: V=two, body 5; "
                  "request 65535: V=three, body 0; over");
}

static void nothing_more_is_read_on_a_connection_that_is_not_kept(void **state)
{
    (void)state;
    put_request(1, 0, "one", "");
    put_request(1, 0, "two", "");
    expect_events("request 1: V=one, body 0; over");
}

static void unknown_flags_do_not_keep_a_connection(void **state)
{
    (void)state;
    put_request(1, 0xFE, "x", "");
    expect_events("request 1: V=x, body 0; over");
}

static void variables_may_be_spread_over_records(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 16; cut++) {
        add_pair("FIRST", "1");
        add_pair("SECOND", "");
        assert_int_equal(pairs.len, 16);
        put_begin(1, 0);
        if (cut > 0) {
            put_record(FCGI_PARAMS, 1, pairs.bytes, cut);
        }
        put_padded_record(FCGI_PARAMS, 1, pairs.bytes + cut, pairs.len - cut, 7);
        put_end(FCGI_PARAMS, 1);
        put_end(FCGI_STDIN, 1);
        pairs.len = 0;
        expect_events("request 1: FIRST=1 SECOND=, body 0; over");
    }
}

static void lengths_may_take_one_byte_or_four(void **state)
{
    (void)state;
    char expected[600];
    char value[201];
    memset(value, 'v', 200);
    value[200] = '\0';
    put_begin(1, 0);
    add_length(1, true);
    add_length(2, true);
    memcpy(pairs.bytes + pairs.len, "Axy", 3);
    pairs.len += 3;
    add_pair("B", value);
    add_pair(value, "");
    add_pair("", "c");
    put_pairs(FCGI_PARAMS, 1);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    snprintf(expected, sizeof expected, "request 1: A=xy B=%s %s= =c, body 0; over", value, value);
    expect_events(expected);
}

static void a_request_without_variables_has_none(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    expect_events("request 1:, body 0; over");
}

static void padding_is_ignored_everywhere(void **state)
{
    (void)state;
    const unsigned char begin[8] = {0, FCGI_RESPONDER, 0};
    put_padded_record(FCGI_BEGIN_REQUEST, 1, begin, sizeof begin, 255);
    add_pair("V", "x");
    put_padded_record(FCGI_PARAMS, 1, pairs.bytes, pairs.len, 1);
    put_padded_record(FCGI_PARAMS, 1, NULL, 0, 8);
    put_padded_record(FCGI_STDIN, 1, "body", 4, 255);
    put_padded_record(FCGI_STDIN, 1, NULL, 0, 3);
    expect_events("request 1: V=x, body 4; over");
}

static void the_longest_record_is_read(void **state)
{
    (void)state;
    static const char body[65535];
    put_begin(1, 0);
    put_end(FCGI_PARAMS, 1);
    put_padded_record(FCGI_STDIN, 1, body, sizeof body, 255);
    put_end(FCGI_STDIN, 1);
    expect_events("request 1:, body 0, body too large; over");
}

static void variables_after_their_end_are_ignored(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_one_param(1, "REQUEST_METHOD", "GET");
    put_end(FCGI_PARAMS, 1);
    put_one_param(1, "REMOTE_ADDR", "127.0.0.1");
    put_end(FCGI_STDIN, 1);
    expect_events("request 1: REQUEST_METHOD=GET, body 0; over");
}

static void a_body_before_the_end_of_the_variables_counts(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_record(FCGI_STDIN, 1, "body", 4);
    put_one_param(1, "V", "x");
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    expect_events("request 1: V=x, body 4; over");
}

// ---- bounds ----

// Sends a variable that fills the stream with exactly LEN bytes.
static void put_params_of(size_t len)
{
    static char value[MAX_REQUEST_BYTES + 100];
    memset(value, 'v', sizeof value);
    value[len - 6] = '\0'; // a length of one byte, one of four, and a one-byte name
    add_pair("V", value);
    assert_int_equal(pairs.len, len);
    put_pairs(FCGI_PARAMS, 1);
}

static void variables_up_to_the_bound_are_read(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_params_of(MAX_REQUEST_BYTES);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    const char *const notes = read_in_pieces(all_at_once, NULL);
    assert_true(str_starts_with(str_from(notes), STR("request 1: V=vvv")));
    assert_non_null(strstr(notes, ", body 0; over"));
}

static void variables_over_the_bound_refuse_the_request(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_params_of(MAX_REQUEST_BYTES + 1);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_request(2, 0, "next", "");
    expect_events("request 1:, body 0, head too large; request 2: V=next, body 0; over");
}

static void variables_over_the_bound_by_many_records_refuse_the_request(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    for (unsigned i = 0; i < MAX_REQUEST_BYTES; i++) {
        put_one_param(1, "V", "x");
    }
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_request(2, 0, "next", "");
    expect_events("request 1:, body 0, head too large; request 2: V=next, body 0; over");
}

static void a_body_up_to_the_bound_is_accepted(void **state)
{
    (void)state;
    static const char body[MAX_REQUEST_BYTES + 1];
    put_begin(1, FCGI_KEEP_CONN);
    put_end(FCGI_PARAMS, 1);
    put_record(FCGI_STDIN, 1, body, MAX_REQUEST_BYTES);
    put_end(FCGI_STDIN, 1);
    put_begin(2, 0);
    put_end(FCGI_PARAMS, 2);
    put_record(FCGI_STDIN, 2, body, MAX_REQUEST_BYTES + 1);
    put_end(FCGI_STDIN, 2);
    expect_events("request 1:, body 8192; request 2:, body 0, body too large; over");
}

static void a_too_large_head_precedes_a_too_large_body(void **state)
{
    (void)state;
    static const char body[MAX_REQUEST_BYTES + 1];
    put_begin(1, 0);
    put_params_of(MAX_REQUEST_BYTES + 1);
    put_end(FCGI_PARAMS, 1);
    put_record(FCGI_STDIN, 1, body, sizeof body);
    put_end(FCGI_STDIN, 1);
    expect_events("request 1:, body 0, head too large; over");
}

static void memory_stays_bounded_whatever_is_sent(void **state)
{
    (void)state;
    static const char content[65535];
    reader_start(MAX_REQUEST_BYTES);
    put_begin(1, 0);
    for (unsigned i = 0; i < 10; i++) {
        put_record(FCGI_PARAMS, 1, content, sizeof content);
    }
    alloc_watch_start(0);
    for (unsigned round = 0; round < 20; round++) {
        consume(wire.bytes, wire.len); // 13 MB without an end
    }
    alloc_watch_stop();
    assert_true(reader.conn.vars.capacity <= 2 * MAX_REQUEST_BYTES);
    assert_true(alloc_watch.calls <= 4);
}

static void put_numbered_params(unsigned count)
{
    put_begin(1, 0);
    for (unsigned i = 0; i < count; i++) {
        add_pair("N", "1");
    }
    put_pairs(FCGI_PARAMS, 1);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
}

static void up_to_512_variables_are_read(void **state)
{
    (void)state;
    put_numbered_params(FCGI_CONN_VARS_MAX);
    const char *const notes = read_in_pieces(all_at_once, NULL);
    assert_int_equal(strlen(notes),
                     strlen("request 1:, body 0; over") + FCGI_CONN_VARS_MAX * strlen(" N=1"));
}

static void more_than_512_variables_are_malformed(void **state)
{
    (void)state;
    put_numbered_params(FCGI_CONN_VARS_MAX + 1);
    expect_events("request 1: malformed, body 0; over");
}

static void pairs_with_wrong_lengths_are_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } rows[] = {
        {"a name without value length", "\x01", 1},
        {"a name longer than the stream",
         "\x05\x01"
         "ab",
         4},
        {"a value longer than the stream",
         "\x01\x05"
         "ab",
         4},
        {"a name of 4 GB",
         "\xFF\xFF\xFF\xFE\x00"
         "ab",
         7}, // aborts libfcgi's process
        {"a value of 2 GB",
         "\x01\xFF\xFF\xFF\xFF"
         "ab",
         7},
        {"a name and a value that wrap together",
         "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
         "ab",
         10},
        {"a long length cut off", "\x80\x00\x00", 3},
        {"a second long length cut off", "\x01\x80\x00", 3},
        {"one pair good, one not",
         "\x01\x01"
         "ab"
         "\x01",
         5},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put_begin(1, 0);
        put_record(FCGI_PARAMS, 1, rows[i].bytes, rows[i].len);
        put_end(FCGI_PARAMS, 1);
        put_end(FCGI_STDIN, 1);
        check_text(rows[i].name, str_from(read_in_pieces(one_byte, NULL)),
                   "request 1: malformed, body 0; over");
        wire.len = 0;
    }
}

// ---- roles, ids, aborts ----

#define END_OF(id, protocol_status)                                                                \
    "reply 01 03 00 " id " 00 08 00 00 00 00 00 00 " protocol_status " 00 00 00; "

static void a_second_concurrent_request_is_refused(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "V", "one");
    put_begin(2, FCGI_KEEP_CONN);
    put_one_param(2, "V", "two");
    put_end(FCGI_PARAMS, 2);
    put_end(FCGI_STDIN, 2);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_request(2, 0, "again", "");
    expect_events(END_OF("02", "01") "request 1: V=one, body 0; request 2: V=again, body 0; over");
}

static void a_second_request_that_is_not_kept_does_not_end_the_first(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_begin(2, 0);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_request(3, 0, "next", "");
    expect_events(END_OF("02", "01") "request 1:, body 0; request 3: V=next, body 0; over");
}

static void unknown_roles_are_answered_as_unknown(void **state)
{
    (void)state;
    static const unsigned roles[] = {FCGI_AUTHORIZER, FCGI_FILTER, 0, 4, 0x0101, 0xFFFF};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        put_begin_role(1, roles[i], FCGI_KEEP_CONN);
        put_one_param(1, "V", "x"); // for a request that is done
        put_end(FCGI_PARAMS, 1);
        put_end(FCGI_STDIN, 1);
        put_begin_role(1, roles[i], 0);
        expect_events(END_OF("01", "03") END_OF("01", "03") "over");
    }
}

static void an_abort_ends_a_request_without_answer(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_end(FCGI_ABORT_REQUEST, 1);
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "V", "half");
    put_end(FCGI_ABORT_REQUEST, 1);
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "V", "whole");
    put_end(FCGI_PARAMS, 1);
    put_record(FCGI_STDIN, 1, "half", 4);
    put_end(FCGI_ABORT_REQUEST, 1);
    put_request(1, FCGI_KEEP_CONN, "next", "");
    put_begin(1, 0);
    put_end(FCGI_ABORT_REQUEST, 1);
    expect_events(END_OF("01", "00") END_OF("01", "00")
                      END_OF("01", "00") "request 1: V=next, body 0; " END_OF("01", "00") "over");
}

// ---- requests that wait ----

static bool is_wanted(struct str name)
{
    return str_equal(name, STR("A")) || str_equal(name, STR("LONG"));
}

static void only_the_variables_that_are_needed_are_kept(void **state)
{
    (void)state;
    char value[301];
    struct http_var vars[FCGI_CONN_VARS_MAX];
    size_t count;
    memset(value, 'v', 300);
    value[300] = '\0';
    put_begin(1, FCGI_KEEP_CONN);
    add_pair("A", "1");
    add_pair("B", value);
    add_pair("LONG", value);
    add_pair("", "");
    add_pair("A", "");
    put_pairs(FCGI_PARAMS, 1);
    put_end(FCGI_PARAMS, 1);
    reader_start(MAX_REQUEST_BYTES);
    consume(wire.bytes, wire.len);
    struct fcgi_conn *const conn = &reader.conn;
    assert_int_equal(fcgi_conn_needed_bytes(conn, is_wanted), 4 + 309 + 3);
    alloc_watch_start(1);
    fcgi_conn_keep_vars(conn, is_wanted);
    alloc_watch_stop();
    assert_int_equal(fcgi_conn_vars(conn, vars, &count), 0);
    assert_int_equal(count, 5); // without memory they all stay
    fcgi_conn_keep_vars(conn, is_wanted);
    assert_int_equal(conn->vars.capacity, 4 + 309 + 3);
    assert_int_equal(fcgi_conn_vars(conn, vars, &count), 0);
    assert_int_equal(count, 3);
    assert_text(vars[0].value, "1");
    assert_text(vars[1].value, value);
    assert_text(vars[2].value, "");
    wire.len = 0;
    put_end(FCGI_STDIN, 1);
    put_request(1, FCGI_KEEP_CONN, value, ""); // the memory grows again
    consume(wire.bytes, wire.len);
    assert_true(reader.len > 600);
}

static void only_a_plain_abort_of_the_request_is_one(void **state)
{
    (void)state;
    static const struct {
        unsigned char header[FCGI_HEADER_LEN];
        bool is_abort;
    } rows[] = {
        {{1, FCGI_ABORT_REQUEST, 1, 2, 0, 0, 0, 0}, true},
        {{1, FCGI_ABORT_REQUEST, 1, 2, 0, 0, 0, 9}, true}, // the last byte is reserved
        {{2, FCGI_ABORT_REQUEST, 1, 2, 0, 0, 0, 0}, false},
        {{1, FCGI_END_REQUEST, 1, 2, 0, 0, 0, 0}, false},
        {{1, FCGI_ABORT_REQUEST, 0, 2, 0, 0, 0, 0}, false},
        {{1, FCGI_ABORT_REQUEST, 1, 3, 0, 0, 0, 0}, false},
        {{1, FCGI_ABORT_REQUEST, 1, 2, 1, 0, 0, 0}, false},
        {{1, FCGI_ABORT_REQUEST, 1, 2, 0, 1, 0, 0}, false},
        {{1, FCGI_ABORT_REQUEST, 1, 2, 0, 0, 8, 0}, false},
    };
    reader_start(MAX_REQUEST_BYTES);
    assert_false(fcgi_conn_is_abort(&reader.conn, (const char *)rows[0].header)); // no request
    put_begin(0x102, FCGI_KEEP_CONN);
    consume(wire.bytes, wire.len);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(fcgi_conn_is_abort(&reader.conn, (const char *)rows[i].header) ==
                    rows[i].is_abort);
    }
}

static void an_abort_of_another_request_is_ignored(void **state)
{
    (void)state;
    put_end(FCGI_ABORT_REQUEST, 1); // for no request
    put_begin(1, FCGI_KEEP_CONN);
    put_end(FCGI_ABORT_REQUEST, 2);
    put_one_param(1, "V", "x");
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_end(FCGI_ABORT_REQUEST, 1); // too late
    put_request(1, 0, "next", "");
    expect_events("request 1: V=x, body 0; request 1: V=next, body 0; over");
}

static void records_of_other_requests_are_ignored(void **state)
{
    (void)state;
    put_one_param(7, "V", "stray");
    put_record(FCGI_STDIN, 7, "stray", 5);
    put_end(FCGI_STDIN, 7);
    put_begin(1, 0);
    put_one_param(257, "V", "stray"); // 0x0101: the low byte is not the id
    put_one_param(1, "V", "x");
    put_end(FCGI_PARAMS, 257);
    put_end(FCGI_STDIN, 256);
    put_record(FCGI_STDIN, 2, "stray", 5);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 2);
    put_end(FCGI_STDIN, 1);
    expect_events("request 1: V=x, body 0; over");
}

static void types_that_a_responder_does_not_need_are_ignored(void **state)
{
    (void)state;
    static const unsigned types[] = {
        FCGI_END_REQUEST,       FCGI_STDOUT,       FCGI_STDERR, FCGI_DATA, FCGI_GET_VALUES,
        FCGI_GET_VALUES_RESULT, FCGI_UNKNOWN_TYPE, 12,          255};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        put_begin(1, 0);
        put_record(types[i], 1, "12345678", 8);
        put_one_param(1, "V", "x");
        put_end(types[i], 1);
        put_end(FCGI_PARAMS, 1);
        put_end(FCGI_STDIN, 1);
        expect_events("request 1: V=x, body 0; over");
    }
}

// ---- management ----

#define NO_VALUES "reply 01 0a 00 00 00 00 00 00; "
#define ALL_VALUES                                                                                 \
    "reply 01 0a 00 00 00 37 00 00"                                                                \
    " 0e 03 46 43 47 49 5f 4d 41 58 5f 43 4f 4e 4e 53 31 30 30"                                    \
    " 0d 03 46 43 47 49 5f 4d 41 58 5f 52 45 51 53 31 30 30"                                       \
    " 0f 01 46 43 47 49 5f 4d 50 58 53 5f 43 4f 4e 4e 53 30; "

static void values_are_answered_at_once(void **state)
{
    (void)state;
    add_pair(FCGI_MAX_CONNS, "");
    add_pair(FCGI_MAX_REQS, "");
    add_pair(FCGI_MPXS_CONNS, "");
    put_pairs(FCGI_GET_VALUES, 0);
    expect_events(ALL_VALUES);
}

static void a_repeated_value_is_answered_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) { // 40 of one name abort libfcgi's process
        add_pair(FCGI_MPXS_CONNS, "");
        add_pair(FCGI_MAX_REQS, "ignored");
        add_pair(FCGI_MAX_CONNS, "");
    }
    put_pairs(FCGI_GET_VALUES, 0);
    expect_events(ALL_VALUES);
}

static void unknown_values_are_omitted(void **state)
{
    (void)state;
    add_pair("FCGI_MAX_CONN", "");
    add_pair("fcgi_max_conns", "");
    add_pair("", "");
    put_pairs(FCGI_GET_VALUES, 0);
    put_end(FCGI_GET_VALUES, 0);
    expect_events(NO_VALUES NO_VALUES);
}

static void malformed_queries_for_values_are_ignored(void **state)
{
    (void)state;
    put_record(FCGI_GET_VALUES, 0,
               "\xFF\xFF\xFF\xFE\x00"
               "ab",
               7);
    put_record(FCGI_GET_VALUES, 0, "\x0E", 1);
    put_record(FCGI_GET_VALUES, 0,
               "\x0E\x00"
               "FCGI",
               6);
    expect_events(NO_VALUES NO_VALUES NO_VALUES);
}

static void the_beginning_of_the_longest_query_is_answered(void **state)
{
    (void)state;
    add_pair(FCGI_MAX_CONNS, "");
    add_pair(FCGI_MAX_REQS, "");
    add_pair(FCGI_MPXS_CONNS, "");
    while (pairs.len + 17 <= sizeof pairs.bytes) {
        add_pair(FCGI_MPXS_CONNS, "");
    }
    put_pairs(FCGI_GET_VALUES, 0);
    expect_events(ALL_VALUES);
}

static void values_may_be_asked_for_in_the_middle_of_a_request(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_end(FCGI_GET_VALUES, 0);
    put_one_param(1, "V", "x");
    put_end(FCGI_GET_VALUES, 0);
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    expect_events(NO_VALUES NO_VALUES "request 1: V=x, body 0; over");
}

static void unknown_management_types_are_answered_as_unknown(void **state)
{
    (void)state;
    put_record(42, 0, "content", 7);
    put_end(255, 0);
    put_request(1, 0, "x", "");
    expect_events("reply 01 0b 00 00 00 08 00 00 2a 00 00 00 00 00 00 00; "
                  "reply 01 0b 00 00 00 08 00 00 ff 00 00 00 00 00 00 00; "
                  "request 1: V=x, body 0; over");
}

// ---- what is not FastCGI ----

static void another_version_breaks_the_connection(void **state)
{
    (void)state;
    put_request(1, FCGI_KEEP_CONN, "x", "");
    put_bytes("GET / HTTP/1.1\r\n", 16);
    expect_events("request 1: V=x, body 0; broken");
}

static void a_begin_of_the_wrong_length_breaks_the_connection(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 9, 16, 512, 513, 600, 65535};
    static const unsigned char body[65535] = {0, FCGI_RESPONDER, 0};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        put_record(FCGI_BEGIN_REQUEST, 1, body, lengths[i]);
        expect_events("broken");
    }
}

static void a_begin_without_id_breaks_the_connection(void **state)
{
    (void)state;
    put_begin(0, 0);
    expect_events("broken");
}

static void a_body_that_ends_before_the_variables_breaks_the_connection(void **state)
{
    (void)state;
    put_begin(1, 0);
    put_one_param(1, "V", "x");
    put_end(FCGI_STDIN, 1);
    expect_events("broken");
}

// ---- whatever the records ----

static void put_random_record(struct dice *dice)
{
    static const unsigned flags[] = {0, FCGI_KEEP_CONN, FCGI_KEEP_CONN, FCGI_KEEP_CONN};
    const unsigned id = dice_below(dice, 8) == 0 ? 2 : 1;
    switch (dice_below(dice, 8)) {
    case 0:
        put_begin(id, flags[dice_below(dice, COUNT_OF(flags))]);
        break;
    case 1:
        put_end(FCGI_PARAMS, id);
        break;
    case 2:
        put_end(FCGI_STDIN, id);
        break;
    case 3:
        put_padded_record(FCGI_STDIN, id, "0123456789", dice_below(dice, 10),
                          (unsigned)dice_below(dice, 256));
        break;
    case 4:
        put_end(FCGI_ABORT_REQUEST, id);
        break;
    case 5:
        add_pair(FCGI_MAX_CONNS, "");
        put_pairs(dice_below(dice, 4) == 0 ? 42 : FCGI_GET_VALUES, 0);
        break;
    case 6:
        put_request(id, FCGI_KEEP_CONN, "random", "body");
        break;
    default:
        put_one_param(id, "N", "value");
        break;
    }
}

static void records_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct dice dice = {41};
    size_t requests = 0;
    for (unsigned round = 0; round < 1000; round++) {
        wire.len = 0;
        for (unsigned i = 0; i < 40; i++) {
            put_random_record(&dice);
        }
        char *const whole = strdup(read_in_pieces(all_at_once, NULL));
        requests += has_text(str_from(whole), "request");
        assert_string_equal(read_in_pieces(one_byte, NULL), whole);
        assert_string_equal(read_in_pieces(a_few_bytes, &dice), whole);
        free(whole);
    }
    assert_true(requests > 500);
}

static void random_bytes_are_survived(void **state)
{
    (void)state;
    struct dice dice = {43};
    for (unsigned round = 0; round < 3000; round++) {
        wire.len = 0;
        for (unsigned i = 0; i < 10; i++) {
            put_random_record(&dice);
        }
        for (unsigned i = 0; i < 5; i++) {
            wire.bytes[dice_below(&dice, wire.len)] = (unsigned char)dice_roll(&dice);
        }
        (void)read_in_pieces(a_few_bytes, &dice);
    }
}

// ---- secrets and memory ----

static const char secret[] = "SECRET-of-an-application";
static bool saw_secret;

static void look_for_secret(const void *block, size_t size)
{
    saw_secret = saw_secret || memmem(block, size, secret, sizeof secret - 1) != NULL;
}

static void a_finished_request_is_wiped(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "HTTP_X_BKAPI_AUTHORIZATION", secret);
    reader_start(MAX_REQUEST_BYTES);
    consume(wire.bytes, wire.len);
    const size_t len = reader.conn.vars.len;
    assert_true(memmem(reader.conn.vars.bytes, len, secret, sizeof secret - 1) != NULL);
    fcgi_conn_request_done(&reader.conn);
    assert_non_null(reader.conn.vars.bytes); // kept for the next request
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(reader.conn.vars.bytes[i], 0);
    }
}

static void the_body_is_whole_however_it_comes(void **state)
{
    (void)state;
    static const char body[] = "{\"task_ids\":[1,2,3]}";
    for (size_t step = 1; step < sizeof body; step++) {
        wire.len = 0;
        put_begin(1, FCGI_KEEP_CONN);
        put_end(FCGI_PARAMS, 1);
        for (size_t at = 0; at < sizeof body - 1; at += step) {
            const size_t left = sizeof body - 1 - at;
            put_record(FCGI_STDIN, 1, body + at, left < step ? left : step);
        }
        put_end(FCGI_STDIN, 1);
        reader_start(MAX_REQUEST_BYTES);
        size_t used;
        assert_int_equal(fcgi_conn_consume(&reader.conn, (const char *)wire.bytes, wire.len, &used),
                         FCGI_EVENT_REQUEST);
        assert_text(fcgi_conn_body(&reader.conn), body);
        fcgi_conn_request_done(&reader.conn);
        assert_text(fcgi_conn_body(&reader.conn), "");
        assert_null(reader.conn.body.bytes);
    }
}

static void memory_of_variables_is_wiped_before_it_is_freed(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "S", secret);
    for (unsigned i = 0; i < 2000; i++) { // more than is kept, by several growths
        put_one_param(1, "V", "0123456789");
    }
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_begin(1, FCGI_KEEP_CONN);
    put_one_param(1, "S", secret);
    reader_start(64 * 1024);
    saw_secret = false;
    alloc_watch_start(0);
    alloc_watch.on_free = look_for_secret;
    consume(wire.bytes, wire.len);
    fcgi_conn_fini(&reader.conn); // in the middle of the second request
    alloc_watch_stop();
    assert_true(alloc_watch.frees >= 3);
    assert_false(saw_secret);
}

static void memory_of_a_body_is_wiped_before_it_is_freed(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    put_end(FCGI_PARAMS, 1);
    for (unsigned i = 0; i < 1000; i++) { // by several growths
        put_record(FCGI_STDIN, 1, secret, sizeof secret - 1);
    }
    put_end(FCGI_STDIN, 1);
    reader_start(64 * 1024);
    saw_secret = false;
    alloc_watch_start(0);
    alloc_watch.on_free = look_for_secret;
    consume(wire.bytes, wire.len);
    alloc_watch_stop();
    assert_true(alloc_watch.frees >= 3);
    assert_false(saw_secret);
}

// The variables' memory grows several times; each allocation may fail.
static void without_memory_a_request_is_refused_and_the_next_works(void **state)
{
    (void)state;
    put_begin(1, FCGI_KEEP_CONN);
    for (unsigned i = 0; i < 500; i++) {
        put_one_param(1, "V", "0123456789abcdef0123456789abcdef0123456789abcdef");
    }
    put_end(FCGI_PARAMS, 1);
    put_end(FCGI_STDIN, 1);
    put_request(2, FCGI_KEEP_CONN, "second", "");
    put_request(3, FCGI_KEEP_CONN, "third", "");
    unsigned long n = 0;
    do {
        reader_start(64 * 1024);
        alloc_watch_start(++n);
        consume(wire.bytes, wire.len);
        alloc_watch_stop();
        const struct str notes = str_from(reader.notes);
        const bool first_lacks = has_text(notes, "request 1:, body 0, no memory; ");
        const bool second_lacks = has_text(notes, "request 2:, body 0, no memory; ");
        assert_true(alloc_watch.has_failed == (first_lacks || second_lacks));
        assert_true(first_lacks || has_text(notes, "request 1: V=0123456789abcdef"));
        assert_true(second_lacks || has_text(notes, "request 2: V=second, body 0; "));
        assert_true(has_text(notes, "request 3: V=third, body 0; "));
    } while (alloc_watch.has_failed);
    assert_int_equal(n, 6); // 4, 8, 16 and 32 KB, the second request's 4, and none left to fail
}

static void a_connection_is_idle_only_between_requests(void **state)
{
    (void)state;
    put_request(1, FCGI_KEEP_CONN, "x", "body");
    reader_start(MAX_REQUEST_BYTES);
    assert_true(fcgi_conn_is_idle(&reader.conn));
    for (size_t at = 0; at + 1 < wire.len; at++) {
        consume(wire.bytes + at, 1);
        assert_false(fcgi_conn_is_idle(&reader.conn));
    }
    consume(wire.bytes + wire.len - 1, 1);
    assert_true(fcgi_conn_is_idle(&reader.conn));
    assert_string_equal(reader.notes, "request 1: V=x, body 4; ");
}

// ---- records that are sent ----

static void headers_are_as_in_the_specification(void **state)
{
    (void)state;
    char header[FCGI_HEADER_LEN];
    fcgi_put_header(header, FCGI_STDOUT, 0x1234, 65535);
    assert_memory_equal(header, "\x01\x06\x12\x34\xFF\xFF\x00\x00", 8);
    fcgi_put_header(header, FCGI_STDOUT, 1, 0x0102);
    assert_memory_equal(header, "\x01\x06\x00\x01\x01\x02\x00\x00", 8);
}

static void the_end_of_a_request_is_as_in_the_specification(void **state)
{
    (void)state;
    char end[FCGI_CONN_END_BYTES];
    memset(end, 0xEE, sizeof end);
    fcgi_put_end(end, 0x1234);
    assert_memory_equal(end,
                        "\x01\x06\x12\x34\x00\x00\x00\x00"
                        "\x01\x03\x12\x34\x00\x08\x00\x00"
                        "\x00\x00\x00\x00\x00\x00\x00\x00",
                        24);
}

#define ON_A_WIRE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_WIRE(a_request_is_complete_at_the_end_of_its_body),
        ON_A_WIRE(a_request_is_not_complete_before_that),
        ON_A_WIRE(a_kept_connection_takes_the_next_request),
        ON_A_WIRE(nothing_more_is_read_on_a_connection_that_is_not_kept),
        ON_A_WIRE(unknown_flags_do_not_keep_a_connection),
        ON_A_WIRE(variables_may_be_spread_over_records),
        ON_A_WIRE(lengths_may_take_one_byte_or_four),
        ON_A_WIRE(a_request_without_variables_has_none),
        ON_A_WIRE(padding_is_ignored_everywhere),
        ON_A_WIRE(the_longest_record_is_read),
        ON_A_WIRE(variables_after_their_end_are_ignored),
        ON_A_WIRE(a_body_before_the_end_of_the_variables_counts),
        ON_A_WIRE(variables_up_to_the_bound_are_read),
        ON_A_WIRE(variables_over_the_bound_refuse_the_request),
        ON_A_WIRE(variables_over_the_bound_by_many_records_refuse_the_request),
        ON_A_WIRE(a_body_up_to_the_bound_is_accepted),
        ON_A_WIRE(a_too_large_head_precedes_a_too_large_body),
        ON_A_WIRE(memory_stays_bounded_whatever_is_sent),
        ON_A_WIRE(up_to_512_variables_are_read),
        ON_A_WIRE(more_than_512_variables_are_malformed),
        ON_A_WIRE(pairs_with_wrong_lengths_are_malformed),
        ON_A_WIRE(a_second_concurrent_request_is_refused),
        ON_A_WIRE(a_second_request_that_is_not_kept_does_not_end_the_first),
        ON_A_WIRE(unknown_roles_are_answered_as_unknown),
        ON_A_WIRE(an_abort_ends_a_request_without_answer),
        ON_A_WIRE(only_the_variables_that_are_needed_are_kept),
        ON_A_WIRE(only_a_plain_abort_of_the_request_is_one),
        ON_A_WIRE(an_abort_of_another_request_is_ignored),
        ON_A_WIRE(records_of_other_requests_are_ignored),
        ON_A_WIRE(types_that_a_responder_does_not_need_are_ignored),
        ON_A_WIRE(values_are_answered_at_once),
        ON_A_WIRE(a_repeated_value_is_answered_once),
        ON_A_WIRE(unknown_values_are_omitted),
        ON_A_WIRE(malformed_queries_for_values_are_ignored),
        ON_A_WIRE(the_beginning_of_the_longest_query_is_answered),
        ON_A_WIRE(values_may_be_asked_for_in_the_middle_of_a_request),
        ON_A_WIRE(unknown_management_types_are_answered_as_unknown),
        ON_A_WIRE(another_version_breaks_the_connection),
        ON_A_WIRE(a_begin_of_the_wrong_length_breaks_the_connection),
        ON_A_WIRE(a_begin_without_id_breaks_the_connection),
        ON_A_WIRE(a_body_that_ends_before_the_variables_breaks_the_connection),
        ON_A_WIRE(records_may_be_cut_anywhere),
        ON_A_WIRE(random_bytes_are_survived),
        ON_A_WIRE(a_finished_request_is_wiped),
        ON_A_WIRE(memory_of_variables_is_wiped_before_it_is_freed),
        ON_A_WIRE(memory_of_a_body_is_wiped_before_it_is_freed),
        ON_A_WIRE(the_body_is_whole_however_it_comes),
        ON_A_WIRE(without_memory_a_request_is_refused_and_the_next_works),
        ON_A_WIRE(a_connection_is_idle_only_between_requests),
        ON_A_WIRE(headers_are_as_in_the_specification),
        ON_A_WIRE(the_end_of_a_request_is_as_in_the_specification),
    };
    return cmocka_run_group_tests_name("fcgi_conn", tests, NULL, NULL);
}
