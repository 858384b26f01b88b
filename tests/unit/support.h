// SPDX-License-Identifier: MIT
// support: shared by unit tests: cmocka, comparing borrowed strings, checks that name the row of a
// table, a sink, JSON parsing, scratch folders.
#ifndef BKFLOW_TEST_SUPPORT_H
#define BKFLOW_TEST_SUPPORT_H

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <json.h>

// ---- comparing ----

// cmocka 2 has this instead of assert_in_range.
#ifndef assert_uint_in_range
#define assert_uint_in_range assert_in_range
#endif

// Checks that the borrowed string ACTUAL is the C string EXPECTED; NULL stands for absent.
#define assert_text(actual, expected)                                                              \
    support_assert_text((actual), (expected), "", __FILE__, __LINE__)

// The same for a row of a table; a failure names the row.
#define check_text(row, actual, expected)                                                          \
    support_assert_text((actual), (expected), (row), __FILE__, __LINE__)

// Checks CONDITION for a row of a table; a failure names the row.
#define check(row, condition) support_check((condition), (row), #condition, __FILE__, __LINE__)

// Checks that the number ACTUAL is EXPECTED for a row of a table; a failure names the row.
#define check_number(row, actual, expected)                                                        \
    support_check_number((long long)(actual), (long long)(expected), (row), #actual, __FILE__,     \
                         __LINE__)

void support_assert_text(struct str actual, const char *expected, const char *row, const char *file,
                         int line);
void support_check(bool condition, const char *row, const char *text, const char *file, int line);
void support_check_number(long long actual, long long expected, const char *row, const char *text,
                          const char *file, int line);

// Whether TEXT contains NEEDLE.
bool has_text(struct str text, const char *needle);

// ---- a sink: what an outbuf writes to ----

enum { SINK_BYTES = 4 << 20 };

struct sink {
    char *bytes; // SINK_BYTES and a NUL
    size_t len;
    unsigned calls;
    bool is_finished;   // the last call had is_last set
    unsigned fail_at;   // the first call that fails, counted from 1; 0: none
    size_t largest;     // most bytes in one call
    uint64_t total;     // bytes in total
    bool is_discarding; // only counts
};

struct sink *sink_new(void);
void sink_free(struct sink *sink);
void sink_clear(struct sink *sink);
int sink_take(void *context, char *bytes, size_t len, bool is_last);
struct str sink_text(const struct sink *sink);

// ---- JSON ----

// Parses TEXT, which must be one JSON document; else the test fails. Free with json_object_put.
struct json_object *parse_json(struct str text);

// Returns the member at a path like "data/children/n1/state"; the test fails if there is none.
struct json_object *json_at(struct json_object *object, const char *path);

// The same for the member's value.
const char *json_text(struct json_object *object, const char *path);
int64_t json_number(struct json_object *object, const char *path);

// ---- configurations ----

// What these environment variables make of the defaults; NULL: nothing. The test fails if one of
// them is a mistake. To be freed by conf_free.
struct conf;
struct conf *load_conf(char *const *variables);

// For functions that report mistakes in sentences: shows them.
void print_mistake(void *context, const char *sentence);

// ---- files ----

// Creates a folder; scratch_free removes it with its files.
char *scratch_new(void);
void scratch_free(char *folder);

// Return the string "FOLDER/NAME", to be freed. scratch_write also writes TEXT to the file.
char *scratch_path(const char *folder, const char *name);
char *scratch_write(const char *folder, const char *name, const char *text);

// Returns the content of a file, terminated, to be freed.
char *read_whole_file(const char *path);

// ---- memory ----

// Returns SIZE bytes, at most GUARDED_MAX, at the end of a page that is followed by inaccessible
// memory: accesses past the end crash, with or without a sanitizer.
enum { GUARDED_MAX = 64 * 1024 }; // a multiple of any page size
char *guarded_new(size_t size);
void guarded_free(char *bytes, size_t size);

// Copies TEXT into such memory; free it with guarded_free_copy.
struct str guarded_copy(struct str text);
void guarded_free_copy(struct str copy);

// ---- processes ----

// Runs FUNCTION in a child process and returns its result, or 1000 plus the signal that ended it.
// FUNCTION must not use cmocka's checks.
int run_in_child(int (*function)(void *context), void *context);
enum { CHILD_SIGNAL = 1000 };

// ---- chance that can be repeated ----

// xorshift64*: random numbers that are the same in every run.
struct dice {
    uint64_t state;
};

uint64_t dice_roll(struct dice *dice);
static inline size_t dice_below(struct dice *dice, size_t limit)
{
    return (size_t)(dice_roll(dice) % limit);
}

#endif
