// SPDX-License-Identifier: MIT
// task_ids: the ids of a request for several tasks.
#ifndef BKFLOW_STATES_TASK_IDS_PRIV_H
#define BKFLOW_STATES_TASK_IDS_PRIV_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "http/http.h"

struct task_ids {
    int64_t *list; // in the order of the request, each once; in the arena
    size_t count;
};

// Reads ids that are separated by commas: 1 to MAX of them, each once. Fails with ERR_TASK_IDS,
// also if TEXT is absent.
int task_ids_read_list(struct str text, size_t max, struct arena *arena, struct task_ids *ids,
                       struct error *err) MUST_CHECK NONNULL;

// Reads the request's body: a JSON object whose member task_ids is an array of up to MAX ids, as
// numbers or as strings. It may be empty, and ids that come again are dropped, as by BKFlow. Fails
// with ERR_BODY_FORMAT if the body is not what its headers say or not such a JSON object, and with
// ERR_TASK_IDS if its ids cannot be used.
int task_ids_read_body(const struct http_request *request, size_t max, struct arena *arena,
                       struct task_ids *ids, struct error *err) MUST_CHECK NONNULL;

#endif
