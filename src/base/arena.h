// SPDX-License-Identifier: MIT
// arena: the memory of one request. Allocating moves a pointer, one reset releases everything, and
// a cap limits what a single request can take.
#ifndef BKFLOW_BASE_ARENA_H
#define BKFLOW_BASE_ARENA_H

#include "base/base.h"

struct arena;

// Creates an arena that hands out at most CAP bytes between two resets. NULL if out of memory.
struct arena *arena_new(size_t cap) MUST_CHECK;

void arena_free(struct arena *arena);

// Releases everything. Memory handed out before is invalid from then on, and is wiped because it
// may have held a secret. The largest block of up to 256 KB is kept, so that similar requests need
// no system call; the others are freed.
void arena_reset(struct arena *arena) NONNULL;

// Allocates COUNT objects of SIZE bytes: aligned for any type, not cleared, valid until the next
// reset. NULL if the product overflows, the cap is reached, or the system is out of memory.
void *arena_alloc(struct arena *arena, size_t count, size_t size) MUST_CHECK NONNULL;

// Like arena_alloc, for text: LEN bytes without alignment.
char *arena_text(struct arena *arena, size_t len) MUST_CHECK NONNULL;

// Copies TEXT and appends a NUL that the length does not count. Absent if out of memory.
struct str arena_copy(struct arena *arena, struct str text) MUST_CHECK NONNULL;

// Bytes handed out since the last reset.
size_t arena_used(const struct arena *arena) NONNULL;

#endif
