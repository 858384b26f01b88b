// SPDX-License-Identifier: MIT
#include "base/json_members.h"

#include "base/hash.h"
#include "base/utf8.h"

#include <stdlib.h>

// An object or array that is still open.
struct open {
    char end; // '}' or ']'
    uint64_t number;
};

struct reader {
    const char *at;
    const char *end;
    char *room;         // where the next decoded byte goes; there is room for all strings
    struct hash *names; // of the members of all objects so far
    size_t name_count;
    size_t name_room;
    uint64_t opened; // objects and arrays so far
    struct open open[JSON_DEPTH_MAX];
    unsigned depth;
    bool wants_value;
    bool lacks_memory;
    struct arena *arena;
    struct json_members *members;
    struct json_member *last; // of the outermost object
};

static bool is_at(const struct reader *reader, char c)
{
    return reader->at < reader->end && *reader->at == c;
}

static bool take(struct reader *reader, char c)
{
    const bool is_there = is_at(reader, c);
    reader->at += is_there;
    return is_there;
}

static void skip_white_space(struct reader *reader)
{
    while (take(reader, ' ') || take(reader, '\t') || take(reader, '\r') || take(reader, '\n')) {
    }
}

// ---- strings ----

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Returns the UTF-16 unit of the "\\uXXXX" at the start of TEXT, or -1.
static int32_t unit_of(struct str text)
{
    if (text.len < 6 || text.ptr[0] != '\\' || text.ptr[1] != 'u') {
        return -1;
    }
    int32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        const int digit = hex_digit(text.ptr[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

// RFC 8259, section 7: a character above U+FFFF is written as two units, a surrogate pair.
size_t json_members_escape(struct str text, uint32_t *point)
{
    const int32_t unit = unit_of(text);
    if (unit >= 0xD800 && unit < 0xDC00) {
        const int32_t low = unit_of(str_skip(text, 6));
        *point = (uint32_t)(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        return low >= 0xDC00 && low <= 0xDFFF ? 12 : 0;
    }
    *point = (uint32_t)unit;
    return unit > 0 && (unit < 0xDC00 || unit > 0xDFFF) ? 6 : 0;
}

static bool take_code_point(struct reader *reader)
{
    uint32_t point;
    char sequence[UTF8_MAX];
    const struct str rest = {reader->at, (size_t)(reader->end - reader->at)};
    const size_t step = json_members_escape(rest, &point);
    if (step == 0) {
        return false;
    }
    const size_t len = utf8_encode(point, sequence);
    memcpy(reader->room, sequence, len);
    reader->room += len;
    reader->at += step;
    return true;
}

// Decodes the escape that begins at the current backslash.
static bool take_escape(struct reader *reader)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (reader->end - reader->at < 2) {
        return false;
    }
    if (reader->at[1] == 'u') {
        return take_code_point(reader);
    }
    const char *const name = memchr(names, reader->at[1], sizeof names - 1);
    if (name == NULL) {
        return false;
    }
    *reader->room++ = meanings[name - names];
    reader->at += 2;
    return true;
}

// Decodes a string. It is never longer than its encoded form, so there is always room.
static bool take_string(struct reader *reader, struct str *text)
{
    const char *const start = reader->room;
    if (!take(reader, '"')) {
        return false;
    }
    while (!take(reader, '"')) {
        if (is_at(reader, '\\')) {
            if (!take_escape(reader)) {
                return false;
            }
        } else if (reader->at == reader->end || (unsigned char)*reader->at < 0x20) {
            return false;
        } else {
            *reader->room++ = *reader->at++;
        }
    }
    *text = (struct str){start, (size_t)(reader->room - start)};
    reader->members->string_bytes += text->len;
    return true;
}

// ---- other values ----

static bool take_word(struct reader *reader, struct str word)
{
    const struct str rest = {reader->at, (size_t)(reader->end - reader->at)};
    const bool is_there = str_starts_with(rest, word);
    reader->at += is_there ? word.len : 0;
    return is_there;
}

static bool take_digits(struct reader *reader)
{
    const char *const start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        reader->at++;
    }
    return reader->at > start;
}

static bool take_exponent(struct reader *reader)
{
    if (!take(reader, 'e') && !take(reader, 'E')) {
        return true;
    }
    if (!take(reader, '+')) {
        (void)take(reader, '-');
    }
    return take_digits(reader);
}

static bool take_number(struct reader *reader)
{
    (void)take(reader, '-');
    const bool has_integer = take(reader, '0') || take_digits(reader);
    const bool has_fraction = !take(reader, '.') || take_digits(reader);
    return has_integer && has_fraction && take_exponent(reader);
}

static bool take_scalar(struct reader *reader)
{
    switch (*reader->at) {
    case 't':
        return take_word(reader, STR("true"));
    case 'f':
        return take_word(reader, STR("false"));
    case 'n':
        return take_word(reader, STR("null"));
    default:
        return take_number(reader);
    }
}

// ---- objects and arrays ----

static struct open *innermost(struct reader *reader)
{
    return &reader->open[reader->depth - 1];
}

static bool add_member(struct reader *reader, struct str name)
{
    struct json_member *const member = arena_alloc(reader->arena, 1, sizeof *member);
    if (member == NULL) {
        reader->lacks_memory = true;
        return false;
    }
    *member = (struct json_member){.name = name};
    if (reader->last == NULL) {
        reader->members->first = member;
    } else {
        reader->last->next = member;
    }
    reader->last = member;
    return true;
}

// Doubles the room for names, up to JSON_MEMBERS_MAX.
static bool grow(struct reader *reader)
{
    const size_t room = reader->name_room == 0 ? 16 : 2 * reader->name_room;
    if (room > JSON_MEMBERS_MAX) {
        return false;
    }
    struct hash *const names = arena_alloc(reader->arena, room, sizeof *names);
    reader->lacks_memory = names == NULL;
    if (names == NULL) {
        return false;
    }
    if (reader->name_count > 0) {
        memcpy(names, reader->names, reader->name_count * sizeof *names);
    }
    reader->names = names;
    reader->name_room = room;
    return true;
}

// Records the name as a hash of itself and its object.
static bool add_name(struct reader *reader, struct str name)
{
    if (reader->name_count == reader->name_room && !grow(reader)) {
        return false;
    }
    struct hash hash = hash_start(innermost(reader)->number);
    hash_text(&hash, name.ptr, name.len);
    reader->names[reader->name_count++] = hash;
    return true;
}

// Reads a member's name and the colon.
static bool take_name(struct reader *reader)
{
    struct str name;
    skip_white_space(reader);
    if (!take_string(reader, &name) || !add_name(reader, name)) {
        return false;
    }
    skip_white_space(reader);
    return take(reader, ':') && (reader->depth > 1 || add_member(reader, name));
}

// Enters an object or array, and leaves it at once if it is empty.
static bool take_begin(struct reader *reader)
{
    if (reader->depth == JSON_DEPTH_MAX) {
        return false;
    }
    const bool is_object = *reader->at++ == '{';
    reader->depth++;
    *innermost(reader) = (struct open){is_object ? '}' : ']', reader->opened++};
    skip_white_space(reader);
    if (take(reader, innermost(reader)->end)) {
        reader->depth--;
        return true;
    }
    reader->wants_value = true;
    return !is_object || take_name(reader);
}

// Reads a value; of an object or array only the beginning.
static bool take_value(struct reader *reader)
{
    reader->wants_value = false;
    skip_white_space(reader);
    if (reader->at == reader->end) {
        return false;
    }
    if (reader->depth == 1) {
        reader->last->json.ptr = reader->at;
    }
    if (is_at(reader, '{') || is_at(reader, '[')) {
        return take_begin(reader);
    }
    if (!is_at(reader, '"')) {
        return take_scalar(reader);
    }
    struct str text;
    if (!take_string(reader, &text)) {
        return false;
    }
    if (reader->depth == 1) {
        reader->last->text = text;
    }
    return true;
}

// Reads what follows a value: the end of the object or array, or the comma before the next value.
static bool take_separator(struct reader *reader)
{
    skip_white_space(reader);
    if (take(reader, innermost(reader)->end)) {
        reader->depth--;
        return true;
    }
    reader->wants_value = true;
    return take(reader, ',') && (innermost(reader)->end == ']' || take_name(reader));
}

// ---- the document ----

static void end_value(struct json_member *member, const char *end)
{
    member->json.len = (size_t)(end - member->json.ptr);
}

static bool take_document(struct reader *reader)
{
    skip_white_space(reader);
    if (!is_at(reader, '{') || !take_value(reader)) {
        return false;
    }
    while (reader->depth > 0) {
        if (reader->depth == 1 && !reader->wants_value) {
            end_value(reader->last, reader->at);
        }
        if (!(reader->wants_value ? take_value(reader) : take_separator(reader))) {
            return false;
        }
    }
    skip_white_space(reader);
    return reader->at == reader->end;
}

static int compare_hashes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct hash));
}

static bool are_distinct(struct hash *names, size_t count)
{
    if (count < 2) {
        return true; // NAMES may be NULL
    }
    qsort(names, count, sizeof *names, compare_hashes);
    for (size_t i = 1; i < count; i++) {
        if (compare_hashes(&names[i], &names[i - 1]) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_document(struct reader *reader, struct str text)
{
    return utf8_is_valid(text) && take_document(reader) &&
           are_distinct(reader->names, reader->name_count);
}

int json_members_read(struct str text, const char *what, enum error_kind refusal,
                      struct arena *arena, struct json_members *members, struct error *err)
{
    *members = (struct json_members){.first = NULL};
    struct reader reader = {
        .at = text.ptr,
        .end = str_skip(text, text.len).ptr,
        .room = arena_text(arena, text.len + 1),
        .arena = arena,
        .members = members,
    };
    reader.lacks_memory = reader.room == NULL;
    const bool is_good = !reader.lacks_memory && text.len > 0 && is_document(&reader, text);
    members->count = reader.name_count;
    if (reader.lacks_memory) {
        return error_set(err, ERR_NO_MEMORY, "%s", what);
    }
    return is_good ? 0
                   : error_set(err, refusal, "%s: not one JSON object with distinct members", what);
}
