// SPDX-License-Identifier: MIT
#include "ctl/gateway_key.h"

#include "auth/gateway.h"
#include "ctl/account.h"
#include "ctl/stored_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_BYTES = 1 << 20 };

// ---- the stored key ----

static int find_key(struct ctl *ctl, const char *name, struct arena *arena, struct str *pem,
                    struct error *err)
{
    const struct conf_database account = ctl_account_reach(ctl, &ctl->conf->database);
    return ctl_stored_key_find(&account, &ctl->shard, str_from(name), arena, pem, err);
}

// ---- the file ----

static int write_all(int fd, struct str text)
{
    size_t done = 0;
    while (done < text.len) {
        const ssize_t written = write(fd, text.ptr + done, text.len - done);
        if (written < 0) {
            return -1;
        }
        done += (size_t)written;
    }
    return 0;
}

// Writes the key and a line end. A public key may be readable by everybody.
static int fill_file(int fd, struct str pem)
{
    const bool has_end = pem.len > 0 && pem.ptr[pem.len - 1] == '\n';
    if (write_all(fd, pem) != 0 || (!has_end && write_all(fd, STR("\n")) != 0) ||
        fchmod(fd, 0644) != 0) {
        return -1;
    }
    return fsync(fd);
}

// Replaces the file atomically: a reload sees the old key or the new one. -1 with errno.
static int replace_file(const char *path, struct str pem)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        errno = ENOMEM;
        return -1;
    }
    const int fd = mkostemp(temporary, O_CLOEXEC);
    int outcome = fd < 0 ? -1 : fill_file(fd, pem);
    if (outcome == 0) {
        outcome = rename(temporary, path);
    }
    const int error = errno;
    if (fd >= 0) {
        close(fd);
        if (outcome != 0) {
            unlink(temporary);
        }
    }
    free(temporary);
    errno = error;
    return outcome;
}

static const char *configured_path(const struct ctl *ctl, const char *name)
{
    for (size_t i = 0; i < ctl->conf->auth.gateway_count; i++) {
        if (strcmp(ctl->conf->auth.gateways[i].name, name) == 0) {
            return ctl->conf->auth.gateways[i].path;
        }
    }
    return NULL;
}

// ---- the command ----

static void write_answer(struct ctl *ctl, struct str pem, const char *path, bool was_written)
{
    struct json_writer json;
    json_write_init(&json, &ctl->out.buffer);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "gateway");
    json_write_string(&json, str_from(ctl->arguments[0]));
    JSON_WRITE_KEY(&json, "public_key");
    json_write_string(&json, pem);
    if (path != NULL) {
        JSON_WRITE_KEY(&json, "file");
        json_write_string(&json, str_from(path));
        JSON_WRITE_KEY(&json, "written");
        json_write_bool(&json, was_written);
    }
    json_write_close(&json);
    ctl_out_print(&ctl->out, "\n");
}

// The key has been checked: it consists of ASCII lines.
static void print_key(struct ctl *ctl, struct str pem)
{
    struct str rest = pem;
    while (rest.len > 0) {
        const struct str line = str_trim(str_cut(&rest, '\n'));
        ctl_out_text(&ctl->out, line);
        ctl_out_print(&ctl->out, "\n");
    }
}

static void print_written(struct ctl *ctl, const char *path, bool was_written)
{
    ctl_out_text(&ctl->out, str_from(path));
    ctl_out_print(&ctl->out, was_written ? " now has the public key of gateway "
                                         : " already has the public key of gateway ");
    ctl_out_text(&ctl->out, str_from(ctl->arguments[0]));
    ctl_out_print(&ctl->out,
                  was_written ? ". bkflow-states reads it on HUP.\n" : "; nothing was written.\n");
}

static void answer(struct ctl *ctl, struct str pem, const char *path, bool was_written)
{
    if (ctl->options.is_json) {
        write_answer(ctl, pem, path, was_written);
    } else if (path == NULL) {
        print_key(ctl, pem);
    } else {
        print_written(ctl, path, was_written);
    }
}

static int write_key(struct ctl *ctl, struct str pem)
{
    const char *const name = ctl->arguments[0];
    const char *const path = configured_path(ctl, name);
    if (path == NULL) {
        ctl_fault_set(&ctl->fault, CTL_FAILED,
                      "[auth] has no gateway_key_%s, so there is no file to write", name);
        ctl_fault_to_do(&ctl->fault,
                        "Configure it: gateway_key_%s = /etc/bkflow-states.gateway.pem", name);
        return CTL_FAILED;
    }
    const bool has_it = gateways_file_has(path, pem);
    if (!has_it && replace_file(path, pem) != 0) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED, "%s cannot be written: %s", path,
                             strerror(errno));
    }
    if (!has_it) {
        ctl_fault_set(&ctl->unseen, CTL_FAILED, "%s was written", path);
    }
    answer(ctl, pem, path, !has_it);
    return CTL_OK;
}

static int use_key(struct ctl *ctl, struct str pem)
{
    const char *const name = ctl->arguments[0];
    char why[GATEWAYS_WHY_BYTES];
    if (str_is_absent(pem)) {
        ctl_fault_set(&ctl->fault, CTL_FAILED, "BKFlow has no public key of a gateway %s", name);
        ctl_fault_to_do(&ctl->fault,
                        "BKFlow's own gateway is bk-flow-engine. BKFlow fetches its key when it is "
                        "deployed, and with manage.py fetch_apigw_public_key.");
        return CTL_FAILED;
    }
    if (!gateways_is_key(pem, why)) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED,
                             "what BKFlow has as the key of gateway %s is unusable: %s", name, why);
    }
    if (ctl->options.writes) {
        return write_key(ctl, pem);
    }
    answer(ctl, pem, NULL, false);
    return CTL_OK;
}

static int explain(struct ctl *ctl, const struct error *err)
{
    enum { NO_SUCH_TABLE = 1146 };
    ctl_fault_explain(&ctl->fault, err);
    if (err->server_code == NO_SUCH_TABLE) {
        ctl_fault_to_do(&ctl->fault,
                        "BKFlow has the table in its interface database, which [database] "
                        "name must be.");
    }
    return CTL_FAILED;
}

int ctl_gateway_key_run(struct ctl *ctl)
{
    struct arena *const arena = arena_new(ARENA_BYTES);
    struct error err = {0};
    struct str pem;
    int status = CTL_FAILED;
    if (arena == NULL) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED, "there is not enough memory");
    }
    if (find_key(ctl, ctl->arguments[0], arena, &pem, &err) != 0) {
        status = explain(ctl, &err);
    } else {
        status = use_key(ctl, pem);
    }
    arena_free(arena);
    return status;
}

// ---- the check ----

// An unknown stored key is not a failure: no request needs it.
static void report_unknown(struct ctl *ctl, const struct error *err, struct ctl_finding *finding)
{
    const struct conf_database *const database = &ctl->conf->database;
    char account[CTL_TABLES_SQL_MAX];
    char grant[CTL_TABLES_SQL_MAX];
    ctl_tables_account(str_from(database->user), STR("%"), account, sizeof account);
    ctl_tables_grant(&ctl_stored_key_table, str_from(database->name), account, grant, sizeof grant);
    ctl_report_what(finding, "nothing is known of the key that BKFlow has: %s", err->detail);
    ctl_report_to_do(finding, "To have it compared: %s", grant);
}

static void report_difference(const struct conf_gateway *gateway, struct ctl_finding *finding)
{
    finding->verdict = CTL_WARNING;
    ctl_report_what(finding, "%s does not have the key that BKFlow has", gateway->path);
    ctl_report_to_do(finding,
                     "If the gateway's key has changed: bkflow-statesctl gateway-key %s --write",
                     gateway->name);
}

static void compare(const struct conf_gateway *gateway, struct str pem, struct ctl_finding *finding)
{
    char why[GATEWAYS_WHY_BYTES];
    if (str_is_absent(pem)) {
        finding->verdict = CTL_WARNING;
        ctl_report_what(finding, "BKFlow has no key of a gateway of this name");
        ctl_report_to_do(finding,
                         "NAME in gateway_key_NAME must be the kid of the tokens, which is "
                         "bk-flow-engine for BKFlow's own gateway.");
    } else if (!gateways_is_key(pem, why)) {
        finding->verdict = CTL_WARNING;
        ctl_report_what(finding, "what BKFlow has is unusable: %s", why);
    } else if (gateways_file_has(gateway->path, pem)) {
        ctl_report_what(finding, "%s has the key that BKFlow has", gateway->path);
    } else {
        report_difference(gateway, finding);
    }
}

static void check_gateway(struct ctl *ctl, const struct conf_gateway *gateway, struct arena *arena,
                          struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {"stored_key", gateway->name}};
    struct error err = {0};
    struct str pem;
    arena_reset(arena);
    if (find_key(ctl, gateway->name, arena, &pem, &err) != 0) {
        report_unknown(ctl, &err, &finding);
    } else {
        compare(gateway, pem, &finding);
    }
    ctl_report_add(report, &finding);
}

void ctl_gateway_key_check(struct ctl *ctl, struct ctl_report *report)
{
    const struct conf *const conf = ctl->conf;
    struct arena *const arena = arena_new(ARENA_BYTES);
    for (size_t i = 0; arena != NULL && conf->auth.gateway && i < conf->auth.gateway_count; i++) {
        check_gateway(ctl, &conf->auth.gateways[i], arena, report);
    }
    arena_free(arena);
}
