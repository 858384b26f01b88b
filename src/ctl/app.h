// SPDX-License-Identifier: MIT
// ctl_app: the commands that change one application. Each takes its code as the argument and
// returns the exit status.
#ifndef BKFLOW_CTL_APP_H
#define BKFLOW_CTL_APP_H

#include "ctl/ctl.h"

int ctl_app_add(struct ctl *ctl) NONNULL;
int ctl_app_rotate(struct ctl *ctl) NONNULL;
int ctl_app_enable(struct ctl *ctl) NONNULL;
int ctl_app_disable(struct ctl *ctl) NONNULL;
int ctl_app_remove(struct ctl *ctl) NONNULL;

#endif
