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

// The strings are borrowed from the variables; absent if the web server sent none.
struct http_request {
    struct str method;
    struct str path_info;
    struct str query;
    struct str remote_addr;
    struct str forwarded_for;       // X-Forwarded-For
    bool is_forwarded_twice;        // X-Forwarded-For came more than once
    struct str bkapi_authorization; // X-Bkapi-Authorization
    struct str bkapi_jwt;           // X-Bkapi-JWT
    struct str traceparent;
    struct str request_id;       // X-Request-Id
    struct str bkapi_request_id; // X-Bkapi-Request-Id
    struct str if_none_match;
    struct str language; // blueking-language
    struct str cookie;
    struct str content_type;
    struct str content_length; // as it was given
    struct str body;           // what came, whatever content_length says; set by the service
};

// Fills in REQUEST, as far as possible even on failure, so that the error answer can use it. Fails
// with 400 if a credential header came twice: lighttpd makes one variable of X-Bkapi-JWT and
// X_Bkapi_JWT, and accepting either would let a client smuggle one in. Of other duplicate variables
// the last one counts, as in other responders; the nginx samples rely on it.
int http_request_init(struct http_request *request, const struct http_var *vars, size_t count,
                      struct error *err) MUST_CHECK __attribute__((nonnull(1, 4)));

// Whether http_request_init reads the variable of this name.
bool http_needs_variable(struct str name) MUST_CHECK;

// Returns the client's address: the web server's peer or, if that is one of the TRUSTED proxies,
// the last untrusted address of X-Forwarded-For. Unknown if it is not an IP address, or if the
// header came twice, because a client may have added one.
struct cidr_address http_client_address(const struct http_request *request,
                                        const struct cidr_list *trusted) MUST_CHECK NONNULL;

// Removes the next name=value pair from *QUERY and decodes it (application/x-www-form-urlencoded)
// into ARENA. Returns 1 for a pair, 0 at the end, -1 if the text is not percent-encoded UTF-8
// without NUL, or memory is exhausted.
int http_query_next(struct str *query, struct arena *arena, struct str *name, struct str *value,
                    struct error *err) MUST_CHECK NONNULL;

// Returns the value of a cookie without decoding it; absent if there is no such cookie.
struct str http_cookie(struct str cookies, struct str name) MUST_CHECK;

// Whether an If-None-Match value (RFC 9110, section 13.1.2) matches TAG, which includes its quotes:
// weak comparison, lists, "*". "TAG-gzip", which a web server makes when it compresses, matches
// too.
bool http_tag_matches(struct str if_none_match, struct str tag) MUST_CHECK;

enum http_state { HTTP_HEAD, HTTP_BODY };

// The answer to one request: first the headers, then the body.
struct http_response {
    struct outbuf out;
    enum http_state state;
    int status;
    bool is_head_only; // the client asked with HEAD
};

// Begins the head; must be the first call.
void http_begin(struct http_response *response, int status) NONNULL;

// VALUE must not contain line breaks; the caller is responsible for that.
void http_header(struct http_response *response, const char *name, struct str value) NONNULL;

// Ends the head. Returns the buffer for the body, or NULL if the answer must not have one (HEAD,
// 304).
struct outbuf *http_body(struct http_response *response) MUST_CHECK NONNULL;

// Ends the answer; must be the last call. outbuf_has_failed tells whether it was delivered.
void http_end(struct http_response *response) NONNULL;

#endif
