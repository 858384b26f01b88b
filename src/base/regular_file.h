// SPDX-License-Identifier: MIT
// regular_file: opens the files that a configuration names. A FIFO, a terminal or a device could
// block a start or a reload for ever.
#ifndef BKFLOW_BASE_REGULAR_FILE_H
#define BKFLOW_BASE_REGULAR_FILE_H

#include "base/base.h"

#include <stdio.h>

// Opens the file for reading; the caller closes it. /dev/null counts as an empty file. Never
// blocks. NULL with the reason in *WHY if the file cannot be opened, or is not a regular one.
FILE *regular_file_open(const char *path, const char **why) MUST_CHECK NONNULL;

#endif
