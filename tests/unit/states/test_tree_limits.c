// SPDX-License-Identifier: MIT
// Limits of depth and size: depth needs no stack, size needs bounded memory and linear time. Each
// tree is built in a child process, in a thread with a small stack.
#include "base/clock.h"
#include "rows.h"
#include "support.h"
#include "states/tree.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW_US INT64_C(1686821400000000)

enum {
    DEEP = 100000,
    LARGE = 200000,
    SMALL_STACK = 256 * 1024,
    MEMORY_LIMIT = 64 << 20,
    ARENA_BYTES = 1 << 30, // the process's limit applies
    SECONDS_ALLOWED = 20,  // linear needs a fraction; quadratic, minutes
};

// ---- what is written, looked at as it passes ----

struct passing {
    bool in_string;
    bool is_escaped;
    unsigned depth;
    unsigned deepest;
    uint64_t objects;
    uint64_t bytes;
};

static int look(void *context, char *bytes, size_t len, bool is_last)
{
    (void)is_last;
    struct passing *const passing = context;
    for (size_t i = 0; i < len; i++) {
        const char c = bytes[i];
        if (passing->in_string) {
            passing->in_string = passing->is_escaped || c != '"';
            passing->is_escaped = !passing->is_escaped && c == '\\';
        } else if (c == '"') {
            passing->in_string = true;
        } else if (c == '{') {
            passing->objects++;
            passing->depth++;
            passing->deepest =
                passing->depth > passing->deepest ? passing->depth : passing->deepest;
        } else if (c == '}') {
            passing->depth--;
        }
    }
    passing->bytes += len;
    return 0;
}

// ---- shapes of trees: the parent of node I ----

static size_t in_a_chain(size_t i)
{
    return i - 1;
}

static size_t below_the_root(size_t i)
{
    (void)i;
    return 0;
}

static size_t binary(size_t i)
{
    return (i - 1) / 2;
}

// Two alternating parents, so that the last one looked up never helps.
static size_t in_turn(size_t i)
{
    return i < 3 ? 0 : 1 + i % 2;
}

struct job {
    size_t count;
    size_t (*parent)(size_t i);
    unsigned expected_depth; // of nodes
    const char *leaf_state;
    const char *root_reads;
    bool from_leaves; // rows are in reverse order
    bool has_succeeded;
};

static int add_row(const struct job *job, size_t i, struct node_list *nodes, struct arena *arena)
{
    char id[40];
    char parent[40];
    snprintf(id, sizeof id, "n%032zx", i);
    snprintf(parent, sizeof parent, "n%032zx", i == 0 ? 0 : job->parent(i));
    const struct row row = {
        .id = id,
        .parent = parent,
        .state = i + 1 == job->count ? job->leaf_state : "RUNNING",
        .version = "v0123456789abcdef0123456789abcdef",
        .started = NOW_US,
    };
    return row_add(nodes, arena, &row);
}

static bool load_rows(const struct job *job, struct node_list *nodes, struct arena *arena)
{
    for (size_t i = 0; i < job->count; i++) {
        if (add_row(job, job->from_leaves ? job->count - 1 - i : i, nodes, arena) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_written_whole(const struct job *job, const struct tree *tree)
{
    static char buffer[65536];
    static struct local_time local_time;
    struct passing passing = {.in_string = false};
    struct outbuf out;
    struct json_writer json;
    outbuf_init(&out, buffer, sizeof buffer, look, &passing);
    json_write_init(&json, &out);
    tree_write(tree, false, &local_time, &json);
    return outbuf_flush(&out) == 0 && json_write_is_complete(&json) && passing.depth == 0 &&
           passing.objects == 2 * job->count && passing.deepest == 2 * job->expected_depth;
}

static bool root_reads(const struct tree *tree, const char *state)
{
    return str_equal((struct str){tree->root->state, tree->root->state_len}, str_from(state));
}

static void *make_tree(void *argument)
{
    struct job *const job = argument;
    struct node_list nodes = {0};
    struct tree tree;
    struct error err;
    struct arena *const arena = arena_new(ARENA_BYTES);
    char root_id[40];
    snprintf(root_id, sizeof root_id, "n%032zx", (size_t)0);
    job->has_succeeded =
        arena != NULL && load_rows(job, &nodes, arena) &&
        tree_build(&tree, &nodes, str_from(root_id), NOW_US, 1, arena, &err) == 0 &&
        root_reads(&tree, job->root_reads) && is_written_whole(job, &tree);
    arena_free(arena);
    return NULL;
}

static int run_on_a_small_stack(void *argument)
{
    struct job *const job = argument;
    pthread_attr_t attributes;
    pthread_t thread;
    alarm(SECONDS_ALLOWED);
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, SMALL_STACK) != 0 ||
        pthread_create(&thread, &attributes, make_tree, job) != 0) {
        return 2;
    }
    pthread_join(thread, NULL);
    return job->has_succeeded ? 0 : 1;
}

static const struct job deep_chain = {
    .count = DEEP,
    .parent = in_a_chain,
    .expected_depth = DEEP,
    .leaf_state = "FAILED",
    .root_reads = "FAILED", // rolled up to the root
};

static const struct job chain_from_the_leaf = {
    .count = DEEP,
    .parent = in_a_chain,
    .expected_depth = DEEP,
    .leaf_state = "SUSPENDED",
    .root_reads = "RUNNING",
    .from_leaves = true,
};

static const struct job large_fan = {
    .count = LARGE,
    .parent = below_the_root,
    .expected_depth = 2,
    .leaf_state = "SUSPENDED",
    .root_reads = "NODE_SUSPENDED",
};

static const struct job large_binary = {
    .count = LARGE,
    .parent = binary,
    .expected_depth = 18,
    .leaf_state = "FAILED",
    .root_reads = "FAILED",
};

static const struct job large_in_turn = {
    .count = LARGE,
    .parent = in_turn,
    .expected_depth = 3,
    .leaf_state = "FAILED",
    .root_reads = "FAILED",
    .from_leaves = true,
};

static void run(const struct job *job, int (*how)(void *job))
{
    struct job copy = *job;
    assert_int_equal(run_in_child(how, &copy), 0);
}

static void a_tree_of_depth_100000_needs_no_stack(void **state)
{
    (void)state;
    run(&deep_chain, run_on_a_small_stack);
}

static void a_chain_whose_rows_come_from_the_leaf_needs_no_stack(void **state)
{
    (void)state;
    run(&chain_from_the_leaf, run_on_a_small_stack);
}

static void a_root_with_200000_children_is_built_in_linear_time(void **state)
{
    (void)state;
    run(&large_fan, run_on_a_small_stack);
}

static void a_binary_tree_of_200000_nodes_is_built_in_linear_time(void **state)
{
    (void)state;
    run(&large_binary, run_on_a_small_stack);
}

static void alternating_parents_are_found_in_linear_time(void **state)
{
    (void)state;
    run(&large_in_turn, run_on_a_small_stack);
}

// Sanitizers reserve terabytes of address space, so the memory limit is not tested with them.
#ifndef SANITIZING
static int run_in_small_memory(void *job)
{
    const struct rlimit limit = {MEMORY_LIMIT, MEMORY_LIMIT};
    return setrlimit(RLIMIT_AS, &limit) == 0 ? run_on_a_small_stack(job) : 3;
}

static void a_tree_of_depth_100000_fits_64_megabytes(void **state)
{
    (void)state;
    run(&deep_chain, run_in_small_memory);
}

static void a_tree_of_200000_nodes_fits_64_megabytes(void **state)
{
    (void)state;
    run(&large_binary, run_in_small_memory);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_of_depth_100000_needs_no_stack),
        cmocka_unit_test(a_chain_whose_rows_come_from_the_leaf_needs_no_stack),
        cmocka_unit_test(a_root_with_200000_children_is_built_in_linear_time),
        cmocka_unit_test(a_binary_tree_of_200000_nodes_is_built_in_linear_time),
        cmocka_unit_test(alternating_parents_are_found_in_linear_time),
#ifndef SANITIZING
        cmocka_unit_test(a_tree_of_depth_100000_fits_64_megabytes),
        cmocka_unit_test(a_tree_of_200000_nodes_fits_64_megabytes),
#endif
    };
    return cmocka_run_group_tests_name("tree_limits", tests, NULL, NULL);
}
