// SPDX-License-Identifier: MIT
// What the JSON costs: from fetched rows to bytes, without database, socket or web server. Builds
// the tree of N rows over and over and prints, as one line of JSON, the nanoseconds of CPU (median
// of ROUNDS) that a node takes in each step: keeping the row, linking the tree with its tag,
// writing the text.
#define _GNU_SOURCE
#include "common.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "states/node_row_priv.h"
#include "states/statements.h"
#include "states/tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_BYTES = 65528, ID_BYTES = 33, SIBLINGS = 10, ROUNDS = 9 };

static const int64_t start_us = INT64_C(1700000000) * US_PER_SECOND;

static struct {
    int nodes;
    double seconds;
    char *timezone;
} opt = {.nodes = 1000, .seconds = 1, .timezone = "Asia/Shanghai"};

struct row {
    char id[ID_BYTES + 1];
    char parent[ID_BYTES + 1];
    char version[ID_BYTES + 1];
    struct db_value values[NODE_COLUMN_WIDTH];
};

enum step { STEP_KEEP, STEP_LINK, STEP_WRITE, STEPS };

static struct db_value text_value(const char *text)
{
    return (struct db_value){.text = str_from(text)};
}

static struct db_value number_value(int64_t number)
{
    return (struct db_value){.number = number};
}

// As an engine leaves them: SIBLINGS nodes below each node, each a few seconds long.
static void make_row(struct row *rows, int i)
{
    struct row *const row = &rows[i];
    snprintf(row->id, sizeof row->id, "n%032x", (unsigned)i * 2654435761U);
    snprintf(row->version, sizeof row->version, "v%032x", (unsigned)i * 2246822519U);
    snprintf(row->parent, sizeof row->parent, "%s", rows[i == 0 ? 0 : (i - 1) / SIBLINGS].id);
    const struct db_value values[NODE_COLUMN_WIDTH] = {
        text_value(rows[0].id),
        text_value(row->id),
        text_value(row->parent),
        text_value("FINISHED"),
        text_value(row->version),
        number_value(1),
        number_value(0),
        number_value(0),
        number_value(0),
        number_value(start_us + i * 7 * US_PER_SECOND),
        number_value(start_us + (i * 7 + i % 97) * US_PER_SECOND),
    };
    memcpy(row->values, values, sizeof values);
}

static int drop(void *context, char *bytes, size_t len, bool is_last)
{
    (void)context, (void)bytes, (void)len, (void)is_last;
    return 0;
}

static void keep_rows(const struct row *rows, struct arena *arena, struct node_list *nodes)
{
    struct error err;
    for (int i = 0; i < opt.nodes; i++) {
        if (node_row_add(nodes, rows[i].values, arena, &err) != 0) {
            die("rows", "out of memory");
        }
    }
}

// One answer; adds to TIMES the seconds that each step took, and returns how many bytes it wrote.
static uint64_t run_once(const struct row *rows, struct arena *arena, struct local_time *local_time,
                         double times[STEPS])
{
    static char buffer[BUFFER_BYTES];
    struct node_list nodes = {0};
    struct outbuf out;
    struct json_writer json;
    struct tree tree;
    struct error err;
    const double begin = cpu_seconds();
    keep_rows(rows, arena, &nodes);
    const double kept = cpu_seconds();
    if (tree_build(&tree, &nodes, str_from(rows[0].id), start_us, 1, arena, &err) != 0) {
        die("tree", "not built");
    }
    const double linked = cpu_seconds();
    outbuf_init(&out, buffer, sizeof buffer, drop, NULL);
    json_write_init(&json, &out);
    tree_write(&tree, false, local_time, &json);
    const double written = cpu_seconds();
    times[STEP_KEEP] += kept - begin;
    times[STEP_LINK] += linked - kept;
    times[STEP_WRITE] += written - linked;
    arena_reset(arena);
    return outbuf_delivered(&out) + outbuf_pending(&out);
}

static uint64_t run_round(const struct row *rows, struct arena *arena, double ns[STEPS])
{
    static struct local_time local_time;
    double times[STEPS] = {0};
    uint64_t bytes = 0;
    int count = 0;
    for (const double end = now() + opt.seconds / ROUNDS; now() < end || count == 0; count++) {
        bytes = run_once(rows, arena, &local_time, times);
    }
    for (int step = 0; step < STEPS; step++) {
        ns[step] = times[step] * 1e9 / count / opt.nodes;
    }
    return bytes;
}

static int compare(const void *a, const void *b)
{
    const double *const x = a;
    const double *const y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double rounds[ROUNDS][STEPS], enum step step)
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        values[i] = rounds[i][step];
    }
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    (void)argc;
    parse_options(argv, (const struct option_entry[]){
                            {"nodes", OPTION_NUMBER, &opt.nodes},
                            {"seconds", OPTION_REAL, &opt.seconds},
                            {"timezone", OPTION_TEXT, &opt.timezone},
                            {NULL, OPTION_FLAG, NULL},
                        });
    struct row *const rows = opt.nodes < 1 ? NULL : calloc((size_t)opt.nodes, sizeof *rows);
    struct arena *const arena = arena_new(SIZE_MAX);
    if (rows == NULL || arena == NULL || local_time_use_zone(opt.timezone) != 0) {
        die("json", "--nodes N [--seconds S] [--timezone NAME]");
    }
    for (int i = 0; i < opt.nodes; i++) {
        make_row(rows, i);
    }
    double ns[ROUNDS][STEPS];
    uint64_t bytes = 0;
    (void)run_round(rows, arena, ns[0]); // warms up
    for (int i = 0; i < ROUNDS; i++) {
        bytes = run_round(rows, arena, ns[i]);
    }
    printf("{\"nodes\": %d, \"bytes_per_node\": %.1f, \"keep_ns\": %.1f, \"link_ns\": %.1f, "
           "\"write_ns\": %.1f}\n",
           opt.nodes, (double)bytes / opt.nodes, median(ns, STEP_KEEP), median(ns, STEP_LINK),
           median(ns, STEP_WRITE));
    return 0;
}
