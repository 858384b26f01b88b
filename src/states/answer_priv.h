// SPDX-License-Identifier: MIT
// answer: writes answers: the head, the envelope, and its content. Everything that can fail comes
// before the first of these calls; after that, only a client that hangs up can stop an answer.
#ifndef BKFLOW_STATES_ANSWER_PRIV_H
#define BKFLOW_STATES_ANSWER_PRIV_H

#include "base/error.h"

struct exchange;

// Returns the language that the request asks for, else the configured one.
enum lang answer_language(const struct exchange *exchange) MUST_CHECK NONNULL;

// Answers with the exchange's error.
void answer_error(struct exchange *exchange) NONNULL;

// Answers with {"status": STATUS}.
void answer_status(struct exchange *exchange, struct str status) NONNULL;

void answer_metrics(struct exchange *exchange) NONNULL;

// Answers with the exchange's tree, or 304 if the client already has it.
void answer_states(struct exchange *exchange) NONNULL;

// The same with the exchange's batch.
void answer_batch(struct exchange *exchange) NONNULL;

// Answers with the states of the batch's roots, as BKFlow does.
void answer_space_batch(struct exchange *exchange) NONNULL;

#endif
