// SPDX-License-Identifier: MIT
// main: the command line, the configuration, and the choice of the request source.
#include "cgi.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "sandbox.h"
#include "db/library.h"
#include "listen.h"
#include "preflight.h"
#include "base/log.h"
#include "server.h"
#include "base/local_time.h"
#include "base/standard_fds.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

static const char usage[] =
    "Usage: bkflow-states [--config FILE] [--check-config | --print-config | --print-reference]\n"
    "\n"
    "Answers GET {mount}/task/{task_id}/get_task_states_by_app/ for BKFlow: a FastCGI and CGI\n"
    "responder, to be started by a web server, spawn-fcgi or systemd.\n"
    "\n"
    "  -c, --config FILE      read FILE instead of " DEFAULT_CONFIG "\n"
    "      --check-config     report every mistake in the configuration and exit\n"
    "      --print-config     print the configuration in effect, secrets masked, and exit\n"
    "      --print-reference  print a commented configuration file of all keys and exit\n"
    "  -V, --version          print the version and exit\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Environment: BKFLOW_STATES_CONFIG names the file too; BKFLOW_STATES_SECTION_KEY overrides a key.\n"
    "Exit status: 0 stopped as asked, 1 internal error, 2 usage, 78 configuration.\n"
    "Signals: TERM, INT, USR1 finish running requests and stop; HUP reads the configuration again.\n";

enum action {
    ACTION_SERVE,
    ACTION_CHECK,
    ACTION_PRINT,
    ACTION_REFERENCE,
    ACTION_VERSION,
    ACTION_HELP,
    ACTION_BAD
};

struct command {
    enum action action;
    const char *conf_path; // NULL: the default
};

static struct command read_command(int argc, char **argv)
{
    enum { CHECK = 256, PRINT, REFERENCE };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, CHECK},
        {"print-config", no_argument, NULL, PRINT},
        {"print-reference", no_argument, NULL, REFERENCE},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct command command = {ACTION_SERVE, NULL};
    for (int option; (option = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            command.conf_path = optarg;
            break;
        case CHECK:
            command.action = ACTION_CHECK;
            break;
        case PRINT:
            command.action = ACTION_PRINT;
            break;
        case REFERENCE:
            command.action = ACTION_REFERENCE;
            break;
        case 'V':
            command.action = ACTION_VERSION;
            break;
        case 'h':
            command.action = ACTION_HELP;
            break;
        default:
            return (struct command){ACTION_BAD, NULL};
        }
    }
    if (optind < argc) {
        fprintf(stderr, "bkflow-states: no argument is taken, but there is %s\n", argv[optind]);
        return (struct command){ACTION_BAD, NULL};
    }
    return command;
}

static void complain_to_stderr(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "bkflow-states: %s\n", sentence);
}

// A log file that cannot be opened must not fail every request: standard error gets the log then.
static void open_log(const struct conf *conf)
{
    const struct log_options options = {conf->log.target, conf->log.level, conf->log.format};
    if (log_open(&options) != 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "[log] target cannot be opened; the log goes to standard error",
                  LOG_TEXT("target", str_from(conf->log.target)),
                  LOG_TEXT("error", str_from(log_open_mistake(errno))));
    }
}

static int serve_from(const struct listen_source *source, const char *conf_path,
                      struct worker_shared *shared)
{
    switch (source->kind) {
    case LISTEN_CGI: {
        struct worker *const worker = worker_new(shared, 0, true);
        if (worker == NULL) {
            cgi_answer_500();
            return EXIT_FAILURE;
        }
        const int status = cgi_run(worker, environ);
        worker_free(worker);
        return status;
    }
    case LISTEN_NOWHERE:
        fputs(
            "bkflow-states: nowhere to listen: give [server] listen, or let spawn-fcgi, systemd or a\n"
            "web server start it. See bkflow-states --help.\n",
            stderr);
        return EXIT_USAGE;
    case LISTEN_REFUSED:
        return EXIT_CONFIG;
    case LISTEN_OWN:
    case LISTEN_SYSTEMD:
    case LISTEN_STDIN:
        break;
    }
    const struct server_options options = {source, conf_path, environ};
    return server_run(&options, shared);
}

static struct limiter *make_limiter(void)
{
    uint64_t seed;
    return getrandom(&seed, sizeof seed, 0) == sizeof seed ? limiter_new(seed) : NULL;
}

// Creates everything that exists once per process, in the order of dependence, and serves.
static int serve(struct config_ref *snapshots, const char *conf_path)
{
    const struct conf *const conf = snapshots->current->conf;
    struct listen_source source;
    if (!listen_is_cgi_request()) {
        server_hold_signals();
    }
    // Returns large blocks to the system after a large task; glibc would otherwise start to keep
    // them.
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    struct worker_shared shared = {
        .snapshots = snapshots,
        .metrics = metrics_new((size_t)conf->server.workers + 1, SERVER_SHARDS_BESIDE_WORKERS,
                               PACKAGE_VERSION, clock_system.wall_us()),
        .limiter = make_limiter(),
        .refusals = refusals_new(),
        .health = db_health_new(),
    };
    int status = EXIT_FAILURE;
    const bool is_prepared = shared.metrics != NULL && shared.limiter != NULL &&
                             shared.refusals != NULL && shared.health != NULL &&
                             local_time_use_zone(conf->response.timezone) == 0 &&
                             db_library_init() == 0;
    if (!is_prepared) {
        LOG_EVENT(LOG_LEVEL_ERROR, "cannot start", LOG_TEXT("error", str_from(strerror(errno))));
    } else if (listen_open(&conf->server.listen, &source) == 0) {
        // Everything that needs privileges is done, and no thread has been started.
        (void)sandbox_enter();
        status = serve_from(&source, conf_path, &shared);
        db_library_end();
    }
    metrics_free(shared.metrics);
    limiter_free(shared.limiter);
    refusals_free(shared.refusals);
    db_health_free(shared.health);
    return status;
}

static int print_config(const char *path)
{
    struct conf *const conf = conf_load(path, environ, complain_to_stderr, NULL);
    if (conf == NULL) {
        return EXIT_CONFIG;
    }
    conf_print(conf, stdout);
    conf_free(conf);
    return EXIT_SUCCESS;
}

static void print_note(void *context, const char *sentence)
{
    (void)context;
    printf("Note: %s.\n", sentence);
}

static int check_config(const struct conf *conf, const char *path)
{
    if (preflight_check(conf, NULL, complain_to_stderr, NULL) != 0) {
        return EXIT_CONFIG;
    }
    printf("%s: no mistakes\n", path == NULL ? "built-in defaults" : path);
    conf_report_risks(conf, print_note, NULL);
    return EXIT_SUCCESS;
}

static int run(const struct command *command)
{
    const char *const path = conf_choose_path(command->conf_path);
    struct config_ref snapshots = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    if (command->action == ACTION_PRINT) {
        return print_config(path);
    }
    if (snapshot_load(&snapshots, path, environ, complain_to_stderr, NULL) != 0) {
        if (listen_is_cgi_request()) {
            cgi_answer_500();
        }
        return EXIT_CONFIG;
    }
    const struct conf *const conf = snapshots.current->conf;
    int status;
    if (command->action == ACTION_CHECK) {
        status = check_config(conf, path);
    } else {
        open_log(conf);
        status = serve(&snapshots, path);
    }
    snapshot_drop(snapshots.current);
    return status;
}

// Scripts rely on what is printed, so failing to write it must change the exit status.
static int finish_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "bkflow-states: cannot write the output: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return status;
}

// A thread may still be waiting for a database host: exit() would unload libraries under it.
static int end(int status)
{
    if (db_library_is_busy()) {
        _exit(status);
    }
    return status;
}

int main(int argc, char **argv)
{
    if (standard_fds_open() != 0) {
        return EXIT_FAILURE; // there may be no place to report this
    }
    // Some web servers pass a query string without "=" as command line arguments of a CGI program
    // (RFC 3875, section 4.4). Requests must not be able to set options.
    const struct command command =
        listen_is_cgi_request() ? (struct command){ACTION_SERVE, NULL} : read_command(argc, argv);
    switch (command.action) {
    case ACTION_BAD:
        fputs("Try 'bkflow-states --help'.\n", stderr);
        return EXIT_USAGE;
    case ACTION_HELP:
        fputs(usage, stdout);
        return finish_output(EXIT_SUCCESS);
    case ACTION_VERSION:
        puts("bkflow-states " PACKAGE_VERSION);
        return finish_output(EXIT_SUCCESS);
    case ACTION_REFERENCE:
        conf_print_reference(stdout);
        return finish_output(EXIT_SUCCESS);
    case ACTION_SERVE:
    case ACTION_CHECK:
    case ACTION_PRINT:
        break;
    }
    return end(finish_output(run(&command)));
}
