// SPDX-License-Identifier: MIT
// confine: what the process gives up for good before it serves the first request, so that a defect
// in it or in a library is of less use to who finds it. Knows nothing of what the process does.
#ifndef BKFLOW_SANDBOX_H
#define BKFLOW_SANDBOX_H

#include "base/base.h"

// From now on neither this thread nor any that it starts can gain privileges, run a program, make
// another process, look into other processes, mount, or load code into the kernel: such calls fail
// with EPERM. Threads that run already are not reached. False after logging why, where the system
// has no such filter: a defence less, but no reason not to serve.
bool sandbox_enter(void);

#endif
