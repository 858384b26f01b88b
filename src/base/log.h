// SPDX-License-Identifier: MIT
// log: what the operator reads. One event is one write, so that lines of several threads or
// processes do not mix. Values are escaped. Never pass a secret.
#ifndef BKFLOW_BASE_LOG_H
#define BKFLOW_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

// A name and its value: TEXT, or NUMBER if TEXT is absent.
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

// Sets the target of all further events. A file is created if necessary and reopened if it was
// open, for log rotation. -1 with errno if it cannot be opened: the old target stays, with the new
// level and format. Before the first call events go to standard error as text. Other threads may
// write events during the call.
int log_open(const struct log_options *options) MUST_CHECK NONNULL;

// Explains an errno of log_open to the person who configured the target.
const char *log_open_mistake(int error);

bool log_wants(enum log_level level);

// Writes the event. Cannot fail: events that the target does not accept are dropped and counted by
// log_lost. A reader of stderr that stops reading is waited for only briefly. syslog may block; its
// library has no other way.
void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t count) __attribute__((nonnull(2)));

#define LOG_EVENT(level, message, ...)                                                             \
    log_event((level), (message), (const struct log_field[]){__VA_ARGS__},                         \
              COUNT_OF(((const struct log_field[]){__VA_ARGS__})))

// Number of events dropped since the program started, for instance because of a full disk.
uint64_t log_lost(void);

#endif
