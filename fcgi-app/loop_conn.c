// SPDX-License-Identifier: MIT
#include "loop_conn.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// How long a connection may wait for its client, idle or in the middle of a request, before it may
// be closed to make room. A web server notices this and reconnects when necessary; what it had sent
// is still answered.
enum { WAITING_US = 1000 * 1000 };

// How long a request that has begun may take to become complete while the process stops.
enum { DRAIN_CLIENT_TIMEOUT_US = 1000 * 1000 };

// How long a client may continue to send after its answer.
enum { LINGER_US = 1000 * 1000 };

// How many bytes are dropped at once.
enum { LATE_BYTES = 16 * 1024 };

struct loop_conn *loop_conn_new(int fd, size_t max_request_bytes, size_t max_connections,
                                int64_t timeout_us)
{
    struct loop_conn *const conn = calloc(1, sizeof(struct loop_conn));
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->fd = fd;
    conn->began_us = clock_monotonic_us();
    fcgi_conn_init(&conn->records, max_request_bytes, max_connections);
    atomic_init(&conn->deadline_us, conn->began_us + timeout_us);
    return conn;
}

void loop_conn_free(struct loop_conn *conn)
{
    fcgi_conn_fini(&conn->records);
    close(conn->fd);
    free(conn);
}

// Returns the time by which the request must be complete, counted from now if it has just begun.
static int64_t next_deadline(struct loop_conn *conn, int64_t now_us, int64_t timeout_us)
{
    const int64_t running_us = atomic_load(&conn->deadline_us);
    if (running_us != 0) {
        return running_us;
    }
    conn->began_us = now_us;
    return now_us + timeout_us;
}

bool loop_conn_wait(struct loop_conn *conn, int64_t timeout_us)
{
    const int64_t now_us = clock_monotonic_us();
    const bool is_idle = fcgi_conn_is_idle(&conn->records) && conn->has_served;
    const int64_t deadline_us = is_idle ? 0 : next_deadline(conn, now_us, timeout_us);
    atomic_store(&conn->waiting_since_us, is_idle ? now_us : conn->began_us);
    atomic_store(&conn->deadline_us, deadline_us);
    return is_idle;
}

bool loop_conn_linger(struct loop_conn *conn)
{
    if (shutdown(conn->fd, SHUT_WR) != 0) {
        return false;
    }
    const int64_t now_us = clock_monotonic_us();
    fcgi_conn_fini(&conn->records);
    conn->is_lingering = true;
    atomic_store(&conn->waiting_since_us, now_us);
    atomic_store(&conn->deadline_us, now_us + LINGER_US);
    return true;
}

bool loop_conn_drop_late_bytes(struct loop_conn *conn)
{
    char bytes[LATE_BYTES];
    const ssize_t got = recv(conn->fd, bytes, sizeof bytes, 0);
    const bool is_alive = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    return is_alive && clock_monotonic_us() < atomic_load(&conn->deadline_us);
}

// The owner may set the deadline concurrently.
void loop_conn_hurry(struct loop_conn *conn)
{
    const int_fast64_t latest_us = clock_monotonic_us() + DRAIN_CLIENT_TIMEOUT_US;
    int_fast64_t deadline_us = atomic_load(&conn->deadline_us);
    while (deadline_us > latest_us &&
           !atomic_compare_exchange_weak(&conn->deadline_us, &deadline_us, latest_us)) {
    }
}

int64_t loop_conn_over_time_us(const struct loop_conn *conn, int64_t now_us)
{
    const int64_t deadline_us = atomic_load(&conn->deadline_us);
    return deadline_us != 0 && deadline_us < now_us ? now_us - deadline_us : 0;
}

bool loop_conn_makes_room(const struct loop_conn *conn, int64_t now_us)
{
    const int64_t since_us = atomic_load(&conn->waiting_since_us);
    return since_us != 0 && since_us + WAITING_US < now_us;
}

bool loop_conn_end_reading(struct loop_conn *conn)
{
    if (conn->end != CONN_OPEN) {
        return false;
    }
    conn->end = CONN_READ_ENDED;
    shutdown(conn->fd, SHUT_RD);
    return true;
}

void loop_conn_end(struct loop_conn *conn)
{
    if (conn->end != CONN_ENDED) {
        conn->end = CONN_ENDED;
        shutdown(conn->fd, SHUT_RDWR);
    }
}
