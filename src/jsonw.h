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

void jsonw_open(struct jsonw *json) NONNULL;
void jsonw_close(struct jsonw *json) NONNULL;

// A key that is written in the program: TEXT is the quoted name with its colon; see JSONW_KEY.
void jsonw_key_text(struct jsonw *json, const char *text, size_t len) NONNULL;
#define JSONW_KEY(json, name) jsonw_key_text((json), "\"" name "\":", sizeof("\"" name "\":") - 1)

// A key that is data.
void jsonw_key(struct jsonw *json, struct str name) NONNULL;

// Bytes that are not UTF-8 become U+FFFD, one each.
void jsonw_string(struct jsonw *json, struct str text) NONNULL;
void jsonw_number(struct jsonw *json, int64_t number) NONNULL;
void jsonw_bool(struct jsonw *json, bool value) NONNULL;
void jsonw_null(struct jsonw *json) NONNULL;

#endif
