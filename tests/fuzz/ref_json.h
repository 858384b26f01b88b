// SPDX-License-Identifier: MIT
// ref_json: a JSON reader that shares nothing with the product's, to compare it with: RFC 8259 to
// the letter, and what the product adds: one object, members distinct, no NUL in a string, UTF-8.
#ifndef BKFLOW_FUZZ_REF_JSON_H
#define BKFLOW_FUZZ_REF_JSON_H

#include "base/base.h"

enum { REF_JSON_DEPTH_MAX = 8, REF_JSON_MEMBERS_MAX = 4096 };

enum ref_json_type { REF_NULL, REF_TRUE, REF_FALSE, REF_NUMBER, REF_STRING, REF_ARRAY, REF_OBJECT };

struct ref_json {
    enum ref_json_type type;
    struct str text;        // a string decoded, a number as it is written
    struct str name;        // of a member, decoded
    struct ref_json *first; // of an array or object
    struct ref_json *next;
};

// The object that TEXT is, NULL when it is none. What it returns lives until the next call.
struct ref_json *ref_json_object(struct str text) MUST_CHECK;

// NULL when OBJECT is none, or has no such member.
const struct ref_json *ref_json_member(const struct ref_json *object, const char *name) MUST_CHECK;

// The member's text if it is a string, else absent.
struct str ref_json_string(const struct ref_json *object, const char *name) MUST_CHECK;

// Whether all of TEXT is well-formed UTF-8.
bool ref_utf8_is_valid(struct str text) MUST_CHECK;

// Writes TEXT with U+FFFD for each byte that is no part of well-formed UTF-8; TO has room for three
// times as much. Returns the length.
size_t ref_utf8_repair(struct str text, char *to);

#endif
