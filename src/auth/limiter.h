// SPDX-License-Identifier: MIT
// limiter: slows down whoever keeps failing to authenticate, within fixed memory. Counts failures
// per client address (IPv6: per /64 network; see cidr_address_client) and per application code;
// each drains at a steady rate (a leaky bucket).
#ifndef BKFLOW_AUTH_LIMITER_H
#define BKFLOW_AUTH_LIMITER_H

#include "base/base.h"
#include "base/cidr.h"

struct limiter; // shared by all workers of a process; every function may be called by any thread

struct limiter *limiter_new(uint64_t seed) MUST_CHECK; // NULL: no memory
void limiter_free(struct limiter *limiter);

// Whether a request must wait before its credentials are even looked at: seconds, 0 for not at all.
// PER_MINUTE failures in a row are free, and as many each minute; 0: never wait. An application
// code that is over its limit only holds up addresses that have failed lately themselves, so that
// guessing at an application's secret cannot lock the application out. NOW_US: monotonic.
unsigned limiter_wait_seconds(struct limiter *limiter, struct cidr_address address,
                              struct str app_code, int64_t per_minute,
                              int64_t now_us) MUST_CHECK NONNULL;

// Counts a failure. An absent code, of a token that could not be believed, counts for the address.
void limiter_count_failure(struct limiter *limiter, struct cidr_address address,
                           struct str app_code, int64_t per_minute, int64_t now_us) NONNULL;

#endif
