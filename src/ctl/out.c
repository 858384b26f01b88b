// SPDX-License-Identifier: MIT
#include "ctl/out.h"

#include "base/clock.h"
#include "states/node.h"
#include "base/utf8.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

static int drain(void *context, const char *bytes, size_t len)
{
    struct ctl_out *const out = context;
    while (len > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, len);
        if (written < 0 && errno != EINTR) {
            out->error = errno;
            return -1;
        }
        if (written > 0) {
            bytes += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

// As https://no-color.org has it, and terminals that say that they are none.
static bool wants_colour(void)
{
    const char *const no_colour = getenv("NO_COLOR");
    const char *const terminal = getenv("TERM");
    return (no_colour == NULL || no_colour[0] == '\0') && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO) == 1;
}

void ctl_out_init(struct ctl_out *out)
{
    out->error = 0;
    outbuf_init(&out->buffer, out->bytes, sizeof out->bytes, drain, out);
    out->has_colour = wants_colour();
    out->has_utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int ctl_out_finish(struct ctl_out *out)
{
    const int sent = outbuf_flush(&out->buffer);
    explicit_bzero(out->bytes, sizeof out->bytes);
    errno = out->error;
    return sent;
}

void ctl_out_print(struct ctl_out *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len > 0) {
        outbuf_write(&out->buffer, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    }
}

// ---- data ----

// C0, DEL and C1: what a terminal may take for a command.
static bool is_control(const char *text, size_t step)
{
    const unsigned char first = (unsigned char)text[0];
    return first < 0x20 || first == 0x7F ||
           (first == 0xC2 && step == 2 && (unsigned char)text[1] < 0xA0);
}

// The character at the front of TEXT: how many bytes it takes, or 0 when it must not be shown.
static size_t showable(struct str text)
{
    const size_t step = utf8_sequence(text.ptr, text.len);
    return step == 0 || is_control(text.ptr, step) ? 0 : step;
}

void ctl_out_text(struct ctl_out *out, struct str text)
{
    while (text.len > 0) {
        const size_t step = showable(text);
        if (step == 0) {
            outbuf_write(&out->buffer, "?", 1);
        } else {
            outbuf_write(&out->buffer, text.ptr, step);
        }
        text = str_skip(text, step == 0 ? 1 : step);
    }
}

static wchar_t code_point(const char *text, size_t step)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (unsigned char)text[0] & masks[step];
    for (size_t i = 1; i < step; i++) {
        point = point << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return (wchar_t)point;
}

size_t ctl_out_width(struct str text)
{
    size_t width = 0;
    while (text.len > 0) {
        const size_t step = showable(text);
        const int columns = step == 0 ? 1 : wcwidth(code_point(text.ptr, step));
        width += columns < 0 ? 1 : (size_t)columns; // a locale that does not know it: a guess
        text = str_skip(text, step == 0 ? 1 : step);
    }
    return width;
}

void ctl_out_blanks(struct ctl_out *out, size_t count)
{
    static const char blanks[] = "                ";
    while (count > 0) {
        const size_t n = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
        outbuf_write(&out->buffer, blanks, n);
        count -= n;
    }
}

void ctl_out_cell(struct ctl_out *out, enum ctl_colour colour, struct str text, size_t width)
{
    static const char *const codes[] = {
        [CTL_RED] = "31",  [CTL_GREEN] = "32",   [CTL_YELLOW] = "33",
        [CTL_BLUE] = "34", [CTL_MAGENTA] = "35", [CTL_FAINT] = "2",
    };
    const bool is_painted = out->has_colour && colour != CTL_PLAIN;
    if (is_painted) {
        ctl_out_print(out, "\033[%sm", codes[colour]);
    }
    ctl_out_text(out, text);
    if (is_painted) {
        ctl_out_print(out, "\033[0m");
    }
    const size_t taken = ctl_out_width(text);
    ctl_out_blanks(out, taken < width ? width - taken : 0);
}

void ctl_out_moment(struct json_writer *json, int64_t us)
{
    if (us == CLOCK_NO_TIME) {
        json_write_null(json);
        return;
    }
    enum { SECONDS_PER_DAY = 86400 };
    const int64_t seconds = us / US_PER_SECOND - (us % US_PER_SECOND < 0);
    const int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    const struct clock_date date = clock_civil_from_days(days);
    const unsigned second = (unsigned)(seconds - days * SECONDS_PER_DAY);
    char text[64];
    const int len =
        snprintf(text, sizeof text, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)date.year,
                 date.month, date.day, second / 3600, second / 60 % 60, second % 60);
    json_write_string(json, (struct str){text, (size_t)len});
}
