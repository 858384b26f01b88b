// SPDX-License-Identifier: MIT
// descriptors: how many files the process may have open.
#ifndef BKFLOW_DESCRIPTORS_H
#define BKFLOW_DESCRIPTORS_H

#include "base/base.h"

// Raises the limit of descriptors as far as possible. Returns how many more than OTHERS it allows,
// at least 1 and at most MOST.
size_t descriptors_allow(size_t most, size_t others) MUST_CHECK;

#endif
