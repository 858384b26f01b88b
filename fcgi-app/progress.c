// SPDX-License-Identifier: MIT
#include "progress.h"

int64_t progress_limit_us(const struct conf *conf)
{
    // The statements and connections of a group of requests, one after the other.
    enum { STEPS = 40, BESIDES_MS = 10 * 1000 };
    const struct conf_database *const all[] = {&conf->database, &conf->engine_database};
    int64_t step_ms = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const int64_t ms = all[i]->connect_timeout_ms + all[i]->query_timeout_ms;
        step_ms = ms > step_ms ? ms : step_ms;
    }
    return (STEPS * step_ms + conf->server.client_timeout_ms + BESIDES_MS) * 1000;
}

void progress_look(struct progress *progress, uint64_t requests_done, bool all_busy, int64_t now_us)
{
    const int64_t passed_us = now_us - progress->looked_us;
    const bool gets_on = requests_done != progress->requests_done || !all_busy;
    progress->looked_us = now_us;
    progress->requests_done = requests_done;
    if (gets_on) {
        progress->waiting_us = 0;
    } else {
        progress->waiting_us +=
            passed_us > PROGRESS_LONGEST_LOOK_US ? PROGRESS_LONGEST_LOOK_US : passed_us;
    }
}

bool progress_is_stuck(const struct progress *progress)
{
    return progress->waiting_us >= PROGRESS_STUCK_US;
}

bool progress_is_hung(const struct progress *progress)
{
    return progress->waiting_us >= progress->limit_us;
}

bool progress_feeds_watchdog(struct progress *progress, int64_t now_us)
{
    const bool is_due =
        progress->watchdog_us > 0 && now_us - progress->fed_us >= progress->watchdog_us;
    if (!is_due || progress_is_hung(progress)) {
        return false;
    }
    progress->fed_us = now_us;
    return true;
}
