// SPDX-License-Identifier: MIT
// store: the interface between the service and its data: real databases, a refusal, or a test's
// rows. Lookups run for a group of requests at once; nodes are only read with permits.
#ifndef BKFLOW_STATES_STORE_H
#define BKFLOW_STATES_STORE_H

#include "auth/lookup.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "conf/conf.h"
#include "states/node.h"

struct permit;

// The maximum number of requests in a group.
enum { STORE_GROUP_MAX = 16 };

// The nodes of one task.
struct node_query {
    const struct permit *permit;
    struct node_list nodes; // in the order of eri_state.id
    bool is_complete;       // false: the row limit was exceeded, and NODES is empty
};

// A row of task_taskflowrelation: a task that a node of another task started. Valid during the
// call.
struct store_link {
    int64_t parent_task_id;
    int64_t task_id;
    struct str extra_info; // JSON that names the node; absent if NULL
};

struct store_link_reader {
    void (*take)(void *context, const struct store_link *link);
    void *context;
};

// The maximum number of tasks in one call of find_digests.
enum { STORE_DIGESTS_MAX = 256 };

// A digest of everything in a task's rows that its answer shows. Two digests are equal if the rows
// are; otherwise they differ, except with a probability of at most 2^-60.
struct store_digest {
    bool has_rows;
    uint64_t a; // 0 without rows, as B is
    uint64_t b;
};

// Each function gets the store's context first. COUNT is 1 to STORE_GROUP_MAX. A failure applies to
// the whole group. Missing rows are not an error; a database that cannot answer is.
struct store_ops {
    // Fills in the application and the user of each lookup. Does the same work whether the
    // application exists or not.
    int (*find_callers)(void *store, struct lookup *const lookups[], size_t count,
                        struct error *err);
    // Fills in the space that each lookup names. Does the same work whether it exists or not.
    int (*find_spaces)(void *store, struct lookup *const lookups[], size_t count,
                       struct error *err);
    // Fills in the task of each lookup and the task's template.
    int (*find_tasks)(void *store, struct lookup *const lookups[], size_t count, struct error *err);
    // Fills in the task of each lookup and nothing else.
    int (*find_only_tasks)(void *store, struct lookup *const lookups[], size_t count,
                           struct error *err);
    // Passes the tasks that nodes of PARENTS started to READER, in the order of their links' ids
    // for each parent. If the connection is lost meanwhile, all of them are passed again. Fails
    // with ERR_TOO_MANY_NODES if there are more than ROW_LIMIT.
    int (*find_links)(void *store, const int64_t parents[], size_t count, size_t row_limit,
                      const struct store_link_reader *reader, struct error *err);
    // Reads the nodes of different tasks into ARENA, at most ROW_LIMIT rows in total. Queries that
    // did not fit are incomplete; a single query is incomplete only if it has more than ROW_LIMIT
    // rows.
    int (*load_nodes)(void *store, struct node_query queries[], size_t count, size_t row_limit,
                      struct arena *arena, struct error *err);
    // Sets DIGESTS[i] to the digest of the rows whose root_id is ROOTS[i]. All of ROOTS are
    // different. COUNT is 1 to STORE_DIGESTS_MAX.
    int (*find_digests)(void *store, const struct str roots[], size_t count,
                        struct store_digest digests[], struct error *err);
    // Checks that every database answers.
    int (*ping)(void *store, struct error *err);
    // Replaces the configuration, which is borrowed until the next call or the end.
    void (*reconfigure)(void *store, const struct conf *conf);
    // Returns to preferred hosts that are healthy again. Between requests only.
    void (*failback)(void *store);
    // Closes the connections, so that others can have them; the next call reconnects. Between
    // requests only.
    void (*disconnect)(void *store);
    void (*free)(void *store);
};

struct store {
    const struct store_ops *ops;
    void *context;
};

#endif
