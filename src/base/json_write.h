// SPDX-License-Identifier: MIT
// json_write: writes JSON (RFC 8259) into a bounded buffer, without a document in memory and at any
// depth. Strings are written as well-formed UTF-8, whatever bytes they contain. Objects only, no
// arrays.
#ifndef BKFLOW_BASE_JSON_WRITE_H
#define BKFLOW_BASE_JSON_WRITE_H

#include "base/outbuf.h"

struct json_writer {
    struct outbuf *out;
    uint64_t depth;  // open objects
    bool wants_key;  // inside an object, between members
    bool has_member; // the innermost open object has one already
    bool misused;    // sticky: a call that would have given invalid JSON was ignored
};

static inline void json_write_init(struct json_writer *json, struct outbuf *out)
{
    *json = (struct json_writer){.out = out};
}

// Whether the document is complete: every object closed, every key followed by a value, no call
// ignored.
static inline bool json_write_is_complete(const struct json_writer *json)
{
    return !json->misused && json->depth == 0 && json->has_member;
}

// A value is allowed after a key, or once at the top level.
static inline bool json_write_begin_value(struct json_writer *json)
{
    if (UNLIKELY(json->wants_key || (json->depth == 0 && json->has_member))) {
        json->misused = true;
    }
    return !json->misused;
}

static inline void json_write_end_value(struct json_writer *json)
{
    json->wants_key = json->depth > 0;
    json->has_member = true;
}

static inline void json_write_open(struct json_writer *json)
{
    if (!json_write_begin_value(json)) {
        return;
    }
    outbuf_put(json->out, '{');
    json->depth++;
    json->wants_key = true;
    json->has_member = false;
}

static inline void json_write_close(struct json_writer *json)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return;
    }
    outbuf_put(json->out, '}');
    json->depth--;
    json_write_end_value(json);
}

// A key that is a literal: the compiler knows its length.
#define JSON_WRITE_KEY(json, name)                                                                 \
    json_write_key_text((json), JSON_WRITE_MEMBER(name), sizeof(JSON_WRITE_MEMBER(name)) - 1)
#define JSON_WRITE_MEMBER(name) ",\"" name "\":"

// TEXT is a comma, the quoted name and a colon. The first member of an object omits the comma.
static inline void json_write_key_text(struct json_writer *json, const char *text, size_t len)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return;
    }
    const size_t skipped = json->has_member ? 0 : 1;
    char *const to = outbuf_reserve(json->out, len);
    memcpy(to, text + skipped, len - skipped);
    outbuf_claim(json->out, to + len - skipped);
    json->wants_key = false;
}

// A key that is data.
void json_write_key(struct json_writer *json, struct str name) NONNULL;

// Each byte that is not part of valid UTF-8 becomes U+FFFD.
void json_write_string(struct json_writer *json, struct str text) NONNULL;

void json_write_number(struct json_writer *json, int64_t number) NONNULL;
void json_write_bool(struct json_writer *json, bool value) NONNULL;
void json_write_null(struct json_writer *json) NONNULL;

// ---- fast paths into reserved memory: the caller is responsible for room and syntax

enum { JSON_WRITE_NUMBER_MAX = 20 };

// Writes TEXT in quotes and returns the end. The caller provides room for TEXT and two more bytes.
// NULL if some of TEXT must be escaped: ignore what was written.
char *json_write_quote(char *to, struct str text) MUST_CHECK NONNULL;

// Writes any text in quotes, escaped where necessary.
void json_write_quote_any(struct outbuf *out, struct str text) NONNULL;

// These return the end of the digits, of which there are at most JSON_WRITE_NUMBER_MAX.
char *json_write_put_long_number(char *to, int64_t number) MUST_CHECK NONNULL;

static inline char *json_write_put_number(char *to, int64_t number)
{
    if (UNLIKELY(number < 0 || number > 9)) {
        return json_write_put_long_number(to, number);
    }
    *to = (char)('0' + number);
    return to + 1;
}

#endif
