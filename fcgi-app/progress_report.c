// SPDX-License-Identifier: MIT
#include "progress_report.h"

#include "base/clock.h"
#include "base/log.h"

#include <unistd.h>

static void report_hang(struct progress_report *report, const struct progress *progress)
{
    const bool is_hung = progress_is_hung(progress);
    if (is_hung && !report->has_reported_hang) {
        LOG_EVENT(LOG_LEVEL_ERROR,
                  "all workers hang beyond every time limit: the watchdog is no longer fed",
                  LOG_NUMBER("seconds", progress->waiting_us / US_PER_SECOND));
    }
    report->has_reported_hang = is_hung;
}

static void begin_overload(struct progress_report *report, int64_t now_us)
{
    report->is_overloaded = true;
    report->refused_before = report->refused;
    report->begun_us = now_us;
    LOG_EVENT(LOG_LEVEL_WARNING,
              "overloaded: all workers have been busy for a second without finishing anything",
              LOG_NUMBER("pid", getpid()));
}

static void end_overload(struct progress_report *report)
{
    report->is_overloaded = false;
    LOG_EVENT(LOG_LEVEL_INFO, "no longer overloaded",
              LOG_NUMBER("refused", (int64_t)(report->refused - report->refused_before)),
              LOG_NUMBER("seconds", (report->last_refused_us - report->begun_us) / US_PER_SECOND));
}

static void report_overload(struct progress_report *report, const struct progress *progress,
                            uint64_t refused, int64_t now_us)
{
    if (refused != report->refused) {
        if (!report->is_overloaded) {
            begin_overload(report, now_us);
        }
        report->last_refused_us = now_us;
        report->refused = refused;
    } else if (report->is_overloaded && !progress_is_stuck(progress) &&
               now_us - report->last_refused_us >= PROGRESS_REPORT_CALM_US) {
        end_overload(report);
    }
}

void progress_report(struct progress_report *report, const struct progress *progress,
                     uint64_t refused, int64_t now_us)
{
    report_hang(report, progress);
    report_overload(report, progress, refused, now_us);
}
