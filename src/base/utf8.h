// SPDX-License-Identifier: MIT
// utf8: well-formed UTF-8 as RFC 3629 defines it, and which characters a reader can see.
#ifndef BKFLOW_BASE_UTF8_H
#define BKFLOW_BASE_UTF8_H

#include "base/base.h"

// Returns the length of the sequence at the start of TEXT (1 to 4), or 0 if it is malformed:
// overlong, a surrogate, above U+10FFFF, or incomplete. LEN must be at least 1.
size_t utf8_sequence(const char *text, size_t len) MUST_CHECK NONNULL;

bool utf8_is_valid(struct str text) MUST_CHECK;

enum { UTF8_MAX = 4 }; // bytes of the longest sequence

// Returns the code point of a well-formed sequence, whose length utf8_sequence gave.
uint32_t utf8_code_point(const char *sequence, size_t len) MUST_CHECK NONNULL;

// Writes a code point up to U+10FFFF that is not a surrogate. Returns the length, 1 to 4.
size_t utf8_encode(uint32_t point, char sequence[UTF8_MAX]) NONNULL;

// Whether a reader can see the character and tell it from others: no control character, nothing of
// zero width, nothing that reorders the text around it, no space except the ASCII one.
bool utf8_is_visible(uint32_t point) MUST_CHECK;

// Whether TEXT is UTF-8 and has only visible characters. Required of names that people compare by
// eye, such as application codes.
bool utf8_all_visible(struct str text) MUST_CHECK;

#endif
