// SPDX-License-Identifier: MIT
#include "states/parameters_priv.h"

#include "http/http.h"

// A parameter that is 0 or 1.
struct switch_parameter {
    struct str name;
    bool *value;
    struct str rule; // for the client
    bool is_given;
};

static int read_switch(struct switch_parameter *one, struct str value, struct error *err)
{
    const bool is_valid = str_equal(value, STR("0")) || str_equal(value, STR("1"));
    if (!is_valid || one->is_given) {
        return error_set_subject(err, ERR_BAD_REQUEST, one->rule, "%.*s: %s", (int)one->name.len,
                                 one->name.ptr, is_valid ? "given twice" : "another value");
    }
    one->is_given = true;
    *one->value = str_equal(value, STR("1"));
    return 0;
}

int parameters_read(struct str query, struct arena *arena, struct parameters *parameters,
                    struct error *err)
{
    *parameters = (struct parameters){.subtasks = false};
    struct switch_parameter switches[] = {
        {STR("subtasks"), &parameters->subtasks, STR("subtasks must be 0 or 1, once"), false},
        {STR("failed"), &parameters->failed, STR("failed must be 0 or 1, once"), false},
    };
    struct str name;
    struct str value;
    int next;
    struct error unused = {0};
    while ((next = http_query_next(&query, arena, &name, &value, &unused)) != 0) {
        for (size_t i = 0; next == 1 && i < COUNT_OF(switches); i++) {
            if (str_equal(name, switches[i].name) && read_switch(&switches[i], value, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}
