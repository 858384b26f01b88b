// SPDX-License-Identifier: MIT
// support: what several unit tests need: cmocka, comparisons of borrowed strings, checks that name
// a table's row, a sink for bytes, JSON parsed back, scratch folders.
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

// The borrowed string ACTUAL is exactly the C string EXPECTED; NULL stands for absent.
#define assert_text(actual, expected)                                                              \
    support_assert_text((actual), (expected), "", __FILE__, __LINE__)

// The same for one row of a table, which the failure names.
#define check_text(row, actual, expected)                                                          \
    support_assert_text((actual), (expected), (row), __FILE__, __LINE__)

// CONDITION holds for the row of a table that the failure names.
#define check(row, condition) support_check((condition), (row), #condition, __FILE__, __LINE__)

// The number ACTUAL is EXPECTED for the row of a table that the failure names.
#define check_number(row, actual, expected)                                                        \
    support_check_number((long long)(actual), (long long)(expected), (row), #actual, __FILE__,     \
                         __LINE__)

void support_assert_text(struct str actual, const char *expected, const char *row, const char *file,
                         int line);
void support_check(bool condition, const char *row, const char *text, const char *file, int line);
void support_check_number(long long actual, long long expected, const char *row, const char *text,
                          const char *file, int line);

// Whether the bytes of NEEDLE stand somewhere in TEXT.
bool has_text(struct str text, const char *needle);

// ---- a sink: what an outbuf drains into ----

enum { SINK_BYTES = 4 << 20 };

struct sink {
    char *bytes; // SINK_BYTES of them, and one more for a NUL
    size_t len;
    unsigned calls;
    bool is_finished;   // the last call was said to be the last
    unsigned fail_at;   // the call that fails, counted from 1, and all after it; 0: none
    size_t largest;     // bytes in one call
    uint64_t total;     // bytes in all
    bool is_discarding; // only counts
};

struct sink *sink_new(void);
void sink_free(struct sink *sink);
void sink_clear(struct sink *sink);
int sink_take(void *context, char *bytes, size_t len, bool is_last);
struct str sink_text(const struct sink *sink);

// ---- JSON ----

// The one JSON document that TEXT is, strictly; the test fails when it is none. To be put.
struct json_object *parse_json(struct str text);

// The member at a path like "data/children/n1/state"; the test fails when there is none.
struct json_object *json_at(struct json_object *object, const char *path);

// That member's text.
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

// A new folder; scratch_free removes it with the files in it.
char *scratch_new(void);
void scratch_free(char *folder);

// A new string "FOLDER/NAME", to be freed; with TEXT, the file is written.
char *scratch_path(const char *folder, const char *name);
char *scratch_write(const char *folder, const char *name, const char *text);

// All of a file, terminated, to be freed.
char *read_whole_file(const char *path);

// ---- memory ----

// SIZE bytes, at most GUARDED_MAX, the last of which is the last of a page with no memory behind:
// whoever goes one byte too far is stopped, with or without a sanitizer.
enum { GUARDED_MAX = 64 * 1024 }; // a multiple of any page size
char *guarded_new(size_t size);
void guarded_free(char *bytes, size_t size);

// A copy of TEXT in such memory, to be given back by guarded_free_copy.
struct str guarded_copy(struct str text);
void guarded_free_copy(struct str copy);

// ---- processes ----

// Runs FUNCTION in a child process, which exits with what it returns. The result is the child's
// exit status, or 1000 and the signal's number when one ended it. FUNCTION must not use cmocka's
// checks.
int run_in_child(int (*function)(void *context), void *context);
enum { CHILD_SIGNAL = 1000 };

// ---- chance that can be repeated ----

// xorshift64*: a test's random numbers, the same in every run of it.
struct dice {
    uint64_t state;
};

uint64_t dice_roll(struct dice *dice);
static inline size_t dice_below(struct dice *dice, size_t limit)
{
    return (size_t)(dice_roll(dice) % limit);
}

#endif
