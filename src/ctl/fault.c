// SPDX-License-Identifier: MIT
#include "ctl/fault.h"

#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

int ctl_fault_set(struct ctl_fault *fault, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->what, sizeof fault->what, format, arguments);
    va_end(arguments);
    fault->to_do[0] = '\0';
    return status;
}

void ctl_fault_to_do(struct ctl_fault *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->to_do, sizeof fault->to_do, format, arguments);
    va_end(arguments);
}

// ---- errors of the database ----

static const char refused_login[] = "the server refused the login";
static const char refused_statement[] = "the server refused the statement";
static const char no_tls[] = "there is no TLS connection to the server";

static const char check_reach[] = "[database] and [engine_database] say how the databases are "
                                  "reached: host, port, socket and TLS.";
static const char check_login[] =
    "user, password, password_file and option_file in [database] and [engine_database] say who logs "
    "in; --user NAME --password-file FILE takes another account. An account that must use TLS needs "
    "tls_ca. bkflow-statesctl init-db prints what the configured one has to be granted.";
static const char check_name[] =
    "name in [database] must be the database of BKFlow's interface, in [engine_database] that of its "
    "engine, and the account must be granted their tables: bkflow-statesctl init-db prints the "
    "statements.";
static const char check_certificate[] =
    "tls_ca in [database] and [engine_database] must hold the authority that signed the server's "
    "certificate; with tls_verify, the certificate must be for the configured host and be valid now.";
static const char other_account[] =
    "This account may not do that, which is right for the configured one. Give an administrator's: "
    "--user NAME --password-file FILE, or --user root where the server knows root by its socket.";
static const char read_only[] =
    "The server or its database is read-only. If it is a replica, write to its primary: "
    "BKFLOW_STATES_DATABASE_HOST=PRIMARY bkflow-statesctl ... Else somebody has set read_only, "
    "super_read_only, innodb_read_only or ALTER DATABASE ... READ ONLY.";
static const char cannot_write[] =
    "The server cannot write to its files: its disk is full, or innodb_read_only is set. Its error "
    "log tells more.";
static const char server_is_busy[] =
    "The server takes no more connections now. Try again, or raise its limit.";

// Codes of the servers and client libraries that an operator can do something about.
static const struct {
    unsigned code;
    const char *what;
    const char *to_do;
} known[] = {
    {1040, refused_login, server_is_busy},
    {1044, refused_login, check_name},
    {1045, refused_login, check_login},
    {1049, refused_login, check_name},
    {1129, refused_login, "Too many connections from this host failed: FLUSH HOSTS on the server."},
    {1130, refused_login, check_login},
    {1203, refused_login, server_is_busy},
    {1226, refused_login, server_is_busy},
    {1251, refused_login, check_login},
    {1524, refused_login, check_login},
    {1698, refused_login, check_login},
    {1820, refused_login, "The account's password has expired: ALTER USER gives it a new one."},
    {1862, refused_login, "The account's password has expired: ALTER USER gives it a new one."},
    {2026, no_tls, check_certificate},
    {2059, refused_login, check_login},
    {2061, refused_login, check_login},
    {3118, refused_login, "The account is locked: ALTER USER ... ACCOUNT UNLOCK."},
    {3159, refused_login, "It takes TLS connections only: give tls_ca."},
    {4151, refused_login, "The account is locked: ALTER USER ... ACCOUNT UNLOCK."},
    {1142, refused_statement, other_account},
    {1143, refused_statement, other_account},
    {1227, refused_statement, other_account},
    {1370, refused_statement, other_account},
    {1054, refused_statement,
     "The table is not as expected: bkflow-statesctl check tells what is different."},
    {1062, refused_statement,
     "The table holds that code already, or one that it takes for the same: "
     "bkflow-statesctl app list."},
    {1146, refused_statement,
     "bkflow-statesctl init-db makes bkflow_states_app; the other tables are BKFlow's: "
     "[database] and [engine_database] name must be its databases. "
     "bkflow-statesctl check tells which one is missing."},
    {1005, refused_statement, cannot_write},
    {1015, refused_statement, cannot_write},
    {1036, refused_statement, read_only},
    {1290, refused_statement, read_only},
    {1836, refused_statement, read_only},
    {3989, refused_statement, read_only},
};

// Explanations for codes that the table above lacks.
static const struct {
    enum error_kind kind;
    const char *what;
    const char *to_do;
} kinds[] = {
    {ERR_DATABASE_DOWN, "the database cannot be reached", check_reach},
    {ERR_DATABASE_FAULT, refused_statement, ""},
    {ERR_QUERY_TIMEOUT, "the database did not answer in time",
     "query_timeout in [database] and [engine_database] is the limit; SHOW PROCESSLIST on the server "
     "tells what it is waiting for."},
    {ERR_NO_MEMORY, "there is not enough memory", ""},
};

static void explain_kind(struct ctl_fault *fault, const struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].kind == err->kind) {
            ctl_fault_set(fault, 0, "%s: %s", kinds[i].what, err->detail);
            ctl_fault_to_do(fault, "%s", kinds[i].to_do);
            return;
        }
    }
    ctl_fault_set(fault, 0, "an error that should not happen, %s: %s", error_label(err->kind),
                  err->detail);
    ctl_fault_to_do(fault, "Please report it to the maintainers.");
}

int ctl_fault_explain(struct ctl_fault *fault, const struct error *err)
{
    for (size_t i = 0; err->server_code != 0 && i < COUNT_OF(known); i++) {
        if (known[i].code == err->server_code) {
            ctl_fault_set(fault, 0, "%s: %s", known[i].what, err->detail);
            ctl_fault_to_do(fault, "%s", known[i].to_do);
            return CTL_FAILED;
        }
    }
    explain_kind(fault, err);
    return CTL_FAILED;
}

int ctl_fault_explain_change(struct ctl_fault *fault, const struct error *err)
{
    ctl_fault_explain(fault, err);
    if (err->kind == ERR_DATABASE_DOWN || err->kind == ERR_QUERY_TIMEOUT) {
        ctl_fault_to_do(fault, "The change may have been made or not: look with "
                               "bkflow-statesctl app list. A secret that nobody has seen is "
                               "replaced with app rotate --grace 0.");
    }
    return CTL_FAILED;
}

// ---- printing ----

static void write_fault(const struct ctl_fault *fault, struct ctl_out *out)
{
    struct json_writer json;
    json_write_init(&json, &out->buffer);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "error");
    json_write_string(&json, str_from(fault->what));
    JSON_WRITE_KEY(&json, "to_do");
    json_write_string(&json, str_from(fault->to_do));
    json_write_close(&json);
    ctl_out_print(out, "\n");
}

static void print_line(struct ctl_out *out, const char *text)
{
    ctl_out_print(out, "bkflow-statesctl: ");
    ctl_out_text(out, str_from(text));
    ctl_out_print(out, "\n");
}

void ctl_fault_print(const struct ctl_fault *fault, struct ctl_out *out)
{
    if (out->is_json) {
        write_fault(fault, out);
    } else {
        print_line(out, fault->what);
        if (fault->to_do[0] != '\0') {
            print_line(out, fault->to_do);
        }
    }
    ctl_out_show(out);
}
