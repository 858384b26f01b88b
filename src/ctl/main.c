// SPDX-License-Identifier: MIT
// The operator's tool, bkflow-statesctl: runs one command and reports how it ended.
#include "base/local_time.h"
#include "base/log.h"
#include "base/standard_fds.h"
#include "ctl/account.h"
#include "ctl/command_line.h"
#include "db/library.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void take_mistake(void *context, const char *sentence)
{
    struct ctl *const ctl = context;
    struct ctl_fault mistake = {.what = ""};
    ctl_fault_set(&mistake, CTL_CONFIGURATION, "%s", sentence);
    ctl_fault_print(&mistake, &ctl->errors);
}

static int load_configuration(struct ctl *ctl)
{
    ctl->conf = conf_load(ctl->conf_path, environ, take_mistake, ctl);
    return ctl->conf != NULL && local_time_use_zone(ctl->conf->response.timezone) == 0
               ? CTL_OK
               : CTL_CONFIGURATION;
}

// Only errors are logged: the command's fault covers what the layers below would report.
static int limit_log(const struct ctl *ctl)
{
    const struct log_options options = {
        .target = "stderr",
        .level = LOG_LEVEL_ERROR,
        .format = ctl->options.is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
    };
    return log_open(&options);
}

static int run_command(const struct ctl_command *command, struct ctl *ctl)
{
    const int mistake = ctl_out_mistake(&ctl->out);
    if (mistake != 0) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED,
                             "standard output cannot be written, so nothing was done: %s",
                             strerror(mistake));
    }
    int status = ctl_account_load(ctl);
    if (status == CTL_OK && !command->loads_configuration) {
        status = load_configuration(ctl);
    }
    if (status != CTL_OK) {
        return status;
    }
    if (limit_log(ctl) != 0 || db_library_init() != 0) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED,
                             "the database's client library cannot be used");
    }
    status = command->run(ctl);
    db_library_end();
    return status;
}

// A script may rely on the output: the exit status is 0 only if all of it was written. If it is
// lost, reports what was done to the database.
static int finish_output(struct ctl *ctl, int status)
{
    if (ctl_out_finish(&ctl->out) == 0) {
        return status;
    }
    struct ctl_fault lost = {.what = ""};
    const bool was_done = ctl->unseen.what[0] != '\0';
    ctl_fault_set(&lost, 0, "standard output cannot be written: %s%s%s", strerror(errno),
                  was_done ? "; " : "", ctl->unseen.what);
    ctl_fault_to_do(&lost, "%s", ctl->unseen.to_do);
    ctl_fault_print(&lost, &ctl->errors);
    return status == CTL_OK ? CTL_FAILED : status;
}

static int finish(struct ctl *ctl, int status)
{
    const int finished = finish_output(ctl, status);
    if (ctl->fault.what[0] != '\0') {
        ctl_fault_print(&ctl->fault, &ctl->errors);
    }
    return finished;
}

static int run(const struct ctl_command_line *line, struct ctl *ctl)
{
    ctl->options = line->options;
    ctl->arguments = line->arguments;
    ctl->conf_path = conf_choose_path(ctl->options.conf_path);
    ctl->out.is_json = ctl->options.is_json;
    const int status = run_command(line->command, ctl);
    conf_free(ctl->conf);
    ctl_secret_wipe(&ctl->password);
    return finish(ctl, status);
}

// A thread may still be waiting for a database host: exit() would unload libraries under it.
static int end(int status)
{
    if (db_library_is_busy()) {
        _exit(status);
    }
    return status;
}

static int print(struct ctl *ctl, const char *text)
{
    outbuf_write(&ctl->out.buffer, text, strlen(text));
    return finish(ctl, CTL_OK);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.options = {.conf_path = NULL}};
    struct ctl_command_line line;
    if (standard_fds_open() != 0) {
        return CTL_FAILED; // there may be no place to report this
    }
    signal(SIGPIPE, SIG_IGN); // a reader that is gone must be reported as an error of write
    ctl_out_init(&ctl.out, STDOUT_FILENO);
    ctl_out_init(&ctl.errors, STDERR_FILENO);
    const int status = ctl_command_line_read(&line, argc, argv, &ctl.fault);
    ctl.errors.is_json = line.options.is_json;
    if (status != CTL_OK) {
        return finish(&ctl, status);
    }
    switch (line.action) {
    case CTL_SHOW_HELP:
        return print(&ctl, ctl_command_line_usage);
    case CTL_SHOW_VERSION:
        return print(&ctl, "bkflow-statesctl " PACKAGE_VERSION "\n");
    case CTL_RUN:
        break;
    }
    return end(run(&line, &ctl));
}
