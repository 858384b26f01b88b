// SPDX-License-Identifier: MIT
#include "ctl/app.h"

#include "ctl/applications.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "ctl/account.h"
#include "base/local_time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { ARENA_BYTES = 64 << 20 }; // tens of thousands of applications

// One command in progress.
struct job {
    struct ctl *ctl;
    struct conf_database account;
    struct applications *apps;
    struct arena *arena;
    struct str code;
    struct application *record; // NULL: there is no such application
    struct error err;
};

static int open_job(struct job *job, struct ctl *ctl)
{
    *job = (struct job){.ctl = ctl, .account = ctl_account_reach(ctl, &ctl->conf->database)};
    job->apps = applications_new(&job->account, &ctl->shard);
    job->arena = arena_new(ARENA_BYTES);
    if (job->apps != NULL && job->arena != NULL) {
        return 0;
    }
    return ctl_fault_set(&ctl->fault, -1, "there is not enough memory");
}

static void close_job(struct job *job)
{
    applications_free(job->apps);
    arena_free(job->arena);
}

static int print_len(struct str text)
{
    return (int)text.len; // bounded by the column, or by the argument's check
}

// Runs ACT with the application that the argument names, if it exists. Codes that could not be
// added today are accepted: such a row may exist.
static int with_application(struct ctl *ctl, int (*act)(struct job *job))
{
    const struct str code = str_from(ctl->arguments[0]);
    struct job job;
    if (!utf8_is_valid(code)) {
        return ctl_fault_set(&ctl->fault, CTL_USAGE, "the application's code is not UTF-8 text");
    }
    int status = CTL_FAILED;
    if (open_job(&job, ctl) == 0) {
        job.code = code;
        status = applications_find(job.apps, code, job.arena, &job.record, &job.err) == 0
                     ? act(&job)
                     : ctl_fault_explain(&ctl->fault, &job.err);
    }
    close_job(&job);
    return status;
}

static int unknown_application(const struct job *job)
{
    ctl_fault_set(&job->ctl->fault, CTL_FAILED, "there is no application %.*s",
                  print_len(job->code), job->code.ptr);
    ctl_fault_to_do(&job->ctl->fault, "bkflow-statesctl app list shows which there are.");
    return CTL_FAILED;
}

// Turns what applications_rotate and the like returned into an exit status.
static int end_change(const struct job *job, int changed)
{
    struct ctl_fault *const fault = &job->ctl->fault;
    if (changed < 0) {
        return ctl_fault_explain_change(fault, &job->err);
    }
    if (changed == 0) {
        ctl_fault_set(fault, CTL_FAILED,
                      "somebody else changed application %.*s meanwhile, so nothing was done",
                      print_len(job->code), job->code.ptr);
        ctl_fault_to_do(fault, "See with bkflow-statesctl app list what it is now, and try again.");
        return CTL_FAILED;
    }
    return CTL_OK;
}

// Notes what was done, in case the answer cannot be written.
static void note_done(const struct job *job, const char *did)
{
    ctl_fault_set(&job->ctl->unseen, CTL_FAILED, "application %.*s %s", print_len(job->code),
                  job->code.ptr, did);
}

// The same for an answer with a secret.
static void note_secret(const struct job *job, const char *did)
{
    note_done(job, did);
    if (!job->ctl->options.reads_secret) {
        ctl_fault_to_do(&job->ctl->unseen,
                        "Nobody has seen its secret: bkflow-statesctl app rotate --grace 0 %.*s "
                        "makes another.",
                        print_len(job->code), job->code.ptr);
    }
}

// ---- answers ----

// Begins a JSON answer; the caller adds members and calls end_json.
static struct json_writer begin_json(const struct job *job, const char *action)
{
    struct json_writer json;
    json_write_init(&json, &job->ctl->out.buffer);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "bk_app_code");
    json_write_string(&json, job->code);
    JSON_WRITE_KEY(&json, "action");
    json_write_string(&json, str_from(action));
    return json;
}

static int end_json(const struct job *job, struct json_writer *json)
{
    json_write_close(json);
    ctl_out_print(&job->ctl->out, "\n");
    return CTL_OK;
}

// Prints "Application CODE DID".
static void say(const struct job *job, const char *did)
{
    ctl_out_print(&job->ctl->out, "Application ");
    ctl_out_text(&job->ctl->out, job->code);
    ctl_out_print(&job->ctl->out, " %s\n", did);
}

// The only place that prints a secret as text.
static void show_secret(const struct job *job, const struct ctl_secret *secret)
{
    struct ctl_out *const out = &job->ctl->out;
    if (job->ctl->options.reads_secret) {
        return; // whoever gave it knows it
    }
    ctl_out_print(out, "\n    ");
    ctl_out_text(out, ctl_secret_text(secret));
    ctl_out_print(out,
                  "\n\nThis is its secret. Give it to the application's owner; it is not shown "
                  "again.\n");
}

static void write_secret(const struct job *job, struct json_writer *json,
                         const struct ctl_secret *secret)
{
    if (!job->ctl->options.reads_secret) {
        JSON_WRITE_KEY(json, "secret");
        json_write_string(json, ctl_secret_text(secret));
    }
}

// ---- secrets ----

static int read_secret(struct ctl_fault *fault, struct ctl_secret *secret)
{
    if (ctl_secret_read(secret) != 0) {
        return ctl_fault_set(fault, CTL_FAILED, "no secret on standard input: %s",
                             errno == ENODATA ? "it is empty" : strerror(errno));
    }
    const char *const mistake = applications_secret_mistake(ctl_secret_text(secret));
    return mistake == NULL ? CTL_OK : ctl_fault_set(fault, CTL_FAILED, "the secret is %s", mistake);
}

static int obtain_secret(const struct job *job, struct ctl_secret *secret)
{
    if (job->ctl->options.reads_secret) {
        return read_secret(&job->ctl->fault, secret);
    }
    if (ctl_secret_generate(secret) != 0) {
        return ctl_fault_set(&job->ctl->fault, CTL_FAILED,
                             "the system's random source gives nothing: %s", strerror(errno));
    }
    return CTL_OK;
}

// Runs STORE with a new secret, then wipes it.
static int with_secret(struct job *job, int (*store)(struct job *job, struct ctl_secret *secret))
{
    struct ctl_secret secret = {.len = 0};
    int status = obtain_secret(job, &secret);
    if (status == CTL_OK) {
        status = store(job, &secret);
    }
    ctl_secret_wipe(&secret);
    return status;
}

// ---- add ----

static int add_with(struct job *job, struct ctl_secret *secret)
{
    const char *const given = job->ctl->options.description;
    const struct str description = str_from(given == NULL ? "" : given);
    if (applications_add(job->apps, job->code, ctl_secret_text(secret), description, &job->err) !=
        0) {
        return ctl_fault_explain_change(&job->ctl->fault, &job->err);
    }
    note_secret(job, "was added");
    if (job->ctl->options.is_json) {
        struct json_writer json = begin_json(job, "added");
        write_secret(job, &json, secret);
        return end_json(job, &json);
    }
    say(job, "is added and may log in from now on.");
    show_secret(job, secret);
    return CTL_OK;
}

static int add(struct job *job)
{
    if (job->record != NULL) {
        ctl_fault_set(&job->ctl->fault, CTL_FAILED, "there is an application %.*s already",
                      print_len(job->code), job->code.ptr);
        ctl_fault_to_do(&job->ctl->fault, "bkflow-statesctl app rotate gives it a new secret.");
        return CTL_FAILED;
    }
    return with_secret(job, add_with);
}

int ctl_app_add(struct ctl *ctl)
{
    const char *const description = ctl->options.description;
    const char *mistake = applications_code_mistake(str_from(ctl->arguments[0]));
    if (mistake != NULL) {
        return ctl_fault_set(&ctl->fault, CTL_USAGE, "the application's code is %s", mistake);
    }
    mistake = description == NULL ? NULL : applications_description_mistake(str_from(description));
    if (mistake != NULL) {
        return ctl_fault_set(&ctl->fault, CTL_USAGE, "the description is %s", mistake);
    }
    return with_application(ctl, add);
}

// ---- rotate ----

static void print_time(struct ctl *ctl, int64_t us)
{
    struct local_time local_time = {0};
    char text[LOCAL_TIME_TEXT_MAX];
    const size_t len = local_time_format(&local_time, us, text);
    ctl_out_print(&ctl->out, "%.*s", (int)len, text);
}

static bool has_previous(const struct application *record)
{
    return record->previous_until_us != CLOCK_NO_TIME &&
           record->previous_until_us > clock_system.wall_us();
}

static void say_rotated(const struct job *job, const struct ctl_secret *secret, int64_t until_us)
{
    struct ctl_out *const out = &job->ctl->out;
    say(job, "has a new secret, which holds from now on.");
    if (has_previous(job->record)) {
        ctl_out_print(out, "The secret before the last one, good until ");
        print_time(job->ctl, job->record->previous_until_us);
        ctl_out_print(out, ", is dropped: of rotated secrets only the last is kept.\n");
    }
    if (until_us == CLOCK_NO_TIME) {
        ctl_out_print(out, "The last secret does not hold any more.\n");
    } else {
        ctl_out_print(out, "The last secret holds as well until ");
        print_time(job->ctl, until_us);
        ctl_out_print(out, ": the application has to change over by then.\n");
    }
    show_secret(job, secret);
}

static int write_rotated(const struct job *job, const struct ctl_secret *secret, int64_t until_us)
{
    struct json_writer json = begin_json(job, "rotated");
    write_secret(job, &json, secret);
    JSON_WRITE_KEY(&json, "old_secret_until");
    ctl_out_time(&json, until_us);
    JSON_WRITE_KEY(&json, "dropped_older");
    json_write_bool(&json, has_previous(job->record));
    return end_json(job, &json);
}

// When the old secret expires: as the row says, or by our clock if the row cannot be read.
static int64_t read_until(struct job *job)
{
    const int64_t grace = job->ctl->options.grace_seconds;
    struct application *now;
    if (applications_find(job->apps, job->code, job->arena, &now, &job->err) == 0 && now != NULL) {
        return now->previous_until_us;
    }
    return grace > 0 ? clock_system.wall_us() + grace * US_PER_SECOND : CLOCK_NO_TIME;
}

static int rotate_with(struct job *job, struct ctl_secret *secret)
{
    const struct str text = ctl_secret_text(secret);
    if (applications_secret_is_current(job->record, text)) {
        return ctl_fault_set(&job->ctl->fault, CTL_FAILED,
                             "that is the application's secret already, so nothing was done");
    }
    const int status =
        end_change(job, applications_rotate(job->apps, job->record, text,
                                            job->ctl->options.grace_seconds, &job->err));
    if (status != CTL_OK) {
        return status;
    }
    note_secret(job, "has a new secret");
    const int64_t until_us = read_until(job);
    if (job->ctl->options.is_json) {
        return write_rotated(job, secret, until_us);
    }
    say_rotated(job, secret, until_us);
    return CTL_OK;
}

static int rotate(struct job *job)
{
    return job->record == NULL ? unknown_application(job) : with_secret(job, rotate_with);
}

int ctl_app_rotate(struct ctl *ctl)
{
    return with_application(ctl, rotate);
}

// ---- enable, disable ----

static int answer_enabled(const struct job *job, bool enabled, bool changed)
{
    if (job->ctl->options.is_json) {
        struct json_writer json = begin_json(job, enabled ? "enabled" : "disabled");
        JSON_WRITE_KEY(&json, "changed");
        json_write_bool(&json, changed);
        return end_json(job, &json);
    }
    if (!changed) {
        say(job, enabled ? "was enabled already." : "was disabled already.");
    } else if (enabled) {
        say(job, "is enabled: it may log in again, from now on.");
    } else {
        say(job, "is disabled: it is answered 401, from now on. app enable lets it in again, with "
                 "the same secret.");
    }
    return CTL_OK;
}

static int set_enabled(struct job *job, bool enabled)
{
    if (job->record == NULL) {
        return unknown_application(job);
    }
    const bool changes = job->record->is_enabled != enabled;
    const int status =
        changes
            ? end_change(job, applications_set_enabled(job->apps, job->record, enabled, &job->err))
            : CTL_OK;
    if (status != CTL_OK) {
        return status;
    }
    note_done(job, enabled ? (changes ? "was enabled" : "was enabled already")
                           : (changes ? "was disabled" : "was disabled already"));
    return answer_enabled(job, enabled, changes);
}

static int enable(struct job *job)
{
    return set_enabled(job, true);
}

static int disable(struct job *job)
{
    return set_enabled(job, false);
}

int ctl_app_enable(struct ctl *ctl)
{
    return with_application(ctl, enable);
}

int ctl_app_disable(struct ctl *ctl)
{
    return with_application(ctl, disable);
}

// ---- remove ----

// Asks at the terminal. Anything but yes means no.
static bool is_confirmed(const struct job *job)
{
    struct ctl_out *const terminal = &job->ctl->errors;
    char answer[16] = "";
    ctl_out_print(terminal, "Remove application ");
    ctl_out_text(terminal, job->code);
    ctl_out_print(terminal, "? Its secret is lost and it cannot log in any more. [y/N] ");
    ctl_out_show(terminal);
    return fgets(answer, sizeof answer, stdin) != NULL &&
           (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}

static int remove_it(struct job *job)
{
    if (job->record == NULL) {
        return unknown_application(job);
    }
    if (!job->ctl->options.is_sure && !is_confirmed(job)) {
        return ctl_fault_set(&job->ctl->fault, CTL_FAILED, "nothing was done");
    }
    const int status = end_change(job, applications_remove(job->apps, job->record, &job->err));
    if (status != CTL_OK) {
        return status;
    }
    note_done(job, "was removed");
    if (job->ctl->options.is_json) {
        struct json_writer json = begin_json(job, "removed");
        return end_json(job, &json);
    }
    say(job, "is removed. Templates that are bound to it stay as they are.");
    return CTL_OK;
}

int ctl_app_remove(struct ctl *ctl)
{
    if (!ctl->options.is_sure && (ctl->options.is_json || isatty(STDIN_FILENO) != 1)) {
        return ctl_fault_set(&ctl->fault, CTL_USAGE,
                             "app remove asks first, and there is nobody to ask: give --yes");
    }
    return with_application(ctl, remove_it);
}
