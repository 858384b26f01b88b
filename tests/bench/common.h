// SPDX-License-Identifier: MIT
// What the floor and the load generator share: clocks, latencies, chance, options.
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>

double now(void);         // seconds, monotonic
double cpu_seconds(void); // this process's

void die(const char *what, const char *why) __attribute__((noreturn));

// Marsaglia's xorshift64; the state may be anything but 0.
uint64_t next_random(uint64_t *state);

struct latencies {
    uint32_t *values; // in units of 100 ns
    size_t count, capacity;
};

void latencies_add(struct latencies *all, double seconds);
void latencies_append(struct latencies *all, const struct latencies *more);

// Of all, which must not be empty: the value that PERCENT of them do not exceed, in microseconds.
double latencies_percentile(struct latencies *all, unsigned percent);

// --name VALUE, or --name alone for a FLAG, stored in a char *, int, double or int.
enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_REAL, OPTION_FLAG };

struct option_entry {
    const char *name;
    enum option_kind kind;
    void *target;
};

// ENTRIES end with a name of NULL. A mistake ends the program.
void parse_options(char **argv, const struct option_entry *entries);

#endif
