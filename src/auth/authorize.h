// SPDX-License-Identifier: MIT
// authorize: decides whether a caller may see a task, and proves that the decision was made.
#ifndef BKFLOW_AUTH_AUTHORIZE_H
#define BKFLOW_AUTH_AUTHORIZE_H

#include "base/arena.h"
#include "auth/authenticate.h"
#include "base/error.h"
#include "auth/lookup.h"

// Proof that a caller may see one task. Only this module makes one; reading node states requires
// it. In the arena.
struct permit;

// What the task's row says about its states.
enum permit_kind {
    PERMIT_NOT_STARTED, // no node has run
    PERMIT_STARTED,     // the states are in eri_state
};

// Checks the task, its template and the template's application, in the order of BKFlow's
// check_task_bk_app_code. A deleted or expired task does not exist. The error contains what its
// message names; the strings live as long as CALLER and RESULT.
int authorize(const struct caller *caller, const struct lookup_result *result, int64_t task_id,
              struct arena *arena, const struct permit **permit,
              struct error *err) MUST_CHECK NONNULL;

// Proof that a caller may see the tasks of one space. In the arena.
struct space_permit;

// Checks the space and its application, in the order of BKFlow's check_jwt_and_space. The error
// contains what its message names; the strings live as long as CALLER.
int authorize_space(const struct caller *caller, const struct lookup_space *space, int64_t space_id,
                    struct arena *arena, const struct space_permit **permit,
                    struct error *err) MUST_CHECK NONNULL;

// Makes a permit for a task of the space. A deleted or expired task does not exist. Its template
// and the template's application are not looked at. The permit lives as long as TASK.
int authorize_in_space(const struct space_permit *space, const struct lookup_task *task,
                       int64_t task_id, struct arena *arena, const struct permit **permit,
                       struct error *err) MUST_CHECK NONNULL;

// Makes a permit without a check, for an operator at a terminal: whoever has the database password
// can read everything anyway. Never call it for a request from the network. Accepts deleted
// and expired tasks and any template; fails if the task does not exist.
int permit_for_operator(const struct lookup_result *result, int64_t task_id, struct arena *arena,
                        const struct permit **permit, struct error *err) MUST_CHECK NONNULL;

// Makes a permit for a task that a node of another task started, from the permit for the latter.
// Fails with ERR_NO_TASK unless TASK exists in the same space and is neither deleted nor expired.
// The permit does not depend on TASK afterwards.
int permit_for_subtask(const struct permit *above, const struct lookup_task *task, int64_t task_id,
                       struct arena *arena, const struct permit **permit,
                       struct error *err) MUST_CHECK NONNULL;

enum permit_kind permit_kind(const struct permit *permit) MUST_CHECK NONNULL;
int64_t permit_task_id(const struct permit *permit) MUST_CHECK NONNULL;

// Returns the id of the root node, which is the task's instance_id.
struct str permit_root_id(const struct permit *permit) MUST_CHECK NONNULL;

#endif
