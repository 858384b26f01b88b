// SPDX-License-Identifier: MIT
// arena: the memory of one request. Allocation moves a pointer, nothing is freed singly, the whole
// is given back by one reset, and a cap bounds what a single request can take.
#ifndef BKFLOW_BASE_ARENA_H
#define BKFLOW_BASE_ARENA_H

#include "base/base.h"

struct arena;

// An arena that hands out at most CAP bytes between two resets. NULL when memory is short.
struct arena *arena_new(size_t cap) MUST_CHECK;

void arena_free(struct arena *arena);

// Gives everything back. What was handed out before is dead from here on, and wiped: it may have
// been a secret. The largest block of up to 256 KB is kept, so that requests like the last ones
// cost no system call; the rest goes back to the system.
void arena_reset(struct arena *arena) NONNULL;

// COUNT objects of SIZE bytes, aligned for any type, not cleared; valid until the next reset.
// NULL when the product overflows, the cap is reached, or the system has no more.
void *arena_alloc(struct arena *arena, size_t count, size_t size) MUST_CHECK NONNULL;

// As arena_alloc, but bytes without alignment: for text.
char *arena_text(struct arena *arena, size_t len) MUST_CHECK NONNULL;

// A copy of TEXT with a NUL behind it, which the length does not count. Absent: no memory.
struct str arena_copy(struct arena *arena, struct str text) MUST_CHECK NONNULL;

// Bytes handed out since the last reset.
size_t arena_used(const struct arena *arena) NONNULL;

#endif
