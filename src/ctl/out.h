// SPDX-License-Identifier: MIT
// ctl_out: standard output or standard error, as text for a terminal or JSON for scripts. An error
// is kept and reported once, at the end. The buffer is wiped: it may have held a secret.
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
    int error;        // errno of the write that failed, or 0
    bool is_json;     // the output is JSON: invisible characters are escaped
    bool is_terminal; // FD is a terminal that can place its cursor
    bool has_colour;  // likewise, and NO_COLOR is not set
    bool has_utf8;    // the locale's characters are UTF-8
    size_t held;      // bytes of PARTIAL, an incomplete character
    char partial[UTF8_MAX];
    char bytes[8192];
};

// FD is borrowed.
void ctl_out_init(struct ctl_out *out, int fd) NONNULL;

// 0 if FD is open for writing, else an errno.
int ctl_out_mistake(const struct ctl_out *out) MUST_CHECK NONNULL;

// Writes the buffer out now.
void ctl_out_show(struct ctl_out *out) NONNULL;

// Writes the buffer out and wipes it. -1 with errno if any of the output could not be written.
int ctl_out_finish(struct ctl_out *out) MUST_CHECK NONNULL;

// Prints the program's own words, at most 1023 bytes.
void ctl_out_print(struct ctl_out *out, const char *format, ...) PRINTF_LIKE(2, 3) NONNULL;

// Prints data of any length. Control characters and bytes that are not UTF-8 become "?", other
// invisible characters "<U+202E>": data can neither control a terminal nor look like other data.
void ctl_out_text(struct ctl_out *out, struct str text) NONNULL;

// The number of terminal columns that ctl_out_text takes for TEXT.
size_t ctl_out_width(struct str text);

void ctl_out_blanks(struct ctl_out *out, size_t count) NONNULL;

// Prints TEXT in a colour, padded with blanks to WIDTH columns.
void ctl_out_cell(struct ctl_out *out, enum ctl_colour colour, struct str text,
                  size_t width) NONNULL;

// Writes a time in the form of RFC 3339, in UTC and whole seconds; null for CLOCK_NO_TIME.
void ctl_out_time(struct json_writer *json, int64_t us) NONNULL;

#endif
