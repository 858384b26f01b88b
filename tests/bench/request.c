// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "request.h"

#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

// ---- the request ----

static size_t put_header(unsigned char *out, int type, size_t length)
{
    FCGI_Header header = {.version = FCGI_VERSION_1,
                          .type = (unsigned char)type,
                          .requestIdB0 = 1,
                          .contentLengthB1 = (unsigned char)(length >> 8),
                          .contentLengthB0 = (unsigned char)length};

    memcpy(out, &header, sizeof header);
    return sizeof header;
}

static size_t put_length(unsigned char *out, size_t n)
{
    if (n < 128) {
        out[0] = (unsigned char)n;
        return 1;
    }
    out[0] = (unsigned char)(n >> 24 | 0x80);
    out[1] = (unsigned char)(n >> 16);
    out[2] = (unsigned char)(n >> 8);
    out[3] = (unsigned char)n;
    return 4;
}

static size_t put_pair(unsigned char *out, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    size_t n = put_length(out, name_len);
    n += put_length(out + n, value_len);
    memcpy(out + n, name, name_len);
    memcpy(out + n + name_len, value, value_len);
    return n + name_len + value_len;
}

// What nginx sends for such a request.
static size_t put_params(unsigned char *out, const char *task_id, const char *query,
                         const struct param *more)
{
    static const char *const fixed[][2] = {
        {"SCRIPT_NAME", "/bkflow"},
        {"REQUEST_METHOD", "GET"},
        {"CONTENT_TYPE", ""},
        {"CONTENT_LENGTH", ""},
        {"SERVER_PROTOCOL", "HTTP/1.1"},
        {"SERVER_SOFTWARE", "nginx"},
        {"SERVER_NAME", "localhost"},
        {"SERVER_PORT", "80"},
        {"GATEWAY_INTERFACE", "CGI/1.1"},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"REMOTE_PORT", "40000"},
        {"HTTP_HOST", "localhost"},
        {"HTTP_USER_AGENT", "bench"},
        {"HTTP_ACCEPT", "*/*"},
    };
    char path[64], uri[80];
    size_t n = 0;
    snprintf(path, sizeof(path), "/task/%s/get_task_states_by_app/", task_id);
    snprintf(uri, sizeof(uri), "/bkflow%s", path);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        n += put_pair(out + n, fixed[i][0], fixed[i][1]);
    }
    n += put_pair(out + n, "PATH_INFO", path);
    n += put_pair(out + n, "REQUEST_URI", uri);
    n += put_pair(out + n, "QUERY_STRING", query);
    for (; more->name != NULL; more++) {
        n += put_pair(out + n, more->name, more->value);
    }
    return n;
}

size_t request_put(unsigned char out[REQUEST_BYTES], const char *task_id, const char *query,
                   int keeps, const struct param *more)
{
    FCGI_BeginRequestBody begin = {.roleB0 = FCGI_RESPONDER, .flags = keeps ? FCGI_KEEP_CONN : 0};
    size_t n = put_header(out, FCGI_BEGIN_REQUEST, sizeof begin);
    memcpy(out + n, &begin, sizeof begin);
    n += sizeof begin;
    size_t params = put_params(out + n + FCGI_HEADER_LEN, task_id, query, more);
    n += put_header(out + n, FCGI_PARAMS, params) + params;
    n += put_header(out + n, FCGI_PARAMS, 0);
    n += put_header(out + n, FCGI_STDIN, 0);
    return n;
}

// ---- the answer ----

void answer_begin(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
}

const char *answer_header(const struct answer *answer, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = answer->head; line != NULL; line = strchr(line, '\n')) {
        line += line != answer->head;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            return line + n + 1 + strspn(line + n + 1, " ");
        }
    }
    return NULL;
}

int answer_status(const struct answer *answer)
{
    const char *status = answer_header(answer, "Status");
    return status == NULL ? 200 : atoi(status);
}

int answer_is_success(const struct answer *answer)
{
    static const char good[] = "{\"result\":true";
    return answer->body_bytes >= BODY_START_BYTES &&
           memcmp(answer->body_start, good, sizeof(good) - 1) == 0;
}

static void take_body(struct answer *answer, const char *data, size_t n)
{
    if (answer->body_bytes < BODY_START_BYTES) {
        size_t part = BODY_START_BYTES - answer->body_bytes;
        memcpy(answer->body_start + answer->body_bytes, data, n < part ? n : part);
    }
    answer->body_bytes += n;
}

// Collect the head; what follows its blank line is body.
static void take_stdout(struct answer *answer, const char *data, size_t n)
{
    if (answer->in_body) {
        take_body(answer, data, n);
        return;
    }
    size_t before = answer->head_bytes, part = HEAD_BYTES - before < n ? HEAD_BYTES - before : n;
    memcpy(answer->head + before, data, part);
    answer->head_bytes += part;
    answer->head[answer->head_bytes] = '\0';
    char *end = strstr(answer->head, "\r\n\r\n");
    if (end == NULL) {
        return;
    }
    size_t head_bytes = (size_t)(end - answer->head) + 4;
    end[2] = '\0';
    answer->in_body = 1;
    take_body(answer, data + (head_bytes - before), n - (head_bytes - before));
}

static size_t take_record_header(struct answer *answer, const char *data, size_t n)
{
    size_t part = FCGI_HEADER_LEN - answer->record_have;
    part = n < part ? n : part;
    memcpy(answer->record + answer->record_have, data, part);
    answer->record_have += part;
    if (answer->record_have == FCGI_HEADER_LEN) {
        answer->content_left = (size_t)answer->record[4] << 8 | answer->record[5];
        answer->padding_left = answer->record[6];
    }
    return part;
}

static size_t take_content(struct answer *answer, const char *data, size_t n)
{
    size_t part = n < answer->content_left ? n : answer->content_left;
    if (answer->record[1] == FCGI_STDOUT && part > 0) {
        take_stdout(answer, data, part);
    }
    answer->content_left -= part;
    return part;
}

// Walk through the records in these bytes.
void answer_take(struct answer *answer, const char *data, size_t n)
{
    while (n > 0) {
        size_t used;
        if (answer->record_have < FCGI_HEADER_LEN) {
            used = take_record_header(answer, data, n);
        } else if (answer->content_left > 0) {
            used = take_content(answer, data, n);
        } else {
            answer->padding_left -= used = n < answer->padding_left ? n : answer->padding_left;
        }
        data += used;
        n -= used;
        if (answer->record_have == FCGI_HEADER_LEN && answer->content_left == 0 &&
            answer->padding_left == 0) {
            answer->has_ended |= answer->record[1] == FCGI_END_REQUEST;
            answer->record_have = 0;
        }
    }
}

// ---- connections ----

int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        die(path, strerror(errno));
    }
    return fd;
}
