// SPDX-License-Identifier: MIT
// alloc: stands between the product and the heap, in programs that are linked with UNIT_WRAP_HEAP:
// counts, makes the n-th allocation fail, and shows each block before it is freed. Reaches the
// product's own objects, not the shared libraries below them. For one thread.
#ifndef BKFLOW_TEST_ALLOC_H
#define BKFLOW_TEST_ALLOC_H

#include "base/base.h"

struct alloc_watch {
    unsigned long calls;   // allocations asked for since alloc_watch_start
    unsigned long frees;   // blocks given back since then
    unsigned long fail_at; // the allocation that fails, counted from 1; 0: none
    bool has_failed;
    // Sees a block and its size right before it is freed; NULL: nobody looks.
    void (*on_free)(const void *block, size_t size);
};

extern struct alloc_watch alloc_watch;

// Counts from now on, and lets allocation FAIL_AT fail.
void alloc_watch_start(unsigned long fail_at);

// Nothing fails, nobody looks.
void alloc_watch_stop(void);

#endif
