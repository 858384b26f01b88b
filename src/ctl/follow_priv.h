// SPDX-License-Identifier: MIT
// ctl_follow: shows a task's states again whenever they change, until the task has ended.
#ifndef BKFLOW_CTL_FOLLOW_PRIV_H
#define BKFLOW_CTL_FOLLOW_PRIV_H

#include "ctl/states_priv.h"

// In a terminal, each tree takes the place of the one before, and its clocks run; elsewhere, and
// as JSON, only changes are printed, one after the other. Returns the exit status.
int ctl_follow_run(struct ctl_states_view *view) NONNULL;

#endif
