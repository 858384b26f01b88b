// SPDX-License-Identifier: MIT
// request_log: what the log says of a request once it has been answered.
#ifndef BKFLOW_STATES_REQUEST_LOG_PRIV_H
#define BKFLOW_STATES_REQUEST_LOG_PRIV_H

#include "base/base.h"

struct exchange;

// An event of its own for a fault of ours or the database's.
void request_log_fault(const struct exchange *exchange) NONNULL;

// Why a request was refused, as often as refusals lets it.
void request_log_refusal(const struct exchange *exchange) NONNULL;

// With [log] slow: where the time went, for a request that took longer.
void request_log_slow(const struct exchange *exchange, int64_t total_us) NONNULL;

// With [log] access: one event for each request.
void request_log_access(const struct exchange *exchange, int64_t total_us, uint64_t bytes) NONNULL;

#endif
