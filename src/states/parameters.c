// SPDX-License-Identifier: MIT
#include "states/parameters_priv.h"

#include "http/http.h"

// Each sets its member from VALUE; false if it cannot have that value.

static bool read_switch(struct str value, bool *is_on)
{
    *is_on = str_equal(value, STR("1"));
    return *is_on || str_equal(value, STR("0"));
}

static bool read_subtasks(struct str value, struct parameters *parameters)
{
    return read_switch(value, &parameters->subtasks);
}

static bool read_failed(struct str value, struct parameters *parameters)
{
    return read_switch(value, &parameters->failed);
}

static bool read_nodes(struct str value, struct parameters *parameters)
{
    return read_switch(value, &parameters->nodes);
}

static bool read_task_ids(struct str value, struct parameters *parameters)
{
    parameters->task_ids = value;
    return true;
}

// Returns the milliseconds of a unit of the configuration's durations; 0 if there is no such unit.
static int64_t unit_ms(struct str unit)
{
    static const struct {
        struct str name;
        int64_t ms;
    } units[] = {
        {STR(""), 1000}, {STR("ms"), 1}, {STR("s"), 1000}, {STR("m"), 60000}, {STR("h"), 3600000},
    };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (str_equal(unit, units[i].name)) {
            return units[i].ms;
        }
    }
    return 0;
}

static bool read_wait(struct str value, struct parameters *parameters)
{
    int64_t number = 0;
    size_t digits = 0;
    while (digits < value.len && value.ptr[digits] >= '0' && value.ptr[digits] <= '9') {
        if (number <= PARAMETERS_WAIT_MAX_MS) { // and so it cannot overflow
            number = number * 10 + (value.ptr[digits] - '0');
        }
        digits++;
    }
    const int64_t unit = unit_ms(str_skip(value, digits));
    parameters->wait_ms = number * unit;
    return digits > 0 && unit != 0 && parameters->wait_ms <= PARAMETERS_WAIT_MAX_MS;
}

static bool read_version(struct str value, struct parameters *parameters)
{
    parameters->version = value;
    return value.len <= PARAMETERS_VERSION_MAX;
}

static const struct known {
    enum route_parameter bit;
    struct str name;
    bool (*read)(struct str value, struct parameters *parameters);
    struct str expected; // for the client
} known_parameters[] = {
    {ROUTE_TAKES_SUBTASKS, STR("subtasks"), read_subtasks, STR("subtasks must be 0 or 1, once")},
    {ROUTE_TAKES_FAILED, STR("failed"), read_failed, STR("failed must be 0 or 1, once")},
    {ROUTE_TAKES_NODES, STR("nodes"), read_nodes, STR("nodes must be 0 or 1, once")},
    {ROUTE_TAKES_TASK_IDS, STR("task_ids"), read_task_ids, STR("task_ids must be given once")},
    {ROUTE_TAKES_WAIT, STR("wait"), read_wait,
     STR("wait must be a duration of at most 1h such as 30s, once")},
    {ROUTE_TAKES_VERSION, STR("version"), read_version,
     STR("version must have at most 128 bytes, once")},
};

static const struct known *find_known(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(known_parameters); i++) {
        if (str_equal(known_parameters[i].name, name)) {
            return &known_parameters[i];
        }
    }
    return NULL;
}

// A wait is refused and not ignored: the caller would ask again at once, and so without end.
static bool is_looked_at(const struct route *route, const struct known *known)
{
    return (route->parameters & known->bit) != 0 || known->bit == ROUTE_TAKES_WAIT;
}

// GIVEN has the bits of the parameters that came before.
static int read_one(const struct known *known, struct str value, unsigned *given,
                    struct parameters *parameters, struct error *err)
{
    if ((*given & known->bit) != 0 || !known->read(value, parameters)) {
        return error_set_subject(err, ERR_BAD_REQUEST, known->expected, "%.*s: %s",
                                 (int)known->name.len, known->name.ptr,
                                 (*given & known->bit) != 0 ? "given twice" : "another value");
    }
    *given |= known->bit;
    return 0;
}

int parameters_read(const struct route *route, struct str query, struct arena *arena,
                    struct parameters *parameters, struct error *err)
{
    unsigned given = 0;
    struct str name;
    struct str value;
    int next;
    *parameters = (struct parameters){.subtasks = false};
    struct error cause = {0};
    while ((next = http_query_next(&query, arena, &name, &value, &cause)) != 0) {
        if (next < 0 && cause.kind == ERR_NO_MEMORY) {
            return error_set(err, ERR_NO_MEMORY, "query string");
        }
        const struct known *const known = next == 1 ? find_known(name) : NULL;
        if (known != NULL && is_looked_at(route, known) &&
            read_one(known, value, &given, parameters, err) != 0) {
            return -1;
        }
    }
    if (parameters->wait_ms > 0 && (route->parameters & ROUTE_TAKES_WAIT) == 0) {
        return error_set_subject(err, ERR_BAD_REQUEST, STR("wait is not possible for this call"),
                                 "wait: the route has none");
    }
    return 0;
}
