// SPDX-License-Identifier: MIT
// db_scout: tries the hosts that failed until they are well again, all at the same time, so that no
// request has to wait for one. Closes what it opens; the board is where the others learn of it.
#ifndef BKFLOW_DB_SCOUT_H
#define BKFLOW_DB_SCOUT_H

#include "conf.h"
#include "db_board.h"
#include "metrics.h"

struct db_scout; // used by one thread at a time

// Both are borrowed until the end. NULL: no memory.
struct db_scout *db_scout_new(struct db_board *board,
                              struct metrics_shard *shard) MUST_CHECK NONNULL;
void db_scout_free(struct db_scout *scout);

// The hosts to look after from now on. CONF is borrowed until the next call, or the end.
void db_scout_aim(struct db_scout *scout, const struct conf *conf) NONNULL;

// Does what is to be done, or waits for something to do: for long only where all hosts are well.
void db_scout_round(struct db_scout *scout) NONNULL;

#endif
