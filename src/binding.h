// SPDX-License-Identifier: MIT
// binding: the one decision whether a caller may see a task, and the proof that it was made.
#ifndef BKFLOW_BINDING_H
#define BKFLOW_BINDING_H

#include "arena.h"
#include "auth.h"
#include "err.h"
#include "store.h"

// Proof that the binding of one task was checked. Only this module makes one; whoever reads node
// states must show it. Lives in the arena.
struct grant;

// What the task itself says about its states.
enum grant_kind {
    GRANT_NOT_STARTED, // no node has run yet
    GRANT_EXPIRED,     // the states were cleaned away
    GRANT_STARTED,     // the states are rows of eri_state
};

// Checks in the order of BKFlow's check_task_bk_app_code: task, its template, the template's
// application. The error holds what the message names; its texts live as long as CALLER and FACTS.
int binding_check(const struct caller *caller, const struct store_facts *facts, int64_t task_id,
                  struct arena *arena, const struct grant **grant,
                  struct err *err) MUST_CHECK NONNULL;

// A grant without a check, for an operator at a terminal: whoever has the database's password may
// read all of it anyway. Not to be called for anybody who comes over the network. Takes deleted
// tasks and any template; fails when there is no such task.
int grant_for_operator(const struct store_facts *facts, int64_t task_id, struct arena *arena,
                       const struct grant **grant, struct err *err) MUST_CHECK NONNULL;

enum grant_kind grant_kind(const struct grant *grant) MUST_CHECK NONNULL;
int64_t grant_task_id(const struct grant *grant) MUST_CHECK NONNULL;

// The root node's id, which is the task's instance_id.
struct str grant_root_id(const struct grant *grant) MUST_CHECK NONNULL;

#endif
