// SPDX-License-Identifier: MIT
// json_read: one JSON object from outside as a tree, built by json-c. What is JSON is decided by
// json_members, so that every version of json-c gives the same answer. Not for secrets: json-c
// keeps copies that nobody can wipe.
#ifndef BKFLOW_BASE_JSON_READ_H
#define BKFLOW_BASE_JSON_READ_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

// A value of the tree; lives until the object that was read is freed.
struct json_value;

// Reads TEXT as json_members_read does, with the same errors. The object is to be freed with
// json_read_free.
int json_read_object(struct str text, const char *what, enum error_kind refusal,
                     struct arena *arena, struct json_value **object,
                     struct error *err) MUST_CHECK NONNULL;
void json_read_free(struct json_value *object);

// Whether VALUE is an object with that member, be it null.
bool json_read_has(const struct json_value *value, const char *name) MUST_CHECK
    __attribute__((nonnull(2)));

// The member; NULL when VALUE is no object or has no such member, or the member is null.
const struct json_value *json_read_member(const struct json_value *value,
                                          const char *name) MUST_CHECK __attribute__((nonnull(2)));

// The string; absent when VALUE is none.
struct str json_read_string(const struct json_value *value) MUST_CHECK;

// False when VALUE is no number. Integers beyond 64 bits read as the largest that json-c knows.
bool json_read_number(const struct json_value *value, double *number) MUST_CHECK
    __attribute__((nonnull(2)));

bool json_read_is_true(const struct json_value *value) MUST_CHECK;

#endif
