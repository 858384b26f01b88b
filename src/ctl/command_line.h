// SPDX-License-Identifier: MIT
// ctl_command_line: the table of commands, and the parser of the command line.
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

// All texts are borrowed from the command line.
struct ctl_command_line {
    enum ctl_action action;
    struct ctl_options options;
    const struct ctl_command *command; // NULL unless it is to run
    char **arguments;                  // what follows the command's name; as many as it takes
};

extern const char ctl_command_line_usage[];

// Parses ARGV and may reorder it. Returns an exit status; with CTL_USAGE, FAULT is set and only
// options.is_json of LINE is valid. Not thread-safe: getopt has global state.
int ctl_command_line_read(struct ctl_command_line *line, int argc, char **argv,
                          struct ctl_fault *fault) MUST_CHECK NONNULL;

#endif
