// SPDX-License-Identifier: MIT
#include "base/outbuf.h"

#include <assert.h>

void outbuf_init(struct outbuf *out, char *bytes, size_t capacity,
                 int (*drain)(void *context, const char *bytes, size_t len), void *context)
{
    assert(capacity >= OUTBUF_MIN_CAPACITY);
    *out = (struct outbuf){
        .next = bytes,
        .end = bytes + capacity,
        .start = bytes,
        .drain = drain,
        .context = context,
    };
}

int outbuf_flush(struct outbuf *out)
{
    const size_t len = outbuf_pending(out);
    out->next = out->start;
    if (out->failed) {
        return -1;
    }
    if (len > 0 && out->drain(out->context, out->start, len) != 0) {
        out->failed = true;
        return -1;
    }
    out->drained += len;
    return 0;
}

void outbuf_make_room(struct outbuf *out)
{
    if (outbuf_flush(out) != 0) {
        out->failed = true;
    }
}

void outbuf_write(struct outbuf *out, const char *bytes, size_t len)
{
    while (len > 0) {
        outbuf_reserve(out, 1);
        const size_t room = (size_t)(out->end - out->next);
        const size_t n = len < room ? len : room;
        memcpy(out->next, bytes, n);
        out->next += n;
        bytes += n;
        len -= n;
    }
}
