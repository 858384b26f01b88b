// SPDX-License-Identifier: MIT
#include "reply.h"

#include "base/clock.h"
#include "fcgi_conn.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

_Static_assert((int)REPLY_TAIL_ROOM == (int)FCGI_CONN_END_BYTES, "the end must fit its room");

// Waits until the socket takes bytes, and subtracts the time from the budget.
static bool wait_writable(struct reply *reply)
{
    const int64_t before_us = clock_monotonic_us();
    struct pollfd waiting = {.fd = reply->fd, .events = POLLOUT};
    const int timeout_ms = (int)((reply->write_budget_us + 999) / 1000);
    const int ready = timeout_ms <= 0 ? 0 : poll(&waiting, 1, timeout_ms);
    reply->write_budget_us -= clock_monotonic_us() - before_us;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

bool reply_is_ready(const struct reply *reply)
{
    struct pollfd now = {.fd = reply->fd, .events = POLLOUT};
    return poll(&now, 1, 0) > 0;
}

int reply_send(struct reply *reply, const char *bytes, size_t len)
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

void reply_count(struct reply *reply)
{
    if (reply->requests_done != NULL && !reply->is_counted) {
        atomic_fetch_add(reply->requests_done, 1);
    }
    reply->is_counted = true;
}

int reply_send_record(void *context, char *bytes, size_t len, bool is_last)
{
    struct reply *const reply = context;
    char *begin = bytes;
    char *end = bytes + len;
    if (len > 0) {
        begin -= REPLY_HEAD_ROOM;
        fcgi_put_header(begin, FCGI_STDOUT, reply->id, len);
    }
    if (is_last) {
        fcgi_put_end(end, reply->id);
        end += REPLY_TAIL_ROOM;
        // Count before the client can read the answer: its next request must not find that no
        // worker makes progress.
        reply_count(reply);
    }
    return reply_send(reply, begin, (size_t)(end - begin));
}
