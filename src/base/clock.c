// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); // cannot fail for the clocks used here
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

const struct clock clock_system = {.wall_us = system_wall_us};

int64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

// Both conversions count in eras of 400 years (146,097 days) and in years that start on 1 March,
// which puts the leap day at the end of the year (Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms").
enum { DAYS_PER_ERA = 146097, DAYS_FROM_ERA_TO_1970 = 719468 };

int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const unsigned year_of_era = (unsigned)(y - era * 400);
    const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const unsigned day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + (int64_t)day_of_era - DAYS_FROM_ERA_TO_1970;
}

struct clock_date clock_civil_from_days(int64_t days)
{
    const int64_t shifted = days + DAYS_FROM_ERA_TO_1970;
    const int64_t era = (shifted >= 0 ? shifted : shifted - DAYS_PER_ERA + 1) / DAYS_PER_ERA;
    const unsigned day_of_era = (unsigned)(shifted - era * DAYS_PER_ERA);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned march_month = (5 * day_of_year + 2) / 153;
    const unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct clock_date){
        .year = (int64_t)year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
}
