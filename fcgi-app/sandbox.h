// SPDX-License-Identifier: MIT
// sandbox: gives up system calls before the first request is served, so that a defect in the
// program or a library is less useful to an attacker. Knows nothing of what the process does.
#ifndef BKFLOW_SANDBOX_H
#define BKFLOW_SANDBOX_H

#include "base/base.h"

// Prevents this thread and those that it starts from gaining privileges, running programs, creating
// processes, inspecting other processes, mounting, and loading code into the kernel: such calls
// fail with EPERM. Threads that are already running are not affected. False after logging why, if
// the system has no such filter; the process can still serve.
bool sandbox_enter(void);

#endif
