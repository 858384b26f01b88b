// SPDX-License-Identifier: MIT
// json_read: one JSON object from an untrusted source as a tree, built by json-c. json_members
// decides what is valid, so that every version of json-c gives the same answer. Not for secrets:
// json-c keeps copies that cannot be wiped.
#ifndef BKFLOW_BASE_JSON_READ_H
#define BKFLOW_BASE_JSON_READ_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

// A value of the tree; valid until the object that was read is freed.
struct json_value;

// Reads TEXT like json_members_read, with the same errors. Free the object with json_read_free.
int json_read_object(struct str text, const char *what, enum error_kind refusal,
                     struct arena *arena, struct json_value **object,
                     struct error *err) MUST_CHECK NONNULL;
void json_read_free(struct json_value *object);

// Whether VALUE is an object that has the member, even if the member is null.
bool json_read_has(const struct json_value *value, const char *name) MUST_CHECK
    __attribute__((nonnull(2)));

// Returns the member; NULL if VALUE is not an object or has no such member, or the member is null.
const struct json_value *json_read_member(const struct json_value *value,
                                          const char *name) MUST_CHECK __attribute__((nonnull(2)));

// Returns the string; absent if VALUE is not a string.
struct str json_read_string(const struct json_value *value) MUST_CHECK;

// False if VALUE is not a number. Integers beyond 64 bits become json-c's largest or smallest one.
bool json_read_number(const struct json_value *value, double *number) MUST_CHECK
    __attribute__((nonnull(2)));

bool json_read_is_true(const struct json_value *value) MUST_CHECK;

#endif
