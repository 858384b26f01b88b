// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "support.h"
#include "base/local_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { HOUR = 3600 };

// Zones with daylight saving in both hemispheres, by half an hour, negative, abolished, with
// unusual offsets and with skipped days.
static const char *const zones[] = {
    "Asia/Shanghai",    "UTC",
    "Europe/Berlin",    "Europe/Dublin",
    "America/New_York", "America/St_Johns",
    "Asia/Kathmandu",   "Australia/Lord_Howe",
    "Pacific/Apia",     "America/Sao_Paulo",
    "Asia/Tehran",      "Africa/Casablanca",
    "Antarctica/Troll", "Pacific/Chatham",
};

static void use_zone(const char *name)
{
    assert_true(local_time_zone_exists(name));
    assert_int_equal(local_time_use_zone(name), 0);
}

// Compares with the C library, which does not pad years and has no seconds in offsets: only for
// years from 1000 and offsets of whole minutes.
static void compare(const char *name, struct local_time *zone, int64_t seconds, int64_t fraction_us)
{
    char text[LOCAL_TIME_TEXT_MAX];
    char expected[64];
    const time_t moment = (time_t)seconds;
    struct tm local;
    assert_non_null(localtime_r(&moment, &local));
    strftime(expected, sizeof expected, "%Y-%m-%d %H:%M:%S %z", &local);
    const size_t len = local_time_format(zone, seconds * US_PER_SECOND + fraction_us, text);
    check_text(name, ((struct str){text, len}), expected);
}

static void every_half_hour_of_a_year_matches_the_library(void **state)
{
    (void)state;
    const int64_t start = clock_days_from_civil(2023, 1, 1) * 24 * HOUR;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct local_time zone = {0};
        use_zone(zones[i]);
        for (int64_t at = 0; at < INT64_C(366) * 24 * HOUR; at += HOUR / 2) {
            compare(zones[i], &zone, start + at, 0);
            compare(zones[i], &zone, start + at + HOUR / 2 - 1, 999999);
        }
    }
}

static int64_t offset_at(int64_t seconds)
{
    const time_t moment = (time_t)seconds;
    struct tm local;
    assert_non_null(localtime_r(&moment, &local));
    return local.tm_gmtoff;
}

// Returns the first second from FROM with another offset than the second before; UNTIL if there is
// none.
static int64_t next_change(int64_t from, int64_t until)
{
    const int64_t step = 12 * HOUR;
    int64_t low = from;
    while (low < until && offset_at(low) == offset_at(low + step)) {
        low += step;
    }
    int64_t high = low + step;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (offset_at(middle) == offset_at(low)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high < until ? high : until;
}

static void seconds_around_every_offset_change_match_the_library(void **state)
{
    (void)state;
    const int64_t start = clock_days_from_civil(1940, 1, 1) * 24 * HOUR;
    const int64_t until = clock_days_from_civil(2030, 1, 1) * 24 * HOUR;
    unsigned changes = 0;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct local_time zone = {0};
        use_zone(zones[i]);
        for (int64_t at = next_change(start, until); at < until; at = next_change(at, until)) {
            changes++;
            for (int64_t s = -HOUR; s <= HOUR; s += s >= -40 && s < 40 ? 1 : 40) {
                compare(zones[i], &zone, at + s, 500000);
            }
        }
    }
    assert_true(changes > 900);
}

static void times_in_any_order_match_the_library(void **state)
{
    (void)state;
    struct dice dice = {9};
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct local_time zone = {0};
        use_zone(zones[i]);
        for (unsigned round = 0; round < 20000; round++) {
            // Several days apart, so that they compete for the cache's entries.
            compare(zones[i], &zone,
                    INT64_C(1600000000) +
                        (int64_t)dice_below(&dice, 200) * LOCAL_TIME_CACHE_HOURS * HOUR +
                        (int64_t)dice_below(&dice, HOUR),
                    0);
        }
    }
}

static void hours_that_share_a_cache_entry_do_not_mix(void **state)
{
    (void)state;
    struct local_time zone = {0};
    use_zone("Europe/Berlin");
    const int64_t winter = clock_days_from_civil(2023, 1, 1) * 24 * HOUR;
    const int64_t distance = (int64_t)LOCAL_TIME_CACHE_HOURS * HOUR * 75; // 200 days: summer
    for (unsigned round = 0; round < 3; round++) {
        compare("winter", &zone, winter, 0);
        compare("summer", &zone, winter + distance, 0);
    }
    assert_true(offset_at(winter) != offset_at(winter + distance));
}

static void known_times_have_the_known_text(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t us;
        const char *expected;
    } rows[] = {
        {"Asia/Shanghai", INT64_C(1686821381000000), "2023-06-15 17:29:41 +0800"},
        {"Asia/Shanghai", INT64_C(1686821381999999), "2023-06-15 17:29:41 +0800"},
        {"Asia/Shanghai", 0, "1970-01-01 08:00:00 +0800"},
        {"Asia/Shanghai", -1, "1970-01-01 07:59:59 +0800"}, // rounded down, before 1970 too
        {"UTC", -1, "1969-12-31 23:59:59 +0000"},
        {"UTC", -1000000, "1969-12-31 23:59:59 +0000"},
        {"UTC", -1000001, "1969-12-31 23:59:58 +0000"},
        {"Asia/Kathmandu", INT64_C(1686821381000000), "2023-06-15 15:14:41 +0545"},
        {"America/St_Johns", INT64_C(1686821381000000), "2023-06-15 06:59:41 -0230"},
        // The hour that is skipped when summer time begins, and the one that is repeated when it
        // ends.
        {"Europe/Berlin", INT64_C(1679792399000000), "2023-03-26 01:59:59 +0100"},
        {"Europe/Berlin", INT64_C(1679792400000000), "2023-03-26 03:00:00 +0200"},
        {"Europe/Berlin", INT64_C(1698541199000000), "2023-10-29 02:59:59 +0200"},
        {"Europe/Berlin", INT64_C(1698541200000000), "2023-10-29 02:00:00 +0100"},
        // The day that Samoa skipped.
        {"Pacific/Apia", INT64_C(1325239199000000), "2011-12-29 23:59:59 -1000"},
        {"Pacific/Apia", INT64_C(1325239200000000), "2011-12-31 00:00:00 +1400"},
        // Local mean times have seconds, which Python writes.
        {"Asia/Shanghai", INT64_C(-2208988800000000), "1900-01-01 08:05:43 +080543"},
        {"Europe/Berlin", INT64_C(2515000000000000), "2049-09-11 21:06:40 +0200"},
        {"Africa/Monrovia", 0, "1969-12-31 23:15:30 -004430"},
        // The limits of MySQL's datetime, and years of more than four digits.
        {"Asia/Shanghai", INT64_C(253402300799999999), "10000-01-01 07:59:59 +0800"},
        {"UTC", INT64_C(253402300799999999), "9999-12-31 23:59:59 +0000"},
        {"UTC", INT64_C(-62135596800000000), "0001-01-01 00:00:00 +0000"},
        {"UTC", INT64_C(-30610224000000000), "1000-01-01 00:00:00 +0000"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct local_time zone = {0};
        char text[LOCAL_TIME_TEXT_MAX];
        use_zone(rows[i].zone);
        const size_t len = local_time_format(&zone, rows[i].us, text);
        check_text(rows[i].zone, ((struct str){text, len}), rows[i].expected);
    }
}

static void the_extremes_of_time_fit_the_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct local_time zone = {0};
        char text[LOCAL_TIME_TEXT_MAX];
        use_zone(zones[i]);
        assert_uint_in_range(local_time_format(&zone, INT64_MAX, text), 20, LOCAL_TIME_TEXT_MAX);
        assert_uint_in_range(local_time_format(&zone, INT64_MIN, text), 20, LOCAL_TIME_TEXT_MAX);
    }
}

static void only_names_in_the_tz_database_exist(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool exists;
    } rows[] = {
        {"Asia/Shanghai", true},
        {"UTC", true},
        {"Etc/GMT+8", true},
        {"America/Argentina/Buenos_Aires", true},
        {"", false},
        {"Asia", false}, // a folder
        {"Asia/", false},
        {"Asia/Nowhere", false},
        {"asia/shanghai", false},
        {"zone.tab", false}, // a file, but not a zone
        {"/usr/share/zoneinfo/UTC", false},
        {"../zoneinfo/UTC", false},
        {"Asia/../UTC", false},
        {"./UTC", false},
        {":UTC", false},
        {"CST-8", false}, // a POSIX rule
        {"UTC ", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].name, local_time_zone_exists(rows[i].name) == rows[i].exists);
    }
}

static void a_too_long_name_does_not_exist(void **state)
{
    (void)state;
    char name[2000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_false(local_time_zone_exists(name));
}

static void zones_are_searched_where_the_library_searches(void **state)
{
    (void)state;
    char *const folder = scratch_new();
    char *const path = scratch_write(folder, "Mine", "TZif and so on");
    assert_false(local_time_zone_exists("Mine"));
    assert_int_equal(setenv("TZDIR", folder, 1), 0);
    assert_true(local_time_zone_exists("Mine"));
    assert_int_equal(unsetenv("TZDIR"), 0);
    free(path);
    scratch_free(folder);
}

static int use_zone_without_descriptors(void *name)
{
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    const struct rlimit none = {0, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int used = local_time_use_zone(name);
    setrlimit(RLIMIT_NOFILE, &usual); // a sanitizer opens files at the end
    return used == -1 ? 0 : 1;
}

// The library would use UTC.
static void an_unreadable_zone_is_a_failure(void **state)
{
    (void)state;
    char name[] = "Europe/Berlin";
    assert_int_equal(run_in_child(use_zone_without_descriptors, name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_hour_of_a_year_matches_the_library),
        cmocka_unit_test(seconds_around_every_offset_change_match_the_library),
        cmocka_unit_test(times_in_any_order_match_the_library),
        cmocka_unit_test(hours_that_share_a_cache_entry_do_not_mix),
        cmocka_unit_test(known_times_have_the_known_text),
        cmocka_unit_test(the_extremes_of_time_fit_the_text),
        cmocka_unit_test(only_names_in_the_tz_database_exist),
        cmocka_unit_test(a_too_long_name_does_not_exist),
        cmocka_unit_test(zones_are_searched_where_the_library_searches),
        cmocka_unit_test(an_unreadable_zone_is_a_failure),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
