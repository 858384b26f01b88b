// SPDX-License-Identifier: MIT
#include "ctl/fault.h"

#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

void ctl_fault_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bkflow-statesctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static const char other_account[] =
    "This account may not do that, which is right for the configured one. Give an administrator's: "
    "--user NAME --password-file FILE, or --user root where the server knows root by its socket.";

// Errors of the server that an operator can do something about.
static const struct {
    unsigned code;
    const char *advice;
} known[] = {
    {1044, other_account},
    {1142, other_account},
    {1143, other_account},
    {1227, other_account},
    {1370, other_account},
    {1054, "The table is not as expected: bkflow-statesctl check tells what is different."},
    {1062, "The table holds that code already, or one that it takes for the same: "
           "bkflow-statesctl app list."},
    {1146, "bkflow-statesctl init-db makes bkflow_states_app; the other tables are BKFlow's: "
           "[database] and [engine_database] name must be its databases. "
           "bkflow-statesctl check tells which one is missing."},
    {1290, "This server only reads, as a replica does: [database] must lead to one that writes."},
    {1836, "This server only reads, as a replica does: [database] must lead to one that writes."},
};

const char *ctl_fault_advice(const struct error *err)
{
    const unsigned code = err->server_code;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (known[i].code == code) {
            return known[i].advice;
        }
    }
    if (err->kind == ERR_DATABASE_DOWN && code == 0) {
        return "What each host answered stands above. [database] says how it is reached and by "
               "whom; --user NAME --password-file FILE takes another account. What the configured "
               "one has to be granted, bkflow-statesctl init-db tells.";
    }
    if (err->kind == ERR_DATABASE_DOWN || err->kind == ERR_QUERY_TIMEOUT) {
        return "If this was to change something, it may have been done or not: look with "
               "bkflow-statesctl app list.";
    }
    return NULL;
}

int ctl_fault_explain(const struct error *err)
{
    char message[512];
    const struct str text = error_message(err, LANG_EN, message, sizeof message);
    const char *const advice = ctl_fault_advice(err);
    // What is wrong with the request itself is said by the message; the rest is in the detail.
    if (error_status(err->kind) < 500) {
        ctl_fault_say("%.*s", (int)text.len, text.ptr);
    } else {
        ctl_fault_say("%.*s: %s", (int)text.len, text.ptr, err->detail);
    }
    if (advice != NULL) {
        ctl_fault_say("%s", advice);
    }
    return CTL_FAILED;
}
