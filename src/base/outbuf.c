// SPDX-License-Identifier: MIT
#include "base/outbuf.h"

#include <assert.h>

void outbuf_init_with_rooms(struct outbuf *out, char *bytes, size_t head_room, size_t capacity,
                            outbuf_sink *sink, void *context)
{
    assert(capacity >= OUTBUF_MIN_CAPACITY);
    char *const start = bytes + head_room;
    *out = (struct outbuf){
        .next = start,
        .end = start + capacity,
        .start = start,
        .sink = sink,
        .context = context,
    };
}

static int deliver(struct outbuf *out, bool is_last)
{
    const size_t len = outbuf_pending(out);
    out->next = out->start;
    if (out->has_failed || (len == 0 && !is_last)) {
        return out->has_failed ? -1 : 0;
    }
    if (out->sink(out->context, out->start, len, is_last) != 0) {
        out->has_failed = true;
        return -1;
    }
    out->delivered += len;
    return 0;
}

int outbuf_flush(struct outbuf *out)
{
    return deliver(out, false);
}

int outbuf_finish(struct outbuf *out)
{
    return deliver(out, true);
}

void outbuf_make_room(struct outbuf *out)
{
    (void)deliver(out, false);
}

void outbuf_write(struct outbuf *out, const char *bytes, size_t len)
{
    while (len > 0) {
        char *const to = outbuf_reserve(out, 1);
        const size_t room = (size_t)(out->end - to);
        const size_t n = len < room ? len : room;
        memcpy(to, bytes, n);
        outbuf_claim(out, to + n);
        bytes += n;
        len -= n;
    }
}
