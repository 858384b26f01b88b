// SPDX-License-Identifier: MIT
// http: a request as a view on CGI/1.1 variables (RFC 3875), and a response that keeps head and
// body apart. Knows nothing of FastCGI, JSON or the product.
#ifndef BKFLOW_HTTP_HTTP_H
#define BKFLOW_HTTP_HTTP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/cidr.h"
#include "base/outbuf.h"

struct http_var {
    struct str name;
    struct str value;
};

// Borrowed from the variables; absent where the web server sent none.
struct http_request {
    struct str method;
    struct str path_info;
    struct str query;
    struct str remote_addr;
    struct str forwarded_for; // X-Forwarded-For
    bool is_forwarded_twice;  // X-Forwarded-For came more than once: which one the proxy wrote is
                              // unknown
    struct str bkapi_authorization; // X-Bkapi-Authorization
    struct str bkapi_jwt;           // X-Bkapi-JWT
    struct str traceparent;
    struct str request_id;       // X-Request-Id
    struct str bkapi_request_id; // X-Bkapi-Request-Id
    struct str if_none_match;
    struct str language; // blueking-language
    struct str cookie;
};

// Fills REQUEST as far as it can even when it fails, so that the error answer can use it. Fails
// with 400 when a variable that decides who is asking came twice: lighttpd makes one variable of
// X-Bkapi-JWT and X_Bkapi_JWT, and taking either would let a client smuggle. Of other doubled
// variables the last counts, as with other responders (nginx's samples rely on it).
int http_request_init(struct http_request *request, const struct http_var *vars, size_t count,
                      struct error *err) MUST_CHECK __attribute__((nonnull(1, 4)));

// The address that the request came from: the web server's peer or, where that is one of the
// TRUSTED proxies, the last address of X-Forwarded-For that is none of them. Not known where it is
// not an IP address, or where that header came twice, since a client may have added one.
struct cidr_address http_client_address(const struct http_request *request,
                                        const struct cidr_list *trusted) MUST_CHECK NONNULL;

// Cuts the next name=value pair off *QUERY and decodes it (application/x-www-form-urlencoded) into
// ARENA. 1: a pair, 0: the end, -1: not percent-encoded UTF-8 without NUL, or no memory.
int http_query_next(struct str *query, struct arena *arena, struct str *name, struct str *value,
                    struct error *err) MUST_CHECK NONNULL;

// The value of a cookie as it stands, absent when there is none of that name.
struct str http_cookie(struct str cookies, struct str name) MUST_CHECK;

// Whether an If-None-Match value (RFC 9110, section 13.1.2) names TAG, which has its quotes: weak
// comparison, lists, "*". A tag that a web server marked as compressed, "TAG-gzip", counts as TAG.
bool http_tag_matches(struct str if_none_match, struct str tag) MUST_CHECK;

enum http_state { HTTP_HEAD, HTTP_BODY };

// The answer to one request. First headers, then the body, never again headers.
struct http_response {
    struct outbuf out;
    enum http_state state;
    int status;
    bool is_head_only; // the client asked with HEAD
};

// Begins the head; must be the first call.
void http_begin(struct http_response *response, int status) NONNULL;

// VALUE must be free of line breaks, which every caller sees to before.
void http_header(struct http_response *response, const char *name, struct str value) NONNULL;

// Ends the head. The body's buffer, or NULL when this answer must have no body (HEAD, 304).
struct outbuf *http_body(struct http_response *response) MUST_CHECK NONNULL;

// Ends the answer; must be the last call. Whether all was delivered shows in the buffer.
void http_end(struct http_response *response) NONNULL;

#endif
