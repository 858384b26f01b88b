// SPDX-License-Identifier: MIT
// ctl_out: standard output, as text for a terminal or as JSON for scripts. Errors stick and are
// told once at the end. Nothing of what went through stays in memory: it may have been a secret.
#ifndef BKFLOW_CTL_OUT_H
#define BKFLOW_CTL_OUT_H

#include "base/base.h"
#include "base/json_write.h"
#include "base/outbuf.h"

enum ctl_colour { CTL_PLAIN, CTL_RED, CTL_GREEN, CTL_YELLOW, CTL_BLUE, CTL_MAGENTA, CTL_FAINT };

struct ctl_out {
    struct outbuf buffer;
    int error;       // errno of the write that failed, or 0
    bool has_colour; // standard output is a terminal that has it, and nobody asked for none
    bool has_utf8;   // the locale's characters are UTF-8
    char bytes[8192];
};

void ctl_out_init(struct ctl_out *out) NONNULL;

// Sends what is buffered, and wipes it. -1 with errno when any of the output could not be written.
int ctl_out_finish(struct ctl_out *out) MUST_CHECK NONNULL;

// Words of the program itself.
void ctl_out_print(struct ctl_out *out, const char *format, ...) PRINTF_LIKE(2, 3) NONNULL;

// Text that is data, whole and without a copy. What a terminal would take for a command, or what is
// not UTF-8, is replaced.
void ctl_out_text(struct ctl_out *out, struct str text) NONNULL;

// How many columns of a terminal ctl_out_text takes for it.
size_t ctl_out_width(struct str text);

void ctl_out_blanks(struct ctl_out *out, size_t count) NONNULL;

// Text of the program or data in a colour, followed by blanks up to WIDTH columns.
void ctl_out_cell(struct ctl_out *out, enum ctl_colour colour, struct str text,
                  size_t width) NONNULL;

// A moment as RFC 3339 has it, in UTC and whole seconds; null where it is CLOCK_NO_TIME. For JSON.
void ctl_out_moment(struct json_writer *json, int64_t us) NONNULL;

#endif
