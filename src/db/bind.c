// SPDX-License-Identifier: MIT
#include "db/bind_priv.h"

#include <assert.h>
#include <stdlib.h>

int db_binds_reserve(struct db_binds *binds, size_t count)
{
    if (count <= binds->room) {
        return 0;
    }
    struct db_binds larger = {.list = calloc(count, sizeof(MYSQL_BIND)),
                              .values = calloc(count, sizeof(struct db_bind_value)),
                              .room = count};
    if (larger.list == NULL || larger.values == NULL) {
        db_binds_free(&larger);
        return -1;
    }
    db_binds_free(binds);
    *binds = larger;
    return 0;
}

void db_binds_free(struct db_binds *binds)
{
    free(binds->list);
    free(binds->values);
    *binds = (struct db_binds){0};
}

static void bind_parameter(MYSQL_BIND *bind, const struct db_parameter *parameter,
                           struct db_bind_value *value)
{
    memset(bind, 0, sizeof *bind);
    if (parameter->is_number) {
        value->number = parameter->number;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &value->number;
    } else if (str_is_absent(parameter->text)) {
        bind->buffer_type = MYSQL_TYPE_NULL;
    } else {
        value->length = parameter->text.len;
        bind->buffer_type = parameter->is_binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        bind->buffer = (void *)(uintptr_t)parameter->text.ptr; // the library only reads it
        bind->buffer_length = parameter->text.len;
        bind->length = &value->length;
    }
}

bool db_bind_parameters(MYSQL_STMT *handle, struct db_binds *binds,
                        const struct db_parameter *parameters, size_t count)
{
    assert(count <= binds->room);
    for (size_t i = 0; i < count; i++) {
        bind_parameter(&binds->list[i], &parameters[i], &binds->values[i]);
    }
    return mysql_stmt_bind_param(handle, binds->list) == 0;
}
