// SPDX-License-Identifier: MIT
// Clients that wait for changes of running tasks, each over a FastCGI connection of its own and all
// in one epoll loop. Tasks come from a file of lines "task_id root_id" and have the same number of
// clients each. Every second task is asked for with the second credentials. A client asks once for
// the states and their version, then waits for the version to change, and so on. The first waits
// end evenly spread over the time of a wait, as if the clients had always been there. With --poll
// the clients ask every so many seconds instead.
//
// With --changes a thread changes that many tasks a second, one after the other, through a database
// connection of its own. A latency is the time from its commit to the answer of each client that
// waits for this task. Every change must reach each of them.
//
// Prints "measuring" when all clients wait, and one line of JSON at the end.
#define _GNU_SOURCE
#include "common.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    READ_BYTES = 65536,
    EVENTS = 256,
    BURST = 64,
    VERSION_BYTES = 33,
    LOOK_MS = 1 // clients that ask together by chance would share statements
};

#define FIRST_SECONDS  2.0 // of changes, until the responder knows that there are changes
#define SETTLE_SECONDS 8.0
#define LAST_SECONDS   30.0 // after the last change, at most
#define EARLY_SECONDS  1.0  // an answer that comes so much before the end of the wait is early
#define PAUSE_SECONDS  2.0  // after an early answer

struct task {
    char id[24];
    char root[64];
    _Atomic double changed; // when the last change was committed; 0: never
};

struct client {
    int fd;
    struct task *task;
    struct answer answer;
    char version[VERSION_BYTES];
    double asked, wait;
    double due; // when it asks again; 0: it has asked
};

static struct {
    char *socket, *credentials, *second_credentials, *tasks_path, *db_socket, *user, *password,
        *database;
    int connections;
    double seconds, wait, poll, changes;
} opt = {.connections = 10000, .seconds = 10, .wait = 50, .credentials = ""};

static struct task *tasks;
static size_t task_count;
static struct client *clients;
static int epoll_fd;
static size_t known; // clients that have a version
static atomic_int stops_changing;
static atomic_long changes;
static double counts_from; // latencies of later answers count

static struct results {
    long answers, changed, same, early, errors;
    char first_error[256];
    struct latencies latencies;
} results;

static void fail(const char *what)
{
    die(what, strerror(errno));
}

// ---- changes ----

static MYSQL *connect_database(void)
{
    MYSQL *db = mysql_init(NULL);
    if (mysql_real_connect(db, NULL, opt.user, opt.password, opt.database, 0, opt.db_socket, 0) ==
        NULL) {
        die("changes", mysql_error(db));
    }
    return db;
}

static void change(MYSQL *db, struct task *task)
{
    char sql[256];
    snprintf(sql, sizeof sql, "UPDATE eri_state SET retry = retry + 1 WHERE node_id = '%s'",
             task->root);
    if (mysql_query(db, sql) != 0 || mysql_affected_rows(db) != 1) {
        die("changes", mysql_error(db));
    }
    atomic_store(&task->changed, now());
    atomic_fetch_add(&changes, 1);
}

static void sleep_until(double time)
{
    double left = time - now();
    if (left > 0) {
        struct timespec pause = {.tv_sec = (time_t)left,
                                 .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        nanosleep(&pause, NULL);
    }
}

static void *run_changes(void *unused)
{
    MYSQL *db = connect_database();
    double due = now();
    (void)unused;
    for (size_t i = 0; !stops_changing; i++) {
        change(db, &tasks[i % task_count]);
        sleep_until(due += 1 / opt.changes);
    }
    mysql_close(db);
    return NULL;
}

// ---- asking ----

static void open_client(struct client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = connect_unix(opt.socket);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

static void ask(struct client *c)
{
    unsigned char request[REQUEST_BYTES];
    const char *credentials = (c->task - tasks) % 2 ? opt.second_credentials : opt.credentials;
    const struct param more[] = {{"HTTP_X_BKAPI_AUTHORIZATION", credentials}, {NULL, NULL}};
    char query[96] = "";
    if (opt.poll == 0 && c->version[0] != '\0') {
        snprintf(query, sizeof query, "wait=%.0fms&version=%s", c->wait * 1000, c->version);
    }
    size_t n = request_put(request, c->task->id, query, 1, more);
    answer_begin(&c->answer);
    c->asked = now();
    c->due = 0;
    if (write(c->fd, request, n) != (ssize_t)n) {
        fail("write");
    }
}

// ---- answers ----

static void note_error(const struct client *c, const char *what)
{
    if (results.errors++ == 0) {
        snprintf(results.first_error, sizeof results.first_error, "task %s: %s: %.100s",
                 c->task->id, what, c->answer.head);
    }
}

static void take_change(struct client *c, double time)
{
    double changed = atomic_load(&c->task->changed);
    results.changed++;
    if (opt.poll == 0 && changed > 0 && time > counts_from) {
        latencies_add(&results.latencies, time > changed ? time - changed : 0);
    }
}

// The client's rule: it pauses after an answer that is early and brings nothing new.
static void take_same(struct client *c, double time)
{
    results.same++;
    if (opt.poll == 0 && time - c->asked < c->wait - EARLY_SECONDS) {
        results.early++;
        c->due = time + PAUSE_SECONDS;
    }
}

// Ends where a wait of the usual length would end that began earlier: the responder ends waits of
// 32 to 64 seconds in steps of 2^19 microseconds.
static double first_wait(double time, double wait)
{
    double step = 0.524288;
    double end = ceil((time + (wait < EARLY_SECONDS ? EARLY_SECONDS : wait)) / step) * step;
    return end - time - 0.002;
}

static void take_version(struct client *c, const char *version, double time)
{
    const int is_first = c->version[0] == '\0';
    const double part = (double)(c - clients + 1) / opt.connections; // spreads the clients
    const int is_same = strncmp(c->version, version, VERSION_BYTES - 1) == 0;
    memcpy(c->version, version, VERSION_BYTES - 1);
    c->due = opt.poll > 0 ? c->asked + opt.poll : time;
    if (is_first) {
        known++;
        c->wait = first_wait(time, opt.wait * part);
        c->due = time + opt.poll * part;
        return;
    }
    if (is_same) {
        take_same(c, time);
    } else {
        take_change(c, time);
    }
    c->wait = opt.wait;
}

static void take_answer(struct client *c)
{
    const char *version = answer_header(&c->answer, "X-States-Version");
    double time = now();
    results.answers++;
    if (answer_status(&c->answer) != 200 || !answer_is_success(&c->answer)) {
        note_error(c, "no success");
        c->due = time + PAUSE_SECONDS;
    } else if (version == NULL || strlen(version) < VERSION_BYTES - 1) {
        note_error(c, "no version");
        c->due = time + PAUSE_SECONDS;
    } else {
        take_version(c, version, time);
    }
}

static void read_client(struct client *c)
{
    static char buffer[READ_BYTES];
    ssize_t n = read(c->fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        die("waiters", "a connection was closed");
    }
    answer_take(&c->answer, buffer, (size_t)n);
    if (c->answer.has_ended) {
        take_answer(c);
        if (c->due <= now()) {
            ask(c);
        }
    }
}

// ---- the loop ----

static void ask_those_due(void)
{
    double time = now();
    for (int i = 0; i < opt.connections; i++) {
        if (clients[i].due > 0 && clients[i].due <= time) {
            ask(&clients[i]);
        }
    }
}

static void run_until(double end)
{
    struct epoll_event events[EVENTS];
    double next_look = 0;
    while (now() < end) {
        int n = epoll_wait(epoll_fd, events, EVENTS, LOOK_MS);
        for (int i = 0; i < n; i++) {
            read_client(events[i].data.ptr);
        }
        if (now() >= next_look) {
            ask_those_due();
            next_look = now() + LOOK_MS * 1e-3;
        }
    }
}

// A few at a time, so that nobody measures the crowd at the door.
static void start_clients(void)
{
    for (int i = 0; i < opt.connections; i += BURST) {
        int end = i + BURST < opt.connections ? i + BURST : opt.connections;
        for (int j = i; j < end; j++) {
            clients[j] = (struct client){.task = &tasks[(size_t)j % task_count]};
            open_client(&clients[j]);
            ask(&clients[j]);
        }
        double limit = now() + 30;
        while (known < (size_t)end && now() < limit && results.errors == 0) {
            run_until(now() + 0.001);
        }
        if (known < (size_t)end) {
            die("waiters: not all clients were answered", results.first_error);
        }
    }
}

static long missed(void)
{
    return (long)(opt.connections / (int)task_count) * changes - results.changed;
}

static void report(double elapsed)
{
    printf("{\"requests\": %ld, \"errors\": %ld, \"rate\": %.1f, \"same\": %ld, \"early\": %ld, "
           "\"changes\": %ld, \"missed\": %ld, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           results.answers, results.errors, (double)results.answers / elapsed, results.same,
           results.early, (long)changes, opt.poll > 0 ? 0 : missed(),
           results.latencies.count > 0 ? latencies_percentile(&results.latencies, 50) : 0,
           results.latencies.count > 0 ? latencies_percentile(&results.latencies, 99) : 0);
    if (results.errors > 0) {
        fprintf(stderr, "waiters: the first error: %s\n", results.first_error);
    }
}

static void measure(void)
{
    pthread_t changer;
    results = (struct results){0};
    printf("measuring\n");
    fflush(stdout);
    double start = now();
    counts_from = start + FIRST_SECONDS;
    if (opt.changes > 0 && pthread_create(&changer, NULL, run_changes, NULL) != 0) {
        fail("pthread_create");
    }
    run_until(start + opt.seconds);
    double elapsed = now() - start;
    stops_changing = 1;
    if (opt.changes > 0) {
        pthread_join(changer, NULL);
    }
    for (double end = now() + LAST_SECONDS; opt.poll == 0 && missed() > 0 && now() < end;) {
        run_until(now() + 0.05);
    }
    report(elapsed);
}

static void read_tasks(const char *path)
{
    FILE *f = fopen(path, "r");
    char id[24], root[64];
    if (f == NULL) {
        fail(path);
    }
    while (fscanf(f, "%23s %63s", id, root) == 2) {
        tasks = realloc(tasks, (task_count + 1) * sizeof *tasks);
        memset(&tasks[task_count], 0, sizeof *tasks);
        strcpy(tasks[task_count].id, id);
        strcpy(tasks[task_count++].root, root);
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    const struct option_entry entries[] = {
        {"socket", OPTION_TEXT, &opt.socket},
        {"credentials", OPTION_TEXT, &opt.credentials},
        {"second-credentials", OPTION_TEXT, &opt.second_credentials},
        {"tasks", OPTION_TEXT, &opt.tasks_path},
        {"connections", OPTION_NUMBER, &opt.connections},
        {"seconds", OPTION_REAL, &opt.seconds},
        {"wait", OPTION_REAL, &opt.wait},
        {"poll", OPTION_REAL, &opt.poll},
        {"changes", OPTION_REAL, &opt.changes},
        {"db-socket", OPTION_TEXT, &opt.db_socket},
        {"user", OPTION_TEXT, &opt.user},
        {"password", OPTION_TEXT, &opt.password},
        {"database", OPTION_TEXT, &opt.database},
        {0},
    };
    (void)argc;
    parse_options(argv, entries);
    prctl(PR_SET_PDEATHSIG, 15);
    read_tasks(opt.tasks_path);
    clients = calloc((size_t)opt.connections, sizeof *clients);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (task_count == 0 || opt.connections % (int)task_count != 0 || clients == NULL) {
        die("waiters", "each task needs the same number of clients");
    }
    start_clients();
    run_until(now() + SETTLE_SECONDS);
    measure();
    return 0;
}
