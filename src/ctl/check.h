// SPDX-License-Identifier: MIT
// ctl_check: looks at everything that the responder needs and says of each what is right, what is
// wrong, and what to do.
#ifndef BKFLOW_CTL_CHECK_H
#define BKFLOW_CTL_CHECK_H

#include "ctl/ctl.h"
#include "ctl/report.h"

// Loads the configuration itself: what is wrong with it belongs to the report. Returns the exit
// status.
int ctl_check_run(struct ctl *ctl) NONNULL;

#endif
