// SPDX-License-Identifier: MIT
#include "ref_json.h"

#include "fuzz.h"

enum { VALUES_MAX = 1 << 16, TEXT_MAX = 1 << 20 };

static struct {
    const unsigned char *at;
    const unsigned char *end;
    struct ref_json values[VALUES_MAX];
    size_t value_count;
    size_t member_count;
    char text[TEXT_MAX];
    size_t text_len;
} reader;

static int peek(void)
{
    return reader.at < reader.end ? *reader.at : -1;
}

static bool take(int byte)
{
    if (peek() != byte) {
        return false;
    }
    reader.at++;
    return true;
}

static bool take_word(const char *word)
{
    for (; *word != '\0'; word++) {
        if (!take(*word)) {
            return false;
        }
    }
    return true;
}

static void skip_blanks(void)
{
    while (take(' ') || take('\t') || take('\r') || take('\n')) {
    }
}

static void put(unsigned byte)
{
    REQUIRE(reader.text_len < TEXT_MAX);
    reader.text[reader.text_len++] = (char)byte;
}

static void put_utf8(unsigned code)
{
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// Four hexadecimal digits; -1 when they are not there.
static int take_unit(void)
{
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        const int c = peek();
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
        reader.at++;
    }
    return unit;
}

// Behind "\u". Half a pair is no character.
static bool take_escaped_code(void)
{
    const int unit = take_unit();
    if (unit <= 0) {
        return false;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        put_utf8((unsigned)unit);
        return true;
    }
    if (unit < 0xDC00 && take('\\') && take('u')) {
        const int low = take_unit();
        if (low >= 0xDC00 && low <= 0xDFFF) {
            put_utf8(0x10000 + ((unsigned)(unit - 0xD800) << 10) + (unsigned)(low - 0xDC00));
            return true;
        }
    }
    return false;
}

static bool take_escape(void)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (take('u')) {
        return take_escaped_code();
    }
    const char *const name = peek() > 0 ? strchr(names, peek()) : NULL;
    if (name == NULL) {
        return false;
    }
    reader.at++;
    put((unsigned char)meanings[name - names]);
    return true;
}

static bool take_continuation(unsigned *code)
{
    if (peek() < 0x80 || peek() > 0xBF) {
        return false;
    }
    *code = *code << 6 | (*reader.at++ & 0x3F);
    return true;
}

static bool take_any_character(void)
{
    const unsigned lead = *reader.at++;
    unsigned code = lead;
    const int more = lead < 0x80 ? 0 : lead < 0xC0 ? -1 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (more < 0 || lead > 0xF7) {
        return false;
    }
    code = more == 0 ? lead : lead & (0x3F >> more);
    for (int i = 0; i < more; i++) {
        if (!take_continuation(&code)) {
            return false;
        }
    }
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return false;
    }
    put_utf8(code);
    return true;
}

static bool take_character(void)
{
    return peek() >= 0x20 && take_any_character();
}

static bool take_string(struct str *text)
{
    if (!take('"')) {
        return false;
    }
    const size_t start = reader.text_len;
    while (!take('"')) {
        if (peek() < 0 || !(take('\\') ? take_escape() : take_character())) {
            return false;
        }
    }
    *text = (struct str){reader.text + start, reader.text_len - start};
    return true;
}

static bool take_digits(void)
{
    bool has_any = false;
    while (peek() >= '0' && peek() <= '9') {
        reader.at++;
        has_any = true;
    }
    return has_any;
}

static bool take_number(struct str *text)
{
    const unsigned char *const start = reader.at;
    (void)take('-');
    if (!take('0') && !take_digits()) {
        return false;
    }
    if (take('.') && !take_digits()) {
        return false;
    }
    if (take('e') || take('E')) {
        if (!take('+')) {
            (void)take('-');
        }
        if (!take_digits()) {
            return false;
        }
    }
    *text = (struct str){(const char *)start, (size_t)(reader.at - start)};
    return true;
}

static bool take_value(struct ref_json *value, unsigned depth);

static struct ref_json *new_value(void)
{
    REQUIRE(reader.value_count < VALUES_MAX);
    struct ref_json *const value = &reader.values[reader.value_count++];
    *value = (struct ref_json){0};
    return value;
}

static bool is_known(const struct ref_json *object, struct str name)
{
    for (const struct ref_json *member = object->first; member != NULL; member = member->next) {
        if (str_equal(member->name, name)) {
            return true;
        }
    }
    return false;
}

static bool take_member_name(const struct ref_json *object, struct ref_json *member)
{
    struct str name;
    skip_blanks();
    if (!take_string(&name) || is_known(object, name) ||
        ++reader.member_count > REF_JSON_MEMBERS_MAX) {
        return false;
    }
    member->name = name;
    skip_blanks();
    return take(':');
}

static bool take_all(struct ref_json *whole, int end, unsigned depth)
{
    struct ref_json **last = &whole->first;
    skip_blanks();
    if (take(end)) {
        return true;
    }
    do {
        struct ref_json *const one = new_value();
        if ((whole->type == REF_OBJECT && !take_member_name(whole, one)) ||
            !take_value(one, depth)) {
            return false;
        }
        *last = one;
        last = &one->next;
        skip_blanks();
    } while (take(','));
    return take(end);
}

static bool take_value(struct ref_json *value, unsigned depth)
{
    skip_blanks();
    switch (peek()) {
    case '{':
    case '[':
        value->type = peek() == '{' ? REF_OBJECT : REF_ARRAY;
        reader.at++;
        return depth < REF_JSON_DEPTH_MAX &&
               take_all(value, value->type == REF_OBJECT ? '}' : ']', depth + 1);
    case '"':
        value->type = REF_STRING;
        return take_string(&value->text);
    case 't':
        value->type = REF_TRUE;
        return take_word("true");
    case 'f':
        value->type = REF_FALSE;
        return take_word("false");
    case 'n':
        value->type = REF_NULL;
        return take_word("null");
    default:
        value->type = REF_NUMBER;
        return take_number(&value->text);
    }
}

static void start(struct str text)
{
    reader.at = (const unsigned char *)text.ptr;
    reader.end = reader.at + text.len;
    reader.value_count = 0;
    reader.member_count = 0;
    reader.text_len = 0;
}

bool ref_utf8_is_valid(struct str text)
{
    bool is_valid = true;
    start(text);
    while (is_valid && reader.at < reader.end) {
        is_valid = take_any_character();
    }
    return is_valid;
}

size_t ref_utf8_repair(struct str text, char *to)
{
    size_t len = 0;
    start(text);
    while (reader.at < reader.end) {
        const unsigned char *const before = reader.at;
        reader.text_len = 0;
        if (!take_any_character()) {
            reader.at = before + 1;
            reader.text_len = 0;
            put_utf8(0xFFFD);
        }
        memcpy(to + len, reader.text, reader.text_len);
        len += reader.text_len;
    }
    return len;
}

struct ref_json *ref_json_object(struct str text)
{
    start(text);
    struct ref_json *const value = new_value();
    if (!take_value(value, 0) || value->type != REF_OBJECT) {
        return NULL;
    }
    skip_blanks();
    return reader.at == reader.end ? value : NULL;
}

const struct ref_json *ref_json_member(const struct ref_json *object, const char *name)
{
    if (object == NULL || object->type != REF_OBJECT) {
        return NULL;
    }
    for (const struct ref_json *member = object->first; member != NULL; member = member->next) {
        if (str_equal(member->name, str_from(name))) {
            return member;
        }
    }
    return NULL;
}

struct str ref_json_string(const struct ref_json *object, const char *name)
{
    const struct ref_json *const member = ref_json_member(object, name);
    return member == NULL || member->type != REF_STRING ? STR_ABSENT : member->text;
}
