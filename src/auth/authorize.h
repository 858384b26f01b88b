// SPDX-License-Identifier: MIT
// binding: the one decision whether a caller may see a task, and the proof that it was made.
#ifndef BKFLOW_AUTH_AUTHORIZE_H
#define BKFLOW_AUTH_AUTHORIZE_H

#include "base/arena.h"
#include "auth/authenticate.h"
#include "base/error.h"
#include "auth/lookup.h"

// Proof that the binding of one task was checked. Only this module makes one; whoever reads node
// states must show it. Lives in the arena.
struct permit;

// What the task itself says about its states.
enum permit_kind {
    PERMIT_NOT_STARTED, // no node has run yet
    PERMIT_EXPIRED,     // the states were cleaned away
    PERMIT_STARTED,     // the states are rows of eri_state
};

// Checks in the order of BKFlow's check_task_bk_app_code: task, its template, the template's
// application. The error holds what the message names; its texts live as long as CALLER and FACTS.
int authorize(const struct caller *caller, const struct lookup_result *result, int64_t task_id,
              struct arena *arena, const struct permit **permit,
              struct error *err) MUST_CHECK NONNULL;

// A permit without a check, for an operator at a terminal: whoever has the database's password may
// read all of it anyway. Not to be called for anybody who comes over the network. Takes deleted
// tasks and any template; fails when there is no such task.
int permit_for_operator(const struct lookup_result *result, int64_t task_id, struct arena *arena,
                        const struct permit **permit, struct error *err) MUST_CHECK NONNULL;

enum permit_kind permit_kind(const struct permit *permit) MUST_CHECK NONNULL;
int64_t permit_task_id(const struct permit *permit) MUST_CHECK NONNULL;

// The root node's id, which is the task's instance_id.
struct str permit_root_id(const struct permit *permit) MUST_CHECK NONNULL;

#endif
