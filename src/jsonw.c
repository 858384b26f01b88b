// SPDX-License-Identifier: MIT
#include "jsonw.h"

#include "utf8.h"

// What one step writes at most; every step reserves it first.
enum { LONGEST_ESCAPE = 6, LONGEST_NUMBER = 20, CHUNK = 128 };
_Static_assert(4 + CHUNK * LONGEST_ESCAPE <= OUTBUF_MIN_CAPACITY, "a chunk must fit the buffer");

static void put(struct jsonw *json, const char *bytes, size_t len)
{
    outbuf_reserve(json->out, len);
    memcpy(json->out->next, bytes, len);
    json->out->next += len;
}

// A value may stand behind a key, or once at the top.
static bool begin_value(struct jsonw *json)
{
    if (UNLIKELY(json->wants_key || (json->depth == 0 && json->has_member))) {
        json->misused = true;
    }
    return !json->misused;
}

static void end_value(struct jsonw *json)
{
    json->wants_key = json->depth > 0;
    json->has_member = true;
}

void jsonw_open(struct jsonw *json)
{
    if (!begin_value(json)) {
        return;
    }
    put(json, "{", 1);
    json->depth++;
    json->wants_key = true;
    json->has_member = false;
}

void jsonw_close(struct jsonw *json)
{
    if (UNLIKELY(!json->wants_key || json->misused)) {
        json->misused = true;
        return;
    }
    put(json, "}", 1);
    json->depth--;
    end_value(json);
}

static bool begin_key(struct jsonw *json)
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

void jsonw_key_text(struct jsonw *json, const char *text, size_t len)
{
    if (begin_key(json)) {
        put(json, text, len);
    }
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

// Writes the one character at the front of TEXT, escaped if it must be; returns the bytes it took.
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

// Writes text until CHUNK bytes of it are done; a last character may reach beyond. TO has the room.
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

static void put_quoted(struct jsonw *json, struct str text)
{
    put(json, "\"", 1);
    for (size_t at = 0; at < text.len;) {
        outbuf_reserve(json->out, CHUNK * LONGEST_ESCAPE + 4);
        at += put_chunk(&json->out->next, text.ptr + at, text.len - at);
    }
    put(json, "\"", 1);
}

void jsonw_key(struct jsonw *json, struct str name)
{
    if (begin_key(json)) {
        put_quoted(json, name);
        put(json, ":", 1);
    }
}

void jsonw_string(struct jsonw *json, struct str text)
{
    if (begin_value(json)) {
        put_quoted(json, text);
        end_value(json);
    }
}

static size_t format_number(char digits[LONGEST_NUMBER], int64_t number)
{
    char reversed[LONGEST_NUMBER];
    size_t count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    size_t len = 0;
    if (number < 0) {
        digits[len++] = '-';
    }
    while (count > 0) {
        digits[len++] = reversed[--count];
    }
    return len;
}

void jsonw_number(struct jsonw *json, int64_t number)
{
    if (begin_value(json)) {
        char digits[LONGEST_NUMBER];
        put(json, digits, format_number(digits, number));
        end_value(json);
    }
}

void jsonw_bool(struct jsonw *json, bool value)
{
    if (begin_value(json)) {
        put(json, value ? "true" : "false", value ? 4 : 5);
        end_value(json);
    }
}

void jsonw_null(struct jsonw *json)
{
    if (begin_value(json)) {
        put(json, "null", 4);
        end_value(json);
    }
}
