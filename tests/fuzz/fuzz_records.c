// SPDX-License-Identifier: MIT
// Any bytes as what a web server sends on a FastCGI connection: bounds hold, and the events do not
// depend on where the bytes are cut. The first byte says where.
#include "fcgi_conn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS_MAX = 4096, REQUEST_BYTES_MAX = 8192 };

static size_t run(const char *bytes, size_t len, size_t step, enum fcgi_event events[EVENTS_MAX])
{
    static struct http_var vars[FCGI_CONN_VARS_MAX];
    struct fcgi_conn conn;
    size_t count = 0;
    fcgi_conn_init(&conn, REQUEST_BYTES_MAX, 100);
    for (size_t at = 0; at < len && !conn.is_over && count < EVENTS_MAX;) {
        size_t used;
        size_t vars_count;
        const size_t piece = len - at < step ? len - at : step;
        const enum fcgi_event event = fcgi_conn_consume(&conn, bytes + at, piece, &used);
        at += used;
        if (event == FCGI_EVENT_MORE) {
            continue;
        }
        events[count++] = event;
        if (event == FCGI_EVENT_BROKEN) {
            break;
        }
        if (event == FCGI_EVENT_REQUEST) {
            (void)!fcgi_conn_vars(&conn, vars, &vars_count);
            fcgi_conn_request_done(&conn);
        }
        if (conn.vars_len > REQUEST_BYTES_MAX || conn.reply_len > sizeof conn.reply) {
            abort();
        }
    }
    fcgi_conn_fini(&conn);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static enum fcgi_event whole[EVENTS_MAX];
    static enum fcgi_event pieces[EVENTS_MAX];
    if (size < 2) {
        return 0;
    }
    const char *const bytes = (const char *)data + 1;
    const size_t count = run(bytes, size - 1, size, whole);
    if (count != run(bytes, size - 1, (size_t)data[0] + 1, pieces) ||
        memcmp(whole, pieces, count * sizeof *whole) != 0) {
        abort();
    }
    return 0;
}
