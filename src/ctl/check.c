// SPDX-License-Identifier: MIT
#include "ctl/check.h"

#include "auth/gateway.h"
#include "base/clock.h"
#include "ctl/check_database.h"
#include "ctl/gateway_key.h"
#include "base/local_time.h"
#include "states/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- the configuration ----

// Reports the mistakes of something that is being loaded as findings.
struct loading {
    struct ctl_report *report;
    const char *topic;
    const char *to_do;
    unsigned mistakes;
};

static void take_mistake(void *context, const char *sentence)
{
    struct loading *const loading = context;
    char number[16];
    snprintf(number, sizeof number, "%u", ++loading->mistakes);
    struct ctl_finding finding = {.verdict = CTL_WRONG, .topic = {loading->topic, number}};
    ctl_report_what(&finding, "%s", sentence);
    ctl_report_to_do(&finding, "%s", loading->to_do);
    ctl_report_add(loading->report, &finding);
}

static void look_at_configuration(struct ctl *ctl, struct ctl_report *report)
{
    struct loading loading = {
        .report = report,
        .topic = "configuration",
        .to_do = "bkflow-states --print-reference explains every key.",
    };
    struct ctl_finding finding = {.topic = {"configuration"}};
    ctl->conf = conf_load(ctl->conf_path, environ, take_mistake, &loading);
    if (ctl->conf == NULL) {
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding, "it cannot be used, so nothing else was looked at");
    } else if (conf_check_reach(ctl->conf, take_mistake, &loading) != 0) {
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding, "the responder does not start with it");
    } else if (ctl->conf_path == NULL) {
        finding.verdict = CTL_WARNING;
        ctl_report_what(&finding, "there is no " DEFAULT_CONFIG ": all is built-in default or "
                                  "environment");
        ctl_report_to_do(&finding, "If there should be one elsewhere, name it with --config.");
    } else {
        ctl_report_what(&finding, "%s has no mistakes", ctl->conf_path);
    }
    ctl_report_add(report, &finding);
}

// ---- what needs no database ----

// Finds passwords that everybody on this machine can read.
static void look_at_file(struct ctl_report *report, const char *section, const char *path)
{
    struct stat file;
    struct ctl_finding finding = {.topic = {"password", section}};
    if (stat(path, &file) != 0) {
        return; // it was removed meanwhile
    }
    if ((file.st_mode & S_IROTH) != 0) {
        finding.verdict = CTL_WARNING;
        ctl_report_what(&finding, "%s holds the password of [%s] and everybody may read it", path,
                        section);
        ctl_report_to_do(&finding, "chmod o= %s", path);
    } else {
        ctl_report_what(&finding, "%s is not for everybody to read", path);
    }
    ctl_report_add(report, &finding);
}

static void look_at_password(const struct ctl *ctl, struct ctl_report *report, const char *section,
                             const struct conf_database *database)
{
    if (database->password_file[0] != '\0') {
        look_at_file(report, section, database->password_file);
    } else if (database->password[0] != '\0' && ctl->conf_path != NULL) {
        look_at_file(report, section, ctl->conf_path);
    }
}

static void look_at_passwords(struct ctl *ctl, struct ctl_report *report)
{
    look_at_password(ctl, report, "database", &ctl->conf->database);
    if (ctl->conf->has_engine_database) {
        look_at_password(ctl, report, "engine_database", &ctl->conf->engine_database);
    }
}

static void look_at_keys(struct ctl *ctl, struct ctl_report *report)
{
    struct loading loading = {
        .report = report,
        .topic = "keys",
        .to_do =
            "It must be the gateway's public key as PEM: bkflow-statesctl gateway-key NAME --write "
            "takes it from BKFlow's database.",
    };
    struct ctl_finding finding = {.topic = {"keys"}};
    struct gateways *const gateways = gateways_load(ctl->conf, take_mistake, &loading);
    if (gateways == NULL) {
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding,
                        "no gateway's token can be verified: the responder does not start");
    } else if (ctl->conf->auth.gateway) {
        ctl_report_what(&finding, "what %zu gateway%s signed can be verified",
                        ctl->conf->auth.gateway_count,
                        ctl->conf->auth.gateway_count == 1 ? "" : "s");
    } else {
        ctl_report_what(&finding, "[auth] makes no use of any");
    }
    ctl_report_add(report, &finding);
    gateways_free(gateways);
}

// Loading the configuration has checked that the zone exists.
static void look_at_zone(struct ctl *ctl, struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {"timezone"}};
    struct local_time local_time = {0};
    if (local_time_use_zone(ctl->conf->response.timezone) != 0) {
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding, "%s cannot be used", ctl->conf->response.timezone);
    } else {
        char now[LOCAL_TIME_TEXT_MAX];
        const size_t len = local_time_format(&local_time, clock_system.wall_us(), now);
        ctl_report_what(&finding, "%s, where it is %.*s now", ctl->conf->response.timezone,
                        (int)len, now);
    }
    ctl_report_add(report, &finding);
}

// The largest tasks in all workers at once should fit into half of the memory.
static void look_at_max_nodes(struct ctl *ctl, struct ctl_report *report)
{
    enum { MEBIBYTE = 1 << 20 };
    const int64_t nodes = ctl->conf->response.max_nodes;
    const int64_t needed =
        (int64_t)service_node_arena_bytes((size_t)nodes) * ctl->conf->server.workers / MEBIBYTE;
    const int64_t present = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / MEBIBYTE;
    struct ctl_finding finding = {.topic = {"max_nodes"}};
    ctl_report_what(&finding,
                    "%" PRId64 " nodes in each of %" PRId64 " workers take up to %" PRId64
                    " MiB; this machine has %" PRId64,
                    nodes, ctl->conf->server.workers, needed, present);
    if (needed > present / 2) {
        finding.verdict = CTL_WARNING;
        ctl_report_to_do(&finding, "Lower [response] max_nodes or [server] workers.");
    }
    ctl_report_add(report, &finding);
}

// The checks that need a configuration, in this order.
static void (*const looks[])(struct ctl *ctl, struct ctl_report *report) = {
    look_at_passwords, look_at_keys,           look_at_zone,
    look_at_max_nodes, ctl_check_database_all, ctl_gateway_key_check,
};

int ctl_check_run(struct ctl *ctl)
{
    struct ctl_report report;
    ctl_report_begin(&report, &ctl->out, ctl->options.is_json);
    look_at_configuration(ctl, &report);
    for (size_t i = 0; ctl->conf != NULL && i < COUNT_OF(looks); i++) {
        looks[i](ctl, &report);
    }
    return ctl_report_end(&report) ? CTL_OK : CTL_FAILED;
}
