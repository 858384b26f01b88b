// SPDX-License-Identifier: MIT
// zone: turns moments into BKFlow's local time text, "2023-06-15 17:29:41 +0800". Offsets come from
// the tz database by way of the C library. They are kept per hour, and the text around minutes and
// seconds per quarter of an hour, of which all offsets of today are multiples: that makes it cheap.
#ifndef BKFLOW_ZONE_H
#define BKFLOW_ZONE_H

#include "base.h"

// "-YYYYYYYYYYYY-MM-DD HH:MM:SS +HHMMSS" at the most.
enum {
    ZONE_TEXT_MAX = 48,
    ZONE_HOUR_TEXT_MAX = 24,
    ZONE_CACHE_HOURS = 64,
    ZONE_CACHE_QUARTERS = 128,
};

struct zone_hour {
    int64_t hour;   // hours since 1970-01-01 00:00 UTC
    int32_t offset; // seconds east of UTC, all through this hour
    bool is_filled;
};

struct zone_quarter {
    int64_t quarter; // quarters of an hour since 1970-01-01 00:00 UTC
    int32_t begin_s; // seconds of the local hour at its beginning
    bool is_filled;
    uint8_t hour_text_len;
    uint8_t suffix_len;
    char suffix[8];                     // " +0800"; not terminated
    char hour_text[ZONE_HOUR_TEXT_MAX]; // "2023-06-15 17:"; not terminated
};

// What one thread remembers; not to be shared. All zero is an empty one.
struct zone {
    struct zone_hour hours[ZONE_CACHE_HOURS];
    struct zone_quarter quarters[ZONE_CACHE_QUARTERS];
};

// Whether NAME is a zone of this system's tz database.
bool zone_exists(const char *name) MUST_CHECK NONNULL;

// Makes NAME, which exists, the zone of the whole process. Must run before threads start: the C
// library has one zone for all. -1 with errno when the environment cannot be changed.
int zone_use(const char *name) MUST_CHECK NONNULL;

// Writes the moment US (microseconds since 1970 UTC; fractions of seconds are cut) and returns how
// many bytes that took.
size_t zone_format(struct zone *zone, int64_t us, char text[ZONE_TEXT_MAX]) NONNULL;

#endif
