// SPDX-License-Identifier: MIT
// clock: the wall clock, which tests can replace, the monotonic clock, and calendar arithmetic.
#ifndef BKFLOW_BASE_CLOCK_H
#define BKFLOW_BASE_CLOCK_H

#include "base/base.h"

#define US_PER_SECOND INT64_C(1000000)

// Stands for a missing time: a NULL column, or an event that has not happened.
#define CLOCK_NO_TIME INT64_MIN

// A source of time. Tests use a function that returns a fixed time.
struct clock {
    int64_t (*wall_us)(void); // microseconds since 1970-01-01 00:00:00 UTC
};

extern const struct clock clock_system;

// Microseconds of a clock that never jumps. Only for limits and durations: its origin is arbitrary.
int64_t clock_monotonic_us(void);

// Divides and rounds down, also below zero: times before 1970 are negative. DIVISOR is positive.
static inline int64_t clock_floor_div(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

// Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar. Any year; MONTH
// is 1-12.
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);

struct clock_date {
    int64_t year;
    unsigned month; // 1-12
    unsigned day;   // 1-31
};

struct clock_date clock_civil_from_days(int64_t days);

#endif
