// SPDX-License-Identifier: MIT
#include "ctl/tables.h"
#include "support.h"

static const struct ctl_tables_table *find(const char *name)
{
    for (size_t i = 0; i < ctl_tables_count; i++) {
        if (strcmp(ctl_tables_all[i].name, name) == 0) {
            return &ctl_tables_all[i];
        }
    }
    fail_msg("there is no table %s", name);
    return NULL;
}

static void an_account_is_quoted_for_sql(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        const char *host;
        const char *sql;
    } rows[] = {
        {"reader", "%", "'reader'@'%'"},
        {"", "localhost", "''@'localhost'"},
        {"o'neil", "10.0.0.%", "'o''neil'@'10.0.0.%'"},
        {"back\\slash", "a`b", "'back\\\\slash'@'a`b'"},
        {"a@b", "c\"d", "'a@b'@'c\"d'"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char sql[CTL_TABLES_SQL_MAX];
        ctl_tables_account(str_from(rows[i].user), str_from(rows[i].host), sql, sizeof sql);
        assert_string_equal(sql, rows[i].sql);
    }
}

static void only_columns_of_bkflows_tables_are_granted(void **state)
{
    (void)state;
    static const struct {
        const char *table;
        const char *sql;
    } rows[] = {
        {"bkflow_states_app", "GRANT SELECT ON `bk`.`bkflow_states_app` TO 'r'@'%';"},
        {"account_user",
         "GRANT SELECT (`username`, `is_active`) ON `bk`.`account_user` TO 'r'@'%';"},
        {"template_template", "GRANT SELECT (`id`, `is_deleted`, `bk_app_code`) ON "
                              "`bk`.`template_template` TO 'r'@'%';"},
        {"space_space", "GRANT SELECT (`id`, `app_code`) ON `bk`.`space_space` TO 'r'@'%';"},
        {"task_taskinstance",
         "GRANT SELECT (`id`, `space_id`, `is_started`, `is_deleted`, `is_expired`, "
         "`template_id`, `instance_id`) ON `bk`.`task_taskinstance` TO 'r'@'%';"},
        {"eri_state",
         "GRANT SELECT (`id`, `node_id`, `root_id`, `parent_id`, `name`, `version`, `loop`, "
         "`retry`, `skip`, `error_ignored`, `started_time`, `archived_time`) ON `bk`.`eri_state` "
         "TO 'r'@'%';"},
        {"task_taskflowrelation", "GRANT SELECT (`id`, `task_id`, `parent_task_id`, `extra_info`) "
                                  "ON `bk`.`task_taskflowrelation` TO 'r'@'%';"},
    };
    assert_int_equal(ctl_tables_count, COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char sql[CTL_TABLES_SQL_MAX];
        ctl_tables_grant(find(rows[i].table), STR("bk"), "'r'@'%'", sql, sizeof sql);
        assert_string_equal(sql, rows[i].sql);
    }
}

static void a_database_is_quoted_too(void **state)
{
    (void)state;
    char sql[CTL_TABLES_SQL_MAX];
    ctl_tables_grant(find("bkflow_states_app"), STR("a`b'c\\d"), "'r'@'%'", sql, sizeof sql);
    assert_string_equal(sql, "GRANT SELECT ON `a``b'c\\d`.`bkflow_states_app` TO 'r'@'%';");
}

// A name of 64 four-byte characters, and an account of the same length.
static void the_longest_names_fit(void **state)
{
    (void)state;
    char name[64 * 4 + 1];
    char account[CTL_TABLES_SQL_MAX];
    char sql[CTL_TABLES_SQL_MAX];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ctl_tables_account(str_from("a user of 32 bytes, as MySQL has"), STR("%"), account,
                       sizeof account);
    for (size_t i = 0; i < ctl_tables_count; i++) {
        ctl_tables_grant(&ctl_tables_all[i], str_from(name), account, sql, sizeof sql);
        assert_int_equal(sql[strlen(sql) - 1], ';');
    }
}

static void sql_is_truncated_at_its_size(void **state)
{
    (void)state;
    for (size_t size = 1; size < 60; size++) {
        char sql[64];
        memset(sql, '#', sizeof sql);
        ctl_tables_grant(find("bkflow_states_app"), STR("bk"), "'r'@'%'", sql, size);
        assert_int_equal(sql[size], '#');
        assert_true(strlen(sql) < size);
        assert_memory_equal(sql, "GRANT SELECT ON `bk`.`bkflow_states_app` TO 'r'@'%';",
                            strlen(sql));
    }
}

static void a_column_is_described_as_it_should_be(void **state)
{
    (void)state;
    static const struct {
        struct ctl_tables_column column;
        const char *text;
    } rows[] = {
        {{"a", CTL_TABLES_NUMBER, 0, false, NULL}, "a whole number"},
        {{"a", CTL_TABLES_TEXT, 33, false, NULL}, "varchar(33)"},
        {{"a", CTL_TABLES_BYTES, 16, false, NULL}, "binary(16)"},
        {{"a", CTL_TABLES_TIME, 0, false, NULL}, "datetime(6)"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        ctl_tables_describe(&rows[i].column, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_quoted_for_sql),
        cmocka_unit_test(only_columns_of_bkflows_tables_are_granted),
        cmocka_unit_test(a_database_is_quoted_too),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(sql_is_truncated_at_its_size),
        cmocka_unit_test(a_column_is_described_as_it_should_be),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
