// SPDX-License-Identifier: MIT
// ctl_list: the command that shows all applications.
#ifndef BKFLOW_CTL_LIST_H
#define BKFLOW_CTL_LIST_H

#include "ctl/ctl.h"

// Returns the exit status.
int ctl_list_run(struct ctl *ctl) NONNULL;

#endif
