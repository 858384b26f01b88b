// SPDX-License-Identifier: MIT
// ctl_check: examines everything the responder needs and reports for each item whether it is right,
// and what to do if not.
#ifndef BKFLOW_CTL_CHECK_H
#define BKFLOW_CTL_CHECK_H

#include "ctl/ctl.h"
#include "ctl/report.h"

// Loads the configuration itself, because its mistakes belong in the report. Returns the exit
// status.
int ctl_check_run(struct ctl *ctl) NONNULL;

#endif
