// SPDX-License-Identifier: MIT
#include "conf/conf_parse_priv.h"

#include "base/local_time.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// ---- mistakes ----

int conf_refuse_because(const struct conf_value *value, const char *format, ...)
{
    char reason[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    conf_mistake(value->mistakes, "%s: %s", value->place, reason);
    return -1;
}

int conf_refuse(const struct conf_value *value)
{
    // Masks password_file as well: people put the password itself there.
    const bool may_be_secret = strncmp(value->key->name, "password", strlen("password")) == 0;
    return conf_refuse_because(value, "expected %s, not \"%s\"", value->key->expected,
                               may_be_secret ? "****" : value->text);
}

// ---- texts ----

int conf_parse_text(const struct conf_value *value)
{
    *(const char **)value->member = value->text;
    return 0;
}

int conf_parse_ignored(const struct conf_value *value)
{
    (void)value;
    return 0;
}

int conf_parse_path(const struct conf_value *value)
{
    const char *const text = value->text;
    const int64_t max = value->key->max;
    if (max > 0 && (int64_t)strlen(text) > max) {
        return conf_refuse_because(value, "the path is longer than %d characters", (int)max);
    }
    return text[0] == '\0' || text[0] == '/' ? conf_parse_text(value) : conf_refuse(value);
}

int conf_parse_log_target(const struct conf_value *value)
{
    const char *const text = value->text;
    const bool is_known = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 ||
                          strncmp(text, "file:/", 6) == 0;
    return is_known ? conf_parse_text(value) : conf_refuse(value);
}

int conf_parse_zone(const struct conf_value *value)
{
    if (local_time_zone_exists(value->text)) {
        return conf_parse_text(value);
    }
    return local_time_zone_exists("UTC")
               ? conf_refuse(value)
               : conf_refuse_because(value,
                                     "there is no time zone database in %s: install the package "
                                     "tzdata (\"%s\" is looked up there)",
                                     local_time_zone_folder(), value->text);
}

// ---- numbers ----

int conf_parse_bool(const struct conf_value *value)
{
    const bool is_on = strcmp(value->text, "on") == 0;
    *(bool *)value->member = is_on;
    return is_on || strcmp(value->text, "off") == 0 ? 0 : conf_refuse(value);
}

struct unit {
    const char *text;
    int64_t factor;
};

// Parses an integer followed by one of the units.
static int parse_scaled(const struct conf_value *value, const struct unit *units, size_t count)
{
    const struct conf_key *const key = value->key;
    int64_t *const member = value->member;
    char *end;
    errno = 0;
    const long long number = strtoll(value->text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)value->text[0])) {
        return conf_refuse(value);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].text) == 0) {
            const bool overflows = __builtin_mul_overflow((int64_t)number, units[i].factor, member);
            const bool is_good = !overflows && *member >= key->min && *member <= key->max;
            return is_good ? 0 : conf_refuse(value);
        }
    }
    return conf_refuse(value);
}

int conf_parse_number(const struct conf_value *value)
{
    static const struct unit none[] = {{"", 1}};
    return parse_scaled(value, none, COUNT_OF(none));
}

// The processors that this process may use, as far as more workers pay off: with more workers than
// that, groups are smaller and each request costs more.
static int64_t default_workers(void)
{
    enum { FEWEST = 2, MOST = 4 };
    cpu_set_t set;
    const int64_t processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return processors < FEWEST ? FEWEST : processors > MOST ? MOST : processors;
}

int conf_parse_workers(const struct conf_value *value)
{
    if (strcmp(value->text, "auto") == 0) {
        *(int64_t *)value->member = default_workers();
        return 0;
    }
    return conf_parse_number(value);
}

int conf_parse_size(const struct conf_value *value)
{
    static const struct unit units[] = {{"", 1}, {"k", 1024}, {"m", INT64_C(1024) * 1024}};
    return parse_scaled(value, units, COUNT_OF(units));
}

int conf_parse_duration(const struct conf_value *value)
{
    static const struct unit units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
    };
    return parse_scaled(value, units, COUNT_OF(units));
}

// ---- enums ----

// Parses an enum: its constants count the words of CHOICES from 0.
static int choose(const struct conf_value *value, const char *const *choices, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(value->text, choices[i]) == 0) {
            memcpy(value->member, &i, sizeof i);
            return 0;
        }
    }
    return conf_refuse(value);
}
_Static_assert(sizeof(enum lang) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned),
               "choose stores an unsigned");

int conf_parse_language(const struct conf_value *value)
{
    static const char *const languages[] = {[LANG_EN] = "en", [LANG_ZH] = "zh-cn"};
    return choose(value, languages, COUNT_OF(languages));
}

int conf_parse_level(const struct conf_value *value)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    return choose(value, levels, COUNT_OF(levels));
}

int conf_parse_format(const struct conf_value *value)
{
    static const char *const formats[] = {"text", "json"};
    return choose(value, formats, COUNT_OF(formats));
}
