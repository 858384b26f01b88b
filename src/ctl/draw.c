// SPDX-License-Identifier: MIT
#include "ctl/draw.h"

#include <inttypes.h>
#include <stdio.h>

// The deepest level that is indented; deeper nodes have their depth as a number.
enum { LEVELS_MAX = 24, LEVEL_WIDTH = 3 };

static const struct lines {
    const char *child;
    const char *last_child;
    const char *passing;
} ascii_lines = {"|- ", "`- ", "|  "}, utf8_lines = {"├─ ", "└─ ", "│  "};

// ---- walking ----

// A node and its depth below the root.
struct step {
    const struct node *node;
    size_t depth;
};

static void advance(struct step *step, const struct tree *tree)
{
    size_t left;
    step->node = tree_next(tree, step->node, &left);
    step->depth += 1 - left; // a child is one deeper; each node that ended is one level up
}

static struct str id_of(const struct node *node)
{
    return (struct str){node->id, node->id_len};
}

static struct str state_of(const struct node *node)
{
    return (struct str){node->state, node->state_len};
}

// ---- how long ----

struct str ctl_draw_duration(int64_t seconds, char text[CTL_DRAW_DURATION_BYTES])
{
    const char *const sign = seconds < 0 ? "-" : "";
    const uint64_t all = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
    const unsigned s = (unsigned)(all % 60);
    const unsigned m = (unsigned)(all / 60 % 60);
    int len;
    if (all >= 3600) {
        len = snprintf(text, CTL_DRAW_DURATION_BYTES, "%s%" PRIu64 "h%02um%02us", sign, all / 3600,
                       m, s);
    } else if (all >= 60) {
        len = snprintf(text, CTL_DRAW_DURATION_BYTES, "%s%um%02us", sign, m, s);
    } else {
        len = snprintf(text, CTL_DRAW_DURATION_BYTES, "%s%us", sign, s);
    }
    return (struct str){text, (size_t)len};
}

// Describes how long a node took, or has been running.
static struct str describe_time(const struct tree *tree, const struct node *node,
                                char text[CTL_DRAW_DURATION_BYTES])
{
    if (node->started_us == CLOCK_NO_TIME) {
        return STR("-");
    }
    return ctl_draw_duration(tree_node_elapsed(tree, node), text);
}

// ---- how wide ----

// Writes "[9 deeper] " for a node below the deepest level that is indented. Returns its length.
static size_t describe_depth(size_t depth, char text[48])
{
    if (depth <= LEVELS_MAX) {
        text[0] = '\0';
        return 0;
    }
    return (size_t)snprintf(text, 48, "[%zu deeper] ", depth - LEVELS_MAX);
}

static size_t drawn_levels(const struct step *step)
{
    return step->depth < LEVELS_MAX ? step->depth : LEVELS_MAX;
}

static size_t label_width(const struct step *step)
{
    char deeper[48];
    return drawn_levels(step) * LEVEL_WIDTH + describe_depth(step->depth, deeper) +
           ctl_out_width(id_of(step->node));
}

struct columns {
    size_t label;
    size_t state;
    size_t duration;
    size_t count; // of nodes
};

static size_t wider(size_t width, size_t other)
{
    return width > other ? width : other;
}

static struct columns measure(const struct tree *tree)
{
    struct columns columns = {0};
    struct step step = {tree->root, 0};
    char duration[CTL_DRAW_DURATION_BYTES];
    while (step.node != NULL) {
        columns.label = wider(columns.label, label_width(&step));
        columns.state = wider(columns.state, ctl_out_width(state_of(step.node)));
        columns.duration = wider(columns.duration, describe_time(tree, step.node, duration).len);
        columns.count++;
        advance(&step, tree);
    }
    return columns;
}

// ---- drawing ----

struct drawing {
    struct ctl_out *out;
    const struct tree *tree;
    struct local_time *local_time;
    struct columns columns;
    bool is_last[LEVELS_MAX +
                 1]; // by level: whether the current node's ancestor is the last sibling
};

static void draw_lines(struct drawing *drawing, const struct step *step)
{
    const struct lines *const lines = drawing->out->has_utf8 ? &utf8_lines : &ascii_lines;
    const size_t levels = drawn_levels(step);
    drawing->is_last[levels] = step->node->next_sibling == NULL;
    for (size_t level = 1; level < levels; level++) {
        ctl_out_print(drawing->out, "%s", drawing->is_last[level] ? "   " : lines->passing);
    }
    if (levels > 0) {
        ctl_out_print(drawing->out, "%s",
                      drawing->is_last[levels] ? lines->last_child : lines->child);
    }
}

static void draw_label(struct drawing *drawing, const struct step *step)
{
    char deeper[48];
    (void)describe_depth(step->depth, deeper);
    draw_lines(drawing, step);
    ctl_out_print(drawing->out, "%s", deeper);
    ctl_out_text(drawing->out, id_of(step->node));
    ctl_out_blanks(drawing->out, drawing->columns.label - label_width(step) + 2);
}

// All states of bamboo-engine (its bamboo_engine/states.py), and the one of the roll-up.
static enum ctl_colour colour_of(struct str state)
{
    static const struct {
        const char *state;
        enum ctl_colour colour;
    } colours[] = {
        {"FINISHED", CTL_GREEN},
        {"RUNNING", CTL_BLUE},
        {"ROLLING_BACK", CTL_BLUE},
        {"FAILED", CTL_RED},
        {"ROLL_BACK_FAILED", CTL_RED},
        {"SUSPENDED", CTL_YELLOW},
        {"NODE_SUSPENDED", CTL_YELLOW},
        {"REVOKED", CTL_MAGENTA},
        {"ROLL_BACK_SUCCESS", CTL_MAGENTA},
        {"CREATED", CTL_FAINT},
        {"READY", CTL_FAINT},
        {"LOOP_READY", CTL_FAINT},
        {"BLOCKED", CTL_FAINT},
    };
    for (size_t i = 0; i < COUNT_OF(colours); i++) {
        if (str_equal(state, str_from(colours[i].state))) {
            return colours[i].colour;
        }
    }
    return CTL_PLAIN;
}

void ctl_draw_state(struct ctl_out *out, struct str state, size_t width)
{
    ctl_out_cell(out, colour_of(state), state, width);
}

static void draw_times(struct drawing *drawing, const struct node *node)
{
    char duration[CTL_DRAW_DURATION_BYTES];
    char text[LOCAL_TIME_TEXT_MAX];
    const struct str took = describe_time(drawing->tree, node, duration);
    ctl_out_blanks(drawing->out, drawing->columns.duration - took.len + 2);
    ctl_out_text(drawing->out, took);
    ctl_out_blanks(drawing->out, 2);
    const struct str start =
        node->started_us == CLOCK_NO_TIME
            ? STR("not started")
            : (struct str){text, local_time_format(drawing->local_time, node->started_us, text)};
    ctl_out_text(drawing->out, start);
}

static void draw_remarks(struct drawing *drawing, const struct node *node)
{
    if (node->retry > 0) {
        ctl_out_print(drawing->out, "  retried %" PRId32 "x", node->retry);
    }
    if (node->loop > 1) {
        ctl_out_print(drawing->out, "  loop %" PRId32, node->loop);
    }
    if ((node->flags & NODE_SKIP) != 0) {
        ctl_out_print(drawing->out, "  skipped");
    }
    if ((node->flags & NODE_ERROR_IGNORED) != 0) {
        ctl_out_print(drawing->out, "  error ignored");
    }
}

static void draw_node(struct drawing *drawing, const struct step *step)
{
    draw_label(drawing, step);
    ctl_draw_state(drawing->out, state_of(step->node), drawing->columns.state);
    draw_times(drawing, step->node);
    draw_remarks(drawing, step->node);
    ctl_out_print(drawing->out, "\n");
}

size_t ctl_draw_tree(struct ctl_out *out, const struct tree *tree, struct local_time *local_time,
                     size_t max_nodes)
{
    struct drawing drawing = {
        .out = out, .tree = tree, .local_time = local_time, .columns = measure(tree)};
    const size_t count = drawing.columns.count;
    struct step step = {tree->root, 0};
    for (size_t i = 0; i < count && i < max_nodes; i++) {
        draw_node(&drawing, &step);
        advance(&step, tree);
    }
    if (count > max_nodes) {
        ctl_out_print(out, "... and %zu more, for which there is no room\n", count - max_nodes);
    }
    return count;
}
