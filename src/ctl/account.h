// SPDX-License-Identifier: MIT
// ctl_account: by which account a database is reached: the configured one, which should only read,
// or the administrator's that the command line names.
#ifndef BKFLOW_CTL_ACCOUNT_H
#define BKFLOW_CTL_ACCOUNT_H

#include "ctl/ctl.h"

// Reads the administrator's password where there is a file of it. Returns the exit
// status.
int ctl_account_load(struct ctl *ctl) MUST_CHECK NONNULL;

// A database as configured, but by the administrator's account where one was given. Borrows from
// both.
struct conf_database ctl_account_reach(const struct ctl *ctl,
                                       const struct conf_database *database) NONNULL;

#endif
