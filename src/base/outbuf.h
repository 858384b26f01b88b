// SPDX-License-Identifier: MIT
// outbuf: a bounded buffer in front of whatever takes the bytes. It empties itself when full, and
// an error sticks: writers need not check, whoever finishes checks once.
#ifndef BKFLOW_BASE_OUTBUF_H
#define BKFLOW_BASE_OUTBUF_H

#include "base/base.h"

// The smallest capacity that outbuf_init accepts, and so what outbuf_reserve can always promise.
enum { OUTBUF_MIN_CAPACITY = 1024 };

struct outbuf {
    char *next;  // where the next byte goes
    char *end;   // first byte behind the buffer
    char *start; // first byte of the buffer
    // Takes LEN bytes away; -1 when they cannot be delivered, which ends all further output.
    int (*drain)(void *context, const char *bytes, size_t len);
    void *context;
    bool failed;      // sticky: nothing is delivered any more
    uint64_t drained; // bytes handed to drain so far
};

// Over BYTES, which the caller owns and keeps until it is done. CONTEXT may be NULL.
void outbuf_init(struct outbuf *out, char *bytes, size_t capacity,
                 int (*drain)(void *context, const char *bytes, size_t len), void *context)
    __attribute__((nonnull(1, 2, 4)));

// Hands what is buffered to drain. -1 when that, or an earlier one, failed.
int outbuf_flush(struct outbuf *out) MUST_CHECK NONNULL;

// The slow path of outbuf_reserve.
void outbuf_make_room(struct outbuf *out) NONNULL;

// Any number of bytes.
void outbuf_write(struct outbuf *out, const char *bytes, size_t len) NONNULL;

// After this, LEN bytes (at most OUTBUF_MIN_CAPACITY) may be written at out->next, to be claimed by
// moving it. After an error the buffer is simply overwritten: nobody will see it.
static inline void outbuf_reserve(struct outbuf *out, size_t len)
{
    if (UNLIKELY(len > (size_t)(out->end - out->next))) {
        outbuf_make_room(out);
    }
}

static inline size_t outbuf_pending(const struct outbuf *out)
{
    return (size_t)(out->next - out->start);
}

#endif
