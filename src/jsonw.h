// SPDX-License-Identifier: MIT
// jsonw: writes JSON (RFC 8259) straight into a bounded buffer: no document in memory, any depth.
// Strings leave as well-formed UTF-8 whatever bytes they hold. Objects only: there are no arrays.
#ifndef BKFLOW_JSONW_H
#define BKFLOW_JSONW_H

#include "outbuf.h"

struct jsonw {
    struct outbuf *out;
    uint64_t depth;  // open objects
    bool wants_key;  // inside an object, between members
    bool has_member; // the innermost open object has one already
    bool misused;    // sticky: a call that would not have given JSON was refused
};

static inline void jsonw_init(struct jsonw *json, struct outbuf *out)
{
    *json = (struct jsonw){.out = out};
}

// The document is whole: every object closed, every key given its value, no call refused.
static inline bool jsonw_is_whole(const struct jsonw *json)
{
    return !json->misused && json->depth == 0 && json->has_member;
}

// A value may stand behind a key, or once at the top.
static inline bool jsonw_begin_value(struct jsonw *json)
{
    if (UNLIKELY(json->wants_key || (json->depth == 0 && json->has_member))) {
        json->misused = true;
    }
    return !json->misused;
}

static inline void jsonw_end_value(struct jsonw *json)
{
    json->wants_key = json->depth > 0;
    json->has_member = true;
}

static inline void jsonw_open(struct jsonw *json)
{
    if (!jsonw_begin_value(json)) {
        return;
    }
    outbuf_reserve(json->out, 1);
    *json->out->next++ = '{';
    json->depth++;
    json->wants_key = true;
    json->has_member = false;
}

static inline void jsonw_close(struct jsonw *json)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return;
    }
    outbuf_reserve(json->out, 1);
    *json->out->next++ = '}';
    json->depth--;
    jsonw_end_value(json);
}

// A key that is written in the program, its length known to the compiler.
#define JSONW_KEY(json, name)                                                                      \
    jsonw_key_text((json), JSONW_MEMBER(name), sizeof(JSONW_MEMBER(name)) - 1)
#define JSONW_MEMBER(name) ",\"" name "\":"

// TEXT is a comma, which the first member of an object leaves out, the quoted name, and the colon.
static inline void jsonw_key_text(struct jsonw *json, const char *text, size_t len)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return;
    }
    const size_t skipped = json->has_member ? 0 : 1;
    outbuf_reserve(json->out, len);
    memcpy(json->out->next, text + skipped, len - skipped);
    json->out->next += len - skipped;
    json->wants_key = false;
}

// A key that is data.
void jsonw_key(struct jsonw *json, struct str name) NONNULL;

// Bytes that are not UTF-8 become U+FFFD, one each.
void jsonw_string(struct jsonw *json, struct str text) NONNULL;

// Whole members made by another jsonw, each with its comma in front: for what many objects repeat.
// Never an object's first ones; at most OUTBUF_MIN_CAPACITY bytes.
static inline void jsonw_members(struct jsonw *json, struct str text)
{
    if (UNLIKELY(!json->wants_key || !json->has_member || json->misused)) {
        json->misused = true;
        return;
    }
    outbuf_reserve(json->out, text.len);
    memcpy(json->out->next, text.ptr, text.len);
    json->out->next += text.len;
}

// Text that is known to need no escape, at most OUTBUF_MIN_CAPACITY - 2 bytes.
static inline void jsonw_plain(struct jsonw *json, struct str text)
{
    if (!jsonw_begin_value(json)) {
        return;
    }
    outbuf_reserve(json->out, text.len + 2);
    char *const to = json->out->next;
    to[0] = '"';
    memcpy(to + 1, text.ptr, text.len);
    to[1 + text.len] = '"';
    json->out->next = to + text.len + 2;
    jsonw_end_value(json);
}

void jsonw_long_number(struct jsonw *json, int64_t number) NONNULL;

static inline void jsonw_number(struct jsonw *json, int64_t number)
{
    if (UNLIKELY(number < 0 || number > 9)) {
        jsonw_long_number(json, number);
    } else if (jsonw_begin_value(json)) {
        outbuf_reserve(json->out, 1);
        *json->out->next++ = (char)('0' + number);
        jsonw_end_value(json);
    }
}

void jsonw_bool(struct jsonw *json, bool value) NONNULL;
void jsonw_null(struct jsonw *json) NONNULL;

#endif
