// SPDX-License-Identifier: MIT
// ctl_states: the command that shows one task's tree of nodes.
#ifndef BKFLOW_CTL_STATES_H
#define BKFLOW_CTL_STATES_H

#include "ctl/ctl.h"

// Takes the task's id as its argument; returns the exit status.
int ctl_states_run(struct ctl *ctl) NONNULL;

#endif
