// SPDX-License-Identifier: MIT
#include "http/http.h"
#include "support.h"

#include <signal.h>
#include <stdio.h>

// ---- the request ----

static struct http_var var(const char *name, const char *value)
{
    return (struct http_var){str_from(name), str_from(value)};
}

static void every_known_variable_reaches_its_member(void **state)
{
    (void)state;
    const struct http_var vars[] = {
        var("REQUEST_METHOD", "GET"),
        var("PATH_INFO", "/path"),
        var("QUERY_STRING", "a=b"),
        var("REMOTE_ADDR", "10.0.0.1"),
        var("HTTP_X_BKAPI_AUTHORIZATION", "{}"),
        var("HTTP_X_BKAPI_JWT", "jwt"),
        var("HTTP_X_FORWARDED_FOR", "10.0.0.2"),
        var("HTTP_TRACEPARENT", "traceparent"),
        var("HTTP_X_REQUEST_ID", "request"),
        var("HTTP_X_BKAPI_REQUEST_ID", "bkapi request"),
        var("HTTP_IF_NONE_MATCH", "tag"),
        var("HTTP_BLUEKING_LANGUAGE", "zh-cn"),
        var("HTTP_COOKIE", "cookie"),
        var("SERVER_SOFTWARE", "ignored"),
    };
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), 0);
    assert_text(request.method, "GET");
    assert_text(request.path_info, "/path");
    assert_text(request.query, "a=b");
    assert_text(request.remote_addr, "10.0.0.1");
    assert_text(request.bkapi_authorization, "{}");
    assert_text(request.bkapi_jwt, "jwt");
    assert_text(request.forwarded_for, "10.0.0.2");
    assert_text(request.traceparent, "traceparent");
    assert_text(request.request_id, "request");
    assert_text(request.bkapi_request_id, "bkapi request");
    assert_text(request.if_none_match, "tag");
    assert_text(request.language, "zh-cn");
    assert_text(request.cookie, "cookie");
}

static void variables_that_were_not_sent_are_absent(void **state)
{
    (void)state;
    const struct http_var vars[] = {var("REQUEST_METHOD", "GET"), var("QUERY_STRING", "")};
    struct http_request request;
    struct error err = {0};
    memset(&request, 0xFF, sizeof request);
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), 0);
    assert_text(request.query, "");
    assert_text(request.path_info, NULL);
    assert_text(request.bkapi_authorization, NULL);
    assert_text(request.cookie, NULL);
}

static void the_name_of_a_variable_must_match_exactly(void **state)
{
    (void)state;
    const struct http_var vars[] = {
        var("REQUEST_METHOD", "GET"),     var("path_info", "/lower"),
        var("PATH_INFO ", "/blank"),      var("PATH_INF", "/short"),
        var("HTTP_PATH_INFO", "/header"), {STR("PATH_INFO\0"), STR("/nul")},
        {STR(""), STR("/empty")},
    };
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), 0);
    assert_text(request.path_info, NULL);
}

static void a_duplicate_credential_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *header;
    } rows[] = {
        {"HTTP_X_BKAPI_AUTHORIZATION", "X-Bkapi-Authorization"},
        {"HTTP_X_BKAPI_JWT", "X-Bkapi-JWT"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static const char *const seconds[] = {"other", "same", ""};
        for (size_t k = 0; k < COUNT_OF(seconds); k++) {
            const struct http_var vars[] = {var("REQUEST_METHOD", "GET"), var(rows[i].name, "same"),
                                            var("PATH_INFO", "/"), var(rows[i].name, seconds[k])};
            struct http_request request;
            struct error err = {0};
            check(rows[i].name, http_request_init(&request, vars, COUNT_OF(vars), &err) == -1);
            check_number(rows[i].name, err.kind, ERR_DUPLICATE_CREDENTIALS);
            check_text(rows[i].name, err.subject, rows[i].header);
        }
    }
}

static void a_credential_after_an_empty_one_is_a_duplicate(void **state)
{
    (void)state;
    const struct http_var vars[] = {var("REQUEST_METHOD", "GET"), var("HTTP_X_BKAPI_JWT", ""),
                                    var("HTTP_X_BKAPI_JWT", "token")};
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), -1);
}

static void a_refused_request_is_filled_in_for_its_answer(void **state)
{
    (void)state;
    const struct http_var vars[] = {
        var("HTTP_X_BKAPI_JWT", "a"),           var("HTTP_X_BKAPI_JWT", "b"),
        var("HTTP_BLUEKING_LANGUAGE", "zh-cn"), var("REQUEST_METHOD", "HEAD"),
        var("HTTP_X_REQUEST_ID", "id-1"),
    };
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), -1);
    assert_text(request.language, "zh-cn");
    assert_text(request.method, "HEAD");
    assert_text(request.request_id, "id-1");
}

static void the_last_of_other_duplicate_variables_counts(void **state)
{
    (void)state;
    const struct http_var vars[] = {var("REQUEST_METHOD", "GET"), var("PATH_INFO", ""),
                                    var("PATH_INFO", "/healthz")};
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), 0);
    assert_text(request.path_info, "/healthz");
}

static void a_request_without_method_is_refused(void **state)
{
    (void)state;
    const struct http_var vars[] = {var("PATH_INFO", "/healthz")};
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), -1);
    assert_int_equal(err.kind, ERR_BAD_REQUEST);
    assert_text(err.subject, "REQUEST_METHOD is missing");
}

static void a_request_without_variables_is_refused(void **state)
{
    (void)state;
    struct http_request request;
    struct error err = {0};
    assert_int_equal(http_request_init(&request, NULL, 0, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_REQUEST);
}

// ---- the client's address ----

static struct str address_of(const char *trusted, const char *peer, const char *forwarded_for)
{
    static char text[CIDR_ADDRESS_TEXT];
    struct cidr_list list;
    const struct http_var vars[] = {
        var("REQUEST_METHOD", "GET"),
        var("REMOTE_ADDR", peer),
        var("HTTP_X_FORWARDED_FOR", forwarded_for),
    };
    struct http_request request;
    struct error err = {0};
    assert_int_equal(cidr_list_parse(&list, str_from(trusted)), 0);
    assert_int_equal(
        http_request_init(&request, vars, COUNT_OF(vars) - (forwarded_for == NULL), &err), 0);
    return cidr_address_text(http_client_address(&request, &list), text);
}

static void the_address_is_the_last_untrusted_one(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *trusted;
        const char *peer;
        const char *forwarded_for;
        const char *expected;
    } rows[] = {
        {"nobody is trusted", "", "10.0.0.1", "1.1.1.1", "10.0.0.1"},
        {"the peer is not trusted", "10.0.0.1", "10.0.0.2", "1.1.1.1", "10.0.0.2"},
        {"no header", "10.0.0.1", "10.0.0.1", NULL, "10.0.0.1"},
        {"one proxy", "10.0.0.1", "10.0.0.1", "1.1.1.1", "1.1.1.1"},
        {"made up in front of it", "10.0.0.1", "10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"},
        {"two proxies", "10.0.0.0/24", "10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"},
        {"the second is not trusted", "10.0.0.1", "10.0.0.1", "1.1.1.1, 10.0.0.2", "10.0.0.2"},
        {"all are trusted", "10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"without blanks", "10.0.0.0/24", "10.0.0.1", "1.1.1.1,10.0.0.2", "1.1.1.1"},
        {"IPv6", "::1, fd00::/8", "::1", "2001:db8::1, fd00::2", "2001:db8::1"},
        {"trusted as IPv4 in IPv6", "10.0.0.1", "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"},
        {"with a port", "10.0.0.1", "10.0.0.1", "9.9.9.9, 1.1.1.1:2001", "1.1.1.1"},
        {"IPv6 with a port", "10.0.0.1", "10.0.0.1", "[2001:db8::1]:2001", "2001:db8::1"},
        {"a proxy with a port", "10.0.0.0/24", "10.0.0.1:1", "1.1.1.1, 10.0.0.2:80", "1.1.1.1"},
        {"no address", "10.0.0.1", "10.0.0.1", "1.1.1.1, unknown", "unknown"},
        {"nothing", "10.0.0.1", "10.0.0.1", "", "unknown"},
        {"a unix socket", "10.0.0.1", "unix:", "1.1.1.1", "unknown"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].name, address_of(rows[i].trusted, rows[i].peer, rows[i].forwarded_for),
                   rows[i].expected);
    }
}

static void a_duplicate_forwarded_for_is_not_believed(void **state)
{
    (void)state;
    struct cidr_list list;
    const struct http_var vars[] = {
        var("REQUEST_METHOD", "GET"),
        var("REMOTE_ADDR", "10.0.0.1"),
        var("HTTP_X_FORWARDED_FOR", "1.1.1.1"),
        var("HTTP_X_FORWARDED_FOR", "2.2.2.2"),
    };
    struct http_request request;
    struct error err = {0};
    assert_int_equal(cidr_list_parse(&list, STR("10.0.0.1")), 0);
    assert_int_equal(http_request_init(&request, vars, COUNT_OF(vars), &err), 0);
    assert_false(http_client_address(&request, &list).is_known);
}

static void without_a_peer_no_header_is_believed(void **state)
{
    (void)state;
    struct cidr_list list;
    const struct http_request request = {.forwarded_for = STR("1.1.1.1")};
    assert_int_equal(cidr_list_parse(&list, STR("0.0.0.0/0, ::/0")), 0);
    assert_false(http_client_address(&request, &list).is_known);
}

// ---- the query string ----

// Writes the pairs as "[name=value]", or "!" if the query is refused.
static void render_query(struct str query, struct arena *arena, char *text, size_t size)
{
    struct str name;
    struct str value;
    struct error err = {0};
    size_t len = 0;
    int next;
    text[0] = '\0';
    while ((next = http_query_next(&query, arena, &name, &value, &err)) == 1) {
        len += (size_t)snprintf(text + len, size - len, "[%.*s=%.*s]", (int)name.len, name.ptr,
                                (int)value.len, value.ptr);
    }
    if (next < 0) {
        assert_int_equal(err.kind, ERR_QUERY_FORMAT);
        snprintf(text + len, size - len, "!");
    }
}

static void queries_are_decoded_like_forms(void **state)
{
    (void)state;
    static const struct {
        struct str query;
        const char *expected;
    } rows[] = {
        {STR(""), ""},
        {STR_ABSENT, ""},
        {STR("a=b"), "[a=b]"},
        {STR("a=b&c=d"), "[a=b][c=d]"},
        {STR("a"), "[a=]"},
        {STR("a="), "[a=]"},
        {STR("=b"), "[=b]"},
        {STR("="), "[=]"},
        {STR("a=b=c"), "[a=b=c]"},
        {STR("&&a=b&&&c=d&"), "[a=b][c=d]"},
        {STR("&"), ""},
        {STR("a=b;c=d"), "[a=b;c=d]"}, // a semicolon is not a separator
        {STR("a+b=c+d"), "[a b=c d]"},
        {STR("a%2Bb=%2b"), "[a+b=+]"},
        {STR("a%20b=%41%5a"), "[a b=AZ]"},
        {STR("%61%3D=%26"), "[a==&]"},
        {STR("a=%e4%BB%bb"), "[a=任]"},
        {STR("a=任"), "[a=任]"}, // some clients send raw UTF-8
        {STR("a=%"), "!"},
        {STR("a=%4"), "!"},
        {STR("a=%4g"), "!"},
        {STR("a=%g4"), "!"},
        {STR("a=%%41"), "!"},
        {STR("a=% 1"), "!"},
        {STR("a=%-1"), "!"},
        {STR("a=%0x"), "!"},
        {STR("a=%00"), "!"},
        {STR("a\0=b"), "!"},
        {STR("%=b"), "!"},
        {STR("a=%ff"), "!"},
        {STR("a=\xFF"), "!"},
        {STR("a=%C0%80"), "!"},
        {STR("a=%ED%A0%80"), "!"},
        {STR("a=%E4%BB"), "!"},
        {STR("%E4=%BB%BB"), "!"}, // a sequence may not span name and value
        {STR("good=1&bad=%"), "[good=1]!"},
    };
    struct arena *const arena = arena_new(1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        render_query(rows[i].query, arena, text, sizeof text);
        check_text(rows[i].query.ptr == NULL ? "(absent)" : rows[i].query.ptr, str_from(text),
                   rows[i].expected);
    }
    arena_free(arena);
}

static void every_escaped_byte_but_nul_is_decoded(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    for (unsigned byte = 1; byte < 128; byte++) {
        char query[8];
        struct str rest = {query, (size_t)snprintf(query, sizeof query, "a=%%%02X", byte)};
        struct str name;
        struct str value;
        struct error err = {0};
        assert_int_equal(http_query_next(&rest, arena, &name, &value, &err), 1);
        assert_int_equal(value.len, 1);
        assert_int_equal((unsigned char)value.ptr[0], byte);
    }
    arena_free(arena);
}

static void a_query_is_not_read_past_its_length(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    struct str query = {"a=%41", 4};
    struct str name;
    struct str value;
    struct error err = {0};
    assert_int_equal(http_query_next(&query, arena, &name, &value, &err), -1);
    arena_free(arena);
}

static void without_memory_a_query_is_not_called_bad(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(8);
    struct str query = STR("a=a+value+longer+than+that");
    struct str name;
    struct str value;
    struct error err = {0};
    assert_int_equal(http_query_next(&query, arena, &name, &value, &err), -1);
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    arena_free(arena);
}

// ---- cookies and tags ----

static void cookies_are_found_by_their_complete_name(void **state)
{
    (void)state;
    static const struct {
        struct str cookies;
        const char *expected;
    } rows[] = {
        {STR_ABSENT, NULL},
        {STR(""), NULL},
        {STR("lang=en"), "en"},
        {STR("a=b; lang=en; c=d"), "en"},
        {STR("a=b;lang=en"), "en"},
        {STR("a=b ;\t lang=en \t; c=d"), "en"},
        {STR("lang=first; lang=second"), "first"},
        {STR("lang="), ""},
        {STR("lang"), NULL},
        {STR("xlang=en"), NULL},
        {STR("langx=en"), NULL},
        {STR("LANG=en"), NULL},
        {STR("a=lang=en"), NULL},
        {STR("lang=a=b"), "a=b"},
        {STR("lang=\"en\""), "\"en\""},
        {STR(";;;lang=en"), "en"},
        {STR("a=\"x; lang=en"), "en"}, // quotes mean nothing in a cookie
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].cookies.ptr == NULL ? "(absent)" : rows[i].cookies.ptr,
                   http_cookie(rows[i].cookies, STR("lang")), rows[i].expected);
    }
}

static void tags_are_compared_weakly(void **state)
{
    (void)state;
    static const struct {
        struct str if_none_match;
        bool expected;
    } rows[] = {
        {STR("\"tag\""), true},
        {STR("W/\"tag\""), true},
        {STR("*"), true},
        {STR(" \"tag\" "), true},
        {STR("\"other\", \"tag\""), true},
        {STR("\"other\",W/\"tag\",\"more\""), true},
        {STR("\"other\", *"), true},
        {STR("\"a,b\", \"tag\""), true},
        {STR_ABSENT, false},
        {STR(""), false},
        {STR("tag"), false},
        {STR("\"tag"), false},
        {STR("\"tagg\""), false},
        {STR("\"TAG\""), false},
        {STR("w/\"tag\""), false},
        {STR("W/W/\"tag\""), false},
        {STR("W/"), false},
        {STR("\"other\" \"tag\""), false},
        {STR("\"*\""), false},
        {STR(",,,"), false},
        {STR("\"tag-gzip\""), true},
        {STR("W/\"tag-gzip\""), true},
        {STR("\"tag-br\""), true},
        {STR("\"tag;gzip\""), true},
        {STR("\"tag;br\""), true},
        {STR("\"tag-zstd\", \"x\""), true},
        {STR("\"x\", W/\"tag-deflate\""), true},
        {STR("\"tag-bzip2\""), true},
        {STR("\"tag-\""), false},
        {STR("\"taggzip\""), false},
        {STR("\"tag-gzip"), false},
        {STR("\"tag-gzip-gzip\""), false},
        {STR("\"tag-gzi\""), false},
        {STR("\"tag-GZIP\""), false},
        {STR("\"tag\"-gzip"), false},
        {STR("\"tag\"-gzip\""), false},
        {STR("\"ta-gzip\""), false},
        {STR("\"-gzip\""), false},
        {STR("\""), false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *const name =
            rows[i].if_none_match.ptr == NULL ? "(absent)" : rows[i].if_none_match.ptr;
        check(name, http_tag_matches(rows[i].if_none_match, STR("\"tag\"")) == rows[i].expected);
    }
}

// ---- the response ----

struct fixture {
    struct sink *sink;
    struct http_response response;
    char buffer[OUTBUF_MIN_CAPACITY];
};

static struct fixture fixture;

static void begin_response(void)
{
    sink_clear(fixture.sink);
    fixture.response = (struct http_response){0};
    outbuf_init(&fixture.response.out, fixture.buffer, sizeof fixture.buffer, sink_take,
                fixture.sink);
}

static int set_up(void **state)
{
    (void)state;
    fixture.sink = sink_new();
    begin_response();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sink_free(fixture.sink);
    return 0;
}

static struct str finish(void)
{
    assert_int_equal(outbuf_flush(&fixture.response.out), 0);
    return sink_text(fixture.sink);
}

static void a_response_is_status_headers_blank_line_body(void **state)
{
    (void)state;
    http_begin(&fixture.response, 200);
    http_header(&fixture.response, "Content-Type", STR("application/json"));
    http_header(&fixture.response, "X-Empty", STR(""));
    struct outbuf *const body = http_body(&fixture.response);
    assert_ptr_equal(body, &fixture.response.out);
    outbuf_write(body, "{}", 2);
    assert_text(finish(),
                "Status: 200 OK\r\nContent-Type: application/json\r\nX-Empty: \r\n\r\n{}");
}

static void every_status_of_an_error_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *line;
    } rows[] = {
        {200, "Status: 200 OK\r\n\r\n"},
        {304, "Status: 304 Not Modified\r\n\r\n"},
        {400, "Status: 400 Bad Request\r\n\r\n"},
        {401, "Status: 401 Unauthorized\r\n\r\n"},
        {403, "Status: 403 Forbidden\r\n\r\n"},
        {404, "Status: 404 Not Found\r\n\r\n"},
        {405, "Status: 405 Method Not Allowed\r\n\r\n"},
        {413, "Status: 413 Content Too Large\r\n\r\n"},
        {429, "Status: 429 Too Many Requests\r\n\r\n"},
        {431, "Status: 431 Request Header Fields Too Large\r\n\r\n"},
        {500, "Status: 500 Internal Server Error\r\n\r\n"},
        {503, "Status: 503 Service Unavailable\r\n\r\n"},
        {504, "Status: 504 Gateway Timeout\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_response();
        http_begin(&fixture.response, rows[i].status);
        (void)!http_body(&fixture.response);
        check_text(rows[i].line, finish(), rows[i].line);
    }
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        size_t i = 0;
        while (i < COUNT_OF(rows) && rows[i].status != error_status((enum error_kind)kind)) {
            i++;
        }
        check(error_label((enum error_kind)kind), i < COUNT_OF(rows));
    }
}

static void an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    fixture.response.is_head_only = true;
    http_begin(&fixture.response, 200);
    http_header(&fixture.response, "ETag", STR("\"x\""));
    assert_null(http_body(&fixture.response));
    assert_text(finish(), "Status: 200 OK\r\nETag: \"x\"\r\n\r\n");
}

static void a_304_has_no_body(void **state)
{
    (void)state;
    http_begin(&fixture.response, 304);
    assert_null(http_body(&fixture.response));
    assert_text(finish(), "Status: 304 Not Modified\r\n\r\n");
}

static void http_end_empties_the_buffer(void **state)
{
    (void)state;
    http_begin(&fixture.response, 200);
    outbuf_write(http_body(&fixture.response), "{}", 2);
    assert_int_equal(fixture.sink->len, 0);
    http_end(&fixture.response);
    assert_text(sink_text(fixture.sink), "Status: 200 OK\r\n\r\n{}");
    assert_false(outbuf_has_failed(&fixture.response.out));
}

static void the_buffer_shows_an_end_that_was_not_delivered(void **state)
{
    (void)state;
    http_begin(&fixture.response, 200);
    fixture.sink->fail_at = 1;
    http_end(&fixture.response);
    assert_true(outbuf_has_failed(&fixture.response.out));
}

static void the_sink_is_called_for_the_end(void **state)
{
    (void)state;
    http_begin(&fixture.response, 200);
    assert_false(fixture.sink->is_finished);
    http_end(&fixture.response);
    assert_true(fixture.sink->is_finished);
}

// ---- misuse of the response ends the program: it is a defect, never a client's doing ----

static int begin_twice(void *context)
{
    (void)context;
    http_begin(&fixture.response, 200);
    http_begin(&fixture.response, 500);
    return 0;
}

static int begin_after_the_body(void *context)
{
    (void)context;
    http_begin(&fixture.response, 200);
    (void)!http_body(&fixture.response);
    http_begin(&fixture.response, 500);
    return 0;
}

static int header_after_the_body(void *context)
{
    (void)context;
    http_begin(&fixture.response, 200);
    (void)!http_body(&fixture.response);
    http_header(&fixture.response, "X-Late", STR("1"));
    return 0;
}

static int header_with_a_line_break(void *context)
{
    (void)context;
    http_begin(&fixture.response, 200);
    http_header(&fixture.response, "X-Forged", STR("1\nSet-Cookie: a=b"));
    return 0;
}

static int body_twice(void *context)
{
    (void)context;
    http_begin(&fixture.response, 200);
    (void)!http_body(&fixture.response);
    (void)!http_body(&fixture.response);
    return 0;
}

static void calls_out_of_order_abort(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*misuse)(void *context);
    } rows[] = {
        {"begin twice", begin_twice},
        {"begin after the body", begin_after_the_body},
        {"a header after the body", header_after_the_body},
        {"a header with a line break", header_with_a_line_break},
        {"a body twice", body_twice},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].name, run_in_child(rows[i].misuse, NULL), CHILD_SIGNAL + SIGABRT);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_variable_reaches_its_member),
        cmocka_unit_test(variables_that_were_not_sent_are_absent),
        cmocka_unit_test(the_name_of_a_variable_must_match_exactly),
        cmocka_unit_test(a_duplicate_credential_is_refused),
        cmocka_unit_test(a_credential_after_an_empty_one_is_a_duplicate),
        cmocka_unit_test(a_refused_request_is_filled_in_for_its_answer),
        cmocka_unit_test(the_last_of_other_duplicate_variables_counts),
        cmocka_unit_test(a_request_without_method_is_refused),
        cmocka_unit_test(a_request_without_variables_is_refused),
        cmocka_unit_test(the_address_is_the_last_untrusted_one),
        cmocka_unit_test(a_duplicate_forwarded_for_is_not_believed),
        cmocka_unit_test(without_a_peer_no_header_is_believed),
        cmocka_unit_test(queries_are_decoded_like_forms),
        cmocka_unit_test(every_escaped_byte_but_nul_is_decoded),
        cmocka_unit_test(a_query_is_not_read_past_its_length),
        cmocka_unit_test(without_memory_a_query_is_not_called_bad),
        cmocka_unit_test(cookies_are_found_by_their_complete_name),
        cmocka_unit_test(tags_are_compared_weakly),
        WITH_FIXTURE(a_response_is_status_headers_blank_line_body),
        WITH_FIXTURE(every_status_of_an_error_has_its_reason),
        WITH_FIXTURE(an_answer_to_head_has_no_body),
        WITH_FIXTURE(a_304_has_no_body),
        WITH_FIXTURE(http_end_empties_the_buffer),
        WITH_FIXTURE(the_buffer_shows_an_end_that_was_not_delivered),
        WITH_FIXTURE(the_sink_is_called_for_the_end),
        WITH_FIXTURE(calls_out_of_order_abort),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
