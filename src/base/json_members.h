// SPDX-License-Identifier: MIT
// json_members: reads one JSON object that came from outside, to the letter of RFC 8259, and hands
// out its members. It keeps nothing outside of the arena, so that a secret in it is wiped together
// with the request. Knows nothing of what the members mean.
#ifndef BKFLOW_BASE_JSON_MEMBERS_H
#define BKFLOW_BASE_JSON_MEMBERS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

enum {
    JSON_DEPTH_MAX = 8,      // objects and arrays within each other
    JSON_MEMBERS_MAX = 4096, // of all objects together; a power of two
};

// A member of the outermost object. Texts are decoded and live in the arena.
struct json_member {
    struct str name;
    struct str text; // absent when the value is no string
    const struct json_member *next;
};

struct json_members {
    const struct json_member *first; // in the order of the text; NULL: none
    size_t count;                    // of all objects in the text
    size_t string_bytes;             // of all their names and strings, decoded
};

// Reads TEXT, which must be one object in UTF-8 with nothing but white space around it, at most
// JSON_DEPTH_MAX deep, with at most JSON_MEMBERS_MAX members. In no object may two members have the
// same name, and no string may hold U+0000 or half of a surrogate pair. Else the error is of kind
// REFUSAL; ERR_NO_MEMORY where the arena has no room. WHAT names the text in the error's detail.
int json_members_read(struct str text, const char *what, enum error_kind refusal,
                      struct arena *arena, struct json_members *members,
                      struct error *err) MUST_CHECK NONNULL;

// The code point of the escape "\\uXXXX", or of the pair of them, that TEXT begins with. Returns
// the bytes that it takes, 0 where it is U+0000, half of a pair, or none.
size_t json_members_escape(struct str text, uint32_t *point) MUST_CHECK NONNULL;

#endif
