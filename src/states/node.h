// SPDX-License-Identifier: MIT
// node: the rows of eri_state in memory: a node, and a list of nodes in an arena.
#ifndef BKFLOW_STATES_NODE_H
#define BKFLOW_STATES_NODE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"

enum node_flags {
    NODE_SKIP = 1,
    NODE_ERROR_IGNORED = 2,
    // The tree's own, set by tree_build.
    NODE_DUPLICATE = 4,       // a later row has the same id
    NODE_CHILD_FAILED = 8,    // a child reads FAILED after its roll-up
    NODE_CHILD_SUSPENDED = 16 // a child reads SUSPENDED after its roll-up
};

// A row of eri_state, and the links that make a tree of the rows. Texts in the arena, without
// terminator.
struct node {
    const char *id;
    const char *parent_id;
    const char *version;
    const char *state;
    int64_t started_us;  // microseconds since 1970 UTC, or NODE_NO_TIME
    int64_t archived_us; // likewise
    int32_t loop;
    int32_t retry;
    uint16_t id_len;
    uint16_t parent_id_len;
    uint16_t version_len;
    uint16_t state_len;
    uint8_t flags; // enum node_flags
    // The tree's own, filled by tree_build.
    uint32_t hash; // of the id
    struct node *parent;
    struct node *first_child;
    struct node *next_sibling;
};

enum { NODE_CHUNK_SIZE = 64 };

// Nodes in row order, in chunks so that none is ever copied. The list begins with the newest chunk.
struct node_chunk {
    struct node_chunk *older;
    size_t count;
    struct node nodes[NODE_CHUNK_SIZE];
};

struct node_list {
    struct node_chunk *newest;
    size_t count;
};

// The node added last, NULL when there is none.
const struct node *node_list_last(const struct node_list *nodes) MUST_CHECK NONNULL;

// Room for one more node behind the others, cleared. NULL when the arena has none.
struct node *node_list_add(struct node_list *nodes, struct arena *arena) MUST_CHECK NONNULL;

#endif
