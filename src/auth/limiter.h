// SPDX-License-Identifier: MIT
// limiter: slows down clients that keep failing to authenticate, in a fixed amount of memory. It
// counts failures per client address (IPv6: per /64 network, see cidr_address_client) and per
// application code, as leaky buckets that empty at a constant rate.
#ifndef BKFLOW_AUTH_LIMITER_H
#define BKFLOW_AUTH_LIMITER_H

#include "base/base.h"
#include "base/cidr.h"

struct limiter; // shared by all workers; any thread may call these functions

struct limiter *limiter_new(uint64_t seed) MUST_CHECK; // NULL: no memory
void limiter_free(struct limiter *limiter);

// Returns the seconds that a request must wait before its credentials are checked; 0 if it need
// not. PER_MINUTE failures are free, and as many again each minute; 0: no limit. An application
// code over its limit delays only addresses that have failed recently, so that guessing an
// application's secret cannot lock the application out. NOW_US: monotonic.
unsigned limiter_wait_seconds(struct limiter *limiter, struct cidr_address address,
                              struct str app_code, int64_t per_minute,
                              int64_t now_us) MUST_CHECK NONNULL;

// Counts a failure. An absent code, of a token that was refused, counts only for the address.
void limiter_count_failure(struct limiter *limiter, struct cidr_address address,
                           struct str app_code, int64_t per_minute, int64_t now_us) NONNULL;

#endif
