// SPDX-License-Identifier: MIT
// ctl: what the operator asked for, and what all commands of bkflow-statesctl share.
#ifndef BKFLOW_CTL_CTL_H
#define BKFLOW_CTL_CTL_H

#include "conf/conf.h"
#include "ctl/fault.h"
#include "ctl/out.h"
#include "ctl/secret.h"
#include "base/metrics.h"

// Exit statuses. A check that found something wrong has failed.
enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_CONFIGURATION = 78 };

struct ctl_options {
    const char *conf_path; // NULL: the default
    const char *user;      // NULL: as configured
    const char *password_file;
    const char *description;
    int64_t grace_seconds;
    bool is_json;
    bool reads_secret; // from standard input
    bool is_sure;      // does not ask back
    bool writes;       // into the configured file
    bool follows;      // until the task has ended
};

struct ctl {
    struct ctl_options options;
    char **arguments;      // what follows the command's name; as many as it takes
    const char *conf_path; // the file that was read, NULL: none
    struct conf *conf;     // owned; NULL for a command that loads it itself
    struct ctl_secret password;
    struct metrics_shard shard; // database connections count in one; nobody reads it
    struct ctl_out out;         // standard output
    struct ctl_out errors;      // standard error
    struct ctl_fault fault;     // why the command failed; empty if the answer says it
    struct ctl_fault unseen;    // what has been done, in case the answer cannot be written
};

#endif
