// SPDX-License-Identifier: MIT
#include "base/utf8.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

static bool all_continuations(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_continuation(bytes[i])) {
            return false;
        }
    }
    return true;
}

// RFC 3629, section 4: the second byte's range is what rules out overlong forms, surrogates and
// code points above U+10FFFF.
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second <= 0x9F;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second <= 0x8F;
    default:
        return true;
    }
}

size_t utf8_sequence(const char *text, size_t len)
{
    const unsigned char *const bytes = (const unsigned char *)text;
    const unsigned char first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    const size_t need = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (len < need || !all_continuations(bytes + 1, need - 1) ||
        !second_byte_fits(first, bytes[1])) {
        return 0;
    }
    return need;
}

// How many bytes of ASCII TEXT begins with, in whole words: most texts are nothing else.
static size_t ascii_words(const char *text, size_t len)
{
    size_t at = 0;
    for (uint64_t word; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
    }
    return at;
}

bool utf8_is_valid(struct str text)
{
    for (size_t at = ascii_words(text.ptr, text.len); at < text.len;) {
        const size_t step = utf8_sequence(text.ptr + at, text.len - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}
