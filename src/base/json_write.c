// SPDX-License-Identifier: MIT
#include "base/json_write.h"

#include "base/utf8.h"

// The most that one step writes; every step reserves it first.
enum { LONGEST_ESCAPE = 6, CHUNK = 128, LONGEST_AT_ONCE = 256 };
_Static_assert(4 + CHUNK * LONGEST_ESCAPE <= OUTBUF_MIN_CAPACITY, "a chunk must fit the buffer");

static void put(struct json_writer *json, const char *bytes, size_t len)
{
    char *const to = outbuf_reserve(json->out, len);
    memcpy(to, bytes, len);
    outbuf_claim(json->out, to + len);
}

static bool begin_key(struct json_writer *json)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return false;
    }
    if (json->has_member) {
        put(json, ",", 1);
    }
    json->wants_key = false;
    return true;
}

static bool is_ordinary(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static char *put_control(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *to++ = '\\';
    if (letters[byte] != '\0') {
        *to++ = letters[byte];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = hex[byte >> 4];
    to[4] = hex[byte & 15];
    return to + 5;
}

// Writes the first character of TEXT, escaped if necessary. Returns the number of bytes read.
static size_t put_character(char **to, const char *text, size_t len)
{
    const unsigned char byte = (unsigned char)text[0];
    if (byte == '"' || byte == '\\') {
        *(*to)++ = '\\';
        *(*to)++ = (char)byte;
        return 1;
    }
    if (byte < 0x20) {
        *to = put_control(*to, byte);
        return 1;
    }
    const size_t step = utf8_sequence(text, len);
    if (step == 0) {
        memcpy(*to, "\xEF\xBF\xBD", 3);
        *to += 3;
        return 1;
    }
    memcpy(*to, text, step);
    *to += step;
    return step;
}

// Writes at least CHUNK bytes of the text, or all of it; the last character may extend further. The
// caller has reserved the room at TO. Returns the number of bytes read.
static size_t put_chunk(char **to, const char *text, size_t len)
{
    const size_t limit = len < CHUNK ? len : CHUNK;
    size_t at = 0;
    while (at < limit) {
        const unsigned char byte = (unsigned char)text[at];
        if (LIKELY(is_ordinary(byte))) {
            *(*to)++ = (char)byte;
            at++;
        } else {
            at += put_character(to, text + at, len - at);
        }
    }
    return at;
}

// ---- text that needs no escape, many bytes at a time ----

typedef int8_t block __attribute__((vector_size(16)));

// Copies 16 bytes and adds to ODD which of them need a closer look. As signed numbers, control
// characters and all bytes of a UTF-8 sequence are less than the space. Blocks are not passed by
// value: how that is done depends on the processor's extensions.
static inline void copy_block(char *to, const char *from, block *odd)
{
    block bytes;
    memcpy(&bytes, from, sizeof bytes);
    memcpy(to, &bytes, sizeof bytes);
    *odd |= (bytes < ' ') | (bytes == '"') | (bytes == '\\');
}

static inline bool has_none(const block *odd)
{
    uint64_t halves[2];
    memcpy(halves, odd, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

typedef int8_t half_block __attribute__((vector_size(8)));

static inline bool copy_half_block(char *to, const char *from)
{
    half_block bytes;
    memcpy(&bytes, from, sizeof bytes);
    memcpy(to, &bytes, sizeof bytes);
    const half_block odd = (bytes < ' ') | (bytes == '"') | (bytes == '\\');
    uint64_t all;
    memcpy(&all, &odd, sizeof all);
    return all == 0;
}

static inline bool copy_short(char *to, const char *from, size_t len)
{
    if (len >= sizeof(half_block)) {
        const size_t last = len - sizeof(half_block);
        return copy_half_block(to, from) && copy_half_block(to + last, from + last);
    }
    bool is_ordinary_all = true;
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i];
        is_ordinary_all = is_ordinary_all && is_ordinary((unsigned char)from[i]);
    }
    return is_ordinary_all;
}

// Copies the text; false if some of it must be escaped. The last block overlaps the one before.
static inline bool copy_ordinary(char *to, const char *from, size_t len)
{
    if (len < sizeof(block)) {
        return copy_short(to, from, len);
    }
    const size_t last = len - sizeof(block);
    block odd = {0};
    copy_block(to + last, from + last, &odd);
    for (size_t at = 0; at < last; at += sizeof(block)) {
        copy_block(to + at, from + at, &odd);
    }
    return has_none(&odd);
}

void json_write_quote_any(struct outbuf *out, struct str text)
{
    outbuf_put(out, '"');
    for (size_t at = 0; at < text.len;) {
        char *to = outbuf_reserve(out, CHUNK * LONGEST_ESCAPE + 4);
        at += put_chunk(&to, text.ptr + at, text.len - at);
        outbuf_claim(out, to);
    }
    outbuf_put(out, '"');
}

char *json_write_quote(char *to, struct str text)
{
    if (UNLIKELY(!copy_ordinary(to + 1, text.ptr, text.len))) {
        return NULL;
    }
    to[0] = '"';
    to[1 + text.len] = '"';
    return to + text.len + 2;
}

static void put_quoted(struct json_writer *json, struct str text)
{
    if (LIKELY(text.len <= LONGEST_AT_ONCE)) {
        char *const to = outbuf_reserve(json->out, LONGEST_AT_ONCE + 2);
        char *const end = json_write_quote(to, text);
        if (LIKELY(end != NULL)) {
            outbuf_claim(json->out, end);
            return;
        }
    }
    json_write_quote_any(json->out, text);
}

void json_write_key(struct json_writer *json, struct str name)
{
    if (begin_key(json)) {
        put_quoted(json, name);
        put(json, ":", 1);
    }
}

void json_write_string(struct json_writer *json, struct str text)
{
    if (json_write_begin_value(json)) {
        put_quoted(json, text);
        json_write_end_value(json);
    }
}

char *json_write_put_long_number(char *to, int64_t number)
{
    char digits[JSON_WRITE_NUMBER_MAX];
    char *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--first = '-';
    }
    const size_t len = (size_t)(digits + sizeof digits - first);
    memcpy(to, first, len);
    return to + len;
}

void json_write_number(struct json_writer *json, int64_t number)
{
    if (json_write_begin_value(json)) {
        char *const to = outbuf_reserve(json->out, JSON_WRITE_NUMBER_MAX);
        outbuf_claim(json->out, json_write_put_number(to, number));
        json_write_end_value(json);
    }
}

void json_write_bool(struct json_writer *json, bool value)
{
    if (json_write_begin_value(json)) {
        put(json, value ? "true" : "false", value ? 4 : 5);
        json_write_end_value(json);
    }
}

void json_write_null(struct json_writer *json)
{
    if (json_write_begin_value(json)) {
        put(json, "null", 4);
        json_write_end_value(json);
    }
}
