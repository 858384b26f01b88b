// SPDX-License-Identifier: MIT
#include "ctl/follow_priv.h"

#include "base/clock.h"

#include <sys/ioctl.h>
#include <time.h>

enum {
    REST_MAX_MS = 1000, // between two looks at the database
    LINES_AROUND = 6,   // of the terminal, above and below the nodes
};

struct following {
    struct ctl_states_view *view;
    struct store_digest digest;       // of the rows at the last look
    char version[TREE_VERSION_BYTES]; // of what was shown last
    bool has_shown;
    bool is_failing;
    int64_t shown_us; // monotonic
};

// ---- showing ----

static bool is_screen(const struct ctl_out *out)
{
    return out->is_terminal && !out->is_json;
}

// The number of nodes that fit.
static size_t count_fitting(const struct ctl_out *out)
{
    struct winsize size;
    if (!is_screen(out) || ioctl(out->fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) {
        return SIZE_MAX;
    }
    return size.ws_row > LINES_AROUND ? size.ws_row - (size_t)LINES_AROUND : 1;
}

// Long lines are cut at the terminal's edge: a tree must not take more lines than it has nodes.
static void draw(struct following *following)
{
    struct ctl_out *const out = &following->view->ctl->out;
    if (is_screen(out)) {
        ctl_out_print(out, "\033[H\033[J\033[?7l");
    } else if (following->has_shown && !out->is_json) {
        ctl_out_print(out, "\n");
    }
    ctl_states_print(following->view, count_fitting(out));
    if (is_screen(out)) {
        ctl_out_print(out, "\033[?7h");
    }
    ctl_out_show(out);
    following->shown_us = clock_monotonic_us();
}

static void show(struct following *following)
{
    char version[TREE_VERSION_BYTES];
    (void)tree_version(&following->view->tree, version);
    if (following->has_shown && !is_screen(&following->view->ctl->out) &&
        memcmp(version, following->version, sizeof version) == 0) {
        return;
    }
    draw(following);
    memcpy(following->version, version, sizeof version);
    following->has_shown = true;
}

// The rows are as they were, but time has passed.
static void move_clocks(struct following *following)
{
    if (is_screen(&following->view->ctl->out) &&
        clock_monotonic_us() - following->shown_us >= US_PER_SECOND) {
        following->view->tree.now_us = clock_system.wall_us();
        draw(following);
    }
}

// ---- looking ----

// Whether the rows may have changed: 1, 0, or -1 with an error.
static int look(struct following *following)
{
    struct ctl_states_view *const view = following->view;
    const struct lookup_task *const task = &view->lookup.result.task;
    struct store_digest digest;
    if (!following->has_shown || !task->is_started) {
        return 1;
    }
    if (view->store.ops->find_digests(view->store.context, &task->instance_id, 1, &digest,
                                      &view->err) != 0) {
        return -1;
    }
    const bool is_same = digest.has_rows == following->digest.has_rows &&
                         digest.a == following->digest.a && digest.b == following->digest.b;
    following->digest = digest;
    return is_same ? 0 : 1;
}

static int look_and_show(struct following *following)
{
    const int looked = look(following);
    if (looked < 0) {
        return -1;
    }
    if (looked == 0 && !following->is_failing) {
        move_clocks(following);
        return 0;
    }
    if (ctl_states_load(following->view) != 0) {
        return -1;
    }
    following->is_failing = false;
    show(following);
    return 0;
}

// ---- the loop ----

// The database may come back. What was shown stays.
static bool is_temporary(const struct following *following)
{
    const enum error_kind kind = following->view->err.kind;
    return following->has_shown && (kind == ERR_DATABASE_DOWN || kind == ERR_QUERY_TIMEOUT);
}

static void report(struct following *following)
{
    struct ctl *const ctl = following->view->ctl;
    if (!following->is_failing) {
        (void)ctl_states_explain(following->view);
        ctl_fault_print(&ctl->fault, &ctl->errors);
        ctl->fault = (struct ctl_fault){.what = ""};
    }
    following->is_failing = true;
    following->view->err = (struct error){.task_id = following->view->task_id};
}

// A task that failed may be tried again.
static bool has_ended(const struct ctl_states_view *view)
{
    const struct node *const root = view->tree.root;
    const struct str state = root == NULL ? STR("") : (struct str){root->state, root->state_len};
    return str_equal(state, STR("FINISHED")) || str_equal(state, STR("REVOKED"));
}

// A second at most, because clocks run. The database is asked less often while it does not answer.
static void rest(const struct following *following)
{
    const int64_t interval_ms = following->view->ctl->conf->server.watch_interval_ms;
    const int64_t ms =
        following->is_failing || interval_ms > REST_MAX_MS ? (int64_t)REST_MAX_MS : interval_ms;
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

int ctl_follow_run(struct ctl_states_view *view)
{
    struct following following = {.view = view};
    while (!outbuf_has_failed(&view->ctl->out.buffer)) {
        if (look_and_show(&following) != 0) {
            if (!is_temporary(&following)) {
                return ctl_states_explain(view);
            }
            report(&following);
        } else if (has_ended(view)) {
            return CTL_OK;
        }
        rest(&following);
    }
    return CTL_OK; // the output's error is reported at the end
}
