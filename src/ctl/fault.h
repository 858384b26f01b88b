// SPDX-License-Identifier: MIT
// ctl_fault: why a command failed, in words for the operator: what happened and what to do. The
// messages for clients are not used.
#ifndef BKFLOW_CTL_FAULT_H
#define BKFLOW_CTL_FAULT_H

#include "base/base.h"
#include "base/error.h"
#include "ctl/out.h"

// The texts may contain any data: printing makes them safe.
struct ctl_fault {
    char what[1024];  // begins with a small letter; empty: nothing went wrong
    char to_do[1024]; // sentences; empty: nothing that is known
};

// Sets what happened and clears what to do. Text that is too long is cut. Returns STATUS, an exit
// status.
int ctl_fault_set(struct ctl_fault *fault, int status, const char *format, ...)
    PRINTF_LIKE(3, 4) NONNULL;
void ctl_fault_to_do(struct ctl_fault *fault, const char *format, ...) PRINTF_LIKE(2, 3) NONNULL;

// Explains an error of the database or the store. Returns CTL_FAILED.
int ctl_fault_explain(struct ctl_fault *fault, const struct error *err) NONNULL;

// The same for a statement that changes something: if its answer was lost, the change may have been
// made.
int ctl_fault_explain_change(struct ctl_fault *fault, const struct error *err) NONNULL;

// Prints the fault as sentences, or as one line of JSON. Errors of writing are ignored: there is
// nowhere to report them.
void ctl_fault_print(const struct ctl_fault *fault, struct ctl_out *out) NONNULL;

#endif
