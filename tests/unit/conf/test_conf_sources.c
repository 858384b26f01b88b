// SPDX-License-Identifier: MIT
// Sources of values: lines that inih would misread, lists over several lines, variables set by
// Kubernetes, password files.
#include "alloc.h"
#include "conf/conf.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(bytes, size) ((void)(bytes), (void)(size))
#endif

static char *folder;
static char complaints[16384];
static unsigned complaint_count;

static int set_up(void **state)
{
    (void)state;
    folder = scratch_new();
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alloc_watch_stop();
    scratch_free(folder);
    return 0;
}

static void note(void *context, const char *sentence)
{
    (void)context;
    const size_t len = strlen(complaints);
    snprintf(complaints + len, sizeof complaints - len, "%s\n", sentence);
    complaint_count++;
}

static char *write_bytes(const char *name, struct str bytes)
{
    char *const path = scratch_path(folder, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    close(fd);
    return path;
}

static struct conf *load_bytes(struct str bytes)
{
    static char *const nothing[] = {NULL};
    char *const path = write_bytes("conf", bytes);
    complaints[0] = '\0';
    complaint_count = 0;
    struct conf *const conf = conf_load(path, nothing, note, NULL);
    free(path);
    return conf;
}

static struct conf *load_text(const char *text)
{
    return load_bytes(str_from(text));
}

// ---- files that are no text ----

static void control_characters_are_refused_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str bytes;
        const char *place;
    } rows[] = {
        {"nothing but NUL", STR("\0\0\0\0\0\0\0\0"), "conf:1: "},
        {"NUL in a comment", STR("# a\0b\n[server]\nworkers = 8\n"), "conf:1: "},
        {"NUL after a key", STR("[server]\nworkers = 8\0\n"), "conf:2: "},
        {"NUL before a key", STR("[server]\n\0workers = 8\n"), "conf:2: "},
        {"NUL at the end", STR("[server]\nworkers = 8\n\0"), "conf:3: "},
        {"UTF-16", STR("\xFF\xFE[\0s\0e\0r\0v\0e\0r\0]\0\n\0"), "conf:1: "},
        {"lone carriage returns", STR("# a\r[server]\rworkers = 8\r"), "conf:1: "},
        {"a carriage return in a value", STR("[log]\nlevel = in\rfo\n"), "conf:2: "},
        {"an escape", STR("[database]\nname = \x1B[31m\n"), "conf:2: "},
        {"a form feed", STR("\f\n[server]\n"), "conf:1: "},
        {"a rubout", STR("[database]\nname = a\x7F\n"), "conf:2: "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf *const conf = load_bytes(rows[i].bytes);
        const bool is_refused = conf == NULL;
        conf_free(conf);
        check(rows[i].name, is_refused);
        check(rows[i].name, has_text(str_from(complaints), rows[i].place));
        check(rows[i].name, has_text(str_from(complaints), ": a control character; the file is"));
    }
}

static void a_damaged_file_is_reported_once(void **state)
{
    (void)state;
    static const char zeros[64 * 1024];
    assert_null(load_bytes((struct str){zeros, sizeof zeros}));
    assert_int_equal(complaint_count, 1);
}

static void tabs_and_both_line_ends_are_accepted(void **state)
{
    (void)state;
    struct conf *const conf =
        load_text("[server]\r\nworkers\t=\t8\r\n\t# more\n[log]\nlevel = error\r");
    assert_non_null(conf);
    assert_int_equal(conf->server.workers, 8);
    assert_int_equal(conf->log.level, LOG_LEVEL_ERROR);
    conf_free(conf);
}

// ---- lists ----

static void a_list_continues_on_indented_lines(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[database]\nhost = a,\n  b,\n\tc\n",
        "[database]\nhost = a, b,\n c",
        "[database]\nhost =\n  a,\n  b,\n  c\n",
        "[database]\r\nhost = a,\r\n  b,\r\n  c\r\n",
        "[database]\nhost = a\n  , b\n  , c\n",
        "[database]\nhost = a,\n\n  # the next one is far away\n  b,\n; and\n  c\nport = 3306\n",
        "[database]\nhost = a, b,\n  c\n[log]\nlevel = info\n",
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct conf *const conf = load_text(files[i]);
        check(files[i], conf != NULL && complaint_count == 0);
        check_number(files[i], conf->database.hosts.count, 3);
        check_text(files[i], str_from(conf->database.hosts.hosts[0].name), "a");
        check_text(files[i], str_from(conf->database.hosts.hosts[1].name), "b");
        check_text(files[i], str_from(conf->database.hosts.hosts[2].name), "c");
        conf_free(conf);
    }
}

static void every_list_may_continue(void **state)
{
    (void)state;
    struct conf *const conf = load_text("[server]\ntrusted_proxies = 10.0.0.1,\n  10.0.0.2\n"
                                        "[engine_database]\nhost = a,\n  b\n"
                                        "[auth]\ngateway_algorithms = RS256,\n  RS512\n"
                                        "[status]\nallow = 10.0.0.3,\n  10.0.0.4\n");
    assert_non_null(conf);
    assert_int_equal(conf->server.trusted_proxies.count, 2);
    assert_int_equal(conf->engine_database.hosts.count, 2);
    assert_string_equal(conf->auth.gateway_algorithms, "RS256, RS512");
    assert_int_equal(conf->status.allow.count, 2);
    conf_free(conf);
}

static void only_lists_continue(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"[database]\npassword = a\n  b\n", "conf:3: the line begins with a blank"},
        {"[database]\nhost = a,\nport = 3306\n  b\n", "conf:4: the line begins with a blank"},
        {"[database]\nhost = a,\n[log]\n  b\n", "conf:4: the line begins with a blank"},
        {"[database]\nhost = a,\nhosts = b,\n  c\n", "conf:4: the line begins with a blank"},
        {"[auth]\ngateway_key_a = /a\n  /b\n", "conf:3: the line begins with a blank"},
        {"[database]\nhost = a\n  b\n",
         "conf:2: [database] host: expected a host name or an address, not \"a b\""},
        {"[database]\nhost = a\n  port = 3306\n",
         "conf:2: [database] host: expected a host name or an address, not \"a port = 3306\""},
        {"[database]\nhost = a,\n  b ; c\n", "conf:3: a ; after a blank"},
        {"[database]\nhost = a,\n", "conf:2: [database] host: there is a comma with nothing"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].text, load_text(rows[i].text) == NULL);
        check(rows[i].text, has_text(str_from(complaints), rows[i].expected));
    }
}

// A printed list must be readable again: its lines have limited length.
static void a_long_list_is_printed_over_several_lines(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    char list[1024] = "[server]\ntrusted_proxies = 2001:db8:1111:2222:3333:4444:5555:6600";
    for (int i = 1; i < CIDR_LIST_MAX; i++) {
        const size_t end = strlen(list);
        snprintf(list + end, sizeof list - end, "%s2001:db8:1111:2222::%x",
                 i % 4 == 0 ? ",\n  " : ",", (unsigned)i);
    }
    struct conf *const conf = load_text(list);
    assert_non_null(conf);
    FILE *const file = open_memstream(&text, &len);
    conf_print(conf, file);
    fclose(file);
    struct conf *const again = load_bytes((struct str){text, len});
    assert_non_null(again);
    assert_int_equal(again->server.trusted_proxies.count, CIDR_LIST_MAX);
    assert_memory_equal(&again->server.trusted_proxies, &conf->server.trusted_proxies,
                        sizeof conf->server.trusted_proxies);
    free(text);
    conf_free(conf);
    conf_free(again);
}

static int load_without_memory(void *fail_at)
{
    alloc_watch_start(*(const unsigned long *)fail_at);
    struct conf *const conf =
        load_text("[database]\nhost = a,\n  b,\n  c\n[server]\nworkers = 8\n");
    alloc_watch_stop();
    const bool is_told = conf == NULL && complaint_count > 0;
    conf_free(conf);
    return alloc_watch.has_failed ? (is_told ? 0 : 1) : 2;
}

// 0: the failure was reported; 2: no allocation was left to fail.
static void a_list_is_never_truncated_for_lack_of_memory(void **state)
{
    (void)state;
    int outcome = 0;
    unsigned long n = 0;
    while (outcome == 0) {
        n++;
        outcome = run_in_child(load_without_memory, &n);
    }
    assert_int_equal(outcome, 2);
}

// ---- variables that are somebody else's ----

static struct conf *load_variable(const char *entry)
{
    char copy[512];
    char *const variables[] = {copy, NULL};
    snprintf(copy, sizeof copy, "%s", entry);
    complaints[0] = '\0';
    complaint_count = 0;
    return conf_load(NULL, variables, note, NULL);
}

static void the_service_links_of_kubernetes_are_ignored(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "BKFLOW_STATES_SERVICE_HOST=10.96.0.1",
        "BKFLOW_STATES_SERVICE_PORT=9000",
        "BKFLOW_STATES_SERVICE_PORT_FASTCGI=9000",
        "BKFLOW_STATES_PORT=tcp://10.96.0.1:9000",
        "BKFLOW_STATES_PORT_9000_TCP=tcp://10.96.0.1:9000",
        "BKFLOW_STATES_PORT_9000_TCP_PROTO=tcp",
        "BKFLOW_STATES_PORT_9000_TCP_PORT=9000",
        "BKFLOW_STATES_PORT_9000_TCP_ADDR=10.96.0.1",
        "BKFLOW_STATES_DATABASE_SERVICE_HOST=10.96.0.2",
        "BKFLOW_STATES_DATABASE_SERVICE_PORT=3306",
        "BKFLOW_STATES_DATABASE_SERVICE_PORT_MYSQL=3306",
        "BKFLOW_STATES_DATABASE_PORT=tcp://10.96.0.2:3306",
        "BKFLOW_STATES_DATABASE_PORT_3306_TCP=tcp://10.96.0.2:3306",
        "BKFLOW_STATES_DATABASE_PORT_3306_TCP_PROTO=tcp",
        "BKFLOW_STATES_DATABASE_PORT_3306_TCP_PORT=3306",
        "BKFLOW_STATES_DATABASE_PORT_3306_TCP_ADDR=10.96.0.2",
        "BKFLOW_STATES_PORT_53_UDP=udp://10.96.0.2:53",
        "BKFLOW_STATES_PORT_53_UDP_ADDR=10.96.0.2",
        "BKFLOW_STATES_PORT_53_SCTP=sctp://10.96.0.2:53",
        "BKFLOW_STATES_ENGINE_DATABASE_PORT=tcp://[fd00::2]:3306",
    };
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        struct conf *const conf = load_variable(entries[i]);
        check(entries[i], conf != NULL && complaint_count == 0);
        check_number(entries[i], conf->database.port, 3306);
        check(entries[i], !conf->has_engine_database);
        conf_free(conf);
    }
}

static void variables_like_service_links_are_a_mistake(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "BKFLOW_STATES_DATABASE_PORT=0",
        "BKFLOW_STATES_DATABASE_PORT=three",
        "BKFLOW_STATES_PORT=9000",
        "BKFLOW_STATES_DATABASE_PORTS=3306",
        "BKFLOW_STATES_HOST=10.96.0.1",
        "BKFLOW_STATES_DATABASE_HOST=tcp://10.96.0.2:3306",
        "BKFLOW_STATES_PORT_TCP=tcp://h:9000",
        "BKFLOW_STATES_SERVER_LISTEN=tcp://10.96.0.1:9000",
    };
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        check(entries[i], load_variable(entries[i]) == NULL);
        check_number(entries[i], complaint_count, 1);
    }
    struct conf *const conf = load_variable("BKFLOW_STATES_DATABASE_PORT=3307");
    assert_non_null(conf);
    assert_int_equal(conf->database.port, 3307);
    conf_free(conf);
}

// ---- passwords ----

static struct conf *load_password(struct str bytes)
{
    char text[1024];
    char *const path = write_bytes("password", bytes);
    snprintf(text, sizeof text, "[database]\npassword_file = %s\n", path);
    free(path);
    return load_text(text);
}

static void invalid_passwords_are_named(void **state)
{
    (void)state;
    static char long_line[1024];
    memset(long_line, 'x', sizeof long_line);
    const struct {
        const char *name;
        struct str bytes;
        const char *expected;
    } rows[] = {
        {"nothing", STR(""), "its first line is empty"},
        {"an empty line", STR("\nhunter5\n"), "its first line is empty"},
        {"an empty line of Windows", STR("\r\nhunter5\r\n"), "its first line is empty"},
        {"a byte order mark", STR("\xEF\xBB\xBFhunter5\n"), "it begins with a byte order mark"},
        {"a NUL byte", STR("hunter5\0\n"), "its first line holds a control character"},
        {"UTF-16", STR("h\0u\0n\0t\0e\0r\0"), "its first line holds a control character"},
        {"a lone carriage return", STR("hun\rter5\n"), "its first line holds a control character"},
        {"1024 bytes", {long_line, 1024}, "its first line is too long"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf *const conf = load_password(rows[i].bytes);
        const bool is_refused = conf == NULL;
        conf_free(conf);
        check(rows[i].name, is_refused && complaint_count == 1);
        check(rows[i].name, has_text(str_from(complaints), "[database] password_file: /"));
        check(rows[i].name, has_text(str_from(complaints), rows[i].expected));
        check(rows[i].name, !has_text(str_from(complaints), "hunter"));
    }
    struct conf *const conf = load_password((struct str){long_line, 1023});
    assert_non_null(conf);
    assert_int_equal(strlen(conf->database.password), 1023);
    conf_free(conf);
}

static void a_password_conflict_is_reported_only_for_its_section(void **state)
{
    (void)state;
    char *const path = write_bytes("password", STR("hunter5\n"));
    char text[1024];
    snprintf(text, sizeof text, "[database]\npassword = hunter2\npassword_file = %s\n", path);
    assert_null(load_text(text));
    assert_string_equal(complaints,
                        "[database] password and password_file are both given; keep one\n");
    snprintf(text, sizeof text, "[engine_database]\npassword = hunter2\npassword_file = %s\n",
             path);
    assert_null(load_text(text));
    assert_string_equal(complaints,
                        "[engine_database] password and password_file are both given; keep one\n");
    free(path);
}

static void a_missing_password_file_is_reported_once(void **state)
{
    (void)state;
    assert_null(load_text("[database]\npassword_file = /nowhere\n"));
    assert_int_equal(complaint_count, 1);
}

// ---- wipes ----

void __wrap_explicit_bzero(void *bytes, size_t size);
void __wrap___explicit_bzero_chk(void *bytes, size_t size, size_t known_size);

static unsigned wiped_copies; // of the secret

void __wrap_explicit_bzero(void *bytes, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, size); // a buffer need not be full
    wiped_copies += memmem(bytes, size, "hunter5", 7) != NULL;
    memset(bytes, 0, size);
}

// The compiler calls this instead if it knows the size.
void __wrap___explicit_bzero_chk(void *bytes, size_t size, size_t known_size)
{
    assert_true(size <= known_size);
    __wrap_explicit_bzero(bytes, size);
}

// Wiped: the bytes read from the file, and finally the configuration's own copy.
static void the_line_of_a_password_file_is_wiped_after_use(void **state)
{
    (void)state;
    wiped_copies = 0;
    struct conf *const conf = load_password(STR("hunter5\nmore\n"));
    assert_non_null(conf);
    assert_int_equal(wiped_copies, 1);
    conf_free(conf);
    assert_int_equal(wiped_copies, 2);
    assert_null(load_password(STR("\xEF\xBB\xBFhunter5\n")));
    assert_int_equal(wiped_copies, 3);
}

// Wiped: inih's line, the file's buffer, and finally the configuration's own copies, one for each
// database.
static void a_password_in_the_configuration_file_is_wiped_after_use(void **state)
{
    (void)state;
    wiped_copies = 0;
    struct conf *const conf = load_text("[database]\npassword = hunter5\n[log]\nlevel = info\n");
    assert_non_null(conf);
    assert_int_equal(wiped_copies, 2);
    conf_free(conf);
    assert_int_equal(wiped_copies, 4);
}

static void the_file_is_given_or_from_the_environment_or_the_default(void **state)
{
    (void)state;
    const char *const usual = access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
    unsetenv("BKFLOW_STATES_CONFIG");
    assert_text(str_from(conf_choose_path("given.conf")), "given.conf");
    assert_text(str_from(conf_choose_path(NULL)), usual);
    setenv("BKFLOW_STATES_CONFIG", "named.conf", 1);
    assert_text(str_from(conf_choose_path("given.conf")), "given.conf");
    assert_text(str_from(conf_choose_path(NULL)), "named.conf");
    unsetenv("BKFLOW_STATES_CONFIG");
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_given_or_from_the_environment_or_the_default),
        WITH_FOLDER(control_characters_are_refused_everywhere),
        WITH_FOLDER(a_damaged_file_is_reported_once),
        WITH_FOLDER(tabs_and_both_line_ends_are_accepted),
        WITH_FOLDER(a_list_continues_on_indented_lines),
        WITH_FOLDER(every_list_may_continue),
        WITH_FOLDER(only_lists_continue),
        WITH_FOLDER(a_long_list_is_printed_over_several_lines),
        WITH_FOLDER(a_list_is_never_truncated_for_lack_of_memory),
        WITH_FOLDER(the_service_links_of_kubernetes_are_ignored),
        WITH_FOLDER(variables_like_service_links_are_a_mistake),
        WITH_FOLDER(invalid_passwords_are_named),
        WITH_FOLDER(a_password_conflict_is_reported_only_for_its_section),
        WITH_FOLDER(a_missing_password_file_is_reported_once),
        WITH_FOLDER(the_line_of_a_password_file_is_wiped_after_use),
        WITH_FOLDER(a_password_in_the_configuration_file_is_wiped_after_use),
    };
    return cmocka_run_group_tests_name("conf_sources", tests, NULL, NULL);
}
