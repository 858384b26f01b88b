// SPDX-License-Identifier: MIT
#include "loop.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

// From when on an idle connection has to make room where a new one finds none. A web server notices
// and opens another when it needs it; what it had sent by then is still answered.
enum { IDLE_US = 1000 * 1000 };

// How long after a connection's time is over what had come by then may still be served.
enum { GRACE_US = 2000 * 1000 };

// How long a connection that is accepted last of all may take to send its request.
enum { DRAIN_CLIENT_TIMEOUT_MS = 1000 };

struct loop {
    int epoll_fd;
    int stop_fd; // readable once all is over: wakes every worker
    struct loop_options options;
    atomic_bool is_draining;
    atomic_bool is_short;  // a connection could not be accepted for lack of something
    pthread_mutex_t mutex; // over the list, its count, and is_closed
    bool is_closed;        // the listening socket is
    struct loop_conn *conns;
    size_t count;
};

// What epoll gives back for the two descriptors that are no connections.
static char listen_mark;
static char stop_mark;

static int watch(const struct loop *loop, int operation, int fd, uint32_t events, void *mark)
{
    struct epoll_event event = {.events = events, .data.ptr = mark};
    return epoll_ctl(loop->epoll_fd, operation, fd, &event);
}

// Edge-triggered: a level would wake one worker after the other for the same connection.
static int watch_listen(const struct loop *loop, int operation)
{
    return watch(loop, operation, loop->options.listen_fd, EPOLLIN | EPOLLET, &listen_mark);
}

struct loop *loop_new(const struct loop_options *options)
{
    struct loop *const loop = calloc(1, sizeof(struct loop));
    if (loop == NULL) {
        return NULL;
    }
    loop->options = *options;
    pthread_mutex_init(&loop->mutex, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->stop_fd < 0 || watch_listen(loop, EPOLL_CTL_ADD) != 0 ||
        watch(loop, EPOLL_CTL_ADD, loop->stop_fd, EPOLLIN, &stop_mark) != 0) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

static void free_conn(struct loop_conn *conn)
{
    fcgi_conn_fini(&conn->records);
    close(conn->fd);
    free(conn);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->conns != NULL) {
        struct loop_conn *const conn = loop->conns;
        loop->conns = conn->next;
        free_conn(conn);
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
    conn->next = loop->conns;
    if (loop->conns != NULL) {
        loop->conns->previous = conn;
    }
    loop->conns = conn;
    loop->count++;
}

static size_t remove_from_list(struct loop *loop, struct loop_conn *conn)
{
    pthread_mutex_lock(&loop->mutex);
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        loop->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    const size_t left = --loop->count;
    pthread_mutex_unlock(&loop->mutex);
    return left;
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
        // Full: it is readable already, which is all that was wanted.
        return;
    }
}

static struct loop_conn *new_conn(const struct loop *loop, int fd, int64_t client_timeout_ms)
{
    struct loop_conn *const conn = calloc(1, sizeof(struct loop_conn));
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->fd = fd;
    fcgi_conn_init(&conn->records, loop->options.max_request_bytes, loop->options.max_connections);
    atomic_init(&conn->deadline_us, clock_monotonic_us() + client_timeout_ms * 1000);
    return conn;
}

// Under the mutex.
static struct loop_conn *accept_locked(struct loop *loop, int64_t client_timeout_ms)
{
    const bool is_full = loop->count >= loop->options.max_connections;
    if (is_full || loop->is_closed) {
        atomic_store(&loop->is_short, is_full);
        return NULL;
    }
    const int fd = accept4(loop->options.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct loop_conn *const conn = fd < 0 ? NULL : new_conn(loop, fd, client_timeout_ms);
    if (conn != NULL) {
        add_to_list(loop, conn);
    } else if (fd >= 0 || errno != EAGAIN) {
        // Another one may be waiting, for which no edge will come again.
        atomic_store(&loop->is_short, true);
    }
    return conn;
}

static struct loop_conn *accept_one(struct loop *loop, int64_t client_timeout_ms)
{
    pthread_mutex_lock(&loop->mutex);
    struct loop_conn *const conn = accept_locked(loop, client_timeout_ms);
    pthread_mutex_unlock(&loop->mutex);
    return conn;
}

// Takes all that wait: the first is served by this worker at once, the others by whoever is free.
static struct loop_conn *accept_all(struct loop *loop, int64_t client_timeout_ms)
{
    struct loop_conn *const first = accept_one(loop, client_timeout_ms);
    while (first != NULL) {
        struct loop_conn *const another = accept_one(loop, client_timeout_ms);
        if (another == NULL) {
            break;
        }
        loop_give_back(loop, another, client_timeout_ms);
    }
    return first;
}

// ---- waiting ----

enum loop_event loop_wait(struct loop *loop, int timeout_ms, int64_t client_timeout_ms,
                          struct loop_conn **conn)
{
    struct epoll_event event;
    const int count = epoll_wait(loop->epoll_fd, &event, 1, timeout_ms);
    if (count <= 0) {
        return LOOP_NOTHING;
    }
    if (event.data.ptr == &stop_mark) {
        return LOOP_STOPPED;
    }
    *conn = event.data.ptr == &listen_mark ? accept_all(loop, client_timeout_ms) : event.data.ptr;
    if (*conn == NULL) {
        return LOOP_NOTHING;
    }
    // Pairs with the store in loop_give_back.
    (void)atomic_load(&(*conn)->deadline_us);
    atomic_store(&(*conn)->idle_since_us, 0);
    return LOOP_CONNECTION;
}

void loop_close(struct loop *loop, struct loop_conn *conn)
{
    // Off the list before the descriptor's number can be somebody else's.
    const size_t left = remove_from_list(loop, conn);
    free_conn(conn);
    if (left == 0 && loop_is_draining(loop)) {
        wake_all(loop);
    }
}

// By when the next request must be whole; 0 for a connection that may stay idle.
static int64_t next_deadline(const struct loop_conn *conn, bool is_idle, int64_t client_timeout_ms)
{
    const int64_t running = atomic_load(&conn->deadline_us);
    if (is_idle || running != 0) {
        return is_idle ? 0 : running;
    }
    return clock_monotonic_us() + client_timeout_ms * 1000;
}

void loop_give_back(struct loop *loop, struct loop_conn *conn, int64_t client_timeout_ms)
{
    const bool is_idle = fcgi_conn_is_idle(&conn->records) && conn->has_served;
    const int operation = conn->is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    const int fd = conn->fd;
    conn->is_registered = true;
    atomic_store(&conn->idle_since_us, is_idle ? clock_monotonic_us() : 0);
    // The last word of this owner: the next one's load in loop_wait sees all that was written
    // before, and from here on this owner looks at nothing of it any more.
    atomic_store(&conn->deadline_us, next_deadline(conn, is_idle, client_timeout_ms));
    if (is_idle && loop_is_draining(loop)) {
        shutdown(fd, SHUT_RD); // what was sent is still read, then the end is
    }
    if (watch(loop, operation, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, conn) != 0) {
        loop_close(loop, conn);
    }
}

// ---- the clock, and the end ----

// For how long the connection has been over its time; 0: it is not.
static int64_t over_time_us(const struct loop_conn *conn, int64_t now_us)
{
    const int64_t deadline_us = atomic_load(&conn->deadline_us);
    return deadline_us != 0 && deadline_us < now_us ? now_us - deadline_us : 0;
}

static bool has_idled(const struct loop_conn *conn, int64_t now_us)
{
    const int64_t since_us = atomic_load(&conn->idle_since_us);
    return since_us != 0 && since_us + IDLE_US < now_us;
}

// Under the mutex. Once each: many may be over their time, and whoever owns one may take its own.
static void end_reading(struct loop_conn *conn)
{
    if (conn->end == CONN_OPEN) {
        conn->end = CONN_READ_ENDED;
        shutdown(conn->fd, SHUT_RD);
    }
}

static void end_it(struct loop_conn *conn)
{
    if (conn->end != CONN_ENDED) {
        conn->end = CONN_ENDED;
        shutdown(conn->fd, SHUT_RDWR);
    }
}

// Whoever owns a connection that is ended here reads the end and closes it. What was sent before is
// still read and answered: it may have been whole in time, and only no worker free. Returns how
// many idle ones were ended.
static int64_t end_some(struct loop *loop, bool is_short)
{
    const int64_t now_us = clock_monotonic_us();
    int64_t ended = 0;
    pthread_mutex_lock(&loop->mutex);
    for (struct loop_conn *conn = loop->conns; conn != NULL; conn = conn->next) {
        const int64_t over_us = over_time_us(conn, now_us);
        if (over_us >= GRACE_US) {
            end_it(conn);
        } else if (over_us > 0) {
            end_reading(conn);
        } else if (is_short && has_idled(conn, now_us)) {
            end_reading(conn);
            ended++;
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
        LOG_EVENT(LOG_LEVEL_WARNING, "no room for new connections: idle ones are ended",
                  LOG_NUMBER("ended", ended));
    }
    if (is_short) {
        (void)watch_listen(loop, EPOLL_CTL_MOD); // brings the edge again
    }
}

// Accepts one more connection, or closes the listening socket when none is left. In one go: where
// the path stays, because it is somebody else's, what comes in between would be lost.
static struct loop_conn *accept_or_close(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct loop_conn *const conn = accept_locked(loop, DRAIN_CLIENT_TIMEOUT_MS);
    if (conn == NULL) {
        close(loop->options.listen_fd);
        loop->is_closed = true;
    }
    pthread_mutex_unlock(&loop->mutex);
    return conn;
}

void loop_drain(struct loop *loop)
{
    struct loop_conn *waiting;
    (void)watch_listen(loop, EPOLL_CTL_DEL);
    while ((waiting = accept_or_close(loop)) != NULL) {
        loop_give_back(loop, waiting, DRAIN_CLIENT_TIMEOUT_MS);
    }
    pthread_mutex_lock(&loop->mutex);
    atomic_store(&loop->is_draining, true);
    for (struct loop_conn *conn = loop->conns; conn != NULL; conn = conn->next) {
        if (atomic_load(&conn->deadline_us) == 0) {
            end_reading(conn);
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
        end_it(conn);
    }
    pthread_mutex_unlock(&loop->mutex);
}
