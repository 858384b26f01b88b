// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include <stdlib.h>

enum {
    FIRST_BLOCK = 32 * 1024,
    LARGEST_KEPT = 256 * 1024, // a task of 1,000 nodes
    LARGEST_BLOCK = 1024 * 1024,
    ALIGNMENT = _Alignof(max_align_t),
};

struct block {
    struct block *older;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *newest;
    char *next; // first free byte of the newest block
    char *end;
    size_t used;
    size_t cap;
};

static bool add_block(struct arena *arena, size_t size)
{
    struct block *const block = malloc(sizeof(struct block) + size);
    if (block == NULL) {
        return false;
    }
    block->older = arena->newest;
    block->size = size;
    arena->newest = block;
    arena->next = block->bytes;
    arena->end = block->bytes + size;
    return true;
}

struct arena *arena_new(size_t cap)
{
    struct arena *const arena = calloc(1, sizeof(struct arena));
    if (arena == NULL) {
        return NULL;
    }
    arena->cap = cap;
    if (!add_block(arena, FIRST_BLOCK)) {
        free(arena);
        return NULL;
    }
    return arena;
}

// Wipes what was written to BLOCK: all of it, except in the newest one. Wiping the rest of that one
// would make the kernel provide pages for it first.
static void wipe(const struct arena *arena, struct block *block)
{
    explicit_bzero(block->bytes,
                   block == arena->newest ? (size_t)(arena->next - block->bytes) : block->size);
}

// Wipes a block and frees it unless it is kept. Returns the next older block.
static struct block *finish(const struct arena *arena, struct block *block, bool is_kept)
{
    struct block *const older = block->older;
    wipe(arena, block);
    if (!is_kept) {
        free(block);
    }
    return older;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct block *block = arena->newest; block != NULL;) {
        block = finish(arena, block, false);
    }
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct block *kept = arena->newest;
    while (kept->size > LARGEST_KEPT && kept->older != NULL) {
        kept = kept->older;
    }
    for (struct block *block = arena->newest; block != NULL;) {
        block = finish(arena, block, block == kept);
    }
    kept->older = NULL;
    arena->newest = kept;
    arena->next = kept->bytes;
    arena->end = kept->bytes + kept->size;
    arena->used = 0;
}

// Adds a block twice as large as the newest one, up to LARGEST_BLOCK, so that a large request needs
// few blocks and wastes little.
static bool grow(struct arena *arena, size_t need)
{
    size_t size = arena->newest->size * 2;
    size = size > LARGEST_BLOCK ? LARGEST_BLOCK : size;
    return add_block(arena, size < need ? need : size);
}

static void *take(struct arena *arena, size_t size)
{
    if (UNLIKELY(size > arena->cap - arena->used)) {
        return NULL;
    }
    if (UNLIKELY(size > (size_t)(arena->end - arena->next)) && !grow(arena, size)) {
        return NULL;
    }
    void *const taken = arena->next;
    arena->next += size;
    arena->used += size;
    return taken;
}

// Moves the free pointer to the next aligned address, or to the end of the block if that is closer.
static void align(struct arena *arena)
{
    const size_t odd = (uintptr_t)arena->next % ALIGNMENT;
    const size_t gap = odd == 0 ? 0 : ALIGNMENT - odd;
    if (gap > (size_t)(arena->end - arena->next)) {
        arena->next = arena->end;
        return;
    }
    arena->next += gap;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    align(arena);
    return take(arena, total);
}

char *arena_text(struct arena *arena, size_t len)
{
    return take(arena, len);
}

struct str arena_copy(struct arena *arena, struct str text)
{
    char *const copy = text.len == SIZE_MAX ? NULL : take(arena, text.len + 1);
    if (copy == NULL) {
        return STR_ABSENT;
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return (struct str){copy, text.len};
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
