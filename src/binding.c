// SPDX-License-Identifier: MIT
#include "binding.h"

struct grant {
    int64_t task_id;
    struct str root_id;
    enum grant_kind kind;
};

// Whether the store has found the task bound to this very application, and under way.
static bool is_proven(const struct store_facts *facts, struct str app_code)
{
    return facts->is_proven && str_equal(facts->template.app_code, app_code);
}

static int check_task(const struct store_task *task, struct err *err)
{
    if (!task->exists || task->is_deleted) {
        return err_set(err, ERR_NO_TASK, "no such task");
    }
    if (task->template_id == 0) {
        return err_set(err, ERR_TASK_WITHOUT_TEMPLATE, "template_id is NULL or 0");
    }
    return 0;
}

static int check_template(const struct store_template *template, struct str app_code,
                          struct err *err)
{
    if (!template->exists || template->is_deleted) {
        return err_set(err, ERR_NO_TEMPLATE, "no such template");
    }
    if (template->app_code.len == 0) {
        return err_set(err, ERR_TEMPLATE_UNBOUND, "bk_app_code is NULL or empty");
    }
    if (!str_equal(template->app_code, app_code)) {
        err->app = app_code;
        err->bound_app = template->app_code;
        return err_set(err, ERR_OTHER_APPLICATION, "bound to another application");
    }
    return 0;
}

// Expired comes first: BKFlow answers EXPIRED also for a task that was never started.
static enum grant_kind kind_of(const struct store_task *task)
{
    if (task->is_expired) {
        return GRANT_EXPIRED;
    }
    return task->is_started ? GRANT_STARTED : GRANT_NOT_STARTED;
}

static int make_grant(const struct store_task *task, int64_t task_id, struct arena *arena,
                      const struct grant **grant, struct err *err)
{
    struct grant *const granted = arena_alloc(arena, 1, sizeof(struct grant));
    if (granted == NULL) {
        return err_set(err, ERR_NO_MEMORY, "grant");
    }
    *granted = (struct grant){
        .task_id = task_id,
        .root_id = task->instance_id,
        .kind = kind_of(task),
    };
    *grant = granted;
    return 0;
}

int binding_check(const struct caller *caller, const struct store_facts *facts, int64_t task_id,
                  struct arena *arena, const struct grant **grant, struct err *err)
{
    err->task_id = task_id;
    err->template_id = facts->task.template_id;
    if (is_proven(facts, caller_app_code(caller))) {
        return make_grant(&facts->task, task_id, arena, grant, err);
    }
    if (check_task(&facts->task, err) != 0 ||
        check_template(&facts->template, caller_app_code(caller), err) != 0) {
        return -1;
    }
    return make_grant(&facts->task, task_id, arena, grant, err);
}

int grant_for_operator(const struct store_facts *facts, int64_t task_id, struct arena *arena,
                       const struct grant **grant, struct err *err)
{
    err->task_id = task_id;
    if (!facts->task.exists) {
        return err_set(err, ERR_NO_TASK, "no such task");
    }
    return make_grant(&facts->task, task_id, arena, grant, err);
}

enum grant_kind grant_kind(const struct grant *grant)
{
    return grant->kind;
}

int64_t grant_task_id(const struct grant *grant)
{
    return grant->task_id;
}

struct str grant_root_id(const struct grant *grant)
{
    return grant->root_id;
}
