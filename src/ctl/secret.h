// SPDX-License-Identifier: MIT
// ctl_secret: secrets on their way in: made up, typed, or read from a file. They stay in one place,
// which is wiped.
#ifndef BKFLOW_CTL_SECRET_H
#define BKFLOW_CTL_SECRET_H

#include "base/base.h"

enum { CTL_SECRET_BYTES = 1024 };

// Terminated as well as counted. All zero is an empty one.
struct ctl_secret {
    char bytes[CTL_SECRET_BYTES];
    size_t len;
};

static inline struct str ctl_secret_text(const struct ctl_secret *secret)
{
    return (struct str){secret->bytes, secret->len};
}

// 256 bits of the system's random source as 64 hexadecimal digits: they need no quoting anywhere.
// -1 with errno.
int ctl_secret_generate(struct ctl_secret *secret) MUST_CHECK NONNULL;

// One line of standard input, without its end. A terminal is asked for it and does not show it. -1
// with errno; EMSGSIZE: the line is too long, ENODATA: there is none.
int ctl_secret_read(struct ctl_secret *secret) MUST_CHECK NONNULL;

// The first line of a file; it may be empty. -1 with errno.
int ctl_secret_load(struct ctl_secret *secret, const char *path) MUST_CHECK NONNULL;

void ctl_secret_wipe(struct ctl_secret *secret) NONNULL;

#endif
