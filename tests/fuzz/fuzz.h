// SPDX-License-Identifier: MIT
// fuzz: what the fuzz targets share. A target is one function of any bytes; what it holds against
// the product it requires, and a requirement that is not met ends the process.
#ifndef BKFLOW_FUZZ_H
#define BKFLOW_FUZZ_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

// libFuzzer's name for it.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

static inline void fuzz_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not met: %s\n", file, line, condition);
    abort();
}

#endif
