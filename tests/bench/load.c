// SPDX-License-Identifier: MIT
// A FastCGI load generator: asks for the states of tasks drawn at random from a file of lines
// "task_id ...", over N connections in one epoll loop, and checks every answer.
//
// Closed loop: each connection asks again as soon as it has its answer. With --rate: open loop,
// requests fall due at even distances, and a latency counts from the moment its request was due, so
// waiting for a connection is in it. With --etag each task's tag is learned before the measurement
// and sent as If-None-Match; every answer must be 304. With --tokens the lines of a file are sent
// as gateway tokens, in turn, instead of the credentials. With --same-length a task's answers must
// be as long as its first.
//
// Prints the line "measuring" when the measured part begins and one line of JSON at its end.
#define _GNU_SOURCE
#include "common.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 65536, TAG_BYTES = 96 };

struct task {
    char id[24];
    char tag[TAG_BYTES];
    size_t body_bytes; // of the first answer; 0: none yet
};

enum state { CLOSED, IDLE, BUSY };

struct connection {
    int fd;
    enum state state;
    struct task *task;
    double due;
    struct answer answer;
};

static struct {
    char *socket, *host, *credentials, *tasks_path, *tokens_path;
    int port, connections;
    int requests; // 0: as many as the time allows
    double seconds, rate;
    int no_keep, etag, same_length;
} opt = {.connections = 16, .seconds = 3, .credentials = ""};

static struct task *tasks;
static size_t task_count;
static char **tokens;
static size_t token_count, next_token;
static struct connection *connections;
static int epoll_fd;
static int learning;

static struct results {
    long sent, answered, errors;
    unsigned long long bytes;
    char first_error[512];
    struct latencies latencies;
} results;

static void fail(const char *what)
{
    die(what, strerror(errno));
}

// ---- the request ----

static size_t put_request(unsigned char *out, const struct task *task)
{
    struct param more[3] = {{"HTTP_X_BKAPI_AUTHORIZATION", opt.credentials}};
    if (token_count > 0) {
        more[0] = (struct param){"HTTP_X_BKAPI_JWT", tokens[next_token++ % token_count]};
    }
    if (opt.etag && !learning) {
        more[1] = (struct param){"HTTP_IF_NONE_MATCH", task->tag};
    }
    return request_put(out, task->id, "", !opt.no_keep, more);
}

// ---- connections ----

static int open_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, opt.host, &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail(opt.host);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void open_connection(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = opt.socket != NULL ? connect_unix(opt.socket) : open_tcp();
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll_ctl");
    }
    c->state = IDLE;
}

static void close_connection(struct connection *c)
{
    close(c->fd);
    c->state = CLOSED;
}

static void ask(struct connection *c, struct task *task, double due)
{
    unsigned char request[REQUEST_BYTES];
    size_t n = put_request(request, task);
    if (c->state == CLOSED) {
        open_connection(c);
    }
    c->state = BUSY;
    c->task = task;
    c->due = due;
    answer_begin(&c->answer);
    // A request is far smaller than a socket's buffer: it goes in one piece.
    if (write(c->fd, request, n) != (ssize_t)n) {
        fail("write");
    }
    results.sent++;
}

// ---- the answer ----

static void note_error(const struct connection *c, const char *what)
{
    if (results.errors++ == 0) {
        snprintf(results.first_error, sizeof(results.first_error), "task %s: %s: %.60s",
                 c->task->id, what, c->answer.head);
    }
}

static void learn_tag(struct connection *c)
{
    const char *tag = answer_header(&c->answer, "ETag");
    if (tag == NULL) {
        note_error(c, "no ETag");
        return;
    }
    size_t n = strcspn(tag, "\r\n");
    if (n >= TAG_BYTES) {
        n = TAG_BYTES - 1;
    }
    memcpy(c->task->tag, tag, n);
    c->task->tag[n] = '\0';
}

static void check_answer(struct connection *c)
{
    int expects_304 = opt.etag && !learning;
    if (answer_status(&c->answer) != (expects_304 ? 304 : 200)) {
        note_error(c, "status");
    } else if (expects_304 && c->answer.body_bytes != 0) {
        note_error(c, "304 with a body");
    } else if (!expects_304 && !answer_is_success(&c->answer)) {
        note_error(c, "body");
    } else if (opt.same_length && c->task->body_bytes != 0 &&
               c->task->body_bytes != c->answer.body_bytes) {
        note_error(c, "body length changed");
    }
    if (c->task->body_bytes == 0) {
        c->task->body_bytes = c->answer.body_bytes;
    }
    if (learning) {
        learn_tag(c);
    }
}

// ---- the loop ----

static void finish_answer(struct connection *c)
{
    check_answer(c);
    latencies_add(&results.latencies, now() - c->due);
    results.answered++;
    c->state = IDLE;
    if (opt.no_keep) {
        close_connection(c);
    }
}

// Whether an answer has become complete.
static int read_connection(struct connection *c)
{
    static char buffer[READ_BYTES];
    ssize_t n = read(c->fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EAGAIN) {
        return 0;
    }
    if (n <= 0) {
        int was_busy = c->state == BUSY;
        if (was_busy) {
            note_error(c, "connection closed before END_REQUEST");
            results.answered++;
        }
        close_connection(c);
        return was_busy;
    }
    results.bytes += (unsigned long long)n;
    answer_take(&c->answer, buffer, (size_t)n);
    if (c->answer.has_ended) {
        finish_answer(c);
    }
    return c->answer.has_ended;
}

static struct task *random_task(void)
{
    static uint64_t state = 88172645463325252ULL;
    return &tasks[next_random(&state) % task_count];
}

static void wait_and_read(double until)
{
    struct epoll_event events[256];
    double left = until - now();
    struct timespec timeout = {0, 0};
    if (left > 0) {
        timeout.tv_sec = (time_t)left;
        timeout.tv_nsec = (long)((left - (double)timeout.tv_sec) * 1e9);
    }
    int n = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
    for (int i = 0; i < n; i++) {
        read_connection(events[i].data.ptr);
    }
}

static struct connection *free_connection(void)
{
    static int at;
    for (int i = 0; i < opt.connections; i++) {
        struct connection *c = &connections[at++ % opt.connections];
        if (c->state != BUSY) {
            return c;
        }
    }
    return NULL;
}

static int is_over(double end)
{
    return now() >= end || (opt.requests > 0 && results.sent >= opt.requests);
}

static void run_closed_loop(double end)
{
    struct connection *c;
    while (!is_over(end)) {
        while ((c = free_connection()) != NULL && !is_over(end)) {
            ask(c, random_task(), now());
        }
        wait_and_read(end);
    }
}

static void run_open_loop(double end)
{
    double due = now(), distance = 1 / opt.rate;
    while (!is_over(end)) {
        struct connection *c = free_connection();
        if (c == NULL) {
            wait_and_read(end); // only an answer can help
        } else if (due > now()) {
            wait_and_read(due);
        } else {
            ask(c, random_task(), due);
            due += distance;
        }
    }
}

static void wait_for_the_rest(void)
{
    double end = now() + 30;
    while (results.answered < results.sent && now() < end) {
        wait_and_read(end);
    }
    for (; results.answered < results.sent; results.sent--) {
        results.errors++;
    }
}

static void learn_tags(void)
{
    struct connection *c;
    learning = 1;
    for (size_t i = 0; i < task_count; i++) {
        while ((c = free_connection()) == NULL) {
            wait_and_read(now() + 1);
        }
        ask(c, &tasks[i], now());
    }
    wait_for_the_rest();
    learning = 0;
    if (results.errors > 0) {
        fprintf(stderr, "load: %s\n", results.first_error);
        exit(1);
    }
    results.sent = results.answered = 0;
    results.bytes = 0;
    results.latencies.count = 0;
}

// ---- start and end ----

static void report(double elapsed, double cpu)
{
    const double answered = (double)results.answered;
    if (results.latencies.count == 0) {
        die("load", "no answer");
    }
    printf("{\"requests\": %ld, \"errors\": %ld, \"rate\": %.1f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"bytes\": %llu, \"cpu_us\": %.2f}\n",
           results.answered, results.errors, answered / elapsed,
           latencies_percentile(&results.latencies, 50),
           latencies_percentile(&results.latencies, 99), results.bytes, cpu * 1e6 / answered);
    if (results.errors > 0) {
        fprintf(stderr, "load: the first error: %s\n", results.first_error);
    }
}

static void read_tasks(const char *path)
{
    FILE *f = fopen(path, "r");
    struct task task = {0};
    if (f == NULL) {
        fail(path);
    }
    while (fscanf(f, "%23s%*[^\n]", task.id) == 1) {
        tasks = realloc(tasks, (task_count + 1) * sizeof(*tasks));
        if (tasks == NULL) {
            fail(path);
        }
        tasks[task_count++] = task;
    }
    fclose(f);
}

static void read_tokens(const char *path)
{
    FILE *f = fopen(path, "r");
    char *token;
    if (f == NULL) {
        fail(path);
    }
    while (fscanf(f, "%ms", &token) == 1) {
        tokens = realloc(tokens, (token_count + 1) * sizeof(*tokens));
        if (tokens == NULL) {
            fail(path);
        }
        tokens[token_count++] = token;
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    (void)argc;
    parse_options(argv, (const struct option_entry[]){
                            {"socket", OPTION_TEXT, &opt.socket},
                            {"host", OPTION_TEXT, &opt.host},
                            {"port", OPTION_NUMBER, &opt.port},
                            {"tasks", OPTION_TEXT, &opt.tasks_path},
                            {"credentials", OPTION_TEXT, &opt.credentials},
                            {"tokens", OPTION_TEXT, &opt.tokens_path},
                            {"connections", OPTION_NUMBER, &opt.connections},
                            {"seconds", OPTION_REAL, &opt.seconds},
                            {"requests", OPTION_NUMBER, &opt.requests},
                            {"rate", OPTION_REAL, &opt.rate},
                            {"no-keep", OPTION_FLAG, &opt.no_keep},
                            {"etag", OPTION_FLAG, &opt.etag},
                            {"same-length", OPTION_FLAG, &opt.same_length},
                            {NULL, OPTION_FLAG, NULL},
                        });
    if (opt.tasks_path == NULL || opt.connections < 1 || (opt.socket == NULL && opt.host == NULL)) {
        die("usage",
            "load --socket PATH | --host ADDRESS --port N, --tasks FILE [--credentials JSON | --tokens FILE] "
            "[--connections N] [--seconds S] [--requests N] [--rate N] [--no-keep] [--etag] "
            "[--same-length]");
    }
    read_tasks(opt.tasks_path);
    if (opt.tokens_path != NULL) {
        read_tokens(opt.tokens_path);
    }
    prctl(PR_SET_TIMERSLACK, 1); // or the open loop's distances grow by 50 us
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)opt.connections, sizeof *connections);
    if (connections == NULL || epoll_fd < 0 || task_count == 0) {
        die("load", "no memory, no epoll or no task");
    }
    if (opt.etag) {
        learn_tags();
    }
    puts("measuring");
    fflush(stdout);
    const double start = now(), cpu = cpu_seconds();
    (opt.rate > 0 ? run_open_loop : run_closed_loop)(start + opt.seconds);
    wait_for_the_rest();
    report(now() - start, cpu_seconds() - cpu);
    return 0;
}
