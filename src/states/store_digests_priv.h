// SPDX-License-Identifier: MIT
// store_digests: digests of the nodes of tasks, computed by the server from eri_state. A part of
// store_mysql.
#ifndef BKFLOW_STATES_STORE_DIGESTS_PRIV_H
#define BKFLOW_STATES_STORE_DIGESTS_PRIV_H

#include "db/connection.h"
#include "states/store.h"

// Like find_digests of struct store_ops, in the engine's database.
int store_digests_find(struct db *db, const struct str roots[], size_t count,
                       struct store_digest digests[], struct error *err) MUST_CHECK NONNULL;

#endif
