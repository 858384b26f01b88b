// SPDX-License-Identifier: MIT
#include "waiting_look.h"

#include <errno.h>
#include <sys/socket.h>

enum waiting_look waiting_look_at(const struct loop_conn *conn)
{
    char header[FCGI_HEADER_LEN];
    const ssize_t got = recv(conn->fd, header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return WAITING_LOOK_NOTHING;
    }
    if (got <= 0) {
        return WAITING_LOOK_GONE;
    }
    return got == sizeof header && fcgi_conn_is_abort(&conn->records, header) ? WAITING_LOOK_ABORT
                                                                              : WAITING_LOOK_BYTES;
}

bool waiting_look_end_request(struct loop_conn *conn)
{
    char header[FCGI_HEADER_LEN];
    size_t used;
    struct fcgi_conn *const records = &conn->records;
    if (recv(conn->fd, header, sizeof header, MSG_DONTWAIT) != sizeof header ||
        fcgi_conn_consume(records, header, sizeof header, &used) != FCGI_EVENT_REPLY) {
        return false;
    }
    return send(conn->fd, records->reply, records->reply_len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)records->reply_len;
}
