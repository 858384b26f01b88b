// SPDX-License-Identifier: MIT
#include "ctl/out.h"

#include "base/clock.h"
#include "states/node.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

// ---- on its way out ----

static int write_all(struct ctl_out *out, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t written = write(out->fd, bytes, len);
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

// Writes "\u202e", or a surrogate pair for a character above U+FFFF. Returns the length.
static size_t escape(uint32_t point, char text[16])
{
    if (point < 0x10000) {
        return (size_t)snprintf(text, 16, "\\u%04x", point);
    }
    const uint32_t high = 0xD800 + ((point - 0x10000) >> 10);
    const uint32_t low = 0xDC00 + ((point - 0x10000) & 0x3FF);
    return (size_t)snprintf(text, 16, "\\u%04x\\u%04x", high, low);
}

// Writes one character of JSON. An invisible one other than a line end can only be part of a
// string.
static int write_character(struct ctl_out *out, struct str character)
{
    const uint32_t point = utf8_code_point(character.ptr, character.len);
    char escaped[16];
    if (utf8_is_visible(point) || point == '\n') {
        return write_all(out, character.ptr, character.len);
    }
    return write_all(out, escaped, escape(point, escaped));
}

static bool is_plain(char byte)
{
    return ((unsigned char)byte >= ' ' && (unsigned char)byte < 0x7F) || byte == '\n';
}

// Takes one byte of a character that is not plain. A character may be split between two buffers.
static int write_byte(struct ctl_out *out, char byte)
{
    out->partial[out->held++] = byte;
    const size_t step = utf8_sequence(out->partial, out->held);
    if (step == 0 && out->held < sizeof out->partial) {
        return 0; // json_write writes only UTF-8: the rest will follow
    }
    const struct str character = {out->partial, out->held};
    out->held = 0;
    return step == 0 ? write_all(out, "?", 1) : write_character(out, character);
}

static int write_json(struct ctl_out *out, const char *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t end = done;
        while (end < len && is_plain(bytes[end])) {
            end++;
        }
        if (write_all(out, bytes + done, end - done) != 0 ||
            (end < len && write_byte(out, bytes[end]) != 0)) {
            return -1;
        }
        done = end + 1;
    }
    return 0;
}

static int write_out(void *context, char *bytes, size_t len, bool is_last)
{
    (void)is_last;
    struct ctl_out *const out = context;
    return out->is_json ? write_json(out, bytes, len) : write_all(out, bytes, len);
}

// ---- one output ----

static bool is_terminal(int fd)
{
    const char *const terminal = getenv("TERM");
    return terminal != NULL && terminal[0] != '\0' && strcmp(terminal, "dumb") != 0 &&
           isatty(fd) == 1;
}

// See https://no-color.org.
static bool wants_colour(void)
{
    const char *const no_colour = getenv("NO_COLOR");
    return no_colour == NULL || no_colour[0] == '\0';
}

void ctl_out_init(struct ctl_out *out, int fd)
{
    *out = (struct ctl_out){.fd = fd, .is_terminal = is_terminal(fd)};
    out->has_colour = out->is_terminal && wants_colour();
    outbuf_init(&out->buffer, out->bytes, sizeof out->bytes, write_out, out);
    out->has_utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int ctl_out_mistake(const struct ctl_out *out)
{
    const int flags = fcntl(out->fd, F_GETFL);
    if (flags < 0) {
        return errno;
    }
    return (flags & O_ACCMODE) == O_RDONLY ? EBADF : 0;
}

void ctl_out_show(struct ctl_out *out)
{
    outbuf_make_room(&out->buffer);
}

int ctl_out_finish(struct ctl_out *out)
{
    const int sent = outbuf_flush(&out->buffer);
    explicit_bzero(out->bytes, sizeof out->bytes);
    explicit_bzero(out->partial, sizeof out->partial);
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

// Sets SHOWN to the first character of REST, or to a substitute in TEXT. Returns the bytes it takes
// of REST.
static size_t show(struct str rest, char text[16], struct str *shown)
{
    const size_t step = utf8_sequence(rest.ptr, rest.len);
    const uint32_t point = step == 0 ? 0 : utf8_code_point(rest.ptr, step);
    if (step > 0 && utf8_is_visible(point)) {
        *shown = (struct str){rest.ptr, step};
    } else if (point < 0xA0) { // invalid UTF-8 or a control character
        *shown = STR("?");
    } else {
        *shown = (struct str){text, (size_t)snprintf(text, 16, "<U+%04X>", point)};
    }
    return step == 0 ? 1 : step;
}

void ctl_out_text(struct ctl_out *out, struct str text)
{
    while (text.len > 0) {
        char substitute[16];
        struct str shown;
        const size_t step = show(text, substitute, &shown);
        outbuf_write(&out->buffer, shown.ptr, shown.len);
        text = str_skip(text, step);
    }
}

static size_t columns_of(struct str shown)
{
    if ((unsigned char)shown.ptr[0] < 0x80) {
        return shown.len; // ASCII, perhaps a substitute
    }
    const int columns = wcwidth((wchar_t)utf8_code_point(shown.ptr, shown.len));
    return columns < 0 ? 1 : (size_t)columns; // unknown to the locale: a guess
}

size_t ctl_out_width(struct str text)
{
    size_t width = 0;
    while (text.len > 0) {
        char substitute[16];
        struct str shown;
        const size_t step = show(text, substitute, &shown);
        width += columns_of(shown);
        text = str_skip(text, step);
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

void ctl_out_time(struct json_writer *json, int64_t us)
{
    if (us == CLOCK_NO_TIME) {
        json_write_null(json);
        return;
    }
    enum { SECONDS_PER_DAY = 86400 };
    const int64_t seconds = clock_floor_div(us, US_PER_SECOND);
    const int64_t days = clock_floor_div(seconds, SECONDS_PER_DAY);
    const struct clock_date date = clock_civil_from_days(days);
    const unsigned second = (unsigned)(seconds - days * SECONDS_PER_DAY);
    char text[64];
    const int len =
        snprintf(text, sizeof text, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)date.year,
                 date.month, date.day, second / 3600, second / 60 % 60, second % 60);
    json_write_string(json, (struct str){text, (size_t)len});
}
