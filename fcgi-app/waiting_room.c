// SPDX-License-Identifier: MIT
#include "waiting_room.h"

#include "base/clock.h"
#include "base/log.h"
#include "waiting_look.h"
#include "waiting_seats.h"
#include "waiting_ticks.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    // Connections that are in the loop to be answered. More stay here meanwhile, so that requests
    // that do not wait need not queue behind thousands that a change has woken.
    RESUMED_MAX = 128,
    RESUME_AGAIN_MS = 2, // when there were more
    // A request whose variables take more is answered at once, so that ten thousand that wait
    // cannot take the memory of the machine. A gateway's token takes 1 or 2 KiB.
    REQUEST_BYTES_MAX = 8 * 1024,
};

struct waiting_room {
    struct worker_shared *shared;
    struct waiting_seats *seats;
    size_t first_shard;
    int wake_fd; // wakes the thread
    int epoll_fd;
    atomic_size_t resumed; // in the loop, and not taken by a worker
    pthread_mutex_t mutex; // protects the next members
    bool is_started;
    bool has_reported; // that it cannot be started
    bool drains;
    bool has_new_conf;
    bool closes;
    struct waiting_seat *inbox; // the newest first
    pthread_t thread;
    // The thread's own:
    struct metrics_shard *shard;
    struct watch *watch;
    struct waiting_ticks ticks;
};

// ---- making one ----

static bool random_seed(uint64_t *seed)
{
    return getrandom(seed, sizeof *seed, 0) == sizeof *seed;
}

static void free_room(struct waiting_room *room)
{
    waiting_ticks_end(&room->ticks);
    watch_free(room->watch);
    waiting_seats_free(room->seats);
    if (room->wake_fd >= 0) {
        close(room->wake_fd);
    }
    if (room->epoll_fd >= 0) {
        close(room->epoll_fd);
    }
    pthread_mutex_destroy(&room->mutex);
    free(room);
}

static bool open_room(struct waiting_room *room, size_t seats)
{
    uint64_t seed;
    struct epoll_event mail = {.events = EPOLLIN, .data.ptr = NULL};
    room->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    room->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (room->epoll_fd < 0 || room->wake_fd < 0 || !random_seed(&seed) ||
        epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, room->wake_fd, &mail) != 0) {
        return false;
    }
    room->watch = watch_new(seed);
    room->seats = waiting_seats_new(seats, seed);
    return room->watch != NULL && room->seats != NULL;
}

struct waiting_room *waiting_room_new(struct worker_shared *shared, size_t wanted,
                                      size_t connections, size_t first_shard)
{
    const size_t most = connections - connections / 4;
    struct waiting_room *const room = calloc(1, sizeof(struct waiting_room));
    if (room == NULL) {
        return NULL;
    }
    room->shared = shared;
    room->first_shard = first_shard;
    room->shard = &shared->metrics->shards[first_shard];
    room->wake_fd = room->epoll_fd = -1;
    pthread_mutex_init(&room->mutex, NULL);
    if (!open_room(room, wanted < most ? wanted : most)) {
        free_room(room);
        return NULL;
    }
    return room;
}

static void wake(void *context)
{
    const struct waiting_room *const room = context;
    const uint64_t one = 1;
    if (write(room->wake_fd, &one, sizeof one) < 0) {
        // The counter is at its maximum, so the descriptor is already readable.
        return;
    }
}

// ---- coming back from here ----

static struct loop_conn *conn_of(const struct waiting_seat *seat)
{
    return seat->waiter.context;
}

static void give_seat_back(struct waiting_room *room, struct loop_conn *conn)
{
    waiting_seats_give_back(room->seats, conn->seat);
    conn->seat = NULL;
    atomic_fetch_sub(&room->shared->metrics->waiting, 1);
}

// A connection that is not registered any more: its request is run by the next free worker.
static void resume(struct waiting_room *room, struct loop_conn *conn)
{
    atomic_fetch_add(&room->resumed, 1);
    loop_release(room->shared->loop, conn);
    if (!loop_resume(room->shared->loop, conn)) {
        atomic_fetch_sub(&room->resumed, 1);
        give_seat_back(room, conn);
        loop_close(room->shared->loop, conn);
    }
}

static void stop_looking(const struct waiting_room *room, const struct loop_conn *conn)
{
    (void)epoll_ctl(room->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
}

static void resume_ready(struct waiting_room *room)
{
    while (watch_has_ready(room->watch) && atomic_load(&room->resumed) < RESUMED_MAX) {
        struct loop_conn *const conn = watch_take_ready(room->watch)->context;
        stop_looking(room, conn);
        resume(room, conn);
    }
}

// ---- what clients send meanwhile ----

// The request is gone: its client has hung up or aborted it.
static void forget(struct waiting_room *room, struct loop_conn *conn)
{
    watch_remove(room->watch, &conn->seat->waiter, clock_monotonic_us());
    stop_looking(room, conn);
    give_seat_back(room, conn);
    metrics_add(&room->shard->waits[METRICS_WAIT_GONE], 1);
    loop_release(room->shared->loop, conn);
}

static void abort_request(struct waiting_room *room, struct loop_conn *conn)
{
    struct loop *const loop = room->shared->loop;
    forget(room, conn);
    if (!waiting_look_end_request(conn)) {
        loop_close(loop, conn);
    } else if (conn->records.is_over) {
        loop_let_go(loop, conn);
    } else {
        loop_give_back(loop, conn);
    }
}

// Bytes that do not abort the request end its wait: it is answered, then they are read.
static void look_at(struct waiting_room *room, struct loop_conn *conn)
{
    switch (waiting_look_at(conn)) {
    case WAITING_LOOK_NOTHING:
        break;
    case WAITING_LOOK_GONE:
        forget(room, conn);
        loop_close(room->shared->loop, conn);
        break;
    case WAITING_LOOK_ABORT:
        abort_request(room, conn);
        break;
    case WAITING_LOOK_BYTES:
        stop_looking(room, conn); // it stays readable until a worker has it
        watch_wake(room->watch, &conn->seat->waiter, WATCH_ENDED, clock_monotonic_us());
        break;
    }
}

// ---- arriving ----

static void admit(struct waiting_room *room, struct waiting_seat *seat, int64_t now_us)
{
    struct loop_conn *const conn = conn_of(seat);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = conn};
    if (watch_add(room->watch, &seat->waiter, now_us) != 0) {
        seat->waiter.reason = WATCH_ENDED;
        resume(room, conn);
    } else if (epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        watch_wake(room->watch, &seat->waiter, WATCH_ENDED, now_us);
    }
}

// Returns false if the thread must end.
static bool take_mail(struct waiting_room *room, int64_t now_us)
{
    uint64_t count;
    (void)!read(room->wake_fd, &count, sizeof count);
    pthread_mutex_lock(&room->mutex);
    struct waiting_seat *const seats = room->inbox;
    const bool drains = room->drains;
    const bool closes = room->closes;
    const bool has_new_conf = room->has_new_conf;
    room->inbox = NULL;
    room->has_new_conf = false;
    pthread_mutex_unlock(&room->mutex);
    struct waiting_seat *next;
    for (struct waiting_seat *seat = seats; seat != NULL; seat = next) {
        next = seat->next;
        admit(room, seat, now_us);
    }
    if (has_new_conf) {
        room->ticks.next_us = now_us; // with the next job comes the new interval
    }
    if (drains) {
        watch_wake_all(room->watch, WATCH_ENDED, now_us);
    }
    return !closes;
}

// ---- the thread ----

static int timeout_ms(const struct waiting_room *room, int64_t now_us)
{
    if (watch_has_ready(room->watch)) {
        return RESUME_AGAIN_MS;
    }
    const int64_t due_us = watch_due_us(room->watch);
    const int64_t tick_us = waiting_ticks_due_us(&room->ticks, room->watch);
    const int64_t next_us = due_us < tick_us ? due_us : tick_us;
    const int64_t left_us = next_us > now_us ? next_us - now_us : 0;
    const int64_t most_ms = 60 * 1000;
    return next_us == INT64_MAX           ? -1
           : left_us / 1000 + 1 > most_ms ? (int)most_ms
                                          : (int)((left_us + 999) / 1000);
}

// Clients come first: what the watch does may end an event's connection.
static void look_at_clients(struct waiting_room *room, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != NULL) {
            look_at(room, events[i].data.ptr);
        }
    }
}

static void *run(void *argument)
{
    struct waiting_room *const room = argument;
    struct epoll_event events[EVENTS_MAX];
    bool is_open = true;
    while (is_open) {
        const int count =
            epoll_wait(room->epoll_fd, events, EVENTS_MAX, timeout_ms(room, clock_monotonic_us()));
        const int64_t now_us = clock_monotonic_us();
        look_at_clients(room, events, count);
        is_open = take_mail(room, now_us);
        waiting_ticks_run(&room->ticks, room->watch, now_us);
        watch_look(room->watch, now_us);
        atomic_store(&room->shared->metrics->watched, watch_root_count(room->watch));
        resume_ready(room);
    }
    return NULL;
}

// Under the mutex. The watcher is kept if only the thread cannot be started.
static bool start(struct waiting_room *room)
{
    if (!waiting_ticks_start(&room->ticks, room->shared, room->first_shard, wake, room)) {
        return false;
    }
    room->is_started = pthread_create(&room->thread, NULL, run, room) == 0;
    return room->is_started;
}

static bool has_started(struct waiting_room *room)
{
    pthread_mutex_lock(&room->mutex);
    const bool runs = room->is_started || start(room);
    const bool reports = !runs && !room->has_reported;
    room->has_reported |= reports;
    pthread_mutex_unlock(&room->mutex);
    if (reports) {
        LOG_EVENT(LOG_LEVEL_WARNING,
                  "no more threads or memory: requests with wait are answered at once",
                  LOG_NUMBER("pid", getpid()));
    }
    return runs;
}

// ---- for workers ----

// Fills in the seat of a request that waits for the first time, or again.
static bool take_seat(struct waiting_seat *seat, const struct service_parking *parking)
{
    struct watch_waiter *const waiter = &seat->waiter;
    waiter->until_us = parking->until_us;
    waiter->read_us = parking->read_us;
    waiter->reread_us = parking->reread_us;
    waiter->has_failed = parking->has_failed;
    return waiter->has_failed || watch_set_roots(waiter, parking->roots, parking->root_count) == 0;
}

static void put_into_inbox(struct waiting_room *room, struct waiting_seat *seat)
{
    pthread_mutex_lock(&room->mutex);
    seat->next = room->inbox;
    room->inbox = seat;
    pthread_mutex_unlock(&room->mutex);
    wake(room);
}

// Gives the connection a seat if it has none.
static bool get_seat(struct waiting_room *room, struct loop_conn *conn, struct str app_code)
{
    if (conn->seat != NULL) {
        return true;
    }
    const size_t bytes = fcgi_conn_needed_bytes(&conn->records, http_needs_variable);
    conn->seat = bytes <= REQUEST_BYTES_MAX && has_started(room)
                     ? waiting_seats_take(room->seats, app_code)
                     : NULL;
    if (conn->seat == NULL) {
        return false;
    }
    conn->seat->waiter.context = conn;
    atomic_fetch_add(&room->shared->metrics->waiting, 1);
    return true;
}

bool waiting_room_park(struct waiting_room *room, struct loop_conn *conn,
                       const struct service_parking *parking, struct metrics_shard *shard)
{
    const bool is_new = conn->seat == NULL;
    if (!get_seat(room, conn, parking->app_code)) {
        metrics_add(&shard->waits[METRICS_WAIT_NO_ROOM], 1);
        return false;
    }
    if (!take_seat(conn->seat, parking) || !loop_hold(room->shared->loop, conn)) {
        if (is_new) {
            give_seat_back(room, conn);
        }
        return false;
    }
    if (is_new) {
        fcgi_conn_keep_vars(&conn->records, http_needs_variable);
    }
    put_into_inbox(room, conn->seat);
    return true;
}

void waiting_room_taken(struct waiting_room *room)
{
    atomic_fetch_sub(&room->resumed, 1);
}

void waiting_room_leave(struct waiting_room *room, struct loop_conn *conn,
                        struct metrics_shard *shard)
{
    waiting_seats_count_end(conn->seat, shard);
    give_seat_back(room, conn);
}

// ---- for the server ----

void waiting_room_drain(struct waiting_room *room)
{
    pthread_mutex_lock(&room->mutex);
    room->drains = true;
    pthread_mutex_unlock(&room->mutex);
    wake(room);
}

void waiting_room_refresh(struct waiting_room *room)
{
    pthread_mutex_lock(&room->mutex);
    room->has_new_conf = true;
    if (room->ticks.watcher != NULL) {
        watcher_refresh(room->ticks.watcher);
    }
    pthread_mutex_unlock(&room->mutex);
    wake(room);
}

bool waiting_room_runs(struct waiting_room *room)
{
    pthread_mutex_lock(&room->mutex);
    const bool watcher_runs_too = room->ticks.watcher == NULL || watcher_runs(room->ticks.watcher);
    const bool runs = !room->is_started || pthread_tryjoin_np(room->thread, NULL) != 0;
    pthread_mutex_unlock(&room->mutex);
    return runs && watcher_runs_too;
}

static bool thread_has_ended(struct waiting_room *room)
{
    pthread_mutex_lock(&room->mutex);
    room->closes = true;
    pthread_mutex_unlock(&room->mutex);
    wake(room);
    if (room->is_started && pthread_tryjoin_np(room->thread, NULL) != 0) {
        return false;
    }
    room->is_started = false;
    return true;
}

bool waiting_room_has_ended(struct waiting_room **room)
{
    if (*room == NULL) {
        return true;
    }
    if (!thread_has_ended(*room) || !watcher_has_ended(&(*room)->ticks.watcher)) {
        return false;
    }
    free_room(*room);
    *room = NULL;
    return true;
}
