// SPDX-License-Identifier: MIT
// ctl_stored_key: the public key of a gateway that BKFlow keeps in its interface database, in
// apigw_manager_context. BKFlow verifies the gateway's tokens by it.
#ifndef BKFLOW_CTL_STORED_KEY_H
#define BKFLOW_CTL_STORED_KEY_H

#include "base/arena.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "ctl/tables.h"

// The columns that are read, for their GRANT. Requests do not read them.
extern const struct ctl_tables_table ctl_stored_key_table;

// Reads the PEM text of gateway NAME into ARENA; absent if BKFlow has none. Connects to DATABASE
// and disconnects.
int ctl_stored_key_find(const struct conf_database *database, struct metrics_shard *shard,
                        struct str name, struct arena *arena, struct str *pem,
                        struct error *err) MUST_CHECK NONNULL;

#endif
