// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    int status;
    int code;
    const char *label;
} kinds[ERR_KIND_COUNT] = {
#define ERR_ROW(kind, status, code, label) [kind] = {status, code, label},
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
