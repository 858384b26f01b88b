// SPDX-License-Identifier: MIT
// ctl_command_line: the commands, and what the words and options of a command line ask for.
#ifndef BKFLOW_CTL_COMMAND_LINE_H
#define BKFLOW_CTL_COMMAND_LINE_H

#include "ctl/ctl.h"

struct ctl_command {
    const char *group; // the first of two words, or NULL
    const char *name;
    const char *argument;     // NULL: none
    unsigned takes;           // the options that only some commands take
    bool loads_configuration; // itself
    int (*run)(struct ctl *ctl);
};

enum ctl_action { CTL_RUN, CTL_SHOW_HELP, CTL_SHOW_VERSION };

// All of it borrows from the command line.
struct ctl_command_line {
    enum ctl_action action;
    struct ctl_options options;
    const struct ctl_command *command; // NULL unless it is to run
    char **arguments;                  // what follows the command's name; as many as it takes
};

extern const char ctl_command_line_usage[];

// Reads ARGV, whose order it may change. Returns an exit status; with CTL_USAGE, FAULT says what is
// wrong, and of LINE only options.is_json counts. Not for several threads: getopt has its own
// state.
int ctl_command_line_read(struct ctl_command_line *line, int argc, char **argv,
                          struct ctl_fault *fault) MUST_CHECK NONNULL;

#endif
