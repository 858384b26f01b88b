// SPDX-License-Identifier: MIT
// log: what the operator reads. One event is one write, so that lines of several threads or
// processes never mix. Values are escaped; a secret must not be given to it at all.
#ifndef BKFLOW_BASE_LOG_H
#define BKFLOW_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

// One name and its value; the value is TEXT, or NUMBER when TEXT is absent.
struct log_field {
    const char *name;
    struct str text;
    int64_t number;
};

#define LOG_TEXT(name, value)   ((struct log_field){(name), (value), 0})
#define LOG_NUMBER(name, value) ((struct log_field){(name), STR_ABSENT, (value)})

struct log_options {
    const char *target; // "stderr", "syslog" or "file:/path"; borrowed until the next call
    enum log_level level;
    enum log_format format;
};

// Where events go from now on; the file is created if need be, and opened anew if it was open,
// which is how rotation works. -1 with errno when it cannot be opened: the old target stays. Before
// the first call events go to standard error as text. May run beside writers in other threads.
int log_open(const struct log_options *options) MUST_CHECK NONNULL;

// What an errno of log_open's means for who wrote the target down.
const char *log_open_mistake(int error);

bool log_wants(enum log_level level);

// Writes the event; cannot fail: what the target does not take is lost, counted by log_lost. Who
// reads stderr may stop doing so: after a moment that is a target that takes nothing. (A syslog
// that stops is waited for: its library knows no other way.)
void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t count) __attribute__((nonnull(2)));

#define LOG_EVENT(level, message, ...)                                                             \
    log_event((level), (message), (const struct log_field[]){__VA_ARGS__},                         \
              COUNT_OF(((const struct log_field[]){__VA_ARGS__})))

// Events that could not be written since the program started, for instance on a full disk.
uint64_t log_lost(void);

#endif
