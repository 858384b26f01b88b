// SPDX-License-Identifier: MIT
#include "base/json_read.h"

#include "base/utf8.h"

#include <stdlib.h>

enum { DEPTH_MAX = 8 };

struct json_reader {
    json_tokener *tokener;
};

struct json_reader *json_read_new(void)
{
    struct json_reader *const reader = calloc(1, sizeof(struct json_reader));
    if (reader == NULL) {
        return NULL;
    }
    reader->tokener = json_tokener_new_ex(DEPTH_MAX);
    if (reader->tokener == NULL) {
        free(reader);
        return NULL;
    }
    json_tokener_set_flags(reader->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    return reader;
}

void json_read_free(struct json_reader *reader)
{
    if (reader != NULL) {
        json_tokener_free(reader->tokener);
        free(reader);
    }
}

static bool is_digit_at(struct str text, size_t at)
{
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

// Whether one of CHARACTERS stands BACK bytes before AT.
static bool is_before(struct str text, size_t at, size_t back, const char *characters)
{
    return at >= back && strchr(characters, text.ptr[at - back]) != NULL;
}

// Whether a number begins at AT, instead of going on there: 0 in "-0", not in "10", "1.0" or
// "1e-0".
static bool begins_number(struct str text, size_t at)
{
    const bool is_negative = is_before(text, at, 1, "-");
    return is_negative ? !is_before(text, at, 2, "eE") : !is_before(text, at, 1, "0123456789.eE+");
}

// What may stand outside of strings. json-c takes single quotes, NaN, Infinity, "1.", "-.1" and
// "-01" too, even where it is told to be strict.
static bool fits_outside_string(struct str text, size_t at)
{
    static const char characters[] = " \t\r\n{}[]:,-+.0123456789eE"
                                     "truefalsn";
    const char c = text.ptr[at];
    if (c == '.') {
        return at > 0 && is_digit_at(text, at - 1) && is_digit_at(text, at + 1);
    }
    if (c == '0' && is_digit_at(text, at + 1)) {
        return !begins_number(text, at);
    }
    return c != '\0' && strchr(characters, c) != NULL;
}

// Looks at the string's character at *AT, and goes behind an escape's first two. False for an
// escaped NUL, at which json-c would end a member's name, and for a bare control character.
static bool fits_inside_string(struct str text, size_t *at)
{
    if (text.ptr[*at] == '\\') {
        ++*at;
        return !str_starts_with(str_skip(text, *at), STR("u0000"));
    }
    return (unsigned char)text.ptr[*at] >= 0x20;
}

// How many members all objects of TEXT are written with: as many as there are colons outside
// strings. -1 when it is not JSON that json-c reads as it is meant; the rest json-c itself will
// tell.
static long count_written(struct str text)
{
    long members = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') {
            in_string = !in_string;
        } else if (in_string ? !fits_inside_string(text, &i) : !fits_outside_string(text, i)) {
            return -1;
        } else {
            members += !in_string && text.ptr[i] == ':';
        }
    }
    return members;
}

// How many members json-c has kept. Recursive: the tokener bounds the depth.
static long count_kept(json_object *value) // NOLINT(misc-no-recursion)
{
    long members = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            members += 1 + count_kept(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            members += count_kept(json_object_array_get_idx(value, i));
        }
    }
    return members;
}

static void wipe(json_object *value) // NOLINT(misc-no-recursion)
{
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            wipe(member);
            explicit_bzero(name, strlen(name)); // json-c looks at a name's address only to free it
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            wipe(json_object_array_get_idx(value, i));
        }
    } else if (json_object_is_type(value, json_type_string)) {
        // json-c's own memory, which nobody else sees any more.
        char *const text = (char *)(uintptr_t)json_object_get_string(value);
        explicit_bzero(text, (size_t)json_object_get_string_len(value));
    }
}

// Makes the tokener fit for the next text. What it holds of one that it gave up is wiped first.
// Half of a surrogate pair json-c's own reset would leave, to be put into the next text's next
// escape.
static void reset(json_tokener *tokener)
{
    for (int level = 0; level <= tokener->depth; level++) {
        wipe(tokener->stack[level].current);
        if (tokener->stack[level].obj_field_name != NULL) {
            explicit_bzero(tokener->stack[level].obj_field_name,
                           strlen(tokener->stack[level].obj_field_name));
        }
    }
    tokener->high_surrogate = 0;
    json_tokener_reset(tokener);
}

json_object *json_read_object(struct json_reader *reader, struct str text)
{
    const struct str document = str_trim(text);
    if (document.len == 0 || document.len > INT32_MAX || !utf8_is_valid(document)) {
        return NULL;
    }
    const long written = count_written(document);
    if (written < 0) {
        return NULL;
    }
    json_tokener *const tokener = reader->tokener;
    json_object *const parsed = json_tokener_parse_ex(tokener, document.ptr, (int)document.len);
    // The tokener's own buffer held each string in turn.
    explicit_bzero(tokener->pb->buf, (size_t)tokener->pb->size);
    const bool is_whole = json_tokener_get_parse_end(tokener) == document.len;
    reset(tokener);
    if (is_whole && json_object_is_type(parsed, json_type_object) &&
        written == count_kept(parsed)) {
        return parsed;
    }
    json_read_release(parsed);
    return NULL;
}

void json_read_release(json_object *object)
{
    wipe(object);
    json_object_put(object);
}

struct str json_read_string(json_object *object, const char *name)
{
    json_object *member;
    if (!json_object_object_get_ex(object, name, &member) ||
        !json_object_is_type(member, json_type_string)) {
        return STR_ABSENT;
    }
    return (struct str){json_object_get_string(member), (size_t)json_object_get_string_len(member)};
}
