// SPDX-License-Identifier: MIT
// ctl_check_pair: the part of the check that compares the two databases. BKFlow makes all tables in
// both and uses some of them in each, so a database in the wrong place looks right but for its
// rows.
#ifndef BKFLOW_CTL_CHECK_PAIR_H
#define BKFLOW_CTL_CHECK_PAIR_H

#include "ctl/check_table.h"

// ENGINE is INTERFACE where one database serves as both. Both are connected.
void ctl_check_pair_run(const struct ctl_check_place *interface,
                        const struct ctl_check_place *engine, struct ctl_report *report) NONNULL;

#endif
