// SPDX-License-Identifier: MIT
// progress: decides whether the workers make progress, and so what clients and the service manager
// learn. Knows nothing of threads and clocks; it gets all values as arguments.
#ifndef BKFLOW_PROGRESS_H
#define BKFLOW_PROGRESS_H

#include "base/base.h"
#include "conf/conf.h"

enum {
    // After this time without progress, clients are answered that the program is overloaded.
    PROGRESS_STUCK_US = 1000 * 1000,
    // A longer gap between two looks means that the machine was suspended or had no time for this
    // process; the workers are not to blame.
    PROGRESS_LONGEST_LOOK_US = 200 * 1000,
};

struct progress {
    uint64_t requests_done; // at the last look
    int64_t looked_us;      // monotonic; time of the last look
    int64_t waiting_us;     // how long all workers have been busy without finishing a request
    int64_t limit_us;       // no time limit allows more: the workers hang
    int64_t watchdog_us;    // interval of the service manager's watchdog; 0: none
    int64_t fed_us;         // monotonic; when it was last fed
};

// Returns the longest time that a worker may take for a group of requests by all time limits of
// CONF, generously. A worker that takes longer does not wait but hang.
int64_t progress_limit_us(const struct conf *conf) NONNULL;

// Records the number of requests answered so far, and whether all workers are busy.
void progress_look(struct progress *progress, uint64_t requests_done, bool all_busy,
                   int64_t now_us) NONNULL;

// Whether all workers have been waiting for the database or clients for too long.
bool progress_is_stuck(const struct progress *progress) MUST_CHECK NONNULL;

// Whether all workers hang, so that only a restart helps.
bool progress_is_hung(const struct progress *progress) MUST_CHECK NONNULL;

// Whether the watchdog must be fed now. Records it as fed.
bool progress_feeds_watchdog(struct progress *progress, int64_t now_us) MUST_CHECK NONNULL;

#endif
