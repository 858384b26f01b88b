// SPDX-License-Identifier: MIT
#include "worker.h"

#include "base/clock.h"
#include "db/library.h"
#include "base/log.h"
#include "states/store_mysql.h"
#include "states/store_overloaded.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    // A worker without work for so long gives its database connections back: a server may have few
    // for an account, and processes that rest must not keep them. Often enough, too, for an old
    // configuration to be forgotten.
    REST_AFTER_MS = 10 * 1000,
    // The overload responder is lent the thread that sweeps and takes signals: it waits for nobody.
    OVERLOADED_WRITE_BUDGET_US = 50 * 1000,
};

struct worker {
    struct worker_shared *shared;
    struct snapshot *snapshot;
    unsigned generation; // of the snapshot
    struct service service;
    bool sheds_load;         // the overload responder: it has no database
    int64_t write_budget_us; // how long this turn's connection may still keep us waiting
    struct http_var vars[FCGI_CONN_VARS_MAX];
    char input[READ_BYTES];
    // One record's header, its content, and what ends a request, to leave in one write.
    char output[FCGI_HEADER_LEN + WORKER_BUFFER_BYTES + FCGI_CONN_END_BYTES];
};

// ---- making one ----

static bool seed_random(struct request_id_source *source)
{
    const bool seeded = getrandom(source->state, sizeof source->state, 0) == sizeof source->state;
    source->state[0] |= 1; // never both zero
    return seeded;
}

static bool open_store(struct worker *worker)
{
    struct service *const service = &worker->service;
    if (worker->sheds_load) {
        service->store = store_overloaded();
        return true;
    }
    return store_mysql_new(&service->store, service->conf, worker->shared->health,
                           service->shard) == 0;
}

static void close_store(struct worker *worker)
{
    struct store *const store = &worker->service.store;
    if (store->ops != NULL) {
        store->ops->free(store->context);
    }
    *store = (struct store){.ops = NULL};
}

struct worker *worker_new(struct worker_shared *shared, size_t shard, bool has_database)
{
    struct worker *const worker = calloc(1, sizeof(struct worker));
    if (worker == NULL) {
        return NULL;
    }
    worker->shared = shared;
    worker->generation = atomic_load(&shared->snapshots->generation);
    worker->snapshot = snapshot_take(shared->snapshots);
    worker->sheds_load = !has_database;
    const struct conf *const conf = worker->snapshot->conf;
    worker->service = (struct service){
        .conf = conf,
        .gateways = worker->snapshot->gateways,
        .limiter = shared->limiter,
        .clock = &clock_system,
        .auth = auth_new(),
        .group =
            service_group_new(service_request_arena_bytes((size_t)conf->server.max_request_bytes)),
        .arena = arena_new(service_node_arena_bytes((size_t)conf->response.max_nodes)),
        .metrics = shared->metrics,
        .shard = &shared->metrics->shards[shard],
    };
    const bool is_whole = seed_random(&worker->service.random) && worker->service.auth != NULL &&
                          worker->service.group != NULL && worker->service.arena != NULL &&
                          open_store(worker);
    if (!is_whole) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

void worker_free(struct worker *worker)
{
    if (worker != NULL) {
        close_store(worker);
        auth_free(worker->service.auth);
        service_group_free(worker->service.group);
        arena_free(worker->service.arena);
        snapshot_drop(worker->snapshot);
        free(worker);
    }
}

// Goes over to the configuration of now. Between requests only: none sees two.
void worker_refresh(struct worker *worker)
{
    const unsigned generation = atomic_load(&worker->shared->snapshots->generation);
    if (LIKELY(generation == worker->generation)) {
        return;
    }
    struct snapshot *const old = worker->snapshot;
    worker->generation = generation;
    worker->snapshot = snapshot_take(worker->shared->snapshots);
    worker->service.conf = worker->snapshot->conf;
    worker->service.gateways = worker->snapshot->gateways;
    worker->service.store.ops->reconfigure(worker->service.store.context, worker->service.conf);
    snapshot_drop(old);
}

struct service *worker_service(struct worker *worker)
{
    worker_refresh(worker);
    return &worker->service;
}

// ---- writing ----

// One answer on its way out.
struct reply {
    int fd;
    unsigned id;                         // of the request
    int64_t *write_budget_us;            // the worker's
    atomic_uint_fast64_t *requests_done; // where its end counts; NULL: the overload responder's
    bool is_gone;
};

// Waits until the socket takes bytes. The time waited is taken off the patience of the whole turn,
// so that a web server that reads a byte now and then cannot hold the worker, however many requests
// it has sent at once.
static bool wait_writable(struct reply *reply)
{
    const int64_t before_us = clock_monotonic_us();
    struct pollfd waiting = {.fd = reply->fd, .events = POLLOUT};
    const int timeout_ms = (int)((*reply->write_budget_us + 999) / 1000);
    const int ready = timeout_ms <= 0 ? 0 : poll(&waiting, 1, timeout_ms);
    *reply->write_budget_us -= clock_monotonic_us() - before_us;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

static int send_all(struct reply *reply, const char *bytes, size_t len)
{
    while (len > 0 && !reply->is_gone) {
        const ssize_t sent = send(reply->fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN ? !wait_writable(reply) : errno != EINTR) {
            reply->is_gone = true;
        }
    }
    return reply->is_gone ? -1 : 0;
}

// The drain of a response: BYTES stand in the worker's output, behind room for a record header.
static int send_record(void *context, const char *bytes, size_t len)
{
    struct reply *const reply = context;
    char *const record = (char *)(uintptr_t)bytes - FCGI_HEADER_LEN;
    fcgi_put_header(record, FCGI_STDOUT, reply->id, len);
    return send_all(reply, record, FCGI_HEADER_LEN + len);
}
_Static_assert(WORKER_BUFFER_BYTES <= FCGI_MAX_LENGTH, "the buffer's content must fit one record");

// The end of a response: what is left in its buffer and the end of the request, in one write.
static void send_end(struct http_response *response)
{
    struct outbuf *const out = &response->out;
    struct reply *const reply = out->context;
    const size_t len = outbuf_pending(out);
    // Before it can be read: who asks again at once must not be told that no worker gets on.
    if (reply->requests_done != NULL) {
        atomic_fetch_add(reply->requests_done, 1);
    }
    // Behind the buffer there is room for the end; in front of it, for a record header.
    char *const record = len == 0 ? out->next : out->start - FCGI_HEADER_LEN;
    if (len > 0) {
        fcgi_put_header(record, FCGI_STDOUT, reply->id, len);
    }
    fcgi_put_end(out->next, reply->id);
    const char *const end = out->next + FCGI_CONN_END_BYTES;
    out->next = out->start;
    out->failed = out->failed || send_all(reply, record, (size_t)(end - record)) != 0;
    out->drained += out->failed ? 0 : len;
}

// ---- serving ----

static void add_request(struct worker *worker, struct fcgi_conn *records,
                        struct service_client client)
{
    struct service *const service = &worker->service;
    size_t count;
    if (records->refusal == FCGI_REFUSE_HEAD_TOO_LARGE) {
        service_add_refused(service, ERR_HEAD_TOO_LARGE, client);
    } else if (records->refusal == FCGI_REFUSE_BODY_TOO_LARGE) {
        service_add_refused(service, ERR_BODY_TOO_LARGE, client);
    } else if (records->refusal == FCGI_REFUSE_NO_MEMORY) {
        service_add_refused(service, ERR_NO_MEMORY, client);
    } else if (fcgi_conn_vars(records, worker->vars, &count) != 0) {
        service_add_refused(service, ERR_MALFORMED_VARIABLES, client);
    } else {
        service_add(service, worker->vars, count, client);
    }
}

static struct http_response *open_response(void *context)
{
    return context;
}

static bool is_ready(void *context)
{
    (void)context;
    return true;
}

// What a connection is to do next.
enum next {
    NEXT_BYTES,  // wait for more of them
    NEXT_LET_GO, // all is answered
    NEXT_CLOSE,  // the client is gone, or not to be understood
};

static enum next after_reply(const struct reply *reply, const struct fcgi_conn *records)
{
    if (reply->is_gone) {
        return NEXT_CLOSE;
    }
    return records->is_over ? NEXT_LET_GO : NEXT_BYTES;
}

// Answers the complete request of CONN.
static enum next serve_request(struct worker *worker, struct loop_conn *conn)
{
    worker_refresh(worker);
    struct reply reply = {
        .fd = conn->fd,
        .id = conn->records.id,
        .write_budget_us = &worker->write_budget_us,
        .requests_done = worker->sheds_load ? NULL : &worker->shared->requests_done,
    };
    struct http_response response = {.end = send_end};
    outbuf_init(&response.out, worker->output + FCGI_HEADER_LEN, WORKER_BUFFER_BYTES, send_record,
                &reply);
    atomic_store(&conn->deadline_us, 0); // from here on the time limits are the database's and ours
    conn->has_served = true;
    add_request(worker, &conn->records,
                (struct service_client){open_response, is_ready, &response});
    service_run(&worker->service);
    fcgi_conn_request_done(&conn->records);
    return after_reply(&reply, &conn->records);
}

static enum next send_reply(struct worker *worker, struct loop_conn *conn)
{
    struct reply reply = {.fd = conn->fd, .write_budget_us = &worker->write_budget_us};
    (void)send_all(&reply, conn->records.reply, conn->records.reply_len);
    return after_reply(&reply, &conn->records);
}

// Works through bytes just read.
static enum next consume(struct worker *worker, struct loop_conn *conn, const char *bytes,
                         size_t len)
{
    enum next next = NEXT_BYTES;
    while (len > 0 && next == NEXT_BYTES) {
        size_t used;
        switch (fcgi_conn_consume(&conn->records, bytes, len, &used)) {
        case FCGI_EVENT_MORE:
            break;
        case FCGI_EVENT_REQUEST:
            next = serve_request(worker, conn);
            break;
        case FCGI_EVENT_REPLY:
            next = send_reply(worker, conn);
            break;
        case FCGI_EVENT_BROKEN:
            metrics_add(&worker->service.shard->protocol_errors, 1);
            next = NEXT_CLOSE;
            break;
        }
        bytes += used;
        len -= used;
    }
    return next;
}

// Reads once and works through it.
static enum next serve_bytes(struct worker *worker, struct loop_conn *conn)
{
    const ssize_t got = recv(conn->fd, worker->input, sizeof worker->input, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? NEXT_BYTES : NEXT_CLOSE;
    }
    const enum next next = got > 0 ? consume(worker, conn, worker->input, (size_t)got) : NEXT_CLOSE;
    if (got > 0) {
        explicit_bzero(worker->input, (size_t)got); // it held credentials
    }
    return next;
}

static void serve_connection(struct worker *worker, struct loop_conn *conn)
{
    struct loop *const loop = worker->shared->loop;
    worker->write_budget_us = worker->sheds_load
                                  ? OVERLOADED_WRITE_BUDGET_US
                                  : worker->service.conf->server.client_timeout_ms * 1000;
    switch (serve_bytes(worker, conn)) {
    case NEXT_BYTES:
        loop_give_back(loop, conn);
        break;
    case NEXT_LET_GO:
        loop_let_go(loop, conn);
        break;
    case NEXT_CLOSE:
        loop_close(loop, conn);
        break;
    }
    // The answer is out: this costs no request.
    worker->service.store.ops->failback(worker->service.store.context);
}

static void rest(struct worker *worker)
{
    worker_refresh(worker);
    worker->service.store.ops->disconnect(worker->service.store.context);
}

void *worker_run(void *argument)
{
    struct worker *const worker = argument;
    if (db_library_thread_init() != 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "the database library cannot start in a thread",
                  LOG_NUMBER("errno", errno));
        return NULL;
    }
    for (;;) {
        struct loop_conn *conn;
        const enum loop_event event = loop_wait(worker->shared->loop, REST_AFTER_MS, &conn);
        if (event == LOOP_STOPPED) {
            break;
        }
        if (event == LOOP_CONNECTION) {
            serve_connection(worker, conn);
        } else {
            rest(worker);
        }
    }
    // The connection's thread data belong to this thread: close it here.
    close_store(worker);
    db_library_thread_end();
    return worker;
}

bool worker_serve_ready(struct worker *worker)
{
    struct loop_conn *conn;
    worker_refresh(worker);
    if (loop_wait(worker->shared->loop, 0, &conn) != LOOP_CONNECTION) {
        return false;
    }
    serve_connection(worker, conn);
    return true;
}
