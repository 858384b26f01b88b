// SPDX-License-Identifier: MIT
// standard_fds: keeps descriptors 0 to 2 open, so that no socket or file gets such a number and is
// then mistaken for standard input, output or error.
#ifndef BKFLOW_BASE_STANDARD_FDS_H
#define BKFLOW_BASE_STANDARD_FDS_H

#include "base/base.h"

// Opens /dev/null on those that are closed, in the wrong direction: reading input and writing
// output fails with EBADF, as on a closed descriptor. Call it before anything else is opened. -1
// with errno if /dev/null cannot be opened.
int standard_fds_open(void) MUST_CHECK;

#endif
