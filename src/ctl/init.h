// SPDX-License-Identifier: MIT
// ctl_init: the command that creates the program's own table.
#ifndef BKFLOW_CTL_INIT_H
#define BKFLOW_CTL_INIT_H

#include "ctl/ctl.h"

// Returns the exit status. Running it again changes nothing.
int ctl_init_run(struct ctl *ctl) NONNULL;

#endif
