// SPDX-License-Identifier: MIT
// outbuf: a bounded buffer in front of a sink. It empties itself when full, and an error sticks:
// writers need not check, whoever finishes checks once. Nothing outside touches its members.
#ifndef BKFLOW_BASE_OUTBUF_H
#define BKFLOW_BASE_OUTBUF_H

#include "base/base.h"

// The smallest capacity, and so what outbuf_reserve can always promise.
enum { OUTBUF_MIN_CAPACITY = 1024 };

// Takes LEN bytes away; -1 when they cannot be delivered, which ends all further output. The last
// call IS_LAST, and may have no bytes. The sink may write into the buffer's head room, which is in
// front of BYTES, and into its tail room, which follows them.
typedef int outbuf_sink(void *context, char *bytes, size_t len, bool is_last);

struct outbuf {
    char *next;  // where the next byte goes
    char *end;   // first byte after the buffer
    char *start; // first byte of the buffer
    outbuf_sink *sink;
    void *context;
    bool has_failed;
    uint64_t delivered; // bytes that the sink has taken
};

// A buffer of CAPACITY bytes with rooms of its own for the sink. BYTES is the head room, the buffer
// and the tail room; the caller owns it and keeps it until it is done. CONTEXT may be NULL.
void outbuf_init_with_rooms(struct outbuf *out, char *bytes, size_t head_room, size_t capacity,
                            outbuf_sink *sink, void *context) __attribute__((nonnull(1, 2, 5)));

// The same without rooms.
static inline void outbuf_init(struct outbuf *out, char *bytes, size_t capacity, outbuf_sink *sink,
                               void *context)
{
    outbuf_init_with_rooms(out, bytes, 0, capacity, sink, context);
}

// Gives what is buffered to the sink. -1 when that, or anything before it, has failed.
int outbuf_flush(struct outbuf *out) NONNULL;

// The same, for the last time: the sink is called once more even if nothing is left.
int outbuf_finish(struct outbuf *out) NONNULL;

// Any number of bytes.
void outbuf_write(struct outbuf *out, const char *bytes, size_t len) NONNULL;

// The slow path of outbuf_reserve.
void outbuf_make_room(struct outbuf *out) NONNULL;

// Where LEN bytes (at most OUTBUF_MIN_CAPACITY) may be written, to be claimed afterwards. After an
// error the buffer is simply overwritten: nobody will see it.
static inline char *outbuf_reserve(struct outbuf *out, size_t len)
{
    if (UNLIKELY(len > (size_t)(out->end - out->next))) {
        outbuf_make_room(out);
    }
    return out->next;
}

// What was written from outbuf_reserve's place up to END is content now.
static inline void outbuf_claim(struct outbuf *out, char *end)
{
    out->next = end;
}

static inline void outbuf_put(struct outbuf *out, char byte)
{
    *outbuf_reserve(out, 1) = byte;
    out->next++;
}

// Bytes that the sink has not been given yet.
static inline size_t outbuf_pending(const struct outbuf *out)
{
    return (size_t)(out->next - out->start);
}

static inline bool outbuf_has_failed(const struct outbuf *out)
{
    return out->has_failed;
}

static inline uint64_t outbuf_delivered(const struct outbuf *out)
{
    return out->delivered;
}

#endif
