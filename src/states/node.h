// SPDX-License-Identifier: MIT
// node: rows of eri_state in memory: a node, and a list of nodes in an arena.
#ifndef BKFLOW_STATES_NODE_H
#define BKFLOW_STATES_NODE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"

struct subtask;

enum node_flags {
    NODE_SKIP = 1,
    NODE_ERROR_IGNORED = 2,
    // Set by tree_build.
    NODE_DUPLICATE = 4,        // a later row has the same id
    NODE_CHILD_FAILED = 8,     // a child is FAILED after its roll-up
    NODE_CHILD_SUSPENDED = 16, // a child is SUSPENDED after its roll-up
    NODE_REACHABLE = 32        // from the root
};

// A row of eri_state, and the links that connect the rows to a tree. Strings are in the arena,
// without terminator.
struct node {
    const char *id;
    const char *parent_id;
    const char *version;
    const char *state;
    int64_t started_us;  // microseconds since 1970 UTC, or NODE_NO_TIME
    int64_t archived_us; // the same
    int32_t loop;
    int32_t retry;
    uint16_t id_len;
    uint16_t parent_id_len;
    uint16_t version_len;
    uint16_t state_len;
    uint8_t flags; // enum node_flags
    // Filled in by tree_build.
    uint32_t hash; // of the id
    struct node *parent;
    struct node *first_child;
    struct node *next_sibling;
    struct subtask *subtask; // the task that this node started; NULL: none, or not asked for
};

enum { NODE_CHUNK_MIN = 4, NODE_CHUNK_SIZE = 64 };

// Nodes in the order of rows, in chunks so that nodes are never moved. The list starts with the
// newest chunk. The first chunk is small; each is twice the size of the one before, up to
// NODE_CHUNK_SIZE.
struct node_chunk {
    struct node_chunk *older;
    size_t count;
    size_t room;
    struct node nodes[];
};

struct node_list {
    struct node_chunk *newest;
    size_t count;
};

// Returns the last node; NULL if there is none.
const struct node *node_list_last(const struct node_list *nodes) MUST_CHECK NONNULL;

// Appends a node, all zero. NULL if the arena is exhausted.
struct node *node_list_add(struct node_list *nodes, struct arena *arena) MUST_CHECK NONNULL;

#endif
