// SPDX-License-Identifier: MIT
// The operator's tool, bkflow-statesctl: its commands and options.
#include "ctl/ctl.h"

#include "ctl/account.h"
#include "ctl/app.h"
#include "ctl/check.h"
#include "ctl/fault.h"
#include "ctl/init.h"
#include "ctl/list.h"
#include "ctl/states.h"
#include "db/library.h"
#include "base/local_time.h"
#include "base/standard_fds.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "Usage: bkflow-statesctl [OPTION...] COMMAND\n"
    "\n"
    "Looks after the applications that bkflow-states lets in, and looks into its databases.\n"
    "\n"
    "  init-db            make the table of applications; tell what the responder must be granted\n"
    "  app add CODE       let an application in; its secret is shown, once\n"
    "        --secret-stdin       take the secret from a line of standard input instead\n"
    "        --description TEXT   whose it is, or what for\n"
    "  app rotate CODE    give an application a new secret\n"
    "        --grace TIME         how long the old one still holds: 30s, 15m, 24h, 7d; 0: not at\n"
    "                             all (default: 24h)\n"
    "        --secret-stdin\n"
    "  app disable CODE   let an application in no more\n"
    "  app enable CODE    let it in again\n"
    "  app list           show all applications\n"
    "  app remove CODE    remove an application\n"
    "        --yes                do not ask first\n"
    "  check              look at configuration, databases, tables, indexes, grants and clocks\n"
    "  states TASK_ID     draw the tree of a task's nodes\n"
    "\n"
    "  -c, --config FILE          read FILE instead of " DEFAULT_CONFIG "\n"
    "  -u, --user NAME            MySQL account to administer with, instead of the configured one\n"
    "      --password-file FILE   its password, on the first line of FILE\n"
    "      --json                 answer in JSON, for scripts\n"
    "  -V, --version              print the version and exit\n"
    "  -h, --help                 print this and exit\n"
    "\n"
    "The configured account should not be able to write: init-db and app, but for app list, need\n"
    "--user. Without a password file, the password is looked for in the [database] option_file;\n"
    "--user root needs none where the server knows users by its socket.\n"
    "Exit status: 0 done, 1 failed or something is wrong, 2 usage, 78 configuration.\n";

// ---- the commands ----

// Options that only some commands take; those that all take are not among them.
enum takes { TAKES_SECRET = 1, TAKES_DESCRIPTION = 2, TAKES_GRACE = 4, TAKES_YES = 8 };

struct command {
    const char *group; // the first of two words, or NULL
    const char *name;
    const char *argument; // NULL: none
    unsigned takes;
    bool loads_configuration; // itself
    int (*run)(struct ctl *ctl);
};

static const struct command commands[] = {
    {NULL, "init-db", NULL, 0, false, ctl_init_run},
    {"app", "add", "CODE", TAKES_SECRET | TAKES_DESCRIPTION, false, ctl_app_add},
    {"app", "rotate", "CODE", TAKES_SECRET | TAKES_GRACE, false, ctl_app_rotate},
    {"app", "disable", "CODE", 0, false, ctl_app_disable},
    {"app", "enable", "CODE", 0, false, ctl_app_enable},
    {"app", "list", NULL, 0, false, ctl_list_run},
    {"app", "remove", "CODE", TAKES_YES, false, ctl_app_remove},
    {NULL, "check", NULL, 0, true, ctl_check_run},
    {NULL, "states", "TASK_ID", 0, false, ctl_states_run},
};

// The command that the words name, with the words behind it in *WORDS; NULL: none.
static const struct command *find_command(char ***words)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        char **word = *words;
        const bool is_group =
            commands[i].group == NULL || (*word != NULL && strcmp(*word++, commands[i].group) == 0);
        if (is_group && *word != NULL && strcmp(*word, commands[i].name) == 0) {
            *words = word + 1;
            return &commands[i];
        }
    }
    return NULL;
}

// ---- options ----

// What is given on the command line, besides the options' values.
struct line {
    unsigned takes; // which of the options that only some commands take
    bool is_help;
    bool is_version;
};

// "24h" in seconds; a bare number is seconds. -1 when it is none, or more than a year.
static int64_t read_grace(const char *text)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    enum { SECONDS_PER_YEAR = 366 * 86400 };
    char *unit;
    errno = 0;
    const long long number = strtoll(text, &unit, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0 || number > SECONDS_PER_YEAR) {
        return -1;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            const int64_t seconds = number * units[i].seconds;
            return seconds <= SECONDS_PER_YEAR ? seconds : -1;
        }
    }
    return -1;
}

enum { PASSWORD_FILE = 256, JSON, SECRET, DESCRIPTION, GRACE, YES };

// An option that only some commands take.
static int take_special(int option, const char *value, struct ctl_options *options,
                        struct line *line)
{
    switch (option) {
    case SECRET:
        options->reads_secret = true;
        line->takes |= TAKES_SECRET;
        return 0;
    case DESCRIPTION:
        options->description = value;
        line->takes |= TAKES_DESCRIPTION;
        return 0;
    case GRACE:
        options->grace_seconds = read_grace(value);
        line->takes |= TAKES_GRACE;
        return 0;
    case YES:
        options->is_sure = true;
        line->takes |= TAKES_YES;
        return 0;
    default:
        return -1; // getopt has said why
    }
}

static int take_option(int option, const char *value, struct ctl_options *options,
                       struct line *line)
{
    switch (option) {
    case 'c':
        options->conf_path = value;
        return 0;
    case 'u':
        options->user = value;
        return 0;
    case PASSWORD_FILE:
        options->password_file = value;
        return 0;
    case JSON:
        options->is_json = true;
        return 0;
    case 'V':
        line->is_version = true;
        return 0;
    case 'h':
        line->is_help = true;
        return 0;
    default:
        return take_special(option, value, options, line);
    }
}

static int read_options(int argc, char **argv, struct ctl_options *options, struct line *line)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, 'u'},
        {"password-file", required_argument, NULL, PASSWORD_FILE},
        {"json", no_argument, NULL, JSON},
        {"secret-stdin", no_argument, NULL, SECRET},
        {"description", required_argument, NULL, DESCRIPTION},
        {"grace", required_argument, NULL, GRACE},
        {"yes", no_argument, NULL, YES},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:u:Vh", known, NULL)) != -1;) {
        if (take_option(option, optarg, options, line) != 0) {
            return -1;
        }
    }
    return 0;
}

// What getopt cannot know. NULL: nothing is wrong.
static const char *find_misuse(const struct command *command, char *const *words,
                               const struct ctl_options *options, const struct line *line)
{
    if (command == NULL) {
        return "no such command";
    }
    if (command->argument != NULL && words[0] == NULL) {
        return strcmp(command->argument, "CODE") == 0 ? "the application's CODE is missing"
                                                      : "the TASK_ID is missing";
    }
    if (words[command->argument == NULL ? 0 : 1] != NULL) {
        return "there are more arguments than the command takes";
    }
    if ((line->takes & ~command->takes) != 0) {
        return "the command does not take one of these options";
    }
    if (options->grace_seconds < 0) {
        return "--grace is a number with s, m, h or d behind it, of at most a year";
    }
    return options->password_file != NULL && options->user == NULL
               ? "--password-file needs --user, whose password it is"
               : NULL;
}

// ---- running ----

static void complain(void *context, const char *sentence)
{
    (void)context;
    ctl_fault_say("%s", sentence);
}

// The file to read: as given, else by the environment, else the usual one if there is one.
static const char *choose_conf_path(const char *given)
{
    const char *const named = given != NULL ? given : getenv("BKFLOW_STATES_CONFIG");
    if (named != NULL) {
        return named;
    }
    return access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
}

static int load_configuration(struct ctl *ctl)
{
    ctl->conf = conf_load(ctl->conf_path, environ, complain, NULL);
    return ctl->conf != NULL && local_time_use_zone(ctl->conf->response.timezone) == 0 ? 0 : -1;
}

static int run_command(const struct command *command, struct ctl *ctl)
{
    if (ctl_account_load(ctl) != 0) {
        return CTL_FAILED;
    }
    if (!command->loads_configuration && load_configuration(ctl) != 0) {
        return CTL_CONFIGURATION;
    }
    if (db_library_init() != 0) {
        ctl_fault_say("the database's client library cannot be used");
        return CTL_FAILED;
    }
    const int status = command->run(ctl);
    db_library_end();
    return status;
}

// What was printed, a script may rely on: it has to be out before the process says that all is
// well.
static int finish(struct ctl_out *out, int status)
{
    if (ctl_out_finish(out) != 0) {
        ctl_fault_say("the output could not be written: %s", strerror(errno));
        return status == CTL_OK ? CTL_FAILED : status;
    }
    return status;
}

static int run(const struct command *command, struct ctl *ctl)
{
    ctl->conf_path = choose_conf_path(ctl->options.conf_path);
    const int status = run_command(command, ctl);
    conf_free(ctl->conf);
    ctl_secret_wipe(&ctl->password);
    return finish(&ctl->out, status);
}

static int print(struct ctl_out *out, const char *text)
{
    outbuf_write(&out->buffer, text, strlen(text));
    return finish(out, CTL_OK);
}

int main(int argc, char **argv)
{
    enum { DEFAULT_GRACE_SECONDS = 24 * 3600 };
    struct ctl ctl = {.options = {.grace_seconds = DEFAULT_GRACE_SECONDS}};
    struct line line = {0};
    if (standard_fds_open() != 0) {
        return CTL_FAILED;
    }
    ctl_out_init(&ctl.out);
    if (read_options(argc, argv, &ctl.options, &line) != 0) {
        fputs("Try 'bkflow-statesctl --help'.\n", stderr);
        return CTL_USAGE;
    }
    if (line.is_help) {
        return print(&ctl.out, usage);
    }
    if (line.is_version) {
        return print(&ctl.out, "bkflow-statesctl " PACKAGE_VERSION "\n");
    }
    char **words = argv + optind;
    const struct command *const command = find_command(&words);
    const char *const misuse = find_misuse(command, words, &ctl.options, &line);
    if (misuse != NULL) {
        ctl_fault_say("%s\nTry 'bkflow-statesctl --help'.", misuse);
        return CTL_USAGE;
    }
    ctl.arguments = words;
    return run(command, &ctl);
}
