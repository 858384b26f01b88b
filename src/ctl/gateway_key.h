// SPDX-License-Identifier: MIT
// ctl_gateway_key: the command that copies a gateway's public key from BKFlow's database, and the
// check that compares that key with the configured file.
#ifndef BKFLOW_CTL_GATEWAY_KEY_H
#define BKFLOW_CTL_GATEWAY_KEY_H

#include "ctl/ctl.h"
#include "ctl/report.h"

// bkflow-statesctl gateway-key NAME. Returns an exit status.
int ctl_gateway_key_run(struct ctl *ctl) MUST_CHECK NONNULL;

// Reports for each configured gateway whether its file has the key stored by BKFlow. The
// responder's account need not be able to read that key.
void ctl_gateway_key_check(struct ctl *ctl, struct ctl_report *report) NONNULL;

#endif
