// SPDX-License-Identifier: MIT
#include "auth/authorize.h"

struct permit {
    int64_t task_id;
    int64_t space_id;
    struct str root_id;
    enum permit_kind kind;
};

struct space_permit {
    int64_t space_id;
};

static int check_existence(const struct lookup_task *task, struct error *err)
{
    if (!task->exists) {
        return error_set(err, ERR_NO_TASK, "no such task");
    }
    if (task->is_deleted || task->is_expired) {
        return error_set(err, ERR_NO_TASK, "the task is %s",
                         task->is_deleted ? "deleted" : "expired");
    }
    return 0;
}

static int check_task(const struct lookup_task *task, struct error *err)
{
    if (check_existence(task, err) != 0) {
        return -1;
    }
    if (task->template_id == 0) {
        return error_set(err, ERR_TASK_WITHOUT_TEMPLATE, "template_id is NULL or 0");
    }
    return 0;
}

static int check_template(const struct lookup_template *template, struct str app_code,
                          struct error *err)
{
    if (!template->exists || template->is_deleted) {
        return error_set(err, ERR_NO_TEMPLATE, "no such template");
    }
    if (template->app_code.len == 0) {
        return error_set(err, ERR_TEMPLATE_UNBOUND, "bk_app_code is NULL or empty");
    }
    if (!str_equal(template->app_code, app_code)) {
        err->app = app_code;
        err->bound_app = template->app_code;
        return error_set(err, ERR_OTHER_APPLICATION, "bound to another application");
    }
    return 0;
}

static int make_permit(const struct lookup_task *task, int64_t task_id, struct arena *arena,
                       const struct permit **permit, struct error *err)
{
    struct permit *const made = arena_alloc(arena, 1, sizeof(struct permit));
    if (made == NULL) {
        return error_set(err, ERR_NO_MEMORY, "permit");
    }
    *made = (struct permit){
        .task_id = task_id,
        .space_id = task->space_id,
        .root_id = task->instance_id,
        .kind = task->is_started ? PERMIT_STARTED : PERMIT_NOT_STARTED,
    };
    *permit = made;
    return 0;
}

int authorize(const struct caller *caller, const struct lookup_result *result, int64_t task_id,
              struct arena *arena, const struct permit **permit, struct error *err)
{
    err->task_id = task_id;
    err->template_id = result->task.template_id;
    if (check_task(&result->task, err) != 0 ||
        check_template(&result->template, caller_app_code(caller), err) != 0) {
        return -1;
    }
    return make_permit(&result->task, task_id, arena, permit, err);
}

int authorize_space(const struct caller *caller, const struct lookup_space *space, int64_t space_id,
                    struct arena *arena, const struct space_permit **permit, struct error *err)
{
    err->space_id = space_id;
    if (!space->exists) {
        return error_set(err, ERR_NO_SPACE, "no such space");
    }
    if (!str_equal(space->app_code, caller_app_code(caller))) {
        err->app = caller_app_code(caller);
        return error_set(err, ERR_SPACE_OF_OTHER_APPLICATION, "the space is another application's");
    }
    struct space_permit *const made = arena_alloc(arena, 1, sizeof(struct space_permit));
    if (made == NULL) {
        return error_set(err, ERR_NO_MEMORY, "permit for a space");
    }
    *made = (struct space_permit){.space_id = space_id};
    *permit = made;
    return 0;
}

int authorize_in_space(const struct space_permit *space, const struct lookup_task *task,
                       int64_t task_id, struct arena *arena, const struct permit **permit,
                       struct error *err)
{
    err->task_id = task_id;
    err->space_id = space->space_id;
    if (check_existence(task, err) != 0) {
        return -1;
    }
    if (task->space_id != space->space_id) {
        return error_set(err, ERR_TASK_OF_OTHER_SPACE, "the task is in another space");
    }
    return make_permit(task, task_id, arena, permit, err);
}

int permit_for_operator(const struct lookup_result *result, int64_t task_id, struct arena *arena,
                        const struct permit **permit, struct error *err)
{
    err->task_id = task_id;
    if (!result->task.exists) {
        return error_set(err, ERR_NO_TASK, "no such task");
    }
    return make_permit(&result->task, task_id, arena, permit, err);
}

// The task's own template and its binding are not looked at: the sub-process belongs to the task
// that started it.
int permit_for_subtask(const struct permit *above, const struct lookup_task *task, int64_t task_id,
                       struct arena *arena, const struct permit **permit, struct error *err)
{
    if (check_existence(task, err) != 0) {
        return -1;
    }
    if (task->space_id != above->space_id) {
        return error_set(err, ERR_NO_TASK, "the task is in another space");
    }
    struct lookup_task kept = *task;
    kept.instance_id = arena_copy(arena, task->instance_id);
    if (str_is_absent(kept.instance_id)) {
        return error_set(err, ERR_NO_MEMORY, "permit");
    }
    return make_permit(&kept, task_id, arena, permit, err);
}

enum permit_kind permit_kind(const struct permit *permit)
{
    return permit->kind;
}

int64_t permit_task_id(const struct permit *permit)
{
    return permit->task_id;
}

struct str permit_root_id(const struct permit *permit)
{
    return permit->root_id;
}
