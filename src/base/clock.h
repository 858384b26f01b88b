// SPDX-License-Identifier: MIT
// clock: what time it is, wall and monotonic, replaceable by tests; and calendar arithmetic.
#ifndef BKFLOW_BASE_CLOCK_H
#define BKFLOW_BASE_CLOCK_H

#include "base/base.h"

#define US_PER_SECOND INT64_C(1000000)

// Where a time is missing: a column that is NULL, an event that has not happened.
#define CLOCK_NO_TIME INT64_MIN

// A source of time. Tests put in a function that answers a fixed moment.
struct clock {
    int64_t (*wall_us)(void); // microseconds since 1970-01-01 00:00:00 UTC
};

extern const struct clock clock_system;

// Microseconds of a clock that never jumps; for limits and durations only.
int64_t clock_monotonic_us(void);

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; any year, month 1-12.
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);

struct clock_date {
    int64_t year;
    unsigned month; // 1-12
    unsigned day;   // 1-31
};

struct clock_date clock_civil_from_days(int64_t days);

#endif
