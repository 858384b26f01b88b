// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    int status;
    int code;
    const char *label;
    const char *message[2]; // by enum lang
} kinds[ERR_KIND_COUNT] = {
#define ERR_ROW(kind, status, code, label, english, chinese)                                       \
    [kind] = {status, code, label, {english, chinese}},
    ERR_KINDS(ERR_ROW)
#undef ERR_ROW
};

void error_record(struct error *err, enum error_kind kind, const char *detail, ...)
{
    err->kind = kind;
    err->server_code = 0;
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(err->detail, sizeof err->detail, detail, arguments);
    va_end(arguments);
}

int error_status(enum error_kind kind)
{
    return kinds[kind].status;
}

int error_code(enum error_kind kind)
{
    return kinds[kind].code;
}

const char *error_label(enum error_kind kind)
{
    return kinds[kind].label;
}

unsigned error_retry_after(const struct error *err)
{
    switch (error_status(err->kind)) {
    case 429:
        return err->wait_s;
    case 503:
    case 504:
        return 1;
    default:
        return 0;
    }
}

struct message {
    char *next;
    size_t room;
};

static void append(struct message *message, struct str text)
{
    const size_t n = text.len < message->room ? text.len : message->room;
    if (n > 0) {
        memcpy(message->next, text.ptr, n);
    }
    message->next += n;
    message->room -= n;
}

static void append_number(struct message *message, int64_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, number);
    append(message, (struct str){digits, (size_t)len});
}

static void append_member(struct message *message, const struct error *err, struct str name)
{
    if (str_equal(name, STR("task_id"))) {
        append_number(message, err->task_id);
    } else if (str_equal(name, STR("template_id"))) {
        append_number(message, err->template_id);
    } else if (str_equal(name, STR("app"))) {
        append(message, err->app);
    } else if (str_equal(name, STR("bound_app"))) {
        append(message, err->bound_app);
    } else {
        append(message, err->subject);
    }
}

struct str error_message(const struct error *err, enum lang lang, char *buffer, size_t size)
{
    struct message message = {buffer, size - 1};
    struct str rest = str_from(kinds[err->kind].message[lang]);
    while (!str_is_absent(rest)) {
        append(&message, str_cut(&rest, '{'));
        if (!str_is_absent(rest)) {
            append_member(&message, err, str_cut(&rest, '}'));
        }
    }
    *message.next = '\0';
    return (struct str){buffer, (size_t)(message.next - buffer)};
}
