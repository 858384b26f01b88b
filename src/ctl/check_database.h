// SPDX-License-Identifier: MIT
// ctl_check_database: the part of the check that queries the databases.
#ifndef BKFLOW_CTL_CHECK_DATABASE_H
#define BKFLOW_CTL_CHECK_DATABASE_H

#include "ctl/ctl.h"
#include "ctl/report.h"

// Checks both databases, or the one that serves as both.
void ctl_check_database_all(struct ctl *ctl, struct ctl_report *report) NONNULL;

#endif
