// SPDX-License-Identifier: MIT
// Files and the environment as a whole: forms, mistakes, which value counts, and files with
// passwords.
#include "conf/conf_case.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

// ---- files ----

static void files_may_be_written_in_several_ways(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[server]\nworkers = 8\n",
        "[server]\nworkers=8",
        "[server]\nworkers   =    8   \n",
        "[server]\r\nworkers = 8\r\n",
        "\xEF\xBB\xBF[server]\nworkers = 8\n",
        "# comment\n; comment\n\n[server]\n\nworkers = 8\n",
        "   # an indented comment\n\t; another\n   \n[server]\nworkers = 8\n",
        "[server]\nclient_timeout = 1s\n[log]\nlevel = error\n[server]\nworkers = 8\n",
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct conf *const conf = conf_case_load_good(files[i], NULL);
        check_number(files[i], conf->server.workers, 8);
        conf_free(conf);
    }
}

static void an_empty_file_means_all_defaults(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good("", NULL);
    assert_int_equal(conf->server.drain_timeout_ms, 10000);
    conf_free(conf);
}

static void a_mistake_is_named_with_file_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        const char *expected;
    } rows[] = {
        {"a bad value", "[server]\n\nworkers = 0\n",
         ":3: [server] workers: expected auto, or 1 to 256, not \"0\""},
        {"an unknown key", "[server]\nworker = 4\n",
         ":2: [server] worker: unknown key; bkflow-states.conf(5) lists what there is"},
        {"an unknown section", "[servers]\nworkers = 4\n",
         ":2: [servers] workers: unknown section; bkflow-states.conf(5) lists what there is"},
        {"a key of another section", "[log]\nworkers = 4\n",
         ":2: [log] workers: unknown key; bkflow-states.conf(5) lists what there is"},
        {"a key before any section", "workers = 4\n",
         ":1: [] workers: unknown section; bkflow-states.conf(5) lists what there is"},
        {"a key in capitals", "[server]\nWorkers = 4\n",
         ":2: [server] Workers: unknown key; bkflow-states.conf(5) lists what there is"},
        {"a key given twice", "[server]\nworkers = 4\n\nworkers = 4\n",
         ":4: [server] workers: given before on line 2; keep one of the two"},
        {"twice in two sections of one name",
         "[server]\nworkers = 4\n[log]\n[server]\nworkers = 5\n",
         ":5: [server] workers: given before on line 2; keep one of the two"},
        {"an indented key", "[server]\n  workers = 4\n",
         ":2: the line begins with a blank; a key begins at the first column, and only lists go on "
         "in further lines"},
        {"an indented key behind another", "[server]\nworkers = 4\n\tdrain_timeout = 1s\n",
         ":3: the line begins with a blank; a key begins at the first column, and only lists go on "
         "in further lines"},
        {"a line without meaning", "[server]\nworkers\n", ":2: neither [section] nor key = value"},
        {"a section without end", "[server\nworkers = 4\n", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].expected != NULL) {
            conf_case_check_complaint(rows[i].name, rows[i].text, rows[i].expected);
            continue;
        }
        check(rows[i].name, conf_case_load(rows[i].text, NULL) == NULL);
        check(rows[i].name,
              has_text(str_from(conf_case.complaints), ":1: neither [section] nor key"));
    }
}

static void all_mistakes_are_named_at_once(void **state)
{
    (void)state;
    assert_null(
        conf_case_load("[server]\nworkers = 0\nworker = 1\nworkers = 2\n drain_timeout = 1\n"
                       "[auth]\nquery_credentials = maybe\n",
                       NULL));
    assert_int_equal(conf_case.count, 5);
    assert_true(has_text(str_from(conf_case.complaints), ":2: [server] workers"));
    assert_true(has_text(str_from(conf_case.complaints), ":3: [server] worker:"));
    assert_true(has_text(str_from(conf_case.complaints), ":4: [server] workers: given before"));
    assert_true(has_text(str_from(conf_case.complaints), ":5: the line begins with a blank"));
    assert_true(has_text(str_from(conf_case.complaints), ":7: [auth] query_credentials: expected"));
}

static void every_meaningless_line_is_named(void **state)
{
    (void)state;
    assert_null(conf_case_load("[server]\nfirst\nworkers = 4\nsecond\n", NULL));
    assert_true(has_text(str_from(conf_case.complaints), ":2: neither [section] nor key = value"));
    assert_true(has_text(str_from(conf_case.complaints), ":4: neither [section] nor key = value"));
}

// "[database]", then "name = xxx" of LINE_LEN characters, then a mistake on line 3.
static const char *file_with_line_of(size_t line_len)
{
    static char text[4096];
    const int head = snprintf(text, sizeof text, "[database]\nname = ");
    const size_t fill = line_len - strlen("name = ");
    memset(text + head, 'x', fill);
    snprintf(text + (size_t)head + fill, 64, "\nbad = 1\n");
    return text;
}

static void a_too_long_line_is_a_mistake_and_not_truncated(void **state)
{
    (void)state;
    for (size_t len = 150; len < 450; len++) {
        assert_null(conf_case_load(file_with_line_of(len), NULL));
        assert_true(has_text(str_from(conf_case.complaints), ":3: [database] bad: unknown key"));
        const bool is_refused = has_text(str_from(conf_case.complaints), ":2: the line is longer");
        assert_int_equal(conf_case.count, is_refused ? 2 : 1);
        assert_int_equal(is_refused, len > 198);
    }
}

static void a_value_is_complete_up_to_the_longest_line(void **state)
{
    (void)state;
    char text[512] = "[database]\nname = ";
    memset(text + 18, 'x', 198 - 7);
    memcpy(text + 18 + 198 - 7, "\n[log]\nlevel = error\n", 22);
    struct conf *const conf = conf_case_load_good(text, NULL);
    assert_int_equal(strlen(conf->database.name), 198 - 7);
    assert_int_equal(conf->log.level, LOG_LEVEL_ERROR);
    conf_free(conf);
}

// Where something of a value is not taken, that has to be said: passwords have such characters.
static void a_value_is_accepted_completely_or_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"a;b", "a#b",     "a ;b", "a # b", "a=b",
                                         "a:b", "\"a b\"", "[a]",  "a\\b"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct conf *const conf =
            conf_case_load(conf_case_one_key("database", "password", values[i]), NULL);
        if (conf != NULL) {
            check_text(values[i], str_from(conf->database.password), values[i]);
        } else {
            check(values[i], conf_case.count > 0);
        }
        conf_free(conf);
    }
}

static void an_unreadable_file_is_a_mistake(void **state)
{
    (void)state;
    static char *const nothing[] = {NULL};
    assert_null(conf_load("/nowhere/conf", nothing, conf_case_note, &conf_case));
    assert_string_equal(conf_case.complaints,
                        "/nowhere/conf: cannot be read: No such file or directory\n");
}

static void a_folder_instead_of_a_file_is_a_mistake(void **state)
{
    (void)state;
    static char *const nothing[] = {NULL};
    struct conf *const conf = conf_load(conf_case.folder, nothing, conf_case_note, &conf_case);
    const bool is_refused = conf == NULL;
    conf_free(conf);
    assert_true(is_refused);
}

static void no_complaint_shows_a_secret(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[database]\npassword = hunter2\npassword = hunter2\n",
        "[database]\n password = hunter2\n",
        "[database]\npasswort = hunter2\n",
        "[databse]\npassword = hunter2\n",
        "[database]\npassword hunter2\n",
        "[database]\npassword hunter2 = \n",
        "[database]\npassword_file = hunter2\n",
        "[database]\nPASSWORD = hunter2\n",
        "[database]\npassword = hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2"
        "hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2"
        "hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2\n",
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        check(files[i], conf_case_load(files[i], NULL) == NULL);
        check(files[i], !has_text(str_from(conf_case.complaints), "hunter2"));
    }
}

// ---- environment ----

static void the_environment_overrides_the_file(void **state)
{
    (void)state;
    char entry[] = "BKFLOW_STATES_SERVER_WORKERS=9";
    char *const variables[] = {entry, NULL};
    struct conf *const conf = conf_case_load_good("[server]\nworkers = 8\n", variables);
    assert_int_equal(conf->server.workers, 9);
    conf_free(conf);
}

static void an_empty_variable_is_an_empty_value(void **state)
{
    (void)state;
    char entry[] = "BKFLOW_STATES_DATABASE_USER=";
    char *const variables[] = {entry, NULL};
    struct conf *const conf = conf_case_load_good("[database]\nuser = file\n", variables);
    assert_string_equal(conf->database.user, "");
    conf_free(conf);
}

static void values_of_variables_are_not_trimmed(void **state)
{
    (void)state;
    struct conf *const conf =
        conf_case_load_environment("BKFLOW_STATES_DATABASE_PASSWORD= a=b ;c ");
    assert_non_null(conf);
    assert_string_equal(conf->database.password, " a=b ;c ");
    conf_free(conf);
}

static void a_bad_variable_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        const char *expected;
    } rows[] = {
        {"BKFLOW_STATES_SERVER_WORKERS=0",
         "environment: BKFLOW_STATES_SERVER_WORKERS: expected auto, or 1 to 256, not \"0\"\n"},
        {"BKFLOW_STATES_SERVER_WORKER=1",
         "environment: BKFLOW_STATES_SERVER_WORKER: no such key; bkflow-states.conf(5) lists what "
         "there is\n"},
        {"BKFLOW_STATES_server_workers=1",
         "environment: BKFLOW_STATES_server_workers: no such key; bkflow-states.conf(5) lists what "
         "there is\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].entry, conf_case_load_environment(rows[i].entry) == NULL);
        check_text(rows[i].entry, str_from(conf_case.complaints), rows[i].expected);
    }
}

static void other_variables_are_ignored(void **state)
{
    (void)state;
    char config[] = "BKFLOW_STATES_CONFIG=/etc/x.conf";
    char other[] = "BKFLOW_OTHER=1";
    char path[] = "PATH=/bin";
    char no_value[] = "BKFLOW_STATES_NONSENSE";
    char *const variables[] = {config, other, path, no_value, NULL};
    struct conf *const conf = conf_case_load_good(NULL, variables);
    assert_false(conf->given[0]);
    conf_free(conf);
}

// ---- passwords ----

static struct conf *load_with_password_file(const char *content)
{
    char *const path = scratch_write(conf_case.folder, "password", content);
    struct conf *const conf =
        conf_case_load(conf_case_one_key("database", "password_file", path), NULL);
    free(path);
    return conf;
}

static void the_first_line_of_a_password_file_is_the_password(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        const char *expected;
    } rows[] = {
        {"hunter2\n", "hunter2"},
        {"hunter2", "hunter2"},
        {"hunter2\r\n", "hunter2"},
        {"hunter2\nsecond line\n", "hunter2"},
        {" with blanks ; # \n", " with blanks ; # "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf *const conf = load_with_password_file(rows[i].content);
        check(rows[i].content, conf != NULL);
        check_text(rows[i].content, str_from(conf->database.password), rows[i].expected);
        check_text(rows[i].content, str_from(conf->engine_database.password), rows[i].expected);
        conf_free(conf);
    }
}

static void an_unreadable_password_file_is_named(void **state)
{
    (void)state;
    assert_null(
        conf_case_load(conf_case_one_key("database", "password_file", "/nowhere/password"), NULL));
    assert_true(
        has_text(str_from(conf_case.complaints),
                 "[database] password_file: /nowhere/password cannot be used: No such file"));
    assert_null(
        conf_case_load(conf_case_one_key("database", "password_file", conf_case.folder), NULL));
    assert_true(has_text(str_from(conf_case.complaints), "cannot be used: Is a directory"));
}

static void a_too_long_password_is_refused_and_not_truncated(void **state)
{
    (void)state;
    char content[5000];
    memset(content, 'x', sizeof content);
    content[sizeof content - 1] = '\0';
    struct conf *const conf = load_with_password_file(content);
    const bool is_right = conf == NULL || strcmp(conf->database.password, content) == 0;
    conf_free(conf);
    assert_true(is_right);
}

static void two_passwords_are_a_mistake(void **state)
{
    (void)state;
    char text[1024];
    char *const path = scratch_write(conf_case.folder, "password", "hunter2\n");
    snprintf(text, sizeof text, "[database]\npassword = hunter3\npassword_file = %s\n", path);
    assert_null(conf_case_load(text, NULL));
    assert_true(has_text(str_from(conf_case.complaints),
                         "[database] password and password_file are both given; keep one"));
    assert_false(has_text(str_from(conf_case.complaints), "hunter"));
    free(path);
}

static void systemds_credential_is_the_password(void **state)
{
    (void)state;
    free(scratch_write(conf_case.folder, "database_password", "hunter2\n"));
    free(scratch_write(conf_case.folder, "engine_database_password", "hunter3\n"));
    setenv("CREDENTIALS_DIRECTORY", conf_case.folder, 1);
    struct conf *const conf = conf_case_load_good("[engine_database]\nname = engine\n", NULL);
    assert_string_equal(conf->database.password, "hunter2");
    assert_string_equal(conf->engine_database.password, "hunter3");
    conf_free(conf);
}

static void a_password_in_the_file_precedes_systemds_credential(void **state)
{
    (void)state;
    free(scratch_write(conf_case.folder, "database_password", "hunter2\n"));
    setenv("CREDENTIALS_DIRECTORY", conf_case.folder, 1);
    struct conf *const conf = conf_case_load_good("[database]\npassword = hunter4\n", NULL);
    assert_string_equal(conf->database.password, "hunter4");
    conf_free(conf);
}

static void a_folder_of_credentials_without_ours_changes_nothing(void **state)
{
    (void)state;
    setenv("CREDENTIALS_DIRECTORY", conf_case.folder, 1);
    struct conf *const conf = conf_case_load_good(NULL, NULL);
    assert_string_equal(conf->database.password, "");
    conf_free(conf);
}

// As where the service's user may not enter it. Root may, but nobody can enter a file.
static void unreadable_credentials_are_a_mistake(void **state)
{
    (void)state;
    char *const file = scratch_write(conf_case.folder, "file", "");
    setenv("CREDENTIALS_DIRECTORY", file, 1);
    assert_null(conf_case_load(NULL, NULL));
    assert_true(has_text(str_from(conf_case.complaints),
                         "/file/database_password cannot be used: Not a directory"));
    free(file);
}

#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, conf_case_set_up, conf_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(files_may_be_written_in_several_ways),
        WITH_FIXTURE(an_empty_file_means_all_defaults),
        WITH_FIXTURE(a_mistake_is_named_with_file_line_and_key),
        WITH_FIXTURE(all_mistakes_are_named_at_once),
        WITH_FIXTURE(every_meaningless_line_is_named),
        WITH_FIXTURE(a_too_long_line_is_a_mistake_and_not_truncated),
        WITH_FIXTURE(a_value_is_complete_up_to_the_longest_line),
        WITH_FIXTURE(a_value_is_accepted_completely_or_refused),
        WITH_FIXTURE(an_unreadable_file_is_a_mistake),
        WITH_FIXTURE(a_folder_instead_of_a_file_is_a_mistake),
        WITH_FIXTURE(no_complaint_shows_a_secret),
        WITH_FIXTURE(the_environment_overrides_the_file),
        WITH_FIXTURE(an_empty_variable_is_an_empty_value),
        WITH_FIXTURE(values_of_variables_are_not_trimmed),
        WITH_FIXTURE(a_bad_variable_is_named),
        WITH_FIXTURE(other_variables_are_ignored),
        WITH_FIXTURE(the_first_line_of_a_password_file_is_the_password),
        WITH_FIXTURE(an_unreadable_password_file_is_named),
        WITH_FIXTURE(a_too_long_password_is_refused_and_not_truncated),
        WITH_FIXTURE(two_passwords_are_a_mistake),
        WITH_FIXTURE(systemds_credential_is_the_password),
        WITH_FIXTURE(a_password_in_the_file_precedes_systemds_credential),
        WITH_FIXTURE(a_folder_of_credentials_without_ours_changes_nothing),
        WITH_FIXTURE(unreadable_credentials_are_a_mistake),
    };
    return cmocka_run_group_tests_name("conf_files", tests, NULL, NULL);
}
