// SPDX-License-Identifier: MIT
// progress: whether the workers get on, and so what clients and the service manager are told. Knows
// no threads and no clock: it is given what it looks at.
#ifndef BKFLOW_PROGRESS_H
#define BKFLOW_PROGRESS_H

#include "base/base.h"
#include "conf/conf.h"

enum {
    // Without progress for so long, clients are told that the program is overloaded.
    PROGRESS_STUCK_US = 1000 * 1000,
    // A look that comes later says that the machine stood still, or had no time for this process:
    // the workers could not get on either, and are not to blame for it.
    PROGRESS_LONGEST_LOOK_US = 200 * 1000,
};

struct progress {
    uint64_t requests_done; // when last looked
    int64_t looked_us;      // monotonic; when that was
    int64_t waiting_us;     // for how long all workers have been busy without ending a request
    int64_t limit_us;       // longer than that no time limit allows: the workers hang
    int64_t watchdog_us; // how often the service manager wants to hear that all is well; 0: never
    int64_t told_us;     // monotonic; when it last heard
};

// The longest that a worker may take for what it does at once, by all time limits of CONF, and
// generously: whoever takes longer does not wait but hang.
int64_t progress_limit_us(const struct conf *conf) NONNULL;

// Takes notice of how many requests have been answered by now, and whether all workers are busy.
void progress_look(struct progress *progress, uint64_t requests_done, bool all_busy,
                   int64_t now_us) NONNULL;

// Every worker has been waiting for the database, or a client, for too long.
bool progress_is_stuck(const struct progress *progress) MUST_CHECK NONNULL;

// Every worker hangs: only another process would help.
bool progress_is_hung(const struct progress *progress) MUST_CHECK NONNULL;

// Whether the service manager is to hear now that all is well.
bool progress_feeds_watchdog(struct progress *progress, int64_t now_us) MUST_CHECK NONNULL;

#endif
