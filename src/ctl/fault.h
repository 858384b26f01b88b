// SPDX-License-Identifier: MIT
// ctl_fault: what went wrong, in the tool's own words: what happened, and what to do about it. The
// messages that clients get are not for the operator.
#ifndef BKFLOW_CTL_FAULT_H
#define BKFLOW_CTL_FAULT_H

#include "base/base.h"
#include "base/error.h"
#include "ctl/out.h"

// Texts may hold data of any kind: they are made safe when they are printed.
struct ctl_fault {
    char what[1024];  // begins with a small letter; empty: nothing went wrong
    char to_do[1024]; // sentences; empty: nothing that is known
};

// Sets what went wrong, with nothing to do about it. Cut where it is too long. Returns STATUS,
// which is an exit status.
int ctl_fault_set(struct ctl_fault *fault, int status, const char *format, ...)
    PRINTF_LIKE(3, 4) NONNULL;
void ctl_fault_to_do(struct ctl_fault *fault, const char *format, ...) PRINTF_LIKE(2, 3) NONNULL;

// Sets what the database or the store reported, with what to do about it where that is known.
// Returns CTL_FAILED.
int ctl_fault_explain(struct ctl_fault *fault, const struct error *err) NONNULL;

// The same for a statement that was to change something: where its answer is lost, it may have done
// so.
int ctl_fault_explain_change(struct ctl_fault *fault, const struct error *err) NONNULL;

// Prints the fault, as sentences or as a JSON object on a line of its own. What cannot be written
// is lost: there is nobody left to tell.
void ctl_fault_print(const struct ctl_fault *fault, struct ctl_out *out) NONNULL;

#endif
