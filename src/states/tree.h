// SPDX-License-Identifier: MIT
// tree: turns rows into the answer's data: nesting, roll-up, entity tag, JSON. No I/O except into
// the given buffer. Iterative, so deep trees need no stack; linear in the number of rows.
#ifndef BKFLOW_STATES_TREE_H
#define BKFLOW_STATES_TREE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json_write.h"
#include "states/node.h"
#include "base/local_time.h"

enum tree_kind {
    TREE_NODES,
    TREE_NOT_STARTED, // the task has not been started
    TREE_CREATED,     // started, but no node has a row yet
};

// Finds nodes by id. Open addressing, at most half full; in an arena.
struct tree_table {
    struct node **places;
    size_t mask;
    uint64_t seed;
};

struct tree {
    enum tree_kind kind;
    struct node *root;        // NULL unless TREE_NODES
    struct tree_table table;  // likewise
    int64_t now_us;           // the end for the elapsed time of running nodes
    uint64_t states[2];       // digest of what is shown, without elapsed times of running nodes
    uint64_t clock[2];        // digest of these times
    const struct subtask *of; // the tree's place in another one; NULL: it is the answer's own
};

// A task that a node of another task started, and its states.
struct subtask {
    int64_t task_id;
    struct tree tree;
    struct node *starter;
    const struct tree *above; // the starter's tree
};

// Makes a tree without nodes.
void tree_of_kind(struct tree *tree, enum tree_kind kind) NONNULL;

// Builds a tree of NODES and changes their links and states. Children are in the order of rows;
// nodes that are not reachable from the root are left out. A RUNNING node with a FAILED child
// becomes FAILED, else with a SUSPENDED child NODE_SUSPENDED, from the leaves up (BKFlow's roll-up:
// oracle cases 041-059). No rows: TREE_CREATED. NOW_US: microseconds since 1970-01-01 UTC. SEED: a
// number that outsiders cannot know. Fails with 500 if there are rows but not the root's.
int tree_build(struct tree *tree, const struct node_list *nodes, struct str root_id, int64_t now_us,
               uint64_t seed, struct arena *arena, struct error *err) MUST_CHECK NONNULL;

// Returns the node with this id; NULL if there is none that can be reached from the root.
struct node *tree_find(const struct tree *tree, struct str id) MUST_CHECK NONNULL;

// Adds a subtask, whose tree is complete, to the tag and the version of the answer's tree. The
// order of subtasks does not matter.
void tree_add_subtask(struct tree *tree, const struct subtask *subtask) NONNULL;

enum { TREE_TAG_BYTES = 34 };

// Returns the entity tag with its quotes. It changes exactly when the output of tree_write would.
// ZONE_NAME is included.
struct str tree_tag(const struct tree *tree, bool shows_failed, const char *zone_name,
                    char text[TREE_TAG_BYTES]) NONNULL;

enum { TREE_VERSION_BYTES = 32 };

// Returns the version of the states. It changes when the output of tree_write would, except for the
// elapsed times of running nodes: it stays the same while nothing happens. It does not depend on
// the time zone.
struct str tree_version(const struct tree *tree, char text[TREE_VERSION_BYTES]) NONNULL;

// Returns the node after NODE in the order parents first: its first child, else the next sibling of
// NODE or of the nearest ancestor that has one. NULL if NODE was the last. *LEFT is the number of
// nodes that end before the result, innermost first: NODE and the ancestors whose last child it is.
const struct node *tree_next(const struct tree *tree, const struct node *node,
                             size_t *left) MUST_CHECK NONNULL;

// Writes the tree, and the subtasks of its nodes, as one JSON object. If SHOWS_FAILED, its last
// member lists the ids of its FAILED nodes, parents first, without those of subtasks.
void tree_write(const struct tree *tree, bool shows_failed, struct local_time *local_time,
                struct json_writer *json) NONNULL;

// Returns the seconds that a node has been running, or ran; 0 if it has not started.
int64_t tree_node_elapsed(const struct tree *tree, const struct node *node) MUST_CHECK NONNULL;

// Returns the seconds between two times, rounded to the nearest, halves to even, like Python's
// round().
int64_t tree_elapsed_seconds(int64_t from_us, int64_t to_us);

#endif
