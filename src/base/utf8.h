// SPDX-License-Identifier: MIT
// utf8: the length of one well-formed UTF-8 sequence, as RFC 3629 defines it.
#ifndef BKFLOW_BASE_UTF8_H
#define BKFLOW_BASE_UTF8_H

#include "base/base.h"

// How many bytes the sequence at the front of TEXT takes (1 to 4), or 0 when it is not well formed:
// overlong, a surrogate, above U+10FFFF, or cut off. LEN must be at least 1.
size_t utf8_sequence(const char *text, size_t len) MUST_CHECK NONNULL;

bool utf8_is_valid(struct str text) MUST_CHECK;

#endif
