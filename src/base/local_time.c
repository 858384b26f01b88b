// SPDX-License-Identifier: MIT
#include "base/local_time.h"

#include "base/clock.h"
#include "base/regular_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_PER_HOUR = 3600, SECONDS_PER_QUARTER = 900, HOURS_PER_DAY = 24 };

// Whether NAME can be a name of the tz database: relative, and inside its folder.
static bool is_zone_name(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && name[0] != '.' && strstr(name, "..") == NULL &&
           strchr(name, ':') == NULL;
}

const char *local_time_zone_folder(void)
{
    const char *const folder = getenv("TZDIR");
    return folder != NULL ? folder : "/usr/share/zoneinfo";
}

bool local_time_zone_exists(const char *name)
{
    char path[512];
    const int len = snprintf(path, sizeof path, "%s/%s", local_time_zone_folder(), name);
    if (!is_zone_name(name) || len < 0 || (size_t)len >= sizeof path) {
        return false;
    }
    const char *why;
    FILE *const file = regular_file_open(path, &why);
    if (file == NULL) {
        return false;
    }
    char magic[4];
    const bool is_zone = fread(magic, sizeof magic, 1, file) == 1 && memcmp(magic, "TZif", 4) == 0;
    fclose(file);
    return is_zone;
}

int local_time_use_zone(const char *name)
{
    char value[256];
    snprintf(value, sizeof value, ":%s", name);
    if (setenv("TZ", value, 1) != 0) {
        return -1;
    }
    // tzset cannot report errors; it uses UTC if it could not read the file.
    errno = 0;
    tzset();
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -1 : 0;
}

static int32_t offset_at(int64_t seconds)
{
    const time_t time = (time_t)seconds;
    struct tm local;
    return localtime_r(&time, &local) == NULL ? 0 : (int32_t)local.tm_gmtoff;
}

static char *put_two(char *to, unsigned number)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    memcpy(to, &pairs[2 * number], 2);
    return to + 2;
}

// ---- offsets ----

// Returns the offset at SECONDS. Hours in which the offset changes are not cached.
static int32_t find_offset(struct local_time *local_time, int64_t seconds)
{
    const int64_t hour = clock_floor_div(seconds, SECONDS_PER_HOUR);
    struct local_time_hour *const entry =
        &local_time->hours[(uint64_t)hour % LOCAL_TIME_CACHE_HOURS];
    if (LIKELY(entry->is_filled && entry->hour == hour)) {
        return entry->offset;
    }
    const int32_t first = offset_at(hour * SECONDS_PER_HOUR);
    if (first != offset_at(hour * SECONDS_PER_HOUR + SECONDS_PER_HOUR - 1)) {
        return offset_at(seconds);
    }
    *entry = (struct local_time_hour){.hour = hour, .offset = first, .is_filled = true};
    return first;
}

// ---- texts ----

// "YYYY-MM-DD HH:"
static uint8_t format_hour(char text[LOCAL_TIME_HOUR_TEXT_MAX], int64_t local_hour)
{
    const int64_t day = clock_floor_div(local_hour, HOURS_PER_DAY);
    const unsigned hour = (unsigned)(local_hour - day * HOURS_PER_DAY);
    const struct clock_date date = clock_civil_from_days(day);
    if (UNLIKELY(date.year < 0 || date.year > 9999)) {
        return (uint8_t)snprintf(text, LOCAL_TIME_HOUR_TEXT_MAX,
                                 "%04lld-%02u-%02u %02u:", (long long)date.year, date.month,
                                 date.day, hour);
    }
    char *to = put_two(text, (unsigned)date.year / 100);
    to = put_two(to, (unsigned)date.year % 100);
    *to++ = '-';
    to = put_two(to, date.month);
    *to++ = '-';
    to = put_two(to, date.day);
    *to++ = ' ';
    to = put_two(to, hour);
    *to++ = ':';
    return (uint8_t)(to - text);
}

// " +HHMM", or " +HHMMSS" if an old local mean time has seconds, like Python's %z.
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

// Fills in the texts for SECONDS, which is INTO seconds after the beginning of its quarter of an
// hour.
static void fill_quarter(struct local_time_quarter *entry, int64_t seconds, int32_t into,
                         int32_t offset)
{
    const int64_t local = seconds + offset;
    const int64_t hour = clock_floor_div(local, SECONDS_PER_HOUR);
    entry->begin_s = (int32_t)(local - hour * SECONDS_PER_HOUR) - into;
    entry->hour_text_len = format_hour(entry->hour_text, hour);
    entry->suffix_len = format_suffix(entry->suffix, offset);
}

// Caches the quarter unless the offset or the local hour may change in it; in that case the texts
// for SECONDS are in SCRATCH.
static const struct local_time_quarter *make_quarter(struct local_time *local_time, int64_t seconds,
                                                     int64_t quarter,
                                                     struct local_time_quarter *scratch)
{
    const int32_t into = (int32_t)(seconds - quarter * SECONDS_PER_QUARTER);
    const int32_t offset = find_offset(local_time, seconds);
    fill_quarter(scratch, seconds, into, offset);
    if (offset % SECONDS_PER_QUARTER != 0 || find_offset(local_time, seconds - into) != offset ||
        find_offset(local_time, seconds - into + SECONDS_PER_QUARTER - 1) != offset) {
        return scratch;
    }
    struct local_time_quarter *const entry =
        &local_time->quarters[(uint64_t)quarter % LOCAL_TIME_CACHE_QUARTERS];
    *entry = *scratch;
    entry->quarter = quarter;
    entry->is_filled = true;
    return entry;
}

size_t local_time_format(struct local_time *local_time, int64_t us, char text[LOCAL_TIME_TEXT_MAX])
{
    const int64_t seconds = clock_floor_div(us, US_PER_SECOND);
    const int64_t quarter = clock_floor_div(seconds, SECONDS_PER_QUARTER);
    const struct local_time_quarter *entry =
        &local_time->quarters[(uint64_t)quarter % LOCAL_TIME_CACHE_QUARTERS];
    struct local_time_quarter scratch;
    if (UNLIKELY(!entry->is_filled || entry->quarter != quarter)) {
        entry = make_quarter(local_time, seconds, quarter, &scratch);
    }
    const int64_t into = seconds - quarter * SECONDS_PER_QUARTER;
    const unsigned second_of_hour = (unsigned)(entry->begin_s + into);
    memcpy(text, entry->hour_text, sizeof entry->hour_text);
    char *to = text + entry->hour_text_len;
    to = put_two(to, second_of_hour / 60);
    *to++ = ':';
    to = put_two(to, second_of_hour % 60);
    memcpy(to, entry->suffix, sizeof entry->suffix);
    return (size_t)(to + entry->suffix_len - text);
}
