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

// RFC 3629, section 4: the range of the second byte excludes overlong forms, surrogates and code
// points above U+10FFFF.
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

// Returns the length of the ASCII at the start of TEXT in whole words. Most texts are ASCII only.
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

uint32_t utf8_code_point(const char *sequence, size_t len)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (unsigned char)sequence[0] & masks[len];
    for (size_t i = 1; i < len; i++) {
        point = point << 6 | ((unsigned char)sequence[i] & 0x3F);
    }
    return point;
}

size_t utf8_encode(uint32_t point, char sequence[UTF8_MAX])
{
    const size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--) {
        sequence[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    sequence[0] = (char)(marks[len] | point);
    return len;
}

// Unicode's controls, separators, default ignorable and bidirectional characters, every blank but
// the ASCII one, and what fonts show as a blank; in ascending order.
// clang-format off
static const struct range {
    uint32_t first;
    uint32_t last;
} unseen[] = {
    {0x0000, 0x001F},   {0x007F, 0x00A0}, // controls, no-break space
    {0x00AD, 0x00AD},   {0x034F, 0x034F}, // soft hyphen, grapheme joiner
    {0x061C, 0x061C},   {0x115F, 0x1160}, // Arabic letter mark, Hangul fillers
    {0x1680, 0x1680},   {0x17B4, 0x17B5}, // Ogham space, Khmer inherent vowels
    {0x180B, 0x180F},                     // Mongolian variation selectors
    {0x2000, 0x200F},   {0x2028, 0x202F}, // spaces, zero width, marks, embeddings and overrides
    {0x205F, 0x206F},   {0x2800, 0x2800}, // joiners, isolates; braille blank
    {0x3000, 0x3000},   {0x3164, 0x3164}, // ideographic space, Hangul filler
    {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F}, // noncharacters, variation selectors
    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, // byte order mark, Hangul filler
    {0xFFF0, 0xFFFC},   {0xFFFE, 0xFFFF}, // specials, but for the replacement character
    {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}, // formats, tags
};
// clang-format on

bool utf8_is_visible(uint32_t point)
{
    for (size_t i = 0; i < COUNT_OF(unseen) && unseen[i].first <= point; i++) {
        if (point <= unseen[i].last) {
            return false;
        }
    }
    return true;
}

bool utf8_all_visible(struct str text)
{
    for (size_t at = 0; at < text.len;) {
        const size_t step = utf8_sequence(text.ptr + at, text.len - at);
        if (step == 0 || !utf8_is_visible(utf8_code_point(text.ptr + at, step))) {
            return false;
        }
        at += step;
    }
    return true;
}
