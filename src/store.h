// SPDX-License-Identifier: MIT
// store: the records that BKFlow's database holds, and the seam behind which a real database or a
// test's literal ones stand.
#ifndef BKFLOW_STORE_H
#define BKFLOW_STORE_H

#include "arena.h"
#include "base.h"
#include "err.h"

struct grant;

enum { STORE_SALT_BYTES = 16, STORE_DIGEST_BYTES = 32 };

// A row of bkflow_states_app. Digests are SHA-256(salt || secret).
struct store_app {
    bool exists;
    bool is_enabled;
    bool has_previous; // a secret that was rotated out and still holds for a while
    uint8_t salt[STORE_SALT_BYTES];
    uint8_t digest[STORE_DIGEST_BYTES];
    uint8_t previous_digest[STORE_DIGEST_BYTES];
    int64_t previous_expires_us; // microseconds since 1970 UTC
};

// A row of task_taskinstance.
struct store_task {
    bool exists;
    bool is_deleted;
    bool is_started;
    bool is_expired;
    struct str instance_id; // the root node's id
    int64_t template_id;    // 0 when NULL
};

// A row of template_template.
struct store_template {
    bool exists;
    bool is_deleted;
    struct str app_code; // absent when NULL
};

// Whom and what a request names. Absent texts are not looked up. Texts are compared byte for byte,
// whatever the columns' collations hold equal.
struct store_question {
    struct str app_code;
    struct str username;
    int64_t task_id;
    // For reading the nodes along with the facts in the usual case. Both must hold before a node's
    // row may leave the database.
    struct str binding_code;  // the application that the task's template must be bound to
    struct str secret_digest; // what the claimed secret digests to; absent when its salt is unknown
    int64_t now_us;           // wall clock: whether a secret that was rotated out still holds
};

struct store_facts {
    // The database itself has compared: the question's secret and user hold, and the task, which is
    // under way, is bound to binding_code, which template.app_code repeats. Of application, user
    // and template nothing else is read then.
    bool is_proven;
    struct store_app app;
    bool user_is_active; // there is such a user, and it is active
    struct store_task task;
    struct store_template template; // the task's
};

// A moment that a row lacks.
#define STORE_NO_TIME INT64_MIN

enum store_node_flags {
    STORE_NODE_SKIP = 1,
    STORE_NODE_ERROR_IGNORED = 2,
    // The tree's own, set by tree_build.
    STORE_NODE_DOUBLED = 4,         // a later row has the same id
    STORE_NODE_CHILD_FAILED = 8,    // a child reads FAILED after its roll-up
    STORE_NODE_CHILD_SUSPENDED = 16 // a child reads SUSPENDED after its roll-up
};

// A row of eri_state, and the links that make a tree of the rows. Texts in the arena, without
// terminator.
struct store_node {
    const char *id;
    const char *parent_id;
    const char *version;
    const char *state;
    int64_t started_us;  // microseconds since 1970 UTC, or STORE_NO_TIME
    int64_t archived_us; // likewise
    int32_t loop;
    int32_t retry;
    uint16_t id_len;
    uint16_t parent_id_len;
    uint16_t version_len;
    uint16_t state_len;
    uint8_t flags; // enum store_node_flags
    // The tree's own, filled by tree_build.
    uint32_t hash; // of the id
    struct store_node *parent;
    struct store_node *first_child;
    struct store_node *next_sibling;
};

enum { STORE_CHUNK_NODES = 64 };

// Nodes in row order, in chunks so that none is ever copied. The list begins with the newest chunk.
struct store_chunk {
    struct store_chunk *older;
    size_t count;
    struct store_node nodes[STORE_CHUNK_NODES];
};

struct store_nodes {
    struct store_chunk *newest;
    size_t count;
};

// The node added last, NULL when there is none.
const struct store_node *store_nodes_last(const struct store_nodes *nodes) MUST_CHECK NONNULL;

// Room for one more node behind the others, cleared. NULL when the arena has none.
struct store_node *store_nodes_add(struct store_nodes *nodes,
                                   struct arena *arena) MUST_CHECK NONNULL;

// The seam. Each function gets the store's own context first.
struct store_ops {
    // All that authentication and binding need to know, in as few round trips as the set-up allows.
    // A store may read the nodes along, for load_nodes to hand out without another round trip. What
    // is not in the database is simply not there: an error is a database that can't answer.
    int (*look_up)(void *store, const struct store_question *question, struct arena *arena,
                   struct store_facts *facts, struct err *err);
    // The rows of the granted task in the order of eri_state.id; more than LIMIT are an error.
    int (*load_nodes)(void *store, const struct grant *grant, size_t limit, struct arena *arena,
                      struct store_nodes *nodes, struct err *err);
    // Whether every database answers.
    int (*ping)(void *store, struct err *err);
};

struct store {
    const struct store_ops *ops;
    void *context;
};

#endif
