// SPDX-License-Identifier: MIT
#include "ctl/init.h"

#include "ctl/applications.h"
#include "ctl/account.h"
#include "ctl/schema.h"
#include "ctl/tables.h"

// Each table is granted in its own database; the two may be the same.
static void grant_for(const struct ctl *ctl, const struct ctl_tables_table *table,
                      char sql[CTL_TABLES_SQL_MAX])
{
    const struct conf_database *const database =
        table->is_engine ? &ctl->conf->engine_database : &ctl->conf->database;
    // If only an option file knows the account, use its usual name.
    const char *const user = database->user[0] == '\0' ? "bkflow_states" : database->user;
    char account[CTL_TABLES_SQL_MAX];
    ctl_tables_account(str_from(user), STR("%"), account, sizeof account);
    ctl_tables_grant(table, str_from(database->name), account, sql, CTL_TABLES_SQL_MAX);
}

static void write_answer(struct ctl *ctl, bool was_there)
{
    struct json_writer json;
    json_write_init(&json, &ctl->out.buffer);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "table");
    json_write_string(&json, STR("bkflow_states_app"));
    JSON_WRITE_KEY(&json, "database");
    json_write_string(&json, str_from(ctl->conf->database.name));
    JSON_WRITE_KEY(&json, "created");
    json_write_bool(&json, !was_there);
    JSON_WRITE_KEY(&json, "grants");
    json_write_open(&json);
    for (size_t i = 0; i < ctl_tables_count; i++) {
        char grant[CTL_TABLES_SQL_MAX];
        grant_for(ctl, &ctl_tables_all[i], grant);
        json_write_key(&json, str_from(ctl_tables_all[i].name));
        json_write_string(&json, str_from(grant));
    }
    json_write_close(&json);
    json_write_close(&json);
    ctl_out_print(&ctl->out, "\n");
}

// Prints the grants in one of the two databases, or all if one database is both.
static void print_grants(struct ctl *ctl, const char *section, bool is_engine)
{
    struct ctl_out *const out = &ctl->out;
    const bool two_databases = ctl->conf->has_engine_database;
    if (two_databases) {
        ctl_out_print(out, "  on the server of [%s]:\n", section);
    }
    for (size_t i = 0; i < ctl_tables_count; i++) {
        char grant[CTL_TABLES_SQL_MAX];
        if (two_databases && ctl_tables_all[i].is_engine != is_engine) {
            continue;
        }
        grant_for(ctl, &ctl_tables_all[i], grant);
        ctl_out_print(out, "    ");
        ctl_out_text(out, str_from(grant));
        ctl_out_print(out, "\n");
    }
}

static void print_answer(struct ctl *ctl, bool was_there)
{
    struct ctl_out *const out = &ctl->out;
    ctl_out_print(out, "Table bkflow_states_app %s in database ",
                  was_there ? "was there already and stays as it is" : "is made");
    ctl_out_text(out, str_from(ctl->conf->database.name));
    ctl_out_print(out,
                  ".\n\nThe responder's account has to read these tables and nothing else (put "
                  "its host in the place of %%):\n\n");
    print_grants(ctl, "database", false);
    if (ctl->conf->has_engine_database) {
        print_grants(ctl, "engine_database", true);
    }
    ctl_out_print(out, "\nThen: bkflow-statesctl check, and bkflow-statesctl app add CODE.\n");
}

static int create_table(struct ctl *ctl, const struct conf_database *account, struct error *err)
{
    struct applications *const apps = applications_new(account, &ctl->shard);
    const int outcome = apps == NULL ? error_set(err, ERR_NO_MEMORY, "connection")
                                     : applications_create_table(apps, err);
    applications_free(apps);
    return outcome;
}

static int find_table(struct ctl *ctl, const struct conf_database *account, bool *is_there,
                      struct error *err)
{
    struct ctl_schema *const schema = ctl_schema_new(account, &ctl->shard);
    enum ctl_schema_kind kind = CTL_SCHEMA_NOTHING;
    const int outcome = schema == NULL ? error_set(err, ERR_NO_MEMORY, "connection")
                                       : ctl_schema_kind(schema, "bkflow_states_app", &kind, err);
    ctl_schema_free(schema);
    *is_there = kind != CTL_SCHEMA_NOTHING;
    return outcome;
}

int ctl_init_run(struct ctl *ctl)
{
    const struct conf_database account = ctl_account_reach(ctl, &ctl->conf->database);
    struct error err = {0};
    bool was_there;
    if (find_table(ctl, &account, &was_there, &err) != 0 ||
        create_table(ctl, &account, &err) != 0) {
        return ctl_fault_explain(&ctl->fault, &err);
    }
    ctl_fault_set(&ctl->unseen, CTL_FAILED, "table bkflow_states_app %s",
                  was_there ? "was there already" : "was made");
    if (ctl->options.is_json) {
        write_answer(ctl, was_there);
    } else {
        print_answer(ctl, was_there);
    }
    return CTL_OK;
}
