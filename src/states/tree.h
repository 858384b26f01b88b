// SPDX-License-Identifier: MIT
// tree: from rows to the answer's data: nesting, roll-up, entity tag, JSON. Pure: no I/O but into
// the given buffer; iterative, so that depth costs no stack; linear in the number of rows.
#ifndef BKFLOW_STATES_TREE_H
#define BKFLOW_STATES_TREE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json_write.h"
#include "states/node.h"
#include "base/local_time.h"

enum tree_kind {
    TREE_NODES,
    TREE_NOT_STARTED, // the task has not run yet
    TREE_CREATED,     // it has been started, but no node has a row yet
};

struct tree {
    enum tree_kind kind;
    struct node *root; // NULL unless TREE_NODES
    int64_t now_us;    // until when nodes that still run have run
    uint64_t tag[2];
};

// A tree without nodes.
void tree_of_kind(struct tree *tree, enum tree_kind kind) NONNULL;

// Makes a tree of NODES, whose links and states it changes. Children come in row order; what the
// root does not lead to is left out. A RUNNING node with a FAILED child reads FAILED, else with a
// SUSPENDED one NODE_SUSPENDED, from the leaves up (BKFlow's roll-up: oracle cases 041-059). No
// rows: TREE_CREATED. NOW_US: microseconds since 1970 UTC. SEED: any number that outsiders do not
// know. Fails with 500 when there are rows but not the root's.
int tree_build(struct tree *tree, const struct node_list *nodes, struct str root_id, int64_t now_us,
               uint64_t seed, struct arena *arena, struct error *err) MUST_CHECK NONNULL;

enum { TREE_TAG_BYTES = 34 };

// The entity tag, with its quotes: it changes exactly when what tree_write writes would. ZONE_NAME
// is part of that.
struct str tree_tag(const struct tree *tree, const char *zone_name,
                    char text[TREE_TAG_BYTES]) NONNULL;

// The node after NODE on the way from parents to children: its first child, else the next sibling
// of the nearest node above that has one, itself included. NULL: NODE was the last. *LEFT is how
// many nodes end before that, the innermost first: NODE, and the parents whose last child it is.
const struct node *tree_next(const struct tree *tree, const struct node *node,
                             size_t *left) MUST_CHECK NONNULL;

// Writes the tree as one JSON object.
void tree_write(const struct tree *tree, struct local_time *zone, struct json_writer *json) NONNULL;

// Seconds that a node has run, or ran; 0 when it has not started.
int64_t tree_node_elapsed(const struct tree *tree, const struct node *node) MUST_CHECK NONNULL;

// Seconds between two moments, to the nearest, halves to the even one, as Python's round().
int64_t tree_elapsed_seconds(int64_t from_us, int64_t to_us);

#endif
