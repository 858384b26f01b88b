// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "support.h"

#include <stdlib.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400 };

// Compares our calendar with the C library's.
static void compare_day(int64_t day)
{
    const time_t moment = (time_t)(day * SECONDS_PER_DAY);
    struct tm library;
    assert_non_null(gmtime_r(&moment, &library));
    const struct clock_date date = clock_civil_from_days(day);
    assert_int_equal(date.year, (int64_t)library.tm_year + 1900);
    assert_int_equal(date.month, library.tm_mon + 1);
    assert_int_equal(date.day, library.tm_mday);
    assert_int_equal(timegm(&library), moment);
    assert_int_equal(clock_days_from_civil(date.year, date.month, date.day), day);
}

static void every_day_of_ten_centuries_matches_the_library(void **state)
{
    (void)state;
    for (int64_t day = -182622; day <= 182622; day++) { // 1470 to 2470
        compare_day(day);
    }
}

static void days_of_distant_years_match_the_library(void **state)
{
    (void)state;
    for (int64_t day = -100000000; day <= 100000000; day += 9973) { // 270,000 years either way
        compare_day(day);
    }
}

static void days_around_each_month_of_four_centuries_match_the_library(void **state)
{
    (void)state;
    for (int year = 0; year < 400; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            const int64_t first = clock_days_from_civil(year, month, 1);
            compare_day(first - 1);
            compare_day(first);
        }
    }
}

static void known_dates_have_the_known_days(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t year;
        unsigned month;
        unsigned day;
        int64_t days;
    } rows[] = {
        {"the epoch", 1970, 1, 1, 0},
        {"the day before it", 1969, 12, 31, -1},
        {"start of the Gregorian calendar", 1582, 10, 15, -141427},
        {"leap day of a century", 2000, 2, 29, 11016},
        {"no leap day in 1900", 1900, 3, 1, -25508},
        {"year 0, the first of an era", 0, 3, 1, -719468},
        {"end of 32-bit time", 2038, 1, 19, 24855},
        {"MySQL's last day", 9999, 12, 31, 2932896},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct clock_date date = clock_civil_from_days(rows[i].days);
        check_number(rows[i].name, clock_days_from_civil(rows[i].year, rows[i].month, rows[i].day),
                     rows[i].days);
        check_number(rows[i].name, date.year, rows[i].year);
        check_number(rows[i].name, date.month, rows[i].month);
        check_number(rows[i].name, date.day, rows[i].day);
    }
}

static void the_wall_clock_is_the_systems_time(void **state)
{
    (void)state;
    const int64_t before = (int64_t)time(NULL);
    const int64_t us = clock_system.wall_us();
    const int64_t after = (int64_t)time(NULL);
    // time() may lag behind the precise clock by a tick.
    assert_true(us >= before * US_PER_SECOND && us < (after + 2) * US_PER_SECOND);
}

static void the_monotonic_clock_counts_microseconds(void **state)
{
    (void)state;
    const int64_t start = clock_monotonic_us();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    const int64_t passed = clock_monotonic_us() - start;
    assert_true(passed >= 20000 && passed < 10 * US_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_ten_centuries_matches_the_library),
        cmocka_unit_test(days_of_distant_years_match_the_library),
        cmocka_unit_test(days_around_each_month_of_four_centuries_match_the_library),
        cmocka_unit_test(known_dates_have_the_known_days),
        cmocka_unit_test(the_wall_clock_is_the_systems_time),
        cmocka_unit_test(the_monotonic_clock_counts_microseconds),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
