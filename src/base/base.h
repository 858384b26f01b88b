// SPDX-License-Identifier: MIT
// base: compiler attributes and the borrowed string, the two things that every module needs.
#ifndef BKFLOW_BASE_BASE_H
#define BKFLOW_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define NONNULL                __attribute__((nonnull))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))
#define LIKELY(condition)      __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition)    __builtin_expect(!!(condition), 0)

// A borrowed string: not terminated, may contain any byte, owned by somebody else. An absent string
// has a NULL ptr, an empty one does not, so "missing" and "empty" can be told apart.
struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_ABSENT   ((struct str){NULL, 0})

static inline struct str str_from(const char *text)
{
    return text == NULL ? STR_ABSENT : (struct str){text, strlen(text)};
}

static inline bool str_is_absent(struct str s)
{
    return s.ptr == NULL;
}

// Compares byte for byte: no case folding, no padding, no locale. Absent equals only absent.
static inline bool str_equal(struct str a, struct str b)
{
    if (a.len != b.len || (a.ptr == NULL) != (b.ptr == NULL)) {
        return false;
    }
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

// Returns S without its first N bytes; empty if S is shorter.
static inline struct str str_skip(struct str s, size_t n)
{
    n = n < s.len ? n : s.len;
    return (struct str){s.ptr + n, s.len - n};
}

// Removes spaces and tabs (RFC 9110's optional white space) from both ends.
static inline struct str str_trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = str_skip(s, 1);
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

// Removes everything up to the first SEPARATOR from the front of *REST and returns it without the
// separator. If there is no separator, returns all of *REST and makes *REST absent.
static inline struct str str_cut(struct str *rest, char separator)
{
    const char *const at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    const struct str head = {rest->ptr, at == NULL ? rest->len : (size_t)(at - rest->ptr)};
    *rest = at == NULL ? STR_ABSENT : str_skip(*rest, head.len + 1);
    return head;
}

#endif
