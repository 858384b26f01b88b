// SPDX-License-Identifier: MIT
// zone: turns moments into BKFlow's local time text, "2023-06-15 17:29:41 +0800". Offsets come from
// the tz database by way of the C library. They are kept per hour, and the text around minutes and
// seconds per quarter of an hour, of which all offsets of today are multiples: that makes it cheap.
#ifndef BKFLOW_BASE_LOCAL_TIME_H
#define BKFLOW_BASE_LOCAL_TIME_H

#include "base/base.h"

// "-YYYYYYYYYYYY-MM-DD HH:MM:SS +HHMMSS" at the most.
enum {
    LOCAL_TIME_TEXT_MAX = 48,
    LOCAL_TIME_HOUR_TEXT_MAX = 24,
    LOCAL_TIME_CACHE_HOURS = 64,
    LOCAL_TIME_CACHE_QUARTERS = 128,
};

struct local_time_hour {
    int64_t hour;   // hours since 1970-01-01 00:00 UTC
    int32_t offset; // seconds east of UTC, all through this hour
    bool is_filled;
};

struct local_time_quarter {
    int64_t quarter; // quarters of an hour since 1970-01-01 00:00 UTC
    int32_t begin_s; // seconds of the local hour at its beginning
    bool is_filled;
    uint8_t hour_text_len;
    uint8_t suffix_len;
    char suffix[8];                           // " +0800"; not terminated
    char hour_text[LOCAL_TIME_HOUR_TEXT_MAX]; // "2023-06-15 17:"; not terminated
};

// What one thread remembers; not to be shared. All zero is an empty one.
struct local_time {
    struct local_time_hour hours[LOCAL_TIME_CACHE_HOURS];
    struct local_time_quarter quarters[LOCAL_TIME_CACHE_QUARTERS];
};

// Where this system's tz database is looked for.
const char *local_time_zone_folder(void) MUST_CHECK;

// Whether NAME is a zone of this system's tz database.
bool local_time_zone_exists(const char *name) MUST_CHECK NONNULL;

// Makes NAME, which exists, the zone of the whole process. Must run before threads start: the C
// library has one zone for all. -1 with errno when there is no memory or no descriptor for it.
int local_time_use_zone(const char *name) MUST_CHECK NONNULL;

// Writes the moment US (microseconds since 1970 UTC; fractions of seconds are cut) and returns how
// many bytes that took.
size_t local_time_format(struct local_time *zone, int64_t us,
                         char text[LOCAL_TIME_TEXT_MAX]) NONNULL;

#endif
