// SPDX-License-Identifier: MIT
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// ---- latencies ----

static void make_room(struct latencies *all, size_t more)
{
    if (all->count + more <= all->capacity) {
        return;
    }
    all->capacity = all->capacity * 2 + more + 4096;
    all->values = realloc(all->values, all->capacity * sizeof *all->values);
    if (all->values == NULL) {
        die("latencies", "out of memory");
    }
}

void latencies_add(struct latencies *all, double seconds)
{
    make_room(all, 1);
    all->values[all->count++] = (uint32_t)(seconds * 1e7);
}

void latencies_append(struct latencies *all, const struct latencies *more)
{
    make_room(all, more->count);
    memcpy(all->values + all->count, more->values, more->count * sizeof *all->values);
    all->count += more->count;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double latencies_percentile(struct latencies *all, unsigned percent)
{
    qsort(all->values, all->count, sizeof *all->values, by_value);
    return all->values[all->count * percent / 100] / 10.0;
}

// ---- options ----

static const struct option_entry *find_option(const char *word, const struct option_entry *entries)
{
    for (; entries->name != NULL; entries++) {
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, entries->name) == 0) {
            return entries;
        }
    }
    die(word, "no such option");
}

static void store(const struct option_entry *option, char *value)
{
    switch (option->kind) {
    case OPTION_TEXT:
        *(char **)option->target = value;
        break;
    case OPTION_NUMBER:
        *(int *)option->target = atoi(value);
        break;
    case OPTION_REAL:
        *(double *)option->target = atof(value);
        break;
    case OPTION_FLAG:
        *(int *)option->target = 1;
        break;
    }
}

void parse_options(char **argv, const struct option_entry *entries)
{
    for (argv++; *argv != NULL; argv++) {
        const struct option_entry *const option = find_option(*argv, entries);
        char *value = NULL;
        if (option->kind != OPTION_FLAG) {
            value = *++argv;
            if (value == NULL) {
                die(option->name, "needs a value");
            }
        }
        store(option, value);
    }
}
