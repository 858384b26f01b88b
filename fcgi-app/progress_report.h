// SPDX-License-Identifier: MIT
// progress_report: tells the log when an overload begins and ends, and that the workers hang. Used
// by one thread.
#ifndef BKFLOW_PROGRESS_REPORT_H
#define BKFLOW_PROGRESS_REPORT_H

#include "progress.h"

// An overload is over after this time without a refused request.
enum { PROGRESS_REPORT_CALM_US = 5 * 1000 * 1000 };

// Begins with all zero.
struct progress_report {
    bool has_reported_hang;
    bool is_overloaded;
    uint64_t refused;        // at the last call
    uint64_t refused_before; // when the overload began
    int64_t begun_us;        // monotonic
    int64_t last_refused_us; // monotonic
};

// Writes the events that are due. REFUSED: number of requests refused because of overload so far.
void progress_report(struct progress_report *report, const struct progress *progress,
                     uint64_t refused, int64_t now_us) NONNULL;

#endif
