// SPDX-License-Identifier: MIT
// answer: what leaves for a request: the head, the envelope, and what is in it. From the first call
// on, only a vanished client can stop an answer: whatever can fail comes before.
#ifndef BKFLOW_STATES_ANSWER_PRIV_H
#define BKFLOW_STATES_ANSWER_PRIV_H

#include "base/error.h"

struct exchange;

// The language for messages that the request asks for, else the configured one.
enum lang answer_language(const struct exchange *exchange) MUST_CHECK NONNULL;

// The error envelope, by the exchange's error.
void answer_error(struct exchange *exchange) NONNULL;

// {"status": STATUS} in the envelope.
void answer_status(struct exchange *exchange, struct str status) NONNULL;

void answer_metrics(struct exchange *exchange) NONNULL;

// The exchange's tree in the envelope, or 304 if the client has it already.
void answer_states(struct exchange *exchange) NONNULL;

#endif
