// SPDX-License-Identifier: MIT
// jsonr: reads JSON from outside with json-c, and refuses what json-c lets pass: doubled members,
// of which it silently keeps the last, escaped NULs, which end a member's name for it, and anything
// behind the document.
#ifndef BKFLOW_JSONR_H
#define BKFLOW_JSONR_H

#include "arena.h"
#include "base.h"

#include <json.h>

struct jsonr; // used by one thread at a time

struct jsonr *jsonr_new(void) MUST_CHECK; // NULL: no memory
void jsonr_free(struct jsonr *reader);

// The one JSON object that TEXT is, or NULL. To be given back by jsonr_release.
json_object *jsonr_object(struct jsonr *reader, struct str text) MUST_CHECK NONNULL;

// Overwrites every string in it, which may be a secret, and gives it back.
void jsonr_release(json_object *object);

// A member, as a view that dies with the object; absent when there is none, or it is no string.
struct str jsonr_string(json_object *object, const char *name) MUST_CHECK NONNULL;

#endif
