// SPDX-License-Identifier: MIT
#include "cgi.h"

#include "base/log.h"

#include <fcgi_stdio.h>
#include <fcgiapp.h>
#include <stdlib.h>

// FCGI_Accept on a listening socket would read requests with libfcgi's own reader, whose faults
// (CVE-2025-23016 for one) are to stay out of this process. The only call of it.
static int accept_cgi(void)
{
    return FCGX_IsCGI() ? FCGI_Accept() : -1;
}

static int write_stdout(void *context, const char *bytes, size_t len)
{
    (void)context;
    return FCGI_fwrite((void *)(uintptr_t)bytes, 1, len, FCGI_stdout) == len ? 0 : -1;
}

static size_t count_entries(char *const *environment)
{
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    return count;
}

// Variables of the environment; NULL when memory is short.
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

// Takes the body off the web server's hands, up to a bound: some take it badly when a program ends
// without having read it. What it says does not matter, no call of ours has a body.
static void discard_body(const struct conf *conf)
{
    const char *const length = getenv("CONTENT_LENGTH");
    long long left = length == NULL ? 0 : strtoll(length, NULL, 10);
    left = left > conf->server.max_request_bytes ? conf->server.max_request_bytes : left;
    char bytes[4096];
    while (left > 0) {
        const size_t want = left < (long long)sizeof bytes ? (size_t)left : sizeof bytes;
        const size_t got = FCGI_fread(bytes, 1, want, FCGI_stdin);
        if (got == 0) {
            return;
        }
        left -= (long long)got;
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
        cgi_apologize();
        return EXIT_FAILURE;
    }
    struct http_response response = {0};
    outbuf_init(&response.out, buffer, WORKER_BUFFER_BYTES, write_stdout, NULL);
    struct service *const service = worker_service(worker);
    discard_body(service->conf);
    service_handle(service, vars, count, &response);
    const bool is_sent = !response.out.failed && FCGI_fflush(FCGI_stdout) == 0;
    free(vars);
    free(buffer);
    return is_sent ? EXIT_SUCCESS : EXIT_FAILURE;
}

void cgi_apologize(void)
{
    static const char answer[] =
        "Status: 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        "{\"result\":false,\"message\":\"Internal error\",\"code\":50001,\"data\":null,\"trace_id\":\"\"}";
    if (accept_cgi() < 0 || write_stdout(NULL, answer, sizeof answer - 1) != 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "not even an error answer could be written",
                  LOG_NUMBER("code", 50001));
    }
}
