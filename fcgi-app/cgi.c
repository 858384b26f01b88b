// SPDX-License-Identifier: MIT
#include "cgi.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcgi_stdio.h>
#include <fcgiapp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

// The only call of FCGI_Accept. On a listening socket it would use libfcgi's own reader of
// requests, whose faults (such as CVE-2025-23016) must stay out of this process.
static int accept_cgi(void)
{
    return FCGX_IsCGI() ? FCGI_Accept() : -1;
}

static int write_stdout(void *context, char *bytes, size_t len, bool is_last)
{
    (void)context, (void)is_last;
    return FCGI_fwrite(bytes, 1, len, FCGI_stdout) == len ? 0 : -1;
}

static size_t count_entries(char *const *environment)
{
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    return count;
}

// Converts the environment to variables; NULL if out of memory.
static struct http_var *read_environment(char *const *environment, size_t count)
{
    struct http_var *const vars = calloc(count + 1, sizeof *vars);
    for (size_t i = 0; vars != NULL && i < count; i++) {
        struct str value = str_from(environment[i]);
        const struct str name = str_cut(&value, '=');
        vars[i] = (struct http_var){name, value};
    }
    return vars;
}

// Waits until standard input is readable or at its end; false if it is neither when the time is
// over.
static bool wait_for_input(int64_t end_us)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const int64_t left_us = end_us - clock_monotonic_us();
    return poll(&input, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0) > 0;
}

// A body as far as it came.
struct body {
    char *bytes; // NULL: out of memory
    size_t len;
    bool is_too_large; // larger than max_request_bytes
};

// Reads up to ROOM bytes. Stops after client_timeout: the body may be shorter than CONTENT_LENGTH
// while the pipe stays open.
static void fill(struct body *body, size_t room, const struct conf *conf)
{
    const int64_t end_us = clock_monotonic_us() + conf->server.client_timeout_ms * 1000;
    while (body->len < room && wait_for_input(end_us)) {
        const ssize_t got = read(STDIN_FILENO, body->bytes + body->len, room - body->len);
        if (got <= 0) {
            return;
        }
        body->len += (size_t)got;
    }
}

// Returns the length of the body, at most LIMIT. If the server was sent it in chunks, its length is
// not known: its end is that of standard input.
static size_t expected_length(size_t limit)
{
    const char *const text = getenv("CONTENT_LENGTH");
    const char *const method = getenv("REQUEST_METHOD");
    if (text == NULL || *text == '\0') {
        return method != NULL && strcmp(method, "POST") == 0 ? limit : 0;
    }
    const long long length = strtoll(text, NULL, 10);
    return length < 0 ? 0 : length > (long long)limit ? limit : (size_t)length;
}

// Most calls have no body, but some web servers fail a request whose body was not read.
static struct body read_body(const struct conf *conf)
{
    const size_t max = (size_t)conf->server.max_request_bytes;
    const size_t room = expected_length(max + 1);
    struct body body = {.bytes = malloc(room + 1)};
    if (body.bytes != NULL) {
        fill(&body, room, conf);
    }
    body.is_too_large = body.len > max;
    return body;
}

static void handle(struct service *service, const struct http_var *vars, size_t count,
                   const struct body *body, struct http_response *response)
{
    if (body->is_too_large) {
        service_handle_refused(service, ERR_BODY_TOO_LARGE, response);
    } else if (body->bytes == NULL) {
        service_handle_refused(service, ERR_NO_MEMORY, response);
    } else {
        service_handle(service, vars, count, (struct str){body->bytes, body->len}, response);
    }
}

int cgi_run(struct worker *worker, char *const *environment)
{
    const size_t count = count_entries(environment);
    struct http_var *const vars = read_environment(environment, count);
    char *const buffer = malloc(WORKER_BUFFER_BYTES);
    if (vars == NULL || buffer == NULL || accept_cgi() < 0) {
        free(vars);
        free(buffer);
        cgi_answer_500();
        return EXIT_FAILURE;
    }
    struct http_response response = {0};
    outbuf_init(&response.out, buffer, WORKER_BUFFER_BYTES, write_stdout, NULL);
    struct service *const service = worker_service(worker);
    const struct body body = read_body(service->conf);
    handle(service, vars, count, &body, &response);
    const bool is_sent = !outbuf_has_failed(&response.out) && FCGI_fflush(FCGI_stdout) == 0;
    free(vars);
    free(buffer);
    free(body.bytes);
    return is_sent ? EXIT_SUCCESS : EXIT_FAILURE;
}

void cgi_answer_500(void)
{
    static char answer[] =
        "Status: 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        "{\"result\":false,\"message\":\"Internal error\",\"code\":50001,\"data\":null,\"trace_id\":\"\"}";
    if (accept_cgi() < 0 || write_stdout(NULL, answer, sizeof answer - 1, true) != 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "not even an error answer could be written",
                  LOG_NUMBER("code", 50001));
    }
}
