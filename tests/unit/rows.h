// SPDX-License-Identifier: MIT
// rows: literal rows of eri_state, and a fake store that answers with literal rows.
#ifndef BKFLOW_TEST_ROWS_H
#define BKFLOW_TEST_ROWS_H

#include "base/local_time.h"
#include "states/store.h"
#include "states/tree.h"
#include "support.h"

// A row. What is not given is empty, 0, or NULL for the two times.
struct row {
    const char *id;
    const char *parent;
    const char *state;
    const char *version;
    int64_t started;  // microseconds since 1970 UTC; 0: NULL
    int64_t archived; // the same
    int32_t loop;
    int32_t retry;
    uint8_t flags; // NODE_SKIP, NODE_ERROR_IGNORED
};

// ROW("a", "r", .state = "RUNNING"): the initializer of a row.
#define ROW(its_id, its_parent, ...)                                                               \
    {                                                                                              \
        .id = (its_id), .parent = (its_parent), __VA_ARGS__                                        \
    }

// Appends the row; its strings are copied into the arena. -1 if memory is exhausted.
int row_add(struct node_list *nodes, struct arena *arena, const struct row *row) MUST_CHECK;

// Appends all rows; the test fails if memory is exhausted.
struct node_list rows_load(struct arena *arena, const struct row *rows, size_t count);

// The JSON text of a tree, complete; in the sink, with a NUL behind it.
struct str tree_text(const struct tree *tree, struct local_time *local_time, struct sink *sink);

// The same with the list of failed nodes.
struct str tree_text_with_failed(const struct tree *tree, struct local_time *local_time,
                                 struct sink *sink);

// Makes COUNT random rows: most of them descend from "n0", some are orphans, in cycles, or
// duplicates.
void rows_random(struct row *rows, size_t count, struct dice *dice);

// A task that a node of another one started. Several of one id are several links to one task, whose
// facts are those of the first.
struct fake_subtask {
    int64_t id;
    int64_t parent;         // the task whose node started it
    const char *extra_info; // NULL: NULL
    int64_t space_id;
    const char *root; // the root node's id
    const struct row *rows;
    size_t row_count;
    bool is_missing, is_deleted, is_expired, is_not_started;
};

// A store with one application, one user, and one task whose states are ROWS.
struct fake_store {
    const char *app_code; // the existing application
    const char *username; // the active user
    int64_t task_id;      // the existing task
    struct lookup_application app;
    struct lookup_task task;
    struct lookup_template template;
    int64_t space_id; // the existing space
    struct lookup_space space;
    const struct row *rows;
    size_t row_count;

    const struct fake_subtask *subtasks; // further tasks, with their links
    size_t subtask_count;

    struct store_digest digest; // of the existing task

    unsigned calls;          // of any of its functions
    unsigned fail_at;        // the call that fails, counted from 1; 0: none
    enum error_kind failure; // how it fails
    unsigned look_ups;       // of callers
    unsigned space_look_ups;
    unsigned task_look_ups;
    unsigned loads;
    unsigned link_look_ups;
    unsigned digest_look_ups;
    unsigned pings;
    size_t limit;           // row limit of the last load
    int64_t permitted_task; // of the last load
};

extern const struct store_ops fake_store_ops;

// Makes APP an existing, enabled application with this secret.
void app_with_secret(struct lookup_application *app, const char *secret);

// Sets DIGEST to the SHA-256 of salt and secret.
void digest_of_secret(const uint8_t salt[LOOKUP_SALT_BYTES], const char *secret,
                      uint8_t digest[LOOKUP_DIGEST_BYTES]);

#endif
