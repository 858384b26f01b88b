// SPDX-License-Identifier: MIT
#include "worker.h"

#include "base/clock.h"
#include "db/library.h"
#include "base/log.h"
#include "reply.h"
#include "states/store_mysql.h"
#include "states/store_overloaded.h"
#include "waiting_room.h"
#include "waiting_seats.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    // The most connections that a worker takes at once.
    WORKER_GROUP_MAX = SERVICE_GROUP_MAX,
    READ_BYTES = 64 * 1024,
    // A worker closes its database connections after this time without work: servers limit
    // connections per account, and idle processes must not occupy them. It also releases an old
    // configuration by then.
    REST_AFTER_MS = 10 * 1000,
    // The overload responder runs in the thread that sweeps and takes signals, so it must not wait
    // for a client.
    OVERLOADED_WRITE_BUDGET_US = 50 * 1000,
};

// What happens to a connection next.
enum next {
    NEXT_BYTES,  // wait for more
    NEXT_LET_GO, // everything has been answered
    NEXT_CLOSE,  // the client is gone or does not speak FastCGI
};

// A connection while a worker serves it, from reading bytes to the last answer for them.
struct turn {
    struct worker *worker;
    struct loop_conn *conn; // NULL: the turn is over
    struct reply reply;
    enum next next;
    bool is_resumed; // the connection's request has waited and must run again
    size_t used;     // of the input
    size_t len;
    char input[READ_BYTES];
};

struct worker {
    struct worker_shared *shared;
    struct snapshot *snapshot;
    unsigned generation; // of the snapshot
    struct service service;
    bool sheds_load; // this is the overload responder, which has no database
    struct http_var vars[FCGI_CONN_VARS_MAX];
    struct http_response response; // the current answer
    char output[REPLY_HEAD_ROOM + WORKER_BUFFER_BYTES + REPLY_TAIL_ROOM];
    struct turn turns[WORKER_GROUP_MAX];
};
_Static_assert(WORKER_BUFFER_BYTES <= FCGI_MAX_LENGTH, "the buffer's content must fit one record");

// ---- making one ----

static bool seed_random(struct request_id_source *source)
{
    const bool seeded = getrandom(source->state, sizeof source->state, 0) == sizeof source->state;
    source->state[0] |= 1; // the state must not be all zero
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
        .refusals = shared->refusals,
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

// Switches to the current configuration. Only between requests: none sees two.
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

// ---- one connection's turn ----

// Reads once from a connection that has bytes.
static void read_bytes(struct turn *turn)
{
    const ssize_t got = recv(turn->conn->fd, turn->input, sizeof turn->input, 0);
    if (got > 0) {
        turn->len = (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        turn->next = NEXT_CLOSE;
    }
}

// Begins a turn with a connection that has bytes, or whose request must run again.
static void begin_turn(struct worker *worker, struct turn *turn, struct loop_conn *conn)
{
    turn->worker = worker;
    turn->conn = conn;
    turn->reply = (struct reply){
        .fd = conn->fd,
        .write_budget_us = worker->sheds_load
                               ? OVERLOADED_WRITE_BUDGET_US
                               : worker->service.conf->server.client_timeout_ms * 1000,
        .requests_done = worker->sheds_load ? NULL : &worker->shared->requests_done,
    };
    turn->used = turn->len = 0;
    turn->next = NEXT_BYTES;
    turn->is_resumed = conn->seat != NULL;
    if (turn->is_resumed) {
        waiting_room_taken(worker->shared->waiting_room);
    } else {
        read_bytes(turn);
    }
}

static void end_turn(struct turn *turn)
{
    struct loop *const loop = turn->worker->shared->loop;
    struct loop_conn *const conn = turn->conn;
    explicit_bzero(turn->input, turn->len); // may contain credentials
    turn->conn = NULL;
    switch (turn->next) {
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
}

static enum next after_reply(const struct turn *turn)
{
    if (turn->reply.is_gone) {
        return NEXT_CLOSE;
    }
    return turn->conn->records.is_over ? NEXT_LET_GO : NEXT_BYTES;
}

static bool is_over(const struct turn *turn)
{
    return turn->used == turn->len || turn->next != NEXT_BYTES;
}

// ---- a request in the group ----

static struct http_response *open_response(void *context)
{
    struct turn *const turn = context;
    struct worker *const worker = turn->worker;
    worker->response = (struct http_response){.status = 0};
    outbuf_init_with_rooms(&worker->response.out, worker->output, REPLY_HEAD_ROOM,
                           WORKER_BUFFER_BYTES, reply_send_record, &turn->reply);
    return &worker->response;
}

static bool is_ready(void *context)
{
    const struct turn *const turn = context;
    return reply_is_ready(&turn->reply);
}

// Ends a request of the group. Its connection is given back at once: other answers may take longer.
static void end_request(void *context)
{
    struct turn *const turn = context;
    const struct worker *const worker = turn->worker;
    reply_count(&turn->reply);
    if (turn->conn->seat != NULL) {
        waiting_room_leave(worker->shared->waiting_room, turn->conn, worker->service.shard);
    }
    fcgi_conn_request_done(&turn->conn->records);
    turn->next = after_reply(turn);
    if (is_over(turn)) {
        end_turn(turn);
    }
}

// Passes the connection to the waiting room, unless the client has sent more than this request.
static bool park_request(void *context, const struct service_parking *parking)
{
    struct turn *const turn = context;
    const struct worker *const worker = turn->worker;
    if (turn->used < turn->len || !waiting_room_park(worker->shared->waiting_room, turn->conn,
                                                     parking, worker->service.shard)) {
        return false;
    }
    reply_count(&turn->reply);
    explicit_bzero(turn->input, turn->len); // may contain credentials
    turn->conn = NULL;
    return true;
}

static void add_to_group(struct worker *worker, struct fcgi_conn *records,
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
        service_add(service, worker->vars, count, fcgi_conn_body(records), client);
    }
}

static struct service_client client_of(struct turn *turn)
{
    const struct waiting_seat *const seat = turn->conn->seat;
    return (struct service_client){
        .open = open_response,
        .is_ready = is_ready,
        .end = end_request,
        .context = turn,
        .park = park_request,
        .waiting_since_us = seat == NULL ? 0 : seat->since_us,
        .waiting_until_us = seat == NULL ? 0 : waiting_seats_until_us(seat),
    };
}

// Adds the turn's complete request to the group.
static void add_request(struct turn *turn)
{
    struct loop_conn *const conn = turn->conn;
    turn->reply.id = conn->records.id;
    turn->reply.is_counted = false;
    atomic_store(&conn->deadline_us, 0); // the request is complete in time
    conn->has_served = true;
    add_to_group(turn->worker, &conn->records, client_of(turn));
}

// Consumes the turn's bytes up to the next complete request, which is added to the group, or to
// their end, which ends the turn. Returns whether there is a request.
static bool advance(struct turn *turn)
{
    struct fcgi_conn *const records = &turn->conn->records;
    if (turn->is_resumed) {
        turn->is_resumed = false;
        add_request(turn);
        return true;
    }
    while (!is_over(turn)) {
        size_t used;
        const enum fcgi_event event =
            fcgi_conn_consume(records, turn->input + turn->used, turn->len - turn->used, &used);
        turn->used += used;
        switch (event) {
        case FCGI_EVENT_MORE:
            break;
        case FCGI_EVENT_REQUEST:
            add_request(turn);
            return true;
        case FCGI_EVENT_REPLY:
            (void)reply_send(&turn->reply, records->reply, records->reply_len);
            turn->next = after_reply(turn);
            break;
        case FCGI_EVENT_BROKEN:
            metrics_add(&turn->worker->service.shard->protocol_errors, 1);
            turn->next = NEXT_CLOSE;
            break;
        }
    }
    end_turn(turn);
    return false;
}

// Takes one request of each connection; pipelined ones follow in the next group.
static bool gather_group(struct worker *worker, size_t count)
{
    bool has_any = false;
    for (size_t i = 0; i < count; i++) {
        has_any |= worker->turns[i].conn != NULL && advance(&worker->turns[i]);
    }
    return has_any;
}

static void serve(struct worker *worker, struct loop_conn *const conns[], size_t count)
{
    worker_refresh(worker);
    for (size_t i = 0; i < count; i++) {
        begin_turn(worker, &worker->turns[i], conns[i]);
    }
    while (gather_group(worker, count)) {
        service_run(&worker->service);
    }
    // After the answers, so that no request has to wait for it.
    worker->service.store.ops->failback(worker->service.store.context);
}

// Called after a group of COUNT requests. Clients that have just been answered are about to ask
// again: if they run first, the next group is larger. After a full group, enough requests wait.
static void let_clients_ask(size_t count)
{
    if (count > 1 && count < WORKER_GROUP_MAX) {
        (void)sched_yield();
    }
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
        struct loop_conn *conns[WORKER_GROUP_MAX];
        size_t count;
        const enum loop_event event =
            loop_wait(worker->shared->loop, REST_AFTER_MS, conns, WORKER_GROUP_MAX, &count);
        if (event == LOOP_STOPPED) {
            break;
        }
        if (event == LOOP_CONNECTIONS) {
            serve(worker, conns, count);
            let_clients_ask(count);
        } else {
            rest(worker);
        }
    }
    // The client library's data of this thread are needed to close the connections.
    close_store(worker);
    db_library_thread_end();
    return worker;
}

bool worker_serve_ready(struct worker *worker)
{
    struct loop_conn *conn;
    size_t count;
    if (loop_wait(worker->shared->loop, 0, &conn, 1, &count) != LOOP_CONNECTIONS) {
        return false;
    }
    serve(worker, &conn, 1);
    return true;
}
