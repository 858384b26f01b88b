// SPDX-License-Identifier: MIT
// ctl_account: the account that connects to a database: the configured one, which should only read,
// or the administrator's from the command line.
#ifndef BKFLOW_CTL_ACCOUNT_H
#define BKFLOW_CTL_ACCOUNT_H

#include "ctl/ctl.h"

// Reads --password-file if there is one. Returns an exit status.
int ctl_account_load(struct ctl *ctl) MUST_CHECK NONNULL;

// The configured database, with the administrator's account if one was given. Borrows from both
// arguments.
struct conf_database ctl_account_reach(const struct ctl *ctl,
                                       const struct conf_database *database) NONNULL;

#endif
