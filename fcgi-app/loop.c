// SPDX-License-Identifier: MIT
#include "loop.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

// Time after the deadline in which bytes that were received in time can still be served.
enum { GRACE_US = 2000 * 1000 };

struct loop {
    int epoll_fd;
    int stop_fd; // readable when the loop has ended: wakes all workers
    struct loop_options options;
    atomic_int_fast64_t client_timeout_us;
    atomic_bool is_draining;
    atomic_bool is_short;    // a connection could not be accepted for lack of resources
    pthread_mutex_t mutex;   // protects the following members
    bool is_closed;          // whether the listening sockets are
    size_t next_listener;    // whose turn it is, so that none starves the others
    struct loop_conn *conns; // but those that are held
    size_t count;            // of all connections
};

// Marks in epoll events for descriptors that are not connections; one for all listening sockets.
static char listen_mark;
static char stop_mark;

static int watch(const struct loop *loop, int operation, int fd, uint32_t events, void *mark)
{
    struct epoll_event event = {.events = events, .data.ptr = mark};
    return epoll_ctl(loop->epoll_fd, operation, fd, &event);
}

// Edge-triggered: level-triggered events would wake several workers for the same connection.
static int watch_listeners(const struct loop *loop, int operation)
{
    int result = 0;
    for (size_t i = 0; i < loop->options.listen_count; i++) {
        result |=
            watch(loop, operation, loop->options.listen_fds[i], EPOLLIN | EPOLLET, &listen_mark);
    }
    return result;
}

struct loop *loop_new(const struct loop_options *options)
{
    struct loop *const loop = calloc(1, sizeof(struct loop));
    if (loop == NULL) {
        return NULL;
    }
    loop->options = *options;
    loop_set_client_timeout(loop, options->client_timeout_ms);
    pthread_mutex_init(&loop->mutex, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->stop_fd < 0 || watch_listeners(loop, EPOLL_CTL_ADD) != 0 ||
        watch(loop, EPOLL_CTL_ADD, loop->stop_fd, EPOLLIN, &stop_mark) != 0) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_set_client_timeout(struct loop *loop, int64_t client_timeout_ms)
{
    atomic_store(&loop->client_timeout_us, client_timeout_ms * 1000);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->conns != NULL) {
        struct loop_conn *const conn = loop->conns;
        loop->conns = conn->next;
        loop_conn_free(conn);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    if (loop->stop_fd >= 0) {
        close(loop->stop_fd);
    }
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

// ---- the list ----

// Under the mutex.
static void add_to_list(struct loop *loop, struct loop_conn *conn)
{
    conn->previous = NULL;
    conn->next = loop->conns;
    if (loop->conns != NULL) {
        loop->conns->previous = conn;
    }
    loop->conns = conn;
}

// Under the mutex.
static void remove_from_list(struct loop *loop, const struct loop_conn *conn)
{
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        loop->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
}

// Returns how many connections are left.
static size_t forget(struct loop *loop, const struct loop_conn *conn)
{
    pthread_mutex_lock(&loop->mutex);
    remove_from_list(loop, conn);
    const size_t left = --loop->count;
    pthread_mutex_unlock(&loop->mutex);
    return left;
}

bool loop_hold(struct loop *loop, struct loop_conn *conn)
{
    pthread_mutex_lock(&loop->mutex);
    const bool is_held = conn->end == CONN_OPEN && !loop_is_draining(loop);
    if (is_held) {
        remove_from_list(loop, conn);
    }
    pthread_mutex_unlock(&loop->mutex);
    return is_held;
}

void loop_release(struct loop *loop, struct loop_conn *conn)
{
    pthread_mutex_lock(&loop->mutex);
    add_to_list(loop, conn);
    pthread_mutex_unlock(&loop->mutex);
}

size_t loop_connections(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    const size_t count = loop->count;
    pthread_mutex_unlock(&loop->mutex);
    return count;
}

// ---- accepting ----

static void wake_all(struct loop *loop)
{
    const uint64_t one = 1;
    if (write(loop->stop_fd, &one, sizeof one) < 0) {
        // The counter is at its maximum, so the descriptor is already readable.
        return;
    }
}

static struct loop_conn *new_conn(const struct loop *loop, int fd)
{
    return loop_conn_new(fd, loop->options.max_request_bytes, loop->options.max_connections,
                         atomic_load(&loop->client_timeout_us));
}

// Under the mutex. -1 with EAGAIN if no listening socket has a connection.
static int accept_any(struct loop *loop)
{
    int fd = -1;
    errno = EAGAIN;
    for (size_t i = 0; i < loop->options.listen_count && fd < 0 && errno == EAGAIN; i++) {
        const size_t listener = loop->next_listener++ % loop->options.listen_count;
        fd = accept4(loop->options.listen_fds[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    return fd;
}

// Under the mutex.
static struct loop_conn *accept_locked(struct loop *loop)
{
    const bool is_full = loop->count >= loop->options.max_connections;
    if (is_full || loop->is_closed) {
        atomic_store(&loop->is_short, is_full);
        return NULL;
    }
    const int fd = accept_any(loop);
    struct loop_conn *const conn = fd < 0 ? NULL : new_conn(loop, fd);
    if (conn != NULL) {
        add_to_list(loop, conn);
        loop->count++;
    } else if (fd >= 0 || errno != EAGAIN) {
        // More connections may be waiting that will cause no further edge.
        atomic_store(&loop->is_short, true);
    }
    return conn;
}

static struct loop_conn *accept_one(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct loop_conn *const conn = accept_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return conn;
}

// Accepts all waiting connections. Returns the first for this worker; the others go to any worker.
static struct loop_conn *accept_all(struct loop *loop)
{
    struct loop_conn *const first = accept_one(loop);
    while (first != NULL) {
        struct loop_conn *const another = accept_one(loop);
        if (another == NULL) {
            break;
        }
        loop_give_back(loop, another);
    }
    return first;
}

// ---- waiting ----

// Gives the connection to the loop, and has epoll report one of EVENTS once. False if the system is
// out of resources; it is the caller's then.
static bool await(const struct loop *loop, struct loop_conn *conn, uint32_t events)
{
    const int operation = conn->is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    const int fd = conn->fd;
    conn->is_registered = true;
    // From here on another worker may own the connection.
    atomic_store(&conn->is_waiting, true);
    return watch(loop, operation, fd, events | EPOLLONESHOT, conn) == 0;
}

static void await_bytes(struct loop *loop, struct loop_conn *conn)
{
    if (!await(loop, conn, EPOLLIN | EPOLLRDHUP)) {
        loop_close(loop, conn);
    }
}

static void end_turn(struct loop *loop, struct loop_conn *conn, bool is_alive)
{
    if (is_alive) {
        await_bytes(loop, conn);
    } else {
        loop_close(loop, conn);
    }
}

// Returns the connection that an epoll event is about; NULL if there is none to serve.
static struct loop_conn *take(struct loop *loop, void *mark)
{
    struct loop_conn *const conn = mark == &listen_mark ? accept_all(loop) : mark;
    if (conn == NULL) {
        return NULL;
    }
    (void)atomic_exchange(&conn->is_waiting, false);
    if (conn->is_lingering) {
        end_turn(loop, conn, loop_conn_drop_late_bytes(conn));
        return NULL;
    }
    atomic_store(&conn->waiting_since_us, 0);
    return conn;
}

// Waits once and returns the number of events; connections to serve are added to CONNS.
static int wait_once(struct loop *loop, int timeout_ms, struct loop_conn *conns[], size_t max,
                     size_t *count, bool *is_stopped)
{
    struct epoll_event events[LOOP_BATCH_MAX];
    const int ready = epoll_wait(loop->epoll_fd, events, (int)max, timeout_ms);
    for (int i = 0; i < ready; i++) {
        if (events[i].data.ptr == &stop_mark) {
            *is_stopped = true;
            continue;
        }
        struct loop_conn *const conn = take(loop, events[i].data.ptr);
        if (conn != NULL) {
            conns[(*count)++] = conn;
        }
    }
    return ready;
}

enum loop_event loop_wait(struct loop *loop, int timeout_ms, struct loop_conn *conns[], size_t max,
                          size_t *count)
{
    bool is_stopped = false;
    *count = 0;
    while (*count == 0 && !is_stopped) {
        if (wait_once(loop, timeout_ms, conns, max, count, &is_stopped) <= 0) {
            return LOOP_NOTHING;
        }
    }
    return *count > 0 ? LOOP_CONNECTIONS : LOOP_STOPPED;
}

void loop_close(struct loop *loop, struct loop_conn *conn)
{
    // Remove it from the list first: after close, another thread may get the same descriptor.
    const size_t left = forget(loop, conn);
    loop_conn_free(conn);
    if (left == 0 && loop_is_draining(loop)) {
        wake_all(loop);
    }
}

void loop_give_back(struct loop *loop, struct loop_conn *conn)
{
    const bool is_idle = loop_conn_wait(conn, atomic_load(&loop->client_timeout_us));
    if (loop_is_draining(loop)) {
        if (is_idle) {
            shutdown(conn->fd, SHUT_RD); // bytes already received can still be read
        } else {
            loop_conn_hurry(conn);
        }
    }
    await_bytes(loop, conn);
}

// The client can take bytes unless it has left earlier answers unread; it then has the time that a
// request has.
bool loop_resume(struct loop *loop, struct loop_conn *conn)
{
    atomic_store(&conn->deadline_us, clock_monotonic_us() + atomic_load(&loop->client_timeout_us));
    return await(loop, conn, EPOLLOUT);
}

void loop_let_go(struct loop *loop, struct loop_conn *conn)
{
    end_turn(loop, conn, loop_conn_linger(conn));
}

// ---- the clock, and the end ----

// Ends connections that are over their time. Their owners read the end and close them; what was
// received before is still answered, because it may have been complete in time but waited for a
// worker. Returns the number of connections ended to make room.
static int64_t end_some(struct loop *loop, bool is_short)
{
    const int64_t now_us = clock_monotonic_us();
    int64_t ended = 0;
    pthread_mutex_lock(&loop->mutex);
    for (struct loop_conn *conn = loop->conns; conn != NULL; conn = conn->next) {
        const int64_t over_us = loop_conn_over_time_us(conn, now_us);
        if (over_us >= GRACE_US) {
            loop_conn_end(conn);
        } else if (over_us > 0) {
            (void)loop_conn_end_reading(conn);
        } else if (is_short && loop_conn_makes_room(conn, now_us)) {
            ended += loop_conn_end_reading(conn);
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    return ended;
}

void loop_sweep(struct loop *loop)
{
    const bool is_short = atomic_exchange(&loop->is_short, false) && !loop_is_draining(loop);
    const int64_t ended = end_some(loop, is_short);
    if (ended > 0) {
        LOG_EVENT(LOG_LEVEL_WARNING,
                  "no room for new connections: idle and incomplete ones are closed",
                  LOG_NUMBER("closed", ended));
    }
    if (is_short) {
        (void)watch_listeners(loop, EPOLL_CTL_MOD); // causes the edge again
    }
}

// Accepts one more connection, or closes the listening sockets if there is none. Both under one
// lock: a connection that came in between would be lost.
static struct loop_conn *accept_or_close(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct loop_conn *const conn = accept_locked(loop);
    if (conn == NULL) {
        for (size_t i = 0; i < loop->options.listen_count; i++) {
            close(loop->options.listen_fds[i]);
        }
        loop->is_closed = true;
    }
    pthread_mutex_unlock(&loop->mutex);
    return conn;
}

void loop_drain(struct loop *loop)
{
    struct loop_conn *waiting;
    (void)watch_listeners(loop, EPOLL_CTL_DEL);
    while ((waiting = accept_or_close(loop)) != NULL) {
        loop_give_back(loop, waiting);
    }
    pthread_mutex_lock(&loop->mutex);
    atomic_store(&loop->is_draining, true);
    for (struct loop_conn *conn = loop->conns; conn != NULL; conn = conn->next) {
        if (atomic_load(&conn->deadline_us) == 0) {
            (void)loop_conn_end_reading(conn);
        } else {
            loop_conn_hurry(conn);
        }
    }
    const bool is_empty = loop->count == 0;
    pthread_mutex_unlock(&loop->mutex);
    if (is_empty) {
        wake_all(loop);
    }
}

bool loop_is_draining(const struct loop *loop)
{
    return atomic_load(&loop->is_draining);
}

void loop_abandon(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    for (struct loop_conn *conn = loop->conns; conn != NULL; conn = conn->next) {
        loop_conn_end(conn);
    }
    pthread_mutex_unlock(&loop->mutex);
}
