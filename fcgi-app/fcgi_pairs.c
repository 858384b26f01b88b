// SPDX-License-Identifier: MIT
#include "fcgi_pairs.h"

// Reads a length as in the specification's section 3.4: one byte, or four with the top bit set.
static bool cut_length(struct str *stream, size_t *length)
{
    if (stream->len == 0) {
        return false;
    }
    const unsigned char *const b = (const unsigned char *)stream->ptr;
    if (b[0] < 0x80) {
        *length = b[0];
        *stream = str_skip(*stream, 1);
        return true;
    }
    if (stream->len < 4) {
        return false;
    }
    *length = (size_t)(b[0] & 0x7F) << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    *stream = str_skip(*stream, 4);
    return true;
}

bool fcgi_pairs_cut(struct str *stream, struct http_var *var)
{
    size_t name_len;
    size_t value_len;
    if (!cut_length(stream, &name_len) || !cut_length(stream, &value_len) ||
        name_len > stream->len || value_len > stream->len - name_len) {
        return false;
    }
    var->name = (struct str){stream->ptr, name_len};
    var->value = (struct str){stream->ptr + name_len, value_len};
    *stream = str_skip(*stream, name_len + value_len);
    return true;
}
