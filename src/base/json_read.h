// SPDX-License-Identifier: MIT
// jsonr: reads JSON from outside with json-c, and refuses what json-c lets pass: doubled members,
// of which it silently keeps the last, escaped NULs, which end a member's name for it, and anything
// behind the document.
#ifndef BKFLOW_BASE_JSON_READ_H
#define BKFLOW_BASE_JSON_READ_H

#include "base/arena.h"
#include "base/base.h"

#include <json.h>

struct json_reader; // used by one thread at a time

struct json_reader *json_read_new(void) MUST_CHECK; // NULL: no memory
void json_read_free(struct json_reader *reader);

// The one JSON object that TEXT is, or NULL. To be given back by json_read_release.
json_object *json_read_object(struct json_reader *reader, struct str text) MUST_CHECK NONNULL;

// Overwrites every string in it, which may be a secret, and gives it back.
void json_read_release(json_object *object);

// A member, as a view that dies with the object; absent when there is none, or it is no string.
struct str json_read_string(json_object *object, const char *name) MUST_CHECK NONNULL;

#endif
