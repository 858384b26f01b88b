// SPDX-License-Identifier: MIT
// ctl_draw: draws a tree of nodes as lines of text. Iterative; indentation is bounded whatever the
// tree's depth.
#ifndef BKFLOW_CTL_DRAW_H
#define BKFLOW_CTL_DRAW_H

#include "ctl/out.h"
#include "states/tree.h"
#include "base/local_time.h"

// Draws the first MAX_NODES nodes, and tells how many more there are. TREE must have nodes. Returns
// the number of all of them.
size_t ctl_draw_tree(struct ctl_out *out, const struct tree *tree, struct local_time *local_time,
                     size_t max_nodes) NONNULL;

// Prints a state in its colour.
void ctl_draw_state(struct ctl_out *out, struct str state, size_t width) NONNULL;

enum { CTL_DRAW_DURATION_BYTES = 32 };

// "1h02m03s", "2m03s", "3s".
struct str ctl_draw_duration(int64_t seconds, char text[CTL_DRAW_DURATION_BYTES]) NONNULL;

#endif
