// SPDX-License-Identifier: MIT
// ctl_secret: reads and generates secrets. Each is held in one place only, which is wiped.
#ifndef BKFLOW_CTL_SECRET_H
#define BKFLOW_CTL_SECRET_H

#include "base/base.h"

enum { CTL_SECRET_BYTES = 1024 };

// Zero-terminated. All zeros: an empty secret.
struct ctl_secret {
    char bytes[CTL_SECRET_BYTES];
    size_t len;
};

static inline struct str ctl_secret_text(const struct ctl_secret *secret)
{
    return (struct str){secret->bytes, secret->len};
}

// Generates 256 random bits as 64 hexadecimal digits, which need no quoting anywhere. -1 with
// errno.
int ctl_secret_generate(struct ctl_secret *secret) MUST_CHECK NONNULL;

// Reads one line of standard input, without its end. At a terminal it prompts, and does not echo.
// -1 with errno; EMSGSIZE: the line is too long, ENODATA: there is no line.
int ctl_secret_read(struct ctl_secret *secret) MUST_CHECK NONNULL;

// Reads the first line of a file; it may be empty. -1 with errno.
int ctl_secret_load(struct ctl_secret *secret, const char *path) MUST_CHECK NONNULL;

void ctl_secret_wipe(struct ctl_secret *secret) NONNULL;

#endif
