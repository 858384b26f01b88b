// SPDX-License-Identifier: MIT
// messages: the texts of errors for clients, in each language.
#ifndef BKFLOW_STATES_MESSAGES_PRIV_H
#define BKFLOW_STATES_MESSAGES_PRIV_H

#include "base/error.h"
#include "conf/conf.h"

// Room for every message, whatever the members of the error are.
enum { MESSAGES_MAX = 4096 };

// Writes the client's message to BUFFER and returns it; truncated to SIZE, which is at least 1.
struct str messages_render(const struct error *err, enum lang lang, char *buffer,
                           size_t size) NONNULL;

#endif
