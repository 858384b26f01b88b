// SPDX-License-Identifier: MIT
// Any text as a gateway's token, and as a JSON object from outside.
#include "jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jsonr *reader;
    static struct arena *arena;
    if (reader == NULL) {
        reader = jsonr_new();
        arena = arena_new(1 << 20);
    }
    const struct str text = {(const char *)data, size};
    struct jwt jwt;
    if (jwt_split(text, reader, arena, &jwt) == 0) {
        jsonr_release(jsonr_object(reader, jwt.claims));
    }
    jsonr_release(jsonr_object(reader, text));
    arena_reset(arena);
    return 0;
}
