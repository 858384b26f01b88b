// SPDX-License-Identifier: MIT
#include "ctl/check_pair.h"

// How much of a table an account sees, in this order.
enum sight { MISSING, EMPTY, FILLED };

struct sights {
    enum sight templates; // used in the interface's database
    enum sight tasks;     // used in the engine's
};

static enum sight look_at(struct ctl_schema *schema, const char *table, enum ctl_schema_rows rows)
{
    enum ctl_schema_kind kind;
    struct error err = {0};
    // A failure has been reported with the table itself.
    if (ctl_schema_kind(schema, table, &kind, &err) != 0 || kind == CTL_SCHEMA_NOTHING) {
        return MISSING;
    }
    return ctl_schema_has_rows(schema, rows) ? FILLED : EMPTY;
}

static struct sights look_around(const struct ctl_check_place *place)
{
    return (struct sights){
        .templates = look_at(place->structure, "template_template", CTL_SCHEMA_TEMPLATES),
        .tasks = look_at(place->structure, "task_taskinstance", CTL_SCHEMA_TASKS),
    };
}

static bool is_same(const struct ctl_check_place *a, const struct ctl_check_place *b)
{
    return strcmp(a->server.identity, b->server.identity) == 0 &&
           strcmp(a->server.database, b->server.database) == 0;
}

// ---- the rows ----

static void report_no_tasks(bool two_databases, struct ctl_finding *finding)
{
    finding->verdict = CTL_WARNING;
    ctl_report_what(finding, "[database] has templates, but [%s] has no tasks",
                    two_databases ? "engine_database" : "database");
    ctl_report_to_do(
        finding,
        "If BKFlow has run tasks, [engine_database] must name the database of its engine.");
}

static void report_no_templates(bool two_databases, struct ctl_finding *finding)
{
    finding->verdict = CTL_WARNING;
    ctl_report_what(finding, "[%s] has tasks, but [database] has no templates",
                    two_databases ? "engine_database" : "database");
    ctl_report_to_do(finding, "[database] must name the database of BKFlow's interface%s.",
                     two_databases ? "" : ", and [engine_database] that of its engine");
}

static void report_nothing(struct ctl_finding *finding)
{
    finding->verdict = CTL_WARNING;
    ctl_report_what(finding, "there are no templates and no tasks");
    ctl_report_to_do(finding,
                     "If BKFlow has run tasks, these are not its databases, or [database] and "
                     "[engine_database] are exchanged: --user ACCOUNT with an account that may "
                     "read all of both shows which.");
}

static void report_exchanged(struct ctl_finding *finding)
{
    finding->verdict = CTL_WRONG;
    ctl_report_what(finding, "[database] and [engine_database] are exchanged");
    ctl_report_to_do(finding, "[database] must name the database of BKFlow's interface, which has "
                              "the templates; [engine_database] that of its engine, which has the "
                              "tasks.");
}

static void compare_rows(const struct sights *interface, const struct sights *engine,
                         bool two_databases, struct ctl_finding *finding)
{
    if (interface->templates < engine->templates && engine->tasks < interface->tasks) {
        report_exchanged(finding);
    } else if (interface->templates == FILLED && engine->tasks == FILLED) {
        ctl_report_what(finding, "[database] has the templates and [%s] the tasks",
                        two_databases ? "engine_database" : "database");
    } else if (interface->templates == FILLED) {
        report_no_tasks(two_databases, finding);
    } else if (engine->tasks == FILLED) {
        report_no_templates(two_databases, finding);
    } else {
        report_nothing(finding);
    }
}

// A table that is missing has been reported with the table itself. If it is missing in the only
// database, that one is probably one of BKFlow's two.
static bool is_worth_saying(const struct sights *interface, const struct sights *engine,
                            bool two_databases, enum ctl_verdict verdict)
{
    const bool has_templates = interface->templates != MISSING;
    const bool has_tasks = engine->tasks != MISSING;
    return verdict == CTL_WRONG || (has_templates && has_tasks) ||
           (!two_databases && (has_templates || has_tasks));
}

// ---- the two ----

static void add_same(const struct ctl_check_place *place, struct ctl_report *report)
{
    struct ctl_finding finding = {.verdict = CTL_WARNING, .topic = {"databases", "same"}};
    ctl_report_what(&finding,
                    "[database] and [engine_database] lead to one and the same database, %s",
                    place->server.database);
    ctl_report_to_do(&finding, "If BKFlow has one database for everything, leave [engine_database] "
                               "out; else let it name that of BKFlow's engine.");
    ctl_report_add(report, &finding);
}

void ctl_check_pair_run(const struct ctl_check_place *interface,
                        const struct ctl_check_place *engine, struct ctl_report *report)
{
    const bool two_databases = interface != engine;
    const struct sights first = look_around(interface);
    const struct sights second = two_databases ? look_around(engine) : first;
    struct ctl_finding finding = {.topic = {"databases"}};
    compare_rows(&first, &second, two_databases, &finding);
    if (is_worth_saying(&first, &second, two_databases, finding.verdict)) {
        ctl_report_add(report, &finding);
    }
    if (two_databases && is_same(interface, engine)) {
        add_same(interface, report);
    }
}
