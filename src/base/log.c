// SPDX-License-Identifier: MIT
#include "base/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096, // what a pipe takes in one piece or not at all (PIPE_BUF)
    LINE_END_BYTES = 4,
    MESSAGE_MAX_BYTES = 2048,
    SLOW_READER_MS = 100,
};

// The only global of src/ apart from a counter in db/library: the log must be usable wherever
// something goes wrong. The number of the log file's descriptor never changes while threads write;
// dup3 replaces the file.
static struct {
    atomic_int fd; // where lines go
    int file;      // the log file's descriptor once one was opened; only log_open touches it
    _Atomic(enum log_level) level;
    _Atomic(enum log_format) format;
    atomic_bool to_syslog;
    atomic_bool may_stop;       // a pipe, socket or terminal, whose reader may stop reading
    pthread_mutex_t write_lock; // for the check of such a target and the write to it, and for
    bool has_stopped;           // it had no room at the last check
    atomic_bool is_torn;        // the last line was written only in part
    atomic_uint_fast64_t lost;
} state = {
    .fd = STDERR_FILENO,
    .file = -1,
    .level = LOG_LEVEL_INFO,
    .may_stop = true,
    .write_lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static const int syslog_priorities[] = {
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_WARNING] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static int open_file(const char *path)
{
    // O_NONBLOCK: opening a FIFO without a reader fails at once, and one with a slow reader takes
    // only what it has room for.
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const int fresh = open(path, flags, 0640);
    if (fresh < 0) {
        return -1;
    }
    if (state.file < 0) {
        state.file = fresh;
        return 0;
    }
    const int placed = dup3(fresh, state.file, O_CLOEXEC);
    close(fresh);
    return placed < 0 ? -1 : 0;
}

static bool is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

int log_open(const struct log_options *options)
{
    static const char file_prefix[] = "file:";
    atomic_store(&state.level, options->level);
    atomic_store(&state.format, options->format);
    const bool is_file = strncmp(options->target, file_prefix, sizeof file_prefix - 1) == 0;
    if (is_file && open_file(options->target + sizeof file_prefix - 1) != 0) {
        return -1;
    }
    const bool to_syslog = strcmp(options->target, "syslog") == 0;
    if (to_syslog) {
        openlog("bkflow-states", LOG_PID | LOG_NDELAY, LOG_DAEMON);
    }
    // The old log file stays open: another thread may be writing to it.
    const int fd = is_file ? state.file : STDERR_FILENO;
    atomic_store(&state.may_stop, !is_regular(fd));
    atomic_store(&state.fd, fd);
    atomic_store(&state.to_syslog, to_syslog);
    return 0;
}

const char *log_open_mistake(int error)
{
    return error == ENXIO ? "nothing reads this FIFO" : strerror(error);
}

bool log_wants(enum log_level level)
{
    return level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

uint64_t log_lost(void)
{
    return atomic_load(&state.lost);
}

struct line {
    size_t len;
    char bytes[LINE_MAX_BYTES];
};

// Leaves room for the end of the line, so that a truncated line is still well-formed.
static void put(struct line *line, const char *bytes, size_t len)
{
    const size_t room = sizeof line->bytes - LINE_END_BYTES - line->len;
    const size_t n = len < room ? len : room;
    memcpy(line->bytes + line->len, bytes, n);
    line->len += n;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_number(struct line *line, int64_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, number);
    put(line, digits, (size_t)len);
}

// One character as it appears in a quoted text.
struct piece {
    char bytes[16];
    size_t len;
    size_t step; // bytes of the original text
};

static struct piece piece_of(uint32_t point, size_t step)
{
    struct piece piece = {.step = step};
    int len;
    if (point > 0xFFFF) { // a surrogate pair
        const uint32_t offset = point - 0x10000;
        len = snprintf(piece.bytes, sizeof piece.bytes, "\\u%04x\\u%04x", 0xD800 + (offset >> 10),
                       0xDC00 + (offset & 0x3FF));
    } else {
        len = snprintf(piece.bytes, sizeof piece.bytes, "\\u%04x", point);
    }
    piece.len = (size_t)len;
    return piece;
}

// Escapes control characters, invisible characters and those that change the writing direction, and
// replaces invalid UTF-8. So a value can neither forge a line or field nor mislead somebody who
// reads the log on a terminal.
static struct piece escape(const char *text, size_t len)
{
    enum { REPLACEMENT = 0xFFFD };
    const size_t step = utf8_sequence(text, len);
    if (step == 0) {
        return piece_of(REPLACEMENT, 1);
    }
    const uint32_t point = utf8_code_point(text, step);
    if (!utf8_is_visible(point)) {
        return piece_of(point, step);
    }
    struct piece piece = {.step = step};
    if (point == '"' || point == '\\') {
        piece.bytes[piece.len++] = '\\';
    }
    memcpy(piece.bytes + piece.len, text, step);
    piece.len += step;
    return piece;
}

// Quotes the text as a JSON string of at most LIMIT bytes; "..." marks a truncated one.
static void put_quoted(struct line *line, struct str text, size_t limit)
{
    put(line, "\"", 1);
    for (size_t at = 0, used = 0; at < text.len;) {
        const struct piece piece = escape(text.ptr + at, text.len - at);
        used += piece.len;
        if (used > limit) {
            put_text(line, "...");
            break;
        }
        put(line, piece.bytes, piece.len);
        at += piece.step;
    }
    put(line, "\"", 1);
}

static size_t quoted_len(struct str text)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        const struct piece piece = escape(text.ptr + at, text.len - at);
        len += piece.len;
        at += piece.step;
    }
    return len;
}

// ---- room for every field ----

// Bytes of a field in addition to its text: name, number, quotes, and "..." after truncation.
static size_t frame_len(const struct log_field *field)
{
    enum { NUMBER_BYTES = 20, SIGNS_BYTES = 10 };
    return strlen(field->name) + SIGNS_BYTES + (str_is_absent(field->text) ? NUMBER_BYTES : 0);
}

static size_t texts_len(const struct log_field *fields, size_t count, size_t limit)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t len = quoted_len(fields[i].text);
        sum += len < limit ? len : limit;
    }
    return sum;
}

// Returns the length at which texts are truncated, so that a long one does not take the room of the
// others.
static size_t text_limit(const struct line *line, const struct log_field *fields, size_t count)
{
    enum { MOST_PER_BYTE = 6 }; // the longest escape
    size_t taken = line->len + LINE_END_BYTES;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        taken += frame_len(&fields[i]);
        bytes += fields[i].text.len;
    }
    const size_t room = taken < LINE_MAX_BYTES ? LINE_MAX_BYTES - taken : 0;
    if (MOST_PER_BYTE * bytes <= room) {
        return room;
    }
    size_t limit = room;
    while (limit > 0 && texts_len(fields, count, limit) > room) {
        limit -= limit / 8 + 1;
    }
    return limit;
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr("._:/-+,@", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

static void put_time(struct line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    char text[40];
    const size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof text - len, ".%03ldZ", now.tv_nsec / 1000000);
    put_text(line, text);
}

static void put_text_field(struct line *line, const struct log_field *field, size_t limit)
{
    put(line, " ", 1);
    put_text(line, field->name);
    put(line, "=", 1);
    if (str_is_absent(field->text)) {
        put_number(line, field->number);
    } else if (field->text.len <= limit && is_plain(field->text)) {
        put(line, field->text.ptr, field->text.len);
    } else {
        put_quoted(line, field->text, limit);
    }
}

static void put_json_field(struct line *line, const struct log_field *field, size_t limit)
{
    put(line, ",\"", 2);
    put_text(line, field->name);
    put(line, "\":", 2);
    if (str_is_absent(field->text)) {
        put_number(line, field->number);
    } else {
        put_quoted(line, field->text, limit);
    }
}

static void put_text_event(struct line *line, enum log_level level, const char *message,
                           const struct log_field *fields, size_t count)
{
    if (!atomic_load(&state.to_syslog)) {
        put_time(line);
        put(line, " ", 1);
    }
    put_text(line, level_names[level]);
    put_text(line, ": ");
    put(line, message, strnlen(message, MESSAGE_MAX_BYTES));
    const size_t limit = text_limit(line, fields, count);
    for (size_t i = 0; i < count; i++) {
        put_text_field(line, &fields[i], limit);
    }
}

static void put_json_event(struct line *line, enum log_level level, const char *message,
                           const struct log_field *fields, size_t count)
{
    put_text(line, "{\"time\":\"");
    put_time(line);
    put_text(line, "\",\"level\":\"");
    put_text(line, level_names[level]);
    put_text(line, "\",\"message\":");
    put_quoted(line, str_from(message), MESSAGE_MAX_BYTES);
    const size_t limit = text_limit(line, fields, count);
    for (size_t i = 0; i < count; i++) {
        put_json_field(line, &fields[i], limit);
    }
    put(line, "}", 1);
}

// Writes the line with one system call, so that lines of several threads do not mix. A full disk
// may take only part of a line; the next line then begins with a line break.
static bool write_line(struct line *line)
{
    const bool is_torn = atomic_exchange(&state.is_torn, false);
    char newline = '\n';
    struct iovec parts[] = {{.iov_base = &newline, .iov_len = 1},
                            {.iov_base = line->bytes, .iov_len = line->len}};
    const ssize_t want = (ssize_t)(line->len + is_torn);
    const ssize_t written =
        writev(atomic_load(&state.fd), is_torn ? parts : parts + 1, 1 + is_torn);
    if (written != want && (is_torn || written > 0)) {
        atomic_store(&state.is_torn, true);
    }
    return written == want;
}

// Waits up to SLOW_READER_MS for a slow reader, but not again until it has read something.
static bool has_room(void)
{
    struct pollfd ready = {.fd = atomic_load(&state.fd), .events = POLLOUT};
    state.has_stopped = poll(&ready, 1, state.has_stopped ? 0 : SLOW_READER_MS) != 1;
    return !state.has_stopped;
}

// Drops the line if the target has no room: workers must not wait. If there is any room, it is
// enough for a complete line: a page of a pipe, or a share of a socket's buffer. The descriptor
// stays in blocking mode because other processes may share it.
static bool write_line_if_room(struct line *line)
{
    pthread_mutex_lock(&state.write_lock);
    const bool done = has_room() && write_line(line);
    pthread_mutex_unlock(&state.write_lock);
    return done;
}

static void deliver(enum log_level level, struct line *line)
{
    if (atomic_load(&state.to_syslog)) {
        syslog(syslog_priorities[level], "%.*s", (int)line->len, line->bytes);
        return;
    }
    line->bytes[line->len++] = '\n';
    const bool done = atomic_load(&state.may_stop) ? write_line_if_room(line) : write_line(line);
    if (!done) {
        atomic_fetch_add(&state.lost, 1);
    }
}

void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if (!log_wants(level)) {
        return;
    }
    struct line line;
    line.len = 0;
    if (atomic_load(&state.format) == LOG_FORMAT_JSON) {
        put_json_event(&line, level, message, fields, count);
    } else {
        put_text_event(&line, level, message, fields, count);
    }
    deliver(level, &line);
}
