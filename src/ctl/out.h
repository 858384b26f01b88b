// SPDX-License-Identifier: MIT
// ctl_out: standard output or standard error, as text for a terminal or as JSON for scripts. An
// error sticks and is reported once, at the end. Nothing of what was written stays in memory: it
// may have been a secret.
#ifndef BKFLOW_CTL_OUT_H
#define BKFLOW_CTL_OUT_H

#include "base/base.h"
#include "base/json_write.h"
#include "base/outbuf.h"
#include "base/utf8.h"

enum ctl_colour { CTL_PLAIN, CTL_RED, CTL_GREEN, CTL_YELLOW, CTL_BLUE, CTL_MAGENTA, CTL_FAINT };

struct ctl_out {
    struct outbuf buffer;
    int fd;
    int error;       // errno of the write that failed, or 0
    bool is_json;    // what is written is JSON: characters that nobody sees are escaped
    bool has_colour; // FD is a terminal with colours, and NO_COLOR is not set
    bool has_utf8;   // the locale's characters are UTF-8
    size_t held;     // bytes of PARTIAL: a character whose end has not come yet
    char partial[UTF8_MAX];
    char bytes[8192];
};

// FD is borrowed.
void ctl_out_init(struct ctl_out *out, int fd) NONNULL;

// Whether FD is open for writing. 0 where it is, else an errno.
int ctl_out_mistake(const struct ctl_out *out) MUST_CHECK NONNULL;

// Sends what is buffered, for somebody who waits for it.
void ctl_out_show(struct ctl_out *out) NONNULL;

// Sends what is buffered, and wipes it. -1 with errno when any of the output could not be written.
int ctl_out_finish(struct ctl_out *out) MUST_CHECK NONNULL;

// Words of the program itself, at most 1023 bytes.
void ctl_out_print(struct ctl_out *out, const char *format, ...) PRINTF_LIKE(2, 3) NONNULL;

// Text that is data, of any length. Controls and bytes that are not UTF-8 become "?", other
// characters that nobody sees "<U+202E>": so data can neither command a terminal nor look like
// other data.
void ctl_out_text(struct ctl_out *out, struct str text) NONNULL;

// How many columns of a terminal ctl_out_text takes for it.
size_t ctl_out_width(struct str text);

void ctl_out_blanks(struct ctl_out *out, size_t count) NONNULL;

// Text of the program or data in a colour, followed by blanks up to WIDTH columns.
void ctl_out_cell(struct ctl_out *out, enum ctl_colour colour, struct str text,
                  size_t width) NONNULL;

// A time as RFC 3339 has it, in UTC and whole seconds; null where it is CLOCK_NO_TIME. For JSON.
void ctl_out_moment(struct json_writer *json, int64_t us) NONNULL;

#endif
