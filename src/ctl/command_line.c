// SPDX-License-Identifier: MIT
#include "ctl/command_line.h"

#include "ctl/app.h"
#include "ctl/check.h"
#include "ctl/gateway_key.h"
#include "ctl/init.h"
#include "ctl/list.h"
#include "ctl/states.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char ctl_command_line_usage[] =
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
    "  gateway-key NAME   print the public key of an API gateway that BKFlow has\n"
    "        --write              write it to the configured file gateway_key_NAME instead\n"
    "  states TASK_ID     draw the tree of a task's nodes\n"
    "        --follow             again whenever it changes, until the task has ended\n"
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

// Options that only some commands take.
enum takes {
    TAKES_SECRET = 1,
    TAKES_DESCRIPTION = 2,
    TAKES_GRACE = 4,
    TAKES_YES = 8,
    TAKES_WRITE = 16,
    TAKES_FOLLOW = 32
};

static const struct ctl_command commands[] = {
    {NULL, "init-db", NULL, 0, false, ctl_init_run},
    {"app", "add", "CODE", TAKES_SECRET | TAKES_DESCRIPTION, false, ctl_app_add},
    {"app", "rotate", "CODE", TAKES_SECRET | TAKES_GRACE, false, ctl_app_rotate},
    {"app", "disable", "CODE", 0, false, ctl_app_disable},
    {"app", "enable", "CODE", 0, false, ctl_app_enable},
    {"app", "list", NULL, 0, false, ctl_list_run},
    {"app", "remove", "CODE", TAKES_YES, false, ctl_app_remove},
    {NULL, "check", NULL, 0, true, ctl_check_run},
    {NULL, "gateway-key", "NAME", TAKES_WRITE, false, ctl_gateway_key_run},
    {NULL, "states", "TASK_ID", TAKES_FOLLOW, false, ctl_states_run},
};

// Finds the command that the words name and moves *WORDS past it; NULL: there is none.
static const struct ctl_command *find_command(char ***words)
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

static int misuse_of_words(char *const *words, struct ctl_fault *fault)
{
    if (words[0] == NULL) {
        return ctl_fault_set(fault, CTL_USAGE, "a command is missing");
    }
    if (strcmp(words[0], "app") != 0) {
        return ctl_fault_set(fault, CTL_USAGE, "there is no command %s", words[0]);
    }
    return words[1] == NULL
               ? ctl_fault_set(fault, CTL_USAGE,
                               "app is followed by what is to be done, as in app list")
               : ctl_fault_set(fault, CTL_USAGE, "there is no command app %s", words[1]);
}

static int misuse_of(const struct ctl_command *command, const char *what, const char *subject,
                     struct ctl_fault *fault)
{
    const bool is_grouped = command->group != NULL;
    return ctl_fault_set(fault, CTL_USAGE, "%s%s%s %s %s", is_grouped ? command->group : "",
                         is_grouped ? " " : "", command->name, what, subject);
}

static int check_arguments(const struct ctl_command *command, char *const *arguments,
                           struct ctl_fault *fault)
{
    const size_t count = command->argument == NULL ? 0 : 1;
    if (count == 1 && arguments[0] == NULL) {
        return misuse_of(command, "needs a", command->argument, fault);
    }
    if (arguments[count] != NULL) {
        return misuse_of(command, "takes no argument", arguments[count], fault);
    }
    return CTL_OK;
}

// ---- options ----

enum { PASSWORD_FILE = 256, JSON, SECRET, DESCRIPTION, GRACE, YES, WRITE, FOLLOW };

// An option that only some commands take.
struct special {
    unsigned takes;
    const char *name;
};

static const struct special specials[] = {
    {TAKES_SECRET, "--secret-stdin"}, {TAKES_DESCRIPTION, "--description"},
    {TAKES_GRACE, "--grace"},         {TAKES_YES, "--yes"},
    {TAKES_WRITE, "--write"},         {TAKES_FOLLOW, "--follow"},
};

// Parses "24h" into seconds; a number without a unit is seconds. -1: malformed, or more than 366
// days.
static int64_t read_grace(const char *text)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    enum { MOST_SECONDS = 366 * 86400 };
    char *unit;
    errno = 0;
    const long long number = strtoll(text, &unit, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0 || number > MOST_SECONDS) {
        return -1;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            const int64_t seconds = number * units[i].seconds;
            return seconds <= MOST_SECONDS ? seconds : -1;
        }
    }
    return -1;
}

static int take_grace(const char *value, struct ctl_options *options, struct ctl_fault *fault)
{
    options->grace_seconds = read_grace(value);
    return options->grace_seconds >= 0
               ? CTL_OK
               : ctl_fault_set(fault, CTL_USAGE,
                               "--grace %s: expected a number with s, m, h or d after it, of at "
                               "most 366d",
                               value);
}

static int take_special(int option, const char *value, struct ctl_options *options, unsigned *taken,
                        struct ctl_fault *fault)
{
    switch (option) {
    case SECRET:
        options->reads_secret = true;
        *taken |= TAKES_SECRET;
        return CTL_OK;
    case DESCRIPTION:
        options->description = value;
        *taken |= TAKES_DESCRIPTION;
        return CTL_OK;
    case GRACE:
        *taken |= TAKES_GRACE;
        return take_grace(value, options, fault);
    case WRITE:
        options->writes = true;
        *taken |= TAKES_WRITE;
        return CTL_OK;
    case FOLLOW:
        options->follows = true;
        *taken |= TAKES_FOLLOW;
        return CTL_OK;
    default: // YES
        options->is_sure = true;
        *taken |= TAKES_YES;
        return CTL_OK;
    }
}

// Reports an option that getopt refused. WORD is the one that it read last.
static int misuse_of_option(int option, const char *word, struct ctl_fault *fault)
{
    if (option == ':') {
        return ctl_fault_set(fault, CTL_USAGE, "option %s needs a value", word);
    }
    if (optopt >= PASSWORD_FILE) {
        return ctl_fault_set(fault, CTL_USAGE, "option %s takes no value", word);
    }
    return optopt == 0 ? ctl_fault_set(fault, CTL_USAGE, "there is no option %s", word)
                       : ctl_fault_set(fault, CTL_USAGE, "there is no option -%c", optopt);
}

static int take_option(int option, struct ctl_command_line *line, unsigned *taken,
                       struct ctl_fault *fault)
{
    switch (option) {
    case 'c':
        line->options.conf_path = optarg;
        return CTL_OK;
    case 'u':
        line->options.user = optarg;
        return CTL_OK;
    case PASSWORD_FILE:
        line->options.password_file = optarg;
        return CTL_OK;
    case JSON:
        line->options.is_json = true;
        return CTL_OK;
    case 'V':
        line->action = line->action == CTL_SHOW_HELP ? CTL_SHOW_HELP : CTL_SHOW_VERSION;
        return CTL_OK;
    case 'h':
        line->action = CTL_SHOW_HELP;
        return CTL_OK;
    default:
        return take_special(option, optarg, &line->options, taken, fault);
    }
}

// Continues after a mistake, because --json, which may come last, decides how it is reported.
static int read_options(int argc, char **argv, struct ctl_command_line *line, unsigned *taken,
                        struct ctl_fault *fault)
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
        {"write", no_argument, NULL, WRITE},
        {"follow", no_argument, NULL, FOLLOW},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int status = CTL_OK;
    struct ctl_fault later = {.what = ""}; // only the first mistake is reported
    optind = 0;                            // from the start, whoever called getopt before
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":c:u:Vh", known, NULL)) != -1;) {
        struct ctl_fault *const reported = status == CTL_OK ? fault : &later;
        const int taking = option == '?' || option == ':'
                               ? misuse_of_option(option, argv[optind - 1], reported)
                               : take_option(option, line, taken, reported);
        status = status == CTL_OK ? taking : status;
    }
    return status;
}

static int check_options(const struct ctl_command_line *line, unsigned taken,
                         struct ctl_fault *fault)
{
    for (size_t i = 0; i < COUNT_OF(specials); i++) {
        if ((taken & specials[i].takes & ~line->command->takes) != 0) {
            return misuse_of(line->command, "does not take", specials[i].name, fault);
        }
    }
    if (line->options.password_file != NULL && line->options.user == NULL) {
        return ctl_fault_set(fault, CTL_USAGE,
                             "--password-file needs --user, whose password it is");
    }
    return CTL_OK;
}

// ---- all of it ----

static int read_line(int argc, char **argv, struct ctl_command_line *line, struct ctl_fault *fault)
{
    unsigned taken = 0;
    if (read_options(argc, argv, line, &taken, fault) != CTL_OK) {
        return CTL_USAGE;
    }
    if (line->action != CTL_RUN) {
        return CTL_OK;
    }
    line->arguments = argv + optind;
    line->command = find_command(&line->arguments);
    if (line->command == NULL) {
        return misuse_of_words(line->arguments, fault);
    }
    const int status = check_arguments(line->command, line->arguments, fault);
    return status == CTL_OK ? check_options(line, taken, fault) : status;
}

int ctl_command_line_read(struct ctl_command_line *line, int argc, char **argv,
                          struct ctl_fault *fault)
{
    enum { DEFAULT_GRACE_SECONDS = 24 * 3600 };
    *line = (struct ctl_command_line){.options = {.grace_seconds = DEFAULT_GRACE_SECONDS}};
    const int status = read_line(argc, argv, line, fault);
    if (status != CTL_OK) {
        ctl_fault_to_do(fault, "bkflow-statesctl --help lists the commands and their options.");
    }
    return status;
}
