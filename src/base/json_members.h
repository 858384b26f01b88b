// SPDX-License-Identifier: MIT
// json_members: reads one JSON object from an untrusted source, strictly by RFC 8259, and lists its
// members. All memory comes from the arena, so a secret in it is wiped together with the request.
// Does not know what the members mean.
#ifndef BKFLOW_BASE_JSON_MEMBERS_H
#define BKFLOW_BASE_JSON_MEMBERS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

enum {
    JSON_DEPTH_MAX = 8,      // of nested objects and arrays
    JSON_MEMBERS_MAX = 4096, // in all objects together; a power of two
};

// A member of the outermost object. Texts are decoded and live in the arena.
struct json_member {
    struct str name;
    struct str text; // absent if the value is not a string
    struct str json; // the value as it is in the document, which it borrows
    const struct json_member *next;
};

struct json_members {
    const struct json_member *first; // in the order of the document; NULL: none
    size_t count;                    // in all objects of the document
    size_t string_bytes;             // in all names and strings, decoded
};

// Reads TEXT: one object in UTF-8, surrounded by nothing but white space, nested at most
// JSON_DEPTH_MAX deep, with at most JSON_MEMBERS_MAX members. Names must be unique within their
// object, and strings must not contain U+0000 or an unpaired surrogate. Otherwise fails with
// REFUSAL, or with ERR_NO_MEMORY if the arena is exhausted. WHAT names the text in the error's
// detail.
int json_members_read(struct str text, const char *what, enum error_kind refusal,
                      struct arena *arena, struct json_members *members,
                      struct error *err) MUST_CHECK NONNULL;

// Decodes the "\\uXXXX" escape, or pair of escapes, at the start of TEXT into *POINT. Returns the
// bytes that it takes; 0 if there is none, or it is U+0000 or an unpaired surrogate.
size_t json_members_escape(struct str text, uint32_t *point) MUST_CHECK NONNULL;

#endif
