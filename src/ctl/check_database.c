// SPDX-License-Identifier: MIT
#include "ctl/check_database.h"

#include "ctl/account.h"
#include "ctl/check_pair.h"
#include "ctl/schema.h"

#include <inttypes.h>
#include <stdio.h>

enum { CLOCK_TOLERANCE_US = 2 * 1000 * 1000 };

// ---- one connection ----

// The hosts as they are configured: "db1, db2:3307, port 3306", or the local socket.
static void say_where(const struct conf_database *conf, char *text, size_t size)
{
    size_t len = 0;
    if (conf->hosts.hosts[0].name[0] == '\0') {
        snprintf(text, size, "%s", conf->socket[0] != '\0' ? conf->socket : "the local socket");
        return;
    }
    for (size_t i = 0; i < conf->hosts.count && len < size; i++) {
        char name[CONF_HOST_TEXT_MAX];
        conf_host_show(&conf->hosts.hosts[i], conf->port, name);
        len += (size_t)snprintf(text + len, size - len, "%s, ", name);
    }
    if (len < size) {
        snprintf(text + len, size - len, "port %" PRId64, conf->port);
    }
}

// Returns whether the database answers. Reports which account the server matched.
static bool look_at_connection(struct ctl_schema *schema, const struct conf_database *conf,
                               const char *kind, const char *section,
                               struct ctl_schema_server *server, struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {kind, section}};
    struct error err = {0};
    char where[512];
    say_where(conf, where, sizeof where);
    const bool answers = ctl_schema_server(schema, server, &err) == 0;
    if (answers) {
        ctl_report_what(&finding, "%s@%s in database %s of %s%s at %s", server->user, server->host,
                        server->database,
                        strstr(server->version, "MariaDB") == NULL ? "MySQL " : "", server->version,
                        where);
    } else {
        struct ctl_fault fault = {.what = ""};
        ctl_fault_explain(&fault, &err);
        finding.verdict = CTL_WRONG;
        ctl_report_what(&finding, "%s", fault.what);
        ctl_report_to_do(&finding, "%s", fault.to_do);
    }
    ctl_report_add(report, &finding);
    return answers;
}

// Reports a query that failed.
static void add_failure(struct ctl_report *report, struct ctl_finding *finding,
                        const struct error *err)
{
    finding->verdict = CTL_WRONG;
    ctl_report_what(finding, "it cannot be told: %s", err->detail);
    ctl_report_add(report, finding);
}

// Rows contain the server's time, but elapsed times and rotated secrets are measured by ours.
static void look_at_clock(const struct ctl_check_place *place, struct ctl_report *report)
{
    const int64_t ahead_us = place->server.ahead_us;
    const int64_t distance_us = ahead_us < 0 ? -ahead_us : ahead_us;
    struct ctl_finding finding = {.topic = {"clock", place->section}};
    ctl_report_what(&finding, "the server's clock is %s ours by %" PRId64 ".%03" PRId64 " s",
                    ahead_us < 0 ? "behind" : "ahead of", distance_us / 1000000,
                    distance_us / 1000 % 1000);
    if (distance_us > CLOCK_TOLERANCE_US + place->server.uncertain_us) {
        finding.verdict = CTL_WARNING;
        ctl_report_to_do(&finding, "Elapsed times, and the end of rotated secrets, are off by as "
                                   "much: set both clocks by NTP.");
    }
    ctl_report_add(report, &finding);
}

static void look_at_time_limit(const struct ctl_check_place *place, struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {"time_limit", place->section}};
    struct error err = {0};
    int64_t limit_ms;
    if (ctl_schema_time_limit(place->responder, &limit_ms, &err) != 0) {
        add_failure(report, &finding, &err);
        return;
    }
    if (limit_ms < 0) {
        finding.verdict = CTL_WARNING;
        ctl_report_what(&finding, "the server cannot limit the time of statements");
        ctl_report_to_do(&finding, "A statement that takes too long ends for the client, but goes "
                                   "on in the server. MariaDB 10.1 and MySQL 5.7.8 can end it.");
        ctl_report_add(report, &finding);
        return;
    }
    ctl_report_what(&finding, "the server ends a statement after %" PRId64 " ms", limit_ms);
    if (limit_ms != place->conf->query_timeout_ms) {
        finding.verdict = CTL_WARNING;
        ctl_report_to_do(&finding,
                         "[%s] query_timeout is %" PRId64 " ms: something on the server's side, "
                         "such as a proxy or its init_connect, sets another.",
                         place->section, place->conf->query_timeout_ms);
    }
    ctl_report_add(report, &finding);
}

static void look_at_privileges(const struct ctl_check_place *place, struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {"account", place->section}};
    struct error err = {0};
    char excess[512];
    if (ctl_schema_excess(place->responder, excess, sizeof excess, &err) != 0) {
        add_failure(report, &finding, &err);
        return;
    }
    if (excess[0] == '\0') {
        ctl_report_what(&finding, "%s@%s may read and nothing else", place->server.user,
                        place->server.host);
    } else {
        finding.verdict = CTL_WARNING;
        ctl_report_what(&finding, "%s@%s may do more than read: %s", place->server.user,
                        place->server.host, excess);
        ctl_report_to_do(&finding, "The responder only needs SELECT: give it an account of its "
                                   "own, with the grants that bkflow-statesctl init-db prints.");
    }
    ctl_report_add(report, &finding);
}

// ---- one database ----

// A table that no request reads may be missing.
static bool is_needed(const struct conf *conf, const struct ctl_tables_table *table)
{
    switch (table->need) {
    case CTL_TABLES_SECRETS:
        return conf->auth.direct;
    case CTL_TABLES_USERS:
        return conf->auth.direct && conf->auth.user_table_check;
    case CTL_TABLES_ALWAYS:
        break;
    }
    return true;
}

static void add_unneeded(const struct ctl_tables_table *table, struct ctl_report *report)
{
    struct ctl_finding finding = {.topic = {"table", table->name}};
    ctl_report_what(&finding, "[auth] makes no use of it");
    ctl_report_add(report, &finding);
}

static void look_at_tables(struct ctl *ctl, const struct ctl_check_place *place,
                           struct ctl_report *report)
{
    const bool is_separate = ctl->conf->has_engine_database;
    const bool is_engine = place->conf == &ctl->conf->engine_database;
    for (size_t i = 0; i < ctl_tables_count; i++) {
        if (is_separate && ctl_tables_all[i].is_engine != is_engine) {
            continue;
        }
        if (is_needed(ctl->conf, &ctl_tables_all[i])) {
            ctl_check_table_run(place, &ctl_tables_all[i], report);
        } else {
            add_unneeded(&ctl_tables_all[i], report);
        }
    }
}

// Checks the responder's own connection. If it fails, PLACE gets none; an administrator's may still
// work.
static void look_at_responder(struct ctl *ctl, struct ctl_check_place *place,
                              struct ctl_report *report)
{
    place->responder = ctl_schema_new(place->conf, &ctl->shard);
    if (place->responder != NULL && look_at_connection(place->responder, place->conf, "connection",
                                                       place->section, &place->server, report)) {
        look_at_clock(place, report);
        look_at_time_limit(place, report);
        look_at_privileges(place, report);
        return;
    }
    ctl_schema_free(place->responder);
    place->responder = NULL;
    snprintf(place->server.user, sizeof place->server.user, "%s", place->conf->user);
    snprintf(place->server.host, sizeof place->server.host, "%%");
    snprintf(place->server.database, sizeof place->server.database, "%s", place->conf->name);
}

// Checks the tables as the administrator: the responder's account cannot tell a missing table from
// one that it may not read.
static void look_as_administrator(struct ctl *ctl, struct ctl_check_place *place,
                                  struct ctl_report *report)
{
    struct ctl_schema_server server;
    place->administrator = ctl_account_reach(ctl, place->conf);
    place->structure = ctl_schema_new(&place->administrator, &ctl->shard);
    if (place->structure != NULL &&
        look_at_connection(place->structure, &place->administrator, "administrator", place->section,
                           &server, report)) {
        snprintf(place->server.identity, sizeof place->server.identity, "%s", server.identity);
        look_at_tables(ctl, place, report);
        return;
    }
    ctl_schema_free(place->structure);
    place->structure = NULL;
}

static void look_at_database(struct ctl *ctl, struct ctl_check_place *place,
                             struct ctl_report *report)
{
    look_at_responder(ctl, place, report);
    if (ctl->options.user != NULL) {
        look_as_administrator(ctl, place, report);
    } else if (place->responder != NULL) {
        place->structure = place->responder;
        look_at_tables(ctl, place, report);
    }
}

static void leave(struct ctl_check_place *place)
{
    if (place->structure != place->responder) {
        ctl_schema_free(place->structure);
    }
    ctl_schema_free(place->responder);
}

void ctl_check_database_all(struct ctl *ctl, struct ctl_report *report)
{
    struct ctl_check_place interface = {.section = "database", .conf = &ctl->conf->database};
    struct ctl_check_place engine = {.section = "engine_database",
                                     .conf = &ctl->conf->engine_database};
    const struct ctl_check_place *tasks = &interface;
    look_at_database(ctl, &interface, report);
    if (ctl->conf->has_engine_database) {
        look_at_database(ctl, &engine, report);
        tasks = &engine;
    }
    if (interface.structure != NULL && tasks->structure != NULL) {
        ctl_check_pair_run(&interface, tasks, report);
    }
    leave(&engine);
    leave(&interface);
}
