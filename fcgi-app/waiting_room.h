// SPDX-License-Identifier: MIT
// waiting_room: the connections whose requests wait for a change. A worker parks a request here;
// its connection is then the room's, and comes back to the loop when the request must be run
// again: because a task has changed, the time is over, or the client has sent something. So a
// connection is always armed in one place only. The room's thread and the watcher start
// when a request waits for the first time.
#ifndef BKFLOW_WAITING_ROOM_H
#define BKFLOW_WAITING_ROOM_H

#include "worker.h"

struct waiting_room;

// SHARED, whose loop must be set, outlives the room. At most WANTED requests wait, and at most on
// three quarters of CONNECTIONS: the others need some, too. FIRST_SHARD and the next one are
// metrics shards for its threads. NULL with errno if out of resources.
struct waiting_room *waiting_room_new(struct worker_shared *shared, size_t wanted,
                                      size_t connections, size_t first_shard) MUST_CHECK NONNULL;

// Number of metrics shards that it uses.
enum { WAITING_ROOM_SHARDS = 2 };

// ---- for workers ----

// Parks the request of a connection that the worker owns. True: the connection is no longer the
// worker's. False: the worker must answer at once; SHARD counts why. A request that has
// waited before keeps its seat.
bool waiting_room_park(struct waiting_room *room, struct loop_conn *conn,
                       const struct service_parking *parking,
                       struct metrics_shard *shard) MUST_CHECK NONNULL;

// Must be called by the worker that gets a connection with a seat.
void waiting_room_taken(struct waiting_room *room) NONNULL;

// Ends what is left of waiting when the request has been answered. SHARD is the worker's.
void waiting_room_leave(struct waiting_room *room, struct loop_conn *conn,
                        struct metrics_shard *shard) NONNULL;

// ---- for the server ----

// Has all requests answered now. The loop must be draining.
void waiting_room_drain(struct waiting_room *room) NONNULL;

// Has the watcher release an old configuration.
void waiting_room_refresh(struct waiting_room *room) NONNULL;

// Whether its threads, if they have been started, are running; they should until asked to end.
bool waiting_room_runs(struct waiting_room *room) MUST_CHECK NONNULL;

// Asks its threads to end. Returns true, and frees it, when they have; call again until then.
bool waiting_room_has_ended(struct waiting_room **room) MUST_CHECK NONNULL;

#endif
