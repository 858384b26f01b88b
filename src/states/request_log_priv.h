// SPDX-License-Identifier: MIT
// request_log: what is logged about a request after it has been answered.
#ifndef BKFLOW_STATES_REQUEST_LOG_PRIV_H
#define BKFLOW_STATES_REQUEST_LOG_PRIV_H

#include "base/base.h"

struct exchange;

// Logs a failure of this program or the database.
void request_log_fault(const struct exchange *exchange) NONNULL;

// Logs why a request was refused, as often as refusals allows.
void request_log_refusal(const struct exchange *exchange) NONNULL;

// With [log] slow: logs where the time went, for a slow request.
void request_log_slow(const struct exchange *exchange, int64_t total_us) NONNULL;

// With [log] access: logs each request.
void request_log_access(const struct exchange *exchange, int64_t total_us, uint64_t bytes) NONNULL;

#endif
