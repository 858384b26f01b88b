// SPDX-License-Identifier: MIT
#include "db/bind_priv.h"

static void bind_parameter(MYSQL_BIND *bind, const struct db_parameter *parameter,
                           long long *number, unsigned long *length)
{
    memset(bind, 0, sizeof *bind);
    if (parameter->is_number) {
        *number = parameter->number;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = number;
    } else if (str_is_absent(parameter->text)) {
        bind->buffer_type = MYSQL_TYPE_NULL;
    } else {
        *length = parameter->text.len;
        bind->buffer_type = parameter->is_binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        bind->buffer = (void *)(uintptr_t)parameter->text.ptr; // the library only reads it
        bind->buffer_length = parameter->text.len;
        bind->length = length;
    }
}

bool db_bind_parameters(MYSQL_STMT *handle, struct db_binds *binds,
                        const struct db_parameter *parameters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bind_parameter(&binds->list[i], &parameters[i], &binds->numbers[i], &binds->lengths[i]);
    }
    return mysql_stmt_bind_param(handle, binds->list) == 0;
}
