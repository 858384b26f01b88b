// SPDX-License-Identifier: MIT
#include "ctl/command_line.h"
#include "support.h"

#include <stdlib.h>

enum { WORDS_MAX = 15 };

// The words of a command line, split at spaces; getopt may reorder them.
struct words {
    char *text;
    char *argv[WORDS_MAX + 2];
    int argc;
};

static struct words split(const char *line)
{
    struct words words = {.text = strdup(line), .argv = {(char *)(uintptr_t) "bkflow-statesctl"}};
    words.argc = 1;
    char *rest = NULL;
    for (char *word = strtok_r(words.text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        assert_true(words.argc <= WORDS_MAX);
        words.argv[words.argc++] = word;
    }
    return words;
}

// Reads LINE, which must be valid; to be freed with the words.
static struct ctl_command_line read_good(struct words *words)
{
    struct ctl_command_line line;
    struct ctl_fault fault = {.what = ""};
    if (ctl_command_line_read(&line, words->argc, words->argv, &fault) != CTL_OK) {
        fail_msg("refused: %s", fault.what);
    }
    return line;
}

static void check_misuse(const char *text, const char *what)
{
    struct words words = split(text);
    struct ctl_command_line line;
    struct ctl_fault fault = {.what = ""};
    check_number(text, ctl_command_line_read(&line, words.argc, words.argv, &fault), CTL_USAGE);
    check_text(text, str_from(fault.what), what);
    check(text, has_text(str_from(fault.to_do), "--help"));
    check_number(text, line.options.is_json,
                 has_text(str_from(text), "--json") && !has_text(str_from(text), "="));
    free(words.text);
}

static void each_command_is_found_with_its_argument(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *group;
        const char *name;
        const char *argument;
        bool loads_configuration;
    } rows[] = {
        {"init-db", NULL, "init-db", NULL, false},
        {"app add x", "app", "add", "x", false},
        {"app rotate x", "app", "rotate", "x", false},
        {"app disable x", "app", "disable", "x", false},
        {"app enable x", "app", "enable", "x", false},
        {"app list", "app", "list", NULL, false},
        {"app remove x", "app", "remove", "x", false},
        {"check", NULL, "check", NULL, true},
        {"states 12", NULL, "states", "12", false},
        {"app add -- -x", "app", "add", "-x", false},
        {"app --json add x --user root", "app", "add", "x", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct words words = split(rows[i].line);
        const struct ctl_command_line line = read_good(&words);
        check_number(rows[i].line, line.action, CTL_RUN);
        check_text(rows[i].line, str_from(line.command->group), rows[i].group);
        check_text(rows[i].line, str_from(line.command->name), rows[i].name);
        check_number(rows[i].line, line.command->loads_configuration, rows[i].loads_configuration);
        check(rows[i].line, line.command->run != NULL);
        check_text(rows[i].line, str_from(line.arguments[0]), rows[i].argument);
        free(words.text);
    }
}

static void no_two_commands_are_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "init-db",  "app add x",    "app rotate x", "app disable x", "app enable x",
        "app list", "app remove x", "check",        "states 1",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        for (size_t j = 0; j < i; j++) {
            struct words a = split(lines[i]);
            struct words b = split(lines[j]);
            check(lines[i], read_good(&a).command->run != read_good(&b).command->run);
            free(a.text);
            free(b.text);
        }
    }
}

static void options_are_accepted_anywhere(void **state)
{
    (void)state;
    struct words words = split("-c a.conf app --user root rotate --password-file pw --grace 90 x "
                               "--json --secret-stdin");
    const struct ctl_options options = read_good(&words).options;
    assert_string_equal(options.conf_path, "a.conf");
    assert_string_equal(options.user, "root");
    assert_string_equal(options.password_file, "pw");
    assert_int_equal(options.grace_seconds, 90);
    assert_true(options.is_json && options.reads_secret);
    assert_false(options.is_sure);
    assert_null(options.description);
    free(words.text);
    words = split("states 12 --follow");
    assert_true(read_good(&words).options.follows);
    free(words.text);
    words = split("app remove --yes x");
    assert_true(read_good(&words).options.is_sure);
    free(words.text);
    words = split("app add --description mine --config b.conf -u me x");
    const struct ctl_options others = read_good(&words).options;
    assert_string_equal(others.description, "mine");
    assert_string_equal(others.conf_path, "b.conf");
    assert_string_equal(others.user, "me");
    free(words.text);
}

static void nothing_is_set_that_was_not_given(void **state)
{
    (void)state;
    struct words words = split("app list");
    const struct ctl_options options = read_good(&words).options;
    assert_null(options.conf_path);
    assert_null(options.user);
    assert_null(options.password_file);
    assert_null(options.description);
    assert_false(options.is_json || options.reads_secret || options.is_sure);
    assert_int_equal(options.grace_seconds, 24 * 3600);
    free(words.text);
}

static void a_time_of_grace_is_at_most_366_days(void **state)
{
    (void)state;
    enum { MOST = 366 * 86400 };
    static const struct {
        const char *text;
        int64_t seconds; // -1: refused
    } rows[] = {
        {"0", 0},
        {"1", 1},
        {"90s", 90},
        {"15m", 900},
        {"2h", 7200},
        {"7d", 7 * 86400},
        {"100d", 100 * 86400},
        {"365d", 365 * 86400},
        {"366d", MOST},
        {"367d", -1},
        {"8784h", MOST},
        {"8785h", -1},
        {"527040m", MOST},
        {"527041m", -1},
        {"31622400", MOST},
        {"31622400s", MOST},
        {"31622401", -1},
        {"31622401s", -1},
        {"31622400d", -1},
        {"0d", 0},
        {"007d", 7 * 86400},
        {"soon", -1},
        {"d", -1},
        {"-1", -1},
        {"+1", -1},
        {"1.5h", -1},
        {"1w", -1},
        {"1dd", -1},
        {"1D", -1},
        {"9223372036854775807", -1},
        {"9223372036854775808", -1},
        {"99999999999999999999d", -1},
        {"213503982334602d", -1}, // times 86400 it is a little more than 2^64
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        snprintf(text, sizeof text, "app rotate x --grace %s", rows[i].text);
        struct words words = split(text);
        struct ctl_command_line line;
        struct ctl_fault fault;
        const int status = ctl_command_line_read(&line, words.argc, words.argv, &fault);
        check_number(rows[i].text, status, rows[i].seconds < 0 ? CTL_USAGE : CTL_OK);
        if (rows[i].seconds >= 0) {
            check_number(rows[i].text, line.options.grace_seconds, rows[i].seconds);
        } else {
            check(rows[i].text, has_text(str_from(fault.what), rows[i].text));
        }
        free(words.text);
    }
}

static void misuse_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *what;
    } rows[] = {
        {"", "a command is missing"},
        {"--json", "a command is missing"},
        {"frob", "there is no command frob"},
        {"frob --json", "there is no command frob"},
        {"add x", "there is no command add"},
        {"app", "app is followed by what is to be done, as in app list"},
        {"app frob", "there is no command app frob"},
        {"app check", "there is no command app check"},
        {"app add", "app add needs a CODE"},
        {"states", "states needs a TASK_ID"},
        {"gateway-key", "gateway-key needs a NAME"},
        {"check --write", "check does not take --write"},
        {"app add x y", "app add takes no argument y"},
        {"app list x", "app list takes no argument x"},
        {"check x", "check takes no argument x"},
        {"--frob check", "there is no option --frob"},
        {"check -x", "there is no option -x"},
        {"check --frob --json", "there is no option --frob"},
        {"--json=yes check", "option --json=yes takes no value"},
        {"check --config", "option --config needs a value"},
        {"check -c", "option -c needs a value"},
        {"check --grace 1h", "check does not take --grace"},
        {"app add x --grace 1h", "app add does not take --grace"},
        {"app rotate x --description y", "app rotate does not take --description"},
        {"app rotate x --yes", "app rotate does not take --yes"},
        {"app enable x --secret-stdin", "app enable does not take --secret-stdin"},
        {"app list --password-file f", "--password-file needs --user, whose password it is"},
        {"--one --two", "there is no option --one"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_misuse(rows[i].line, rows[i].what);
    }
}

static void help_and_version_need_no_command(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum ctl_action action;
    } rows[] = {
        {"--help", CTL_SHOW_HELP},          {"-h", CTL_SHOW_HELP},
        {"--version", CTL_SHOW_VERSION},    {"-V", CTL_SHOW_VERSION},
        {"-V -h", CTL_SHOW_HELP},           {"-h -V", CTL_SHOW_HELP},
        {"app frob --help", CTL_SHOW_HELP},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct words words = split(rows[i].line);
        const struct ctl_command_line line = read_good(&words);
        check_number(rows[i].line, line.action, rows[i].action);
        check(rows[i].line, line.command == NULL);
        free(words.text);
    }
}

static void the_usage_has_every_option(void **state)
{
    (void)state;
    static const char *const options[] = {
        "--config",      "--user", "--password-file", "--json",    "--secret-stdin", "--grace",
        "--description", "--yes",  "--help",          "--version", "--write",
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        check(options[i], has_text(str_from(ctl_command_line_usage), options[i]));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_found_with_its_argument),
        cmocka_unit_test(no_two_commands_are_the_same),
        cmocka_unit_test(options_are_accepted_anywhere),
        cmocka_unit_test(nothing_is_set_that_was_not_given),
        cmocka_unit_test(a_time_of_grace_is_at_most_366_days),
        cmocka_unit_test(misuse_is_named),
        cmocka_unit_test(help_and_version_need_no_command),
        cmocka_unit_test(the_usage_has_every_option),
    };
    return cmocka_run_group_tests_name("command_line", tests, NULL, NULL);
}
