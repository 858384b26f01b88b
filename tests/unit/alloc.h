// SPDX-License-Identifier: MIT
// alloc: wraps the heap in programs linked with UNIT_WRAP_HEAP. Counts allocations, makes the n-th
// one fail, and shows each block before it is freed. Affects the product's objects, not the shared
// libraries. For one thread.
#ifndef BKFLOW_TEST_ALLOC_H
#define BKFLOW_TEST_ALLOC_H

#include "base/base.h"

struct alloc_watch {
    unsigned long calls;   // allocations since alloc_watch_start
    unsigned long frees;   // blocks freed since then
    unsigned long fail_at; // the allocation that fails, counted from 1; 0: none
    bool has_failed;
    // Called with a block and its size just before it is freed; may be NULL.
    void (*on_free)(const void *block, size_t size);
};

extern struct alloc_watch alloc_watch;

// Starts counting; allocation FAIL_AT will fail.
void alloc_watch_start(unsigned long fail_at);

// Stops failing and calling on_free.
void alloc_watch_stop(void);

#endif
