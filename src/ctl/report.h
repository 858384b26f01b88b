// SPDX-License-Identifier: MIT
// ctl_report: writes the findings of a check, one after the other, as text or as JSON.
#ifndef BKFLOW_CTL_REPORT_H
#define BKFLOW_CTL_REPORT_H

#include "ctl/out.h"

enum ctl_verdict { CTL_RIGHT, CTL_WARNING, CTL_WRONG };

enum { CTL_REPORT_TEXT_MAX = 1024 };

struct ctl_finding {
    enum ctl_verdict verdict;
    const char *topic[3];            // "columns", "eri_state", "retry": unlike any other's
    char what[CTL_REPORT_TEXT_MAX];  // there is, or is not
    char to_do[CTL_REPORT_TEXT_MAX]; // empty: nothing
};

struct ctl_report {
    struct ctl_out *out;
    bool is_json;
    struct json_writer json;
    unsigned counts[3]; // by enum ctl_verdict
};

void ctl_report_begin(struct ctl_report *report, struct ctl_out *out, bool is_json) NONNULL;
void ctl_report_add(struct ctl_report *report, const struct ctl_finding *finding) NONNULL;

// Ends the report. Returns whether nothing was wrong.
bool ctl_report_end(struct ctl_report *report) MUST_CHECK NONNULL;

// Set the finding's two texts; text that is too long is cut.
void ctl_report_what(struct ctl_finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3) NONNULL;
void ctl_report_to_do(struct ctl_finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3) NONNULL;

#endif
