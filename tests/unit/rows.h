// SPDX-License-Identifier: MIT
// rows: rows of eri_state as literals, and a fake store that answers with literal facts and rows.
#ifndef BKFLOW_TEST_ROWS_H
#define BKFLOW_TEST_ROWS_H

#include "base/local_time.h"
#include "states/store.h"
#include "states/tree.h"
#include "support.h"

// A row; what is not said is empty, 0, or NULL for the two moments.
struct row {
    const char *id;
    const char *parent;
    const char *state;
    const char *version;
    int64_t started;  // microseconds since 1970 UTC; 0: NULL
    int64_t archived; // likewise
    int32_t loop;
    int32_t retry;
    uint8_t flags; // NODE_SKIP, NODE_ERROR_IGNORED
};

// ROW("a", "r", .state = "RUNNING"): the initializer of a row.
#define ROW(its_id, its_parent, ...)                                                               \
    {                                                                                              \
        .id = (its_id), .parent = (its_parent), __VA_ARGS__                                        \
    }

// Adds the row behind the others, its texts copied into the arena. -1 without memory.
int row_add(struct node_list *nodes, struct arena *arena, const struct row *row) MUST_CHECK;

// All of them; the test fails without memory.
struct node_list rows_load(struct arena *arena, const struct row *rows, size_t count);

// The JSON text of a tree, complete; in the sink, with a NUL behind it.
struct str tree_text(const struct tree *tree, struct local_time *local_time, struct sink *sink);

// COUNT rows by chance: most hang below one another from "n0" on, some nowhere, in circles, or
// twice.
void rows_random(struct row *rows, size_t count, struct dice *dice);

// A store with one application, one user, and one task whose states are ROWS.
struct fake_store {
    const char *app_code; // the application that exists
    const char *username; // the user that is active
    int64_t task_id;      // the task that exists
    struct lookup_application app;
    struct lookup_task task;
    struct lookup_template template;
    const struct row *rows;
    size_t row_count;

    unsigned calls;          // of any of its functions
    unsigned fail_at;        // the call that fails, counted from 1; 0: none
    enum error_kind failure; // with what
    unsigned look_ups;       // of callers
    unsigned task_look_ups;
    unsigned loads;
    unsigned pings;
    size_t limit;           // what the last load was told
    int64_t permitted_task; // of the last load
};

extern const struct store_ops fake_store_ops;

// Makes APP one that exists, is enabled, and has this secret.
void app_with_secret(struct lookup_application *app, const char *secret);

// DIGEST = SHA-256 of the salt and the secret.
void digest_of_secret(const uint8_t salt[LOOKUP_SALT_BYTES], const char *secret,
                      uint8_t digest[LOOKUP_DIGEST_BYTES]);

#endif
