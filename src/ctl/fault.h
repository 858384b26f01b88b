// SPDX-License-Identifier: MIT
// ctl_fault: what went wrong, told to the operator on standard error, and what to do about it.
#ifndef BKFLOW_CTL_FAULT_H
#define BKFLOW_CTL_FAULT_H

#include "base/base.h"
#include "base/error.h"

// One whole sentence, or two.
void ctl_fault_say(const char *format, ...) PRINTF_LIKE(1, 2) NONNULL;

// Tells what the database or the store said, with what to do where that is known. Returns the exit
// status.
int ctl_fault_explain(const struct error *err) NONNULL;

// What to do about a database's error, NULL when that is not known.
const char *ctl_fault_advice(const struct error *err) MUST_CHECK NONNULL;

#endif
