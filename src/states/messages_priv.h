// SPDX-License-Identifier: MIT
// messages: what clients read of an error, in every language.
#ifndef BKFLOW_STATES_MESSAGES_PRIV_H
#define BKFLOW_STATES_MESSAGES_PRIV_H

#include "base/error.h"
#include "conf/conf.h"

// Renders the client's message into BUFFER and returns its view; cut at SIZE, which is at least 1.
struct str messages_render(const struct error *err, enum lang lang, char *buffer,
                           size_t size) NONNULL;

#endif
