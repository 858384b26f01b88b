// SPDX-License-Identifier: MIT
// outbuf: a bounded buffer in front of a sink. A full buffer is passed to the sink. Errors are
// sticky: writers need not check, the caller of outbuf_finish checks once. Nothing outside uses its
// members.
#ifndef BKFLOW_BASE_OUTBUF_H
#define BKFLOW_BASE_OUTBUF_H

#include "base/base.h"

// The smallest capacity, and the most that outbuf_reserve can provide.
enum { OUTBUF_MIN_CAPACITY = 1024 };

// Delivers LEN bytes; -1 if that is impossible, which ends all further output. The last call has
// IS_LAST set and may have no bytes. The sink may write into the head room before BYTES and the
// tail room after them.
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

// Sets up a buffer of CAPACITY bytes with head and tail room for the sink. BYTES is the head room,
// the buffer and the tail room; the caller owns it and keeps it as long as OUT. CONTEXT may be
// NULL.
void outbuf_init_with_rooms(struct outbuf *out, char *bytes, size_t head_room, size_t capacity,
                            outbuf_sink *sink, void *context) __attribute__((nonnull(1, 2, 5)));

// The same without head and tail room.
static inline void outbuf_init(struct outbuf *out, char *bytes, size_t capacity, outbuf_sink *sink,
                               void *context)
{
    outbuf_init_with_rooms(out, bytes, 0, capacity, sink, context);
}

// Passes the buffer to the sink. -1 if that, or anything before it, has failed.
int outbuf_flush(struct outbuf *out) NONNULL;

// The same for the last time: the sink is called even if the buffer is empty.
int outbuf_finish(struct outbuf *out) NONNULL;

// Writes any number of bytes.
void outbuf_write(struct outbuf *out, const char *bytes, size_t len) NONNULL;

// The slow path of outbuf_reserve.
void outbuf_make_room(struct outbuf *out) NONNULL;

// Returns the place for LEN bytes, at most OUTBUF_MIN_CAPACITY; commit them with outbuf_claim.
// After an error the buffer is overwritten: nobody will see it.
static inline char *outbuf_reserve(struct outbuf *out, size_t len)
{
    if (UNLIKELY(len > (size_t)(out->end - out->next))) {
        outbuf_make_room(out);
    }
    return out->next;
}

// Commits what was written from the reserved place up to END.
static inline void outbuf_claim(struct outbuf *out, char *end)
{
    out->next = end;
}

static inline void outbuf_put(struct outbuf *out, char byte)
{
    *outbuf_reserve(out, 1) = byte;
    out->next++;
}

// Number of bytes that have not been passed to the sink.
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
