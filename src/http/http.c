// SPDX-License-Identifier: MIT
#include "http/http.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>

// ---- the request ----

static const struct known {
    struct str name;
    size_t member;
    const char *credential; // the header's name if duplicates must be refused; else NULL
} known_variables[] = {
// clang-format off
#define KNOWN(name, member) {STR(name), offsetof(struct http_request, member), NULL}
#define CREDENTIAL(name, member, header) {STR(name), offsetof(struct http_request, member), header}
    // clang-format on
    KNOWN("REQUEST_METHOD", method),
    KNOWN("PATH_INFO", path_info),
    KNOWN("QUERY_STRING", query),
    KNOWN("REMOTE_ADDR", remote_addr),
    CREDENTIAL("HTTP_X_BKAPI_AUTHORIZATION", bkapi_authorization, "X-Bkapi-Authorization"),
    CREDENTIAL("HTTP_X_BKAPI_JWT", bkapi_jwt, "X-Bkapi-JWT"),
    KNOWN("HTTP_X_FORWARDED_FOR", forwarded_for),
    KNOWN("HTTP_TRACEPARENT", traceparent),
    KNOWN("HTTP_X_REQUEST_ID", request_id),
    KNOWN("HTTP_X_BKAPI_REQUEST_ID", bkapi_request_id),
    KNOWN("HTTP_IF_NONE_MATCH", if_none_match),
    KNOWN("HTTP_BLUEKING_LANGUAGE", language),
    KNOWN("HTTP_COOKIE", cookie),
    KNOWN("CONTENT_TYPE", content_type),
    KNOWN("CONTENT_LENGTH", content_length),
#undef KNOWN
#undef CREDENTIAL
};

static const struct known *find_known(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(known_variables); i++) {
        if (str_equal(known_variables[i].name, name)) {
            return &known_variables[i];
        }
    }
    return NULL;
}

bool http_needs_variable(struct str name)
{
    return find_known(name) != NULL;
}

static struct str *member_of(struct http_request *request, const struct known *known)
{
    void *const member = (char *)request + known->member;
    return member;
}

int http_request_init(struct http_request *request, const struct http_var *vars, size_t count,
                      struct error *err)
{
    *request = (struct http_request){0};
    const char *duplicate = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct known *const known = find_known(vars[i].name);
        if (known == NULL) {
            continue;
        }
        struct str *const member = member_of(request, known);
        if (known->credential != NULL && !str_is_absent(*member)) {
            duplicate = known->credential;
        }
        if (member == &request->forwarded_for && !str_is_absent(*member)) {
            request->is_forwarded_twice = true;
        }
        *member = vars[i].value;
    }
    if (duplicate != NULL) {
        return error_set_subject(err, ERR_DUPLICATE_CREDENTIALS, str_from(duplicate),
                                 "duplicate header");
    }
    if (str_is_absent(request->method)) {
        return error_set_subject(err, ERR_BAD_REQUEST, STR("REQUEST_METHOD is missing"),
                                 "no REQUEST_METHOD");
    }
    return 0;
}

// Removes the last element from the comma-separated *LIST and returns it.
static struct str cut_last(struct str *list)
{
    const char *const comma = memrchr(list->ptr, ',', list->len);
    const size_t head = comma == NULL ? 0 : (size_t)(comma - list->ptr) + 1;
    const struct str last = str_trim(str_skip(*list, head));
    *list = comma == NULL ? STR_ABSENT : (struct str){list->ptr, head - 1};
    return last;
}

struct cidr_address http_client_address(const struct http_request *request,
                                        const struct cidr_list *trusted)
{
    struct cidr_address address = cidr_address_parse(request->remote_addr);
    struct str list = request->forwarded_for;
    if (request->is_forwarded_twice && cidr_list_has(trusted, address)) {
        return (struct cidr_address){.is_known = false};
    }
    // Each proxy appends the address of its peer. An untrusted peer may have invented everything
    // before its own address.
    while (!str_is_absent(list) && cidr_list_has(trusted, address)) {
        address = cidr_address_parse(cut_last(&list));
    }
    return address;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Returns the byte of the "%HH" at AT, or -1.
static int escaped_byte(struct str text, size_t at)
{
    if (text.len - at < 3) {
        return -1;
    }
    const int high = hex_digit(text.ptr[at + 1]);
    const int low = hex_digit(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static int decode_form_text(struct str text, struct arena *arena, struct str *decoded,
                            struct error *err)
{
    char *const bytes = arena_text(arena, text.len + 1);
    if (bytes == NULL) {
        return error_set(err, ERR_NO_MEMORY, "query string");
    }
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        int byte = (unsigned char)text.ptr[at];
        if (byte == '%') {
            byte = escaped_byte(text, at);
            at += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (byte <= 0) {
            return error_set(err, ERR_QUERY_FORMAT, "bad escape or NUL");
        }
        bytes[len++] = (char)byte;
    }
    *decoded = (struct str){bytes, len};
    return utf8_is_valid(*decoded) ? 0 : error_set(err, ERR_QUERY_FORMAT, "not UTF-8");
}

int http_query_next(struct str *query, struct arena *arena, struct str *name, struct str *value,
                    struct error *err)
{
    struct str pair = {NULL, 0};
    while (!str_is_absent(*query) && pair.len == 0) {
        pair = str_cut(query, '&');
    }
    if (pair.len == 0) {
        return 0;
    }
    const struct str raw_name = str_cut(&pair, '=');
    if (decode_form_text(raw_name, arena, name, err) != 0 ||
        decode_form_text(pair, arena, value, err) != 0) {
        return -1;
    }
    return 1;
}

struct str http_cookie(struct str cookies, struct str name)
{
    while (!str_is_absent(cookies)) {
        struct str value = str_trim(str_cut(&cookies, ';'));
        if (str_equal(str_cut(&value, '='), name)) {
            return value;
        }
    }
    return STR_ABSENT;
}

// Web servers that compress change the tag: Apache and lighttpd turn "TAG" into "TAG-gzip".
static bool is_coding_mark(struct str mark)
{
    static const struct str codings[] = {STR("gzip"), STR("br"), STR("zstd"), STR("deflate"),
                                         STR("bzip2")};
    if (mark.len == 0 || (mark.ptr[0] != '-' && mark.ptr[0] != ';')) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(codings); i++) {
        if (str_equal(str_skip(mark, 1), codings[i])) {
            return true;
        }
    }
    return false;
}

// Both tags include their quotes.
static bool is_same_tag(struct str candidate, struct str tag)
{
    const struct str unclosed = {tag.ptr, tag.len - 1};
    if (str_equal(candidate, tag)) {
        return true;
    }
    if (candidate.len < tag.len || !str_starts_with(candidate, unclosed) ||
        candidate.ptr[candidate.len - 1] != '"') {
        return false;
    }
    return is_coding_mark((struct str){candidate.ptr + unclosed.len, candidate.len - tag.len});
}

bool http_tag_matches(struct str if_none_match, struct str tag)
{
    // Our tags contain no comma, so no part of another tag can look like one.
    while (!str_is_absent(if_none_match)) {
        struct str candidate = str_trim(str_cut(&if_none_match, ','));
        if (str_starts_with(candidate, STR("W/"))) {
            candidate = str_skip(candidate, 2);
        }
        if (is_same_tag(candidate, tag) || str_equal(candidate, STR("*"))) {
            return true;
        }
    }
    return false;
}

// ---- the response ----

static const char *status_line(int status)
{
    switch (status) {
    case 200:
        return "Status: 200 OK\r\n";
    case 304:
        return "Status: 304 Not Modified\r\n";
    case 400:
        return "Status: 400 Bad Request\r\n";
    case 401:
        return "Status: 401 Unauthorized\r\n";
    case 403:
        return "Status: 403 Forbidden\r\n";
    case 404:
        return "Status: 404 Not Found\r\n";
    case 405:
        return "Status: 405 Method Not Allowed\r\n";
    case 413:
        return "Status: 413 Content Too Large\r\n";
    case 429:
        return "Status: 429 Too Many Requests\r\n";
    case 431:
        return "Status: 431 Request Header Fields Too Large\r\n";
    case 503:
        return "Status: 503 Service Unavailable\r\n";
    case 504:
        return "Status: 504 Gateway Timeout\r\n";
    default:
        return "Status: 500 Internal Server Error\r\n";
    }
}

static void put(struct outbuf *out, const char *text)
{
    outbuf_write(out, text, strlen(text));
}

void http_begin(struct http_response *response, int status)
{
    assert(response->state == HTTP_HEAD && response->status == 0);
    response->status = status;
    put(&response->out, status_line(status));
}

void http_header(struct http_response *response, const char *name, struct str value)
{
    assert(response->state == HTTP_HEAD && memchr(value.ptr, '\n', value.len) == NULL);
    put(&response->out, name);
    put(&response->out, ": ");
    outbuf_write(&response->out, value.ptr, value.len);
    put(&response->out, "\r\n");
}

struct outbuf *http_body(struct http_response *response)
{
    assert(response->state == HTTP_HEAD);
    response->state = HTTP_BODY;
    put(&response->out, "\r\n");
    return response->is_head_only || response->status == 304 ? NULL : &response->out;
}

void http_end(struct http_response *response)
{
    (void)outbuf_finish(&response->out);
}
