// SPDX-License-Identifier: MIT
// local_time: formats a time as BKFlow's local time, "2023-06-15 17:29:41 +0800". The C library
// reads the offsets from the tz database. Offsets are cached per hour. The text without minutes and
// seconds is cached per quarter of an hour, of which all offsets in use today are multiples.
#ifndef BKFLOW_BASE_LOCAL_TIME_H
#define BKFLOW_BASE_LOCAL_TIME_H

#include "base/base.h"

// The longest is "-YYYYYYYYYYYY-MM-DD HH:MM:SS +HHMMSS".
enum {
    LOCAL_TIME_TEXT_MAX = 48,
    LOCAL_TIME_HOUR_TEXT_MAX = 24,
    LOCAL_TIME_CACHE_HOURS = 64,
    LOCAL_TIME_CACHE_QUARTERS = 128,
};

struct local_time_hour {
    int64_t hour;   // hours since 1970-01-01 00:00 UTC
    int32_t offset; // seconds east of UTC, constant within this hour
    bool is_filled;
};

struct local_time_quarter {
    int64_t quarter; // quarters of an hour since 1970-01-01 00:00 UTC
    int32_t begin_s; // seconds from the start of the local hour to its own start
    bool is_filled;
    uint8_t hour_text_len;
    uint8_t suffix_len;
    char suffix[8];                           // " +0800"; not terminated
    char hour_text[LOCAL_TIME_HOUR_TEXT_MAX]; // "2023-06-15 17:"; not terminated
};

// The caches of one thread. Not shared; empty if all zero.
struct local_time {
    struct local_time_hour hours[LOCAL_TIME_CACHE_HOURS];
    struct local_time_quarter quarters[LOCAL_TIME_CACHE_QUARTERS];
};

// Returns the folder of the tz database.
const char *local_time_zone_folder(void) MUST_CHECK;

// Whether the tz database has a zone of this name.
bool local_time_zone_exists(const char *name) MUST_CHECK NONNULL;

// Makes NAME, an existing zone, the time zone of the process. Call it before threads start: the C
// library has one zone for all of them. -1 with errno if memory or descriptors are exhausted.
int local_time_use_zone(const char *name) MUST_CHECK NONNULL;

// Formats US, microseconds since 1970-01-01 UTC, and returns the length. Fractions of a second are
// dropped.
size_t local_time_format(struct local_time *local_time, int64_t us,
                         char text[LOCAL_TIME_TEXT_MAX]) NONNULL;

#endif
