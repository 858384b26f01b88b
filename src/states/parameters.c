// SPDX-License-Identifier: MIT
#include "states/parameters_priv.h"

#include "http/http.h"

// Sets *PARAMETER from VALUE, and *IS_GIVEN.
static int read_switch(struct str value, bool *is_given, bool *parameter, struct error *err)
{
    const bool is_valid = str_equal(value, STR("0")) || str_equal(value, STR("1"));
    if (!is_valid || *is_given) {
        return error_set_subject(err, ERR_BAD_REQUEST, STR("subtasks must be 0 or 1, once"),
                                 "subtasks: %s", is_valid ? "given twice" : "another value");
    }
    *is_given = true;
    *parameter = str_equal(value, STR("1"));
    return 0;
}

int parameters_read(struct str query, struct arena *arena, struct parameters *parameters,
                    struct error *err)
{
    bool has_subtasks = false;
    struct str name;
    struct str value;
    int next;
    *parameters = (struct parameters){.subtasks = false};
    struct error unused = {0};
    while ((next = http_query_next(&query, arena, &name, &value, &unused)) != 0) {
        if (next == 1 && str_equal(name, STR("subtasks")) &&
            read_switch(value, &has_subtasks, &parameters->subtasks, err) != 0) {
            return -1;
        }
    }
    return 0;
}
