// SPDX-License-Identifier: MIT
#include "base/json_read.h"

#include "base/json_members.h"
#include "base/utf8.h"

#include <json.h>

// struct json_value is a json_object; the other name keeps json-c out of the header.
static json_object *unwrap(const struct json_value *value)
{
    return (json_object *)(uintptr_t)value;
}

// Returns TEXT with all escapes of non-ASCII characters replaced by UTF-8. All escapes must be
// valid. Needed because json-c, at least up to 0.16, takes U+1D800 to U+1DFFF, and the same range
// of higher planes, for surrogates. Absent if out of memory.
static struct str without_escapes(struct str text, struct arena *arena)
{
    char *const bytes = arena_text(arena, text.len + 1);
    size_t len = 0;
    for (size_t at = 0; bytes != NULL && at < text.len;) {
        uint32_t point = 0;
        const size_t step = json_members_escape(str_skip(text, at), &point);
        if (step > 0 && point >= 0x80) {
            len += utf8_encode(point, bytes + len);
            at += step;
        } else {
            const size_t kept =
                text.ptr[at] == '\\' ? 2 : 1; // an escaped backslash may precede a "u"
            memcpy(bytes + len, text.ptr + at, kept);
            len += kept;
            at += kept;
        }
    }
    return (struct str){bytes, len};
}

// Not in strict mode: json-c 0.18 would reject all bytes above 0x7F, and since 0.18 large integers.
static json_object *parse(struct str text)
{
    json_tokener *const tokener =
        text.len > INT32_MAX ? NULL : json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    if (tokener == NULL) {
        return NULL;
    }
    json_object *const parsed = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    json_tokener_free(tokener);
    return parsed;
}

// Counts what struct json_members counts. Recursive: json_members has limited the depth.
static void count(json_object *value, struct json_members *kept) // NOLINT(misc-no-recursion)
{
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            kept->count++;
            kept->string_bytes += strlen(name);
            count(member, kept);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            count(json_object_array_get_idx(value, i), kept);
        }
    } else if (json_object_is_type(value, json_type_string)) {
        kept->string_bytes += (size_t)json_object_get_string_len(value);
    }
}

// Out of memory, json-c up to 0.16 may truncate a string without reporting an error.
static bool is_complete(json_object *object, const struct json_members *written)
{
    struct json_members kept = {0};
    count(object, &kept);
    return json_object_is_type(object, json_type_object) && kept.count == written->count &&
           kept.string_bytes == written->string_bytes;
}

int json_read_object(struct str text, const char *what, enum error_kind refusal,
                     struct arena *arena, struct json_value **object, struct error *err)
{
    struct json_members written;
    if (json_members_read(text, what, refusal, arena, &written, err) != 0) {
        return -1;
    }
    // The text is known to be JSON: json-c can only fail for lack of memory.
    const struct str unescaped = without_escapes(text, arena);
    json_object *const parsed = str_is_absent(unescaped) ? NULL : parse(unescaped);
    if (!is_complete(parsed, &written)) {
        json_object_put(parsed);
        return error_set(err, ERR_NO_MEMORY, "%s: json-c", what);
    }
    *object = (struct json_value *)parsed;
    return 0;
}

void json_read_free(struct json_value *object)
{
    json_object_put(unwrap(object));
}

bool json_read_has(const struct json_value *value, const char *name)
{
    return json_object_is_type(unwrap(value), json_type_object) &&
           json_object_object_get_ex(unwrap(value), name, NULL);
}

const struct json_value *json_read_member(const struct json_value *value, const char *name)
{
    json_object *member = NULL;
    if (json_object_is_type(unwrap(value), json_type_object)) {
        (void)json_object_object_get_ex(unwrap(value), name, &member);
    }
    return (const struct json_value *)member;
}

struct str json_read_string(const struct json_value *value)
{
    json_object *const object = unwrap(value);
    if (!json_object_is_type(object, json_type_string)) {
        return STR_ABSENT;
    }
    return (struct str){json_object_get_string(object), (size_t)json_object_get_string_len(object)};
}

bool json_read_number(const struct json_value *value, double *number)
{
    json_object *const object = unwrap(value);
    *number = json_object_get_double(object);
    return json_object_is_type(object, json_type_int) ||
           json_object_is_type(object, json_type_double);
}

bool json_read_is_true(const struct json_value *value)
{
    return json_object_is_type(unwrap(value), json_type_boolean) &&
           json_object_get_boolean(unwrap(value));
}
