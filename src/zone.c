// SPDX-License-Identifier: MIT
#include "zone.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_PER_HOUR = 3600, SECONDS_PER_DAY = 86400 };

static int64_t floor_div(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

// A name of the tz database: relative, and without a way out of its folder.
static bool is_zone_name(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && name[0] != '.' && strstr(name, "..") == NULL &&
           strchr(name, ':') == NULL;
}

bool zone_exists(const char *name)
{
    const char *const folder = getenv("TZDIR");
    char path[512];
    const int len =
        snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name);
    if (!is_zone_name(name) || len < 0 || (size_t)len >= sizeof path) {
        return false;
    }
    FILE *const file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char magic[4];
    const bool is_zone = fread(magic, sizeof magic, 1, file) == 1 && memcmp(magic, "TZif", 4) == 0;
    fclose(file);
    return is_zone;
}

int zone_use(const char *name)
{
    char value[256];
    snprintf(value, sizeof value, ":%s", name);
    if (setenv("TZ", value, 1) != 0) {
        return -1;
    }
    tzset();
    return 0;
}

static int32_t offset_at(int64_t seconds)
{
    const time_t moment = (time_t)seconds;
    struct tm local;
    return localtime_r(&moment, &local) == NULL ? 0 : (int32_t)local.tm_gmtoff;
}

static char *put_two(char *to, unsigned number)
{
    to[0] = (char)('0' + number / 10);
    to[1] = (char)('0' + number % 10);
    return to + 2;
}

// " +HHMM", or with seconds where an old local mean time has them, as Python's %z writes it.
static uint8_t format_suffix(char suffix[8], int32_t offset)
{
    const unsigned seconds = (unsigned)(offset < 0 ? -offset : offset);
    char *to = suffix;
    *to++ = ' ';
    *to++ = offset < 0 ? '-' : '+';
    to = put_two(to, seconds / SECONDS_PER_HOUR % 100);
    to = put_two(to, seconds / 60 % 60);
    if (seconds % 60 != 0) {
        to = put_two(to, seconds % 60);
    }
    return (uint8_t)(to - suffix);
}

static void fill(struct zone_hour *entry, int64_t hour, int32_t offset)
{
    entry->hour = hour;
    entry->offset = offset;
    entry->suffix_len = format_suffix(entry->suffix, offset);
    entry->is_filled = true;
}

// The entry that holds for SECONDS. An hour in which the offset changes is not kept: SCRATCH holds
// its answer for this one moment.
static const struct zone_hour *find_hour(struct zone *zone, int64_t seconds,
                                         struct zone_hour *scratch)
{
    const int64_t hour = floor_div(seconds, SECONDS_PER_HOUR);
    struct zone_hour *const entry = &zone->hours[(uint64_t)hour % ZONE_CACHE_HOURS];
    if (LIKELY(entry->is_filled && entry->hour == hour)) {
        return entry;
    }
    const int32_t first = offset_at(hour * SECONDS_PER_HOUR);
    if (first == offset_at(hour * SECONDS_PER_HOUR + SECONDS_PER_HOUR - 1)) {
        fill(entry, hour, first);
        return entry;
    }
    fill(scratch, hour, offset_at(seconds));
    return scratch;
}

static void fill_day(struct zone *zone, int64_t day)
{
    const struct clock_date date = clock_civil_from_days(day);
    if (LIKELY(date.year >= 0 && date.year <= 9999)) {
        char *to = put_two(zone->day_text, (unsigned)date.year / 100);
        to = put_two(to, (unsigned)date.year % 100);
        *to++ = '-';
        to = put_two(to, date.month);
        *to++ = '-';
        to = put_two(to, date.day);
        *to++ = ' ';
        zone->day = day;
        zone->day_len = (uint8_t)(to - zone->day_text);
        return;
    }
    const int len = snprintf(zone->day_text, sizeof zone->day_text, "%04lld-%02u-%02u ",
                             (long long)date.year, date.month, date.day);
    zone->day = day;
    zone->day_len = (uint8_t)len;
}

size_t zone_format(struct zone *zone, int64_t us, char text[ZONE_TEXT_MAX])
{
    const int64_t seconds = floor_div(us, US_PER_SECOND);
    struct zone_hour scratch;
    const struct zone_hour *const entry = find_hour(zone, seconds, &scratch);
    const int64_t local = seconds + entry->offset;
    const int64_t day = floor_div(local, SECONDS_PER_DAY);
    if (UNLIKELY(zone->day != day || zone->day_len == 0)) {
        fill_day(zone, day);
    }
    const unsigned second_of_day = (unsigned)(local - day * SECONDS_PER_DAY);
    memcpy(text, zone->day_text, sizeof zone->day_text);
    char *to = text + zone->day_len;
    to = put_two(to, second_of_day / SECONDS_PER_HOUR);
    *to++ = ':';
    to = put_two(to, second_of_day / 60 % 60);
    *to++ = ':';
    to = put_two(to, second_of_day % 60);
    memcpy(to, entry->suffix, sizeof entry->suffix);
    return (size_t)(to + entry->suffix_len - text);
}
