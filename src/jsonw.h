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

void jsonw_number(struct jsonw *json, int64_t number) NONNULL;
void jsonw_bool(struct jsonw *json, bool value) NONNULL;
void jsonw_null(struct jsonw *json) NONNULL;

// ---- straight into memory, for what is written a million times: the caller sees to room and form

enum { JSONW_NUMBER_MAX = 20 };

// Writes TEXT in quotes and returns the place behind it; room for TEXT and two bytes must be there.
// NULL when some of TEXT must be escaped: what was written then means nothing.
char *jsonw_quote(char *to, struct str text) MUST_CHECK NONNULL;

// Writes any text in quotes, escaped where it must be.
void jsonw_quote_any(struct outbuf *out, struct str text) NONNULL;

// Return the place behind the digits, of which there are at most JSONW_NUMBER_MAX.
char *jsonw_put_long_number(char *to, int64_t number) MUST_CHECK NONNULL;

static inline char *jsonw_put_number(char *to, int64_t number)
{
    if (UNLIKELY(number < 0 || number > 9)) {
        return jsonw_put_long_number(to, number);
    }
    *to = (char)('0' + number);
    return to + 1;
}

#endif
