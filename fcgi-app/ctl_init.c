// SPDX-License-Identifier: MIT
#include "ctl_init.h"

#include "apps.h"
#include "ctl_account.h"
#include "ctl_fault.h"
#include "ctl_schema.h"
#include "ctl_tables.h"

// Both databases may be the same; each table is granted in its own.
static void grant_for(const struct ctl *ctl, const struct ctl_tables_table *table,
                      char sql[CTL_TABLES_SQL_MAX])
{
    const struct conf_database *const database =
        table->is_engine ? &ctl->conf->engine_database : &ctl->conf->database;
    // Where only an option file knows the account, its usual name stands for it.
    const char *const user = database->user[0] == '\0' ? "bkflow_states" : database->user;
    char account[CTL_TABLES_SQL_MAX];
    ctl_tables_account(str_from(user), STR("%"), account, sizeof account);
    ctl_tables_grant(table, str_from(database->name), account, sql, CTL_TABLES_SQL_MAX);
}

static void write_answer(struct ctl *ctl, bool was_there)
{
    struct jsonw json;
    jsonw_init(&json, &ctl->out.buffer);
    jsonw_open(&json);
    JSONW_KEY(&json, "table");
    jsonw_string(&json, STR("bkflow_states_app"));
    JSONW_KEY(&json, "database");
    jsonw_string(&json, str_from(ctl->conf->database.name));
    JSONW_KEY(&json, "created");
    jsonw_bool(&json, !was_there);
    JSONW_KEY(&json, "grants");
    jsonw_open(&json);
    for (size_t i = 0; i < ctl_tables_count; i++) {
        char grant[CTL_TABLES_SQL_MAX];
        grant_for(ctl, &ctl_tables_all[i], grant);
        jsonw_key(&json, str_from(ctl_tables_all[i].name));
        jsonw_string(&json, str_from(grant));
    }
    jsonw_close(&json);
    jsonw_close(&json);
    ctl_out_print(&ctl->out, "\n");
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
    for (size_t i = 0; i < ctl_tables_count; i++) {
        char grant[CTL_TABLES_SQL_MAX];
        grant_for(ctl, &ctl_tables_all[i], grant);
        ctl_out_print(out, "    ");
        ctl_out_text(out, str_from(grant));
        ctl_out_print(out, "\n");
    }
    ctl_out_print(out, "\nThen: bkflow-statesctl check, and bkflow-statesctl app add CODE.\n");
}

static int create_table(struct ctl *ctl, const struct conf_database *account, struct err *err)
{
    struct apps *const apps = apps_new(account, &ctl->shard);
    const int outcome =
        apps == NULL ? err_set(err, ERR_NO_MEMORY, "connection") : apps_create_table(apps, err);
    apps_free(apps);
    return outcome;
}

static int find_table(struct ctl *ctl, const struct conf_database *account, bool *is_there,
                      struct err *err)
{
    struct ctl_schema *const schema = ctl_schema_new(account, &ctl->shard);
    enum ctl_schema_kind kind = CTL_SCHEMA_NOTHING;
    const int outcome = schema == NULL ? err_set(err, ERR_NO_MEMORY, "connection")
                                       : ctl_schema_kind(schema, "bkflow_states_app", &kind, err);
    ctl_schema_free(schema);
    *is_there = kind != CTL_SCHEMA_NOTHING;
    return outcome;
}

int ctl_init_run(struct ctl *ctl)
{
    const struct conf_database account = ctl_account_reach(ctl, &ctl->conf->database);
    struct err err = {0};
    bool was_there;
    if (find_table(ctl, &account, &was_there, &err) != 0 ||
        create_table(ctl, &account, &err) != 0) {
        return ctl_fault_explain(&err);
    }
    if (ctl->options.is_json) {
        write_answer(ctl, was_there);
    } else {
        print_answer(ctl, was_there);
    }
    return CTL_OK;
}
