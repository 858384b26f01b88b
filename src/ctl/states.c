// SPDX-License-Identifier: MIT
#include "ctl/states.h"

#include "auth/authorize.h"
#include "base/clock.h"
#include "ctl/account.h"
#include "ctl/draw.h"
#include "ctl/follow_priv.h"
#include "ctl/states_priv.h"
#include "states/routes.h"
#include "states/service.h"
#include "states/store_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

// ---- finding out ----

static int load_nodes(struct ctl_states_view *view, const struct permit *permit)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return error_set(&view->err, ERR_INTERNAL, "no random seed");
    }
    const size_t limit = (size_t)view->ctl->conf->response.max_nodes;
    view->query = (struct node_query){.permit = permit};
    if (view->store.ops->load_nodes(view->store.context, &view->query, 1, limit, view->arena,
                                    &view->err) != 0) {
        return -1;
    }
    if (!view->query.is_complete) {
        return error_set(&view->err, ERR_TOO_MANY_NODES, "more than %zu nodes", limit);
    }
    return tree_build(&view->tree, &view->query.nodes, permit_root_id(permit),
                      clock_system.wall_us(), seed, view->arena, &view->err);
}

int ctl_states_load(struct ctl_states_view *view)
{
    struct lookup *const lookup = &view->lookup;
    const struct permit *permit;
    arena_reset(view->arena);
    *lookup = (struct lookup){.task_id = view->task_id};
    if (view->store.ops->find_tasks(view->store.context, &lookup, 1, &view->err) != 0 ||
        permit_for_operator(&lookup->result, view->task_id, view->arena, &permit, &view->err) !=
            0) {
        return -1;
    }
    switch (permit_kind(permit)) {
    case PERMIT_NOT_STARTED:
        tree_of_kind(&view->tree, TREE_NOT_STARTED);
        return 0;
    case PERMIT_STARTED:
        break;
    }
    return load_nodes(view, permit);
}

int ctl_states_explain(const struct ctl_states_view *view)
{
    struct ctl_fault *const fault = &view->ctl->fault;
    if (view->err.kind == ERR_NO_TASK) {
        ctl_fault_set(fault, CTL_FAILED, "there is no task %" PRId64, view->task_id);
        ctl_fault_to_do(fault, "Is [engine_database], or [database], the one where BKFlow's engine "
                               "keeps task_taskinstance?");
    } else if (view->err.kind == ERR_NO_ROOT_ROW) {
        ctl_fault_set(fault, CTL_FAILED,
                      "task %" PRId64
                      " has no root node, so clients are answered 500: eri_state has "
                      "other rows of it",
                      view->task_id);
        ctl_fault_to_do(fault,
                        "Part of the rows was cleaned away, or the task's instance_id is not "
                        "the root's node_id.");
    } else if (view->err.kind == ERR_TOO_MANY_NODES) {
        ctl_fault_set(fault, CTL_FAILED,
                      "task %" PRId64
                      " has more nodes than [response] max_nodes, which is %" PRId64,
                      view->task_id, view->ctl->conf->response.max_nodes);
        ctl_fault_to_do(fault, "With BKFLOW_STATES_RESPONSE_MAX_NODES in the environment this "
                               "command alone takes more.");
    } else {
        ctl_fault_explain(fault, &view->err);
    }
    return CTL_FAILED;
}

// ---- showing ----

// Prints which application may see the task, or why none may.
static void print_binding(const struct ctl_states_view *view)
{
    struct ctl_out *const out = &view->ctl->out;
    const struct lookup_task *const task = &view->lookup.result.task;
    const struct lookup_template *const template = &view->lookup.result.template;
    ctl_out_print(out, "Task %" PRId64, view->task_id);
    if (task->is_deleted || task->is_expired) {
        ctl_out_print(out, ", %s (clients are answered 404)",
                      task->is_deleted ? "deleted" : "expired");
    }
    if (task->template_id == 0) {
        ctl_out_print(out, ", without a template: no application may see it\n");
        return;
    }
    ctl_out_print(out, ", template %" PRId64, task->template_id);
    if (!template->exists || template->is_deleted) {
        ctl_out_print(out, ", which %s: no application may see it\n",
                      template->exists ? "is deleted" : "does not exist");
    } else if (template->app_code.len == 0) {
        ctl_out_print(out, ", which is bound to no application\n");
    } else {
        ctl_out_print(out, ", bound to ");
        ctl_out_text(out, template->app_code);
        ctl_out_print(out, "\n");
    }
}

static void print_alone(struct ctl_out *out, struct str state, const char *hint)
{
    ctl_draw_state(out, state, 0);
    ctl_out_print(out, ": %s\n", hint);
}

static void print_nodes(struct ctl_states_view *view, size_t max_nodes)
{
    struct ctl_out *const out = &view->ctl->out;
    ctl_out_print(out, "\n");
    const size_t shown = ctl_draw_tree(out, &view->tree, &view->local_time, max_nodes);
    const size_t hidden = view->query.nodes.count - shown;
    ctl_out_print(out, "\n%zu node%s", shown, shown == 1 ? "" : "s");
    if (hidden > 0) {
        ctl_out_print(out,
                      "; %zu more row%s of this task %s left out, here as for clients: the "
                      "root does not lead to %s",
                      hidden, hidden == 1 ? "" : "s", hidden == 1 ? "is" : "are",
                      hidden == 1 ? "it" : "them");
    }
    ctl_out_print(out, "\n");
}

static void print_tree(struct ctl_states_view *view, size_t max_nodes)
{
    struct ctl_out *const out = &view->ctl->out;
    print_binding(view);
    switch (view->tree.kind) {
    case TREE_NOT_STARTED:
        print_alone(out, STR("CREATED"), "the task has not been started");
        break;
    case TREE_CREATED:
        print_alone(out, STR("CREATED"),
                    "the task has been started, but no node has a row in eri_state yet. If that "
                    "lasts, the engine's workers do not run, or [engine_database] is not theirs.");
        break;
    case TREE_NODES:
        print_nodes(view, max_nodes);
        break;
    }
}

static void write_tree(struct ctl_states_view *view)
{
    struct json_writer json;
    json_write_init(&json, &view->ctl->out.buffer);
    tree_write(&view->tree, false, &view->local_time, &json);
    ctl_out_print(&view->ctl->out, "\n");
}

void ctl_states_print(struct ctl_states_view *view, size_t max_nodes)
{
    if (view->ctl->options.is_json) {
        write_tree(view);
    } else {
        print_tree(view, max_nodes);
    }
}

// ---- the command ----

static int show_once(struct ctl_states_view *view)
{
    if (ctl_states_load(view) != 0) {
        return ctl_states_explain(view);
    }
    ctl_states_print(view, SIZE_MAX);
    return CTL_OK;
}

// Reads as the configured account, or as the administrator's if one was given.
static void choose_account(struct ctl *ctl)
{
    ctl->conf->database = ctl_account_reach(ctl, &ctl->conf->database);
    ctl->conf->engine_database = ctl_account_reach(ctl, &ctl->conf->engine_database);
}

int ctl_states_run(struct ctl *ctl)
{
    struct ctl_states_view view = {
        .ctl = ctl,
        .task_id = routes_parse_id(str_from(ctl->arguments[0])),
    };
    if (view.task_id == 0) {
        return ctl_fault_set(&ctl->fault, CTL_USAGE,
                             "a task's id is a decimal number from 1 to 9223372036854775807");
    }
    choose_account(ctl);
    const int opened = store_mysql_new(&view.store, ctl->conf, NULL, &ctl->shard);
    view.arena = arena_new(service_node_arena_bytes((size_t)ctl->conf->response.max_nodes));
    int status = CTL_FAILED;
    if (opened != 0 || view.arena == NULL) {
        ctl_fault_set(&ctl->fault, CTL_FAILED, "there is not enough memory");
    } else {
        status = ctl->options.follows ? ctl_follow_run(&view) : show_once(&view);
    }
    if (opened == 0) {
        view.store.ops->free(view.store.context);
    }
    arena_free(view.arena);
    return status;
}
