// SPDX-License-Identifier: MIT
#include "alloc.h"

#include <malloc.h>
#include <stdlib.h>

// The linker's names: --wrap=malloc turns calls of malloc into __wrap_malloc.
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

struct alloc_watch alloc_watch;

void alloc_watch_start(unsigned long fail_at)
{
    alloc_watch = (struct alloc_watch){.fail_at = fail_at};
}

void alloc_watch_stop(void)
{
    alloc_watch.fail_at = 0;
    alloc_watch.on_free = NULL;
}

static bool must_fail(void)
{
    alloc_watch.calls++;
    const bool fails = alloc_watch.fail_at != 0 && alloc_watch.calls == alloc_watch.fail_at;
    alloc_watch.has_failed = alloc_watch.has_failed || fails;
    return fails;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return must_fail() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return must_fail() ? NULL : __real_strdup(text);
}

void __wrap_free(void *block)
{
    if (block != NULL) {
        alloc_watch.frees++;
        if (alloc_watch.on_free != NULL) {
            alloc_watch.on_free(block, malloc_usable_size(block));
        }
    }
    __real_free(block);
}
