// SPDX-License-Identifier: MIT
#include "alloc.h"
#include "conf/conf_case.h"
#include "support.h"

#include <ctype.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

// ---- the keys ----

// Every key with a value that is not its default, and whether a change of it needs a restart.
static const struct {
    const char *section;
    const char *key;
    const char *value;
    bool needs_restart;
} keys[] = {
    {"server", "listen", "tcp:127.0.0.1:9000", true},
    {"server", "workers", "8", true},
    {"server", "max_request_bytes", "128k", true},
    {"server", "client_timeout", "11s", false},
    {"server", "trusted_proxies", "10.0.0.0/8", false},
    {"server", "drain_timeout", "12s", false},
    {"server", "waiting_max", "20000", true},
    {"server", "watch_interval", "500ms", false},
    {"database", "host", "db1, db2", false},
    {"database", "port", "3307", false},
    {"database", "socket", "/run/mysqld/mysqld.sock", false},
    {"database", "user", "bkflow", false},
    {"database", "password", "hunter2", false},
    {"database", "password_file", "", false},
    {"database", "name", "other", false},
    {"database", "connect_timeout", "3s", false},
    {"database", "query_timeout", "6s", false},
    {"database", "tls_ca", "/etc/ssl/ca.pem", false},
    {"database", "tls_verify", "off", false},
    {"database", "option_file", "/etc/mysql/my.cnf", false},
    {"engine_database", "host", "db3", false},
    {"engine_database", "port", "3308", false},
    {"engine_database", "socket", "/run/engine.sock", false},
    {"engine_database", "user", "engine", false},
    {"engine_database", "password", "hunter3", false},
    {"engine_database", "password_file", "", false},
    {"engine_database", "name", "engine", false},
    {"engine_database", "connect_timeout", "4s", false},
    {"engine_database", "query_timeout", "7s", false},
    {"engine_database", "tls_ca", "/etc/ssl/engine.pem", false},
    {"engine_database", "tls_verify", "off", false},
    {"engine_database", "option_file", "/etc/mysql/engine.cnf", false},
    {"auth", "direct", "on", false},
    {"auth", "query_credentials", "off", false},
    {"auth", "user_table_check", "off", false},
    {"auth", "gateway", "on", false},
    {"auth", "gateway_default", "bk-apigw", false},
    {"auth", "gateway_algorithms", "RS256", false},
    {"auth", "leeway", "20s", false},
    {"auth", "failure_limit", "5", false},
    {"response", "timezone", "Europe/Berlin", true},
    {"response", "language", "zh-cn", false},
    {"response", "max_nodes", "5000", true},
    {"response", "max_tasks", "7", false},
    {"response", "wait_max", "30s", false},
    {"status", "healthz", "off", false},
    {"status", "readyz", "off", false},
    {"status", "metrics", "off", false},
    {"status", "allow", "10.0.0.0/8", false},
    {"log", "target", "file:/var/log/bkflow-states.log", false},
    {"log", "level", "debug", false},
    {"log", "format", "json", false},
    {"log", "access", "on", false},
    {"log", "slow", "2s", false},
};

static char *print_to_text(const struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *const memory = open_memstream(&text, &len);
    assert_non_null(memory);
    if (conf == NULL) {
        conf_print_reference(memory);
    } else {
        conf_print(conf, memory);
    }
    fclose(memory);
    return text;
}

// Returns a key's value in a printed configuration; absent if there is no such line.
static struct str printed_value(const char *text, const char *section, const char *key)
{
    char head[64];
    snprintf(head, sizeof head, "[%s]", section);
    bool inside = false;
    struct str rest = str_from(text);
    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        if (str_starts_with(line, STR("["))) {
            inside = str_equal(line, str_from(head));
        }
        const struct str name = str_trim(str_cut(&line, '='));
        if (inside && str_equal(name, str_from(key))) {
            return str_trim(line);
        }
    }
    return STR_ABSENT;
}

static int64_t automatic_workers(void)
{
    struct conf *const conf = conf_case_load_good("[server]\nworkers = auto\n", NULL);
    const int64_t workers = conf->server.workers;
    conf_free(conf);
    return workers;
}

static void there_are_as_many_workers_as_processors_but_at_least_two(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    const int processors = CPU_COUNT(&before);
    const int workers = processors < 2 ? 2 : processors > 4 ? 4 : processors;
    assert_int_equal(automatic_workers(), workers);
    CPU_ZERO(&one);
    for (int i = 0; CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(automatic_workers(), 2);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void the_defaults_are_the_documented_ones(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good(NULL, NULL);
    assert_int_equal(conf->server.listen.kind, CONF_LISTEN_INHERITED);
    assert_uint_in_range(conf->server.workers, 2, 4); // it depends on the machine
    assert_int_equal(conf->server.max_request_bytes, 65536);
    assert_int_equal(conf->server.client_timeout_ms, 10000);
    assert_int_equal(conf->server.drain_timeout_ms, 10000);
    assert_string_equal(conf->database.hosts.hosts[0].name, "");
    assert_int_equal(conf->database.port, 3306);
    assert_string_equal(conf->database.socket, "");
    assert_string_equal(conf->database.user, "");
    assert_string_equal(conf->database.password, "");
    assert_string_equal(conf->database.name, "bkflow");
    assert_int_equal(conf->database.connect_timeout_ms, 2000);
    assert_int_equal(conf->database.query_timeout_ms, 5000);
    assert_true(conf->database.tls_verify);
    assert_false(conf->has_engine_database);
    assert_true(conf->auth.direct);
    assert_true(conf->auth.query_credentials);
    assert_string_equal(conf->response.timezone, "Asia/Shanghai");
    assert_int_equal(conf->response.language, LANG_EN);
    assert_int_equal(conf->response.max_nodes, 100000);
    assert_int_equal(conf->server.waiting_max, 10000);
    assert_int_equal(conf->server.watch_interval_ms, 250);
    assert_int_equal(conf->response.wait_max_ms, 50000);
    assert_true(conf->status.healthz);
    assert_true(conf->status.readyz);
    assert_true(conf->status.metrics);
    assert_true(cidr_list_has(&conf->status.allow, cidr_address_parse(STR("127.0.0.1"))));
    assert_true(cidr_list_has(&conf->status.allow, cidr_address_parse(STR("::1"))));
    assert_false(cidr_list_has(&conf->status.allow, cidr_address_parse(STR("10.0.0.1"))));
    assert_string_equal(conf->log.target, "stderr");
    assert_int_equal(conf->log.level, LOG_LEVEL_INFO);
    assert_int_equal(conf->log.format, LOG_FORMAT_TEXT);
    assert_false(conf->log.access);
    assert_int_equal(conf->server.trusted_proxies.count, 0);
    assert_true(conf->auth.user_table_check);
    assert_false(conf->auth.gateway);
    assert_int_equal(conf->auth.gateway_count, 0);
    assert_string_equal(conf->auth.gateway_default, "");
    assert_string_equal(conf->auth.gateway_algorithms, "RS512");
    assert_int_equal(conf->auth.leeway_ms, 10000);
    assert_int_equal(conf->auth.failure_limit, 20);
    conf_free(conf);
}

static void every_key_accepts_its_own_default(void **state)
{
    (void)state;
    struct conf *const defaults = conf_case_load_good(NULL, NULL);
    char *const printed = print_to_text(defaults);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct str value = printed_value(printed, keys[i].section, keys[i].key);
        char text[256];
        check(keys[i].key, !str_is_absent(value));
        snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
        conf_free(conf_case_load_good(conf_case_one_key(keys[i].section, keys[i].key, text), NULL));
    }
    free(printed);
    conf_free(defaults);
}

// Makes sure that the table above is complete.
static void these_tests_know_every_key(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good(NULL, NULL);
    char *const printed = print_to_text(conf);
    size_t count = 0;
    struct str rest = str_from(printed);
    while (rest.len > 0) {
        count += has_text(str_cut(&rest, '\n'), " = ");
    }
    assert_int_equal(count, COUNT_OF(keys));
    free(printed);
    conf_free(conf);
}

static void every_key_can_be_set_in_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct conf *const conf = conf_case_load_good(
            conf_case_one_key(keys[i].section, keys[i].key, keys[i].value), NULL);
        char *const printed = print_to_text(conf);
        const bool is_secret = strcmp(keys[i].key, "password") == 0;
        check_text(keys[i].key, printed_value(printed, keys[i].section, keys[i].key),
                   is_secret ? "****" : keys[i].value);
        free(printed);
        conf_free(conf);
    }
}

// "BKFLOW_STATES_SERVER_WORKERS=value"
static const char *environment_entry(const char *section, const char *key, const char *value)
{
    static char text[1024];
    const int len = snprintf(text, sizeof text, "BKFLOW_STATES_%s_%s", section, key);
    for (int i = 0; i < len; i++) {
        text[i] = (char)toupper((unsigned char)text[i]);
    }
    snprintf(text + len, sizeof text - (size_t)len, "=%s", value);
    return text;
}

static void every_key_can_be_set_in_the_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct conf *const conf = conf_case_load_environment(
            environment_entry(keys[i].section, keys[i].key, keys[i].value));
        check(keys[i].key, conf != NULL);
        char *const printed = print_to_text(conf);
        const bool is_secret = strcmp(keys[i].key, "password") == 0;
        check_text(keys[i].key, printed_value(printed, keys[i].section, keys[i].key),
                   is_secret ? "****" : keys[i].value);
        free(printed);
        conf_free(conf);
    }
}

// ---- values ----

struct number_row {
    const char *section;
    const char *key;
    const char *value;
    int64_t expected; // -1: refused
};

static int64_t number_of(const struct conf *conf, const char *key)
{
    return strcmp(key, "workers") == 0             ? conf->server.workers
           : strcmp(key, "max_request_bytes") == 0 ? conf->server.max_request_bytes
           : strcmp(key, "client_timeout") == 0    ? conf->server.client_timeout_ms
           : strcmp(key, "drain_timeout") == 0     ? conf->server.drain_timeout_ms
           : strcmp(key, "waiting_max") == 0       ? conf->server.waiting_max
           : strcmp(key, "watch_interval") == 0    ? conf->server.watch_interval_ms
           : strcmp(key, "wait_max") == 0          ? conf->response.wait_max_ms
           : strcmp(key, "port") == 0              ? conf->database.port
           : strcmp(key, "query_timeout") == 0     ? conf->database.query_timeout_ms
           : strcmp(key, "connect_timeout") == 0   ? conf->database.connect_timeout_ms
           : strcmp(key, "max_tasks") == 0         ? conf->response.max_tasks
                                                   : conf->response.max_nodes;
}

static void check_number_row(const struct number_row *row)
{
    struct conf *const conf =
        conf_case_load(conf_case_one_key(row->section, row->key, row->value), NULL);
    char name[256];
    snprintf(name, sizeof name, "[%s] %s = %s", row->section, row->key, row->value);
    if (row->expected < 0) {
        check(name, conf == NULL);
        check(name, has_text(str_from(conf_case.complaints), "expected "));
    } else {
        check(name, conf != NULL);
        check_number(name, number_of(conf, row->key), row->expected);
        conf_free(conf);
    }
}

static void numbers_are_bounded_integers(void **state)
{
    (void)state;
    static const struct number_row rows[] = {
        {"server", "workers", "1", 1},
        {"server", "workers", "256", 256},
        {"server", "workers", "0", -1},
        {"server", "workers", "257", -1},
        {"server", "workers", "-1", -1},
        {"server", "workers", "+4", -1},
        {"server", "workers", "", -1},
        {"server", "workers", "four", -1},
        {"server", "workers", "4x", -1},
        {"server", "workers", "4 4", -1},
        {"server", "workers", "4.0", -1},
        {"server", "workers", "4k", -1},
        {"server", "workers", "0x4", -1},
        {"server", "workers", "99999999999999999999", -1},
        {"server", "workers", "18446744073709551620", -1}, // 4 after overflow
        {"database", "port", "1", 1},
        {"database", "port", "65535", 65535},
        {"database", "port", "65536", -1},
        {"database", "port", "0", -1},
        {"response", "max_tasks", "1", 1},
        {"response", "max_tasks", "1000", 1000},
        {"response", "max_tasks", "1001", -1},
        {"response", "max_tasks", "0", -1},
        {"response", "max_nodes", "1", 1},
        {"response", "max_nodes", "10000000", 10000000},
        {"response", "max_nodes", "10000001", -1},
        {"response", "max_nodes", "0", -1},
        {"server", "waiting_max", "0", 0},
        {"server", "waiting_max", "1000000", 1000000},
        {"server", "waiting_max", "1000001", -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number_row(&rows[i]);
    }
}

static void sizes_have_units(void **state)
{
    (void)state;
    static const struct number_row rows[] = {
        {"server", "max_request_bytes", "65536", 65536},
        {"server", "max_request_bytes", "4096", 4096},
        {"server", "max_request_bytes", "4k", 4096},
        {"server", "max_request_bytes", "1m", 1048576},
        {"server", "max_request_bytes", "16m", 16777216},
        {"server", "max_request_bytes", "4095", -1},
        {"server", "max_request_bytes", "17m", -1},
        {"server", "max_request_bytes", "64K", -1},
        {"server", "max_request_bytes", "64kb", -1},
        {"server", "max_request_bytes", "64 k", -1},
        {"server", "max_request_bytes", "k", -1},
        {"server", "max_request_bytes", "18014398509481985k", -1}, // 1k after overflow
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number_row(&rows[i]);
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct number_row rows[] = {
        {"server", "client_timeout", "10s", 10000},
        {"server", "client_timeout", "10", 10000},
        {"server", "client_timeout", "500ms", 500},
        {"server", "client_timeout", "2m", 120000},
        {"server", "client_timeout", "100ms", 100},
        {"server", "client_timeout", "99ms", -1},
        {"server", "client_timeout", "10m", 600000},
        {"server", "client_timeout", "601s", -1},
        {"server", "client_timeout", "1h", -1},
        {"server", "client_timeout", "10sec", -1},
        {"server", "client_timeout", "10 s", -1},
        {"server", "client_timeout", "10S", -1},
        {"server", "client_timeout", "1.5s", -1},
        {"server", "client_timeout", "s", -1},
        {"server", "client_timeout", "-1s", -1},
        {"server", "drain_timeout", "0", 0},
        {"server", "drain_timeout", "0s", 0},
        {"server", "watch_interval", "50ms", 50},
        {"server", "watch_interval", "49ms", -1},
        {"server", "watch_interval", "60s", 60000},
        {"server", "watch_interval", "61s", -1},
        {"response", "wait_max", "0", 0},
        {"response", "wait_max", "10m", 600000},
        {"response", "wait_max", "601s", -1},
        {"database", "connect_timeout", "100ms", 100},
        {"database", "connect_timeout", "60s", 60000},
        {"database", "connect_timeout", "99ms", -1},
        {"database", "connect_timeout", "61s", -1},
        {"database", "query_timeout", "100ms", 100},
        {"database", "query_timeout", "10m", 600000},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number_row(&rows[i]);
    }
}

static void listen_addresses_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum conf_listen_kind kind;
        const char *where; // path or host
        unsigned mode;
        const char *port;
    } rows[] = {
        {"", CONF_LISTEN_INHERITED, "", 0, ""},
        {"unix:/run/x.sock", CONF_LISTEN_UNIX, "/run/x.sock", 0660, ""},
        {"unix:/run/x.sock,mode=0666", CONF_LISTEN_UNIX, "/run/x.sock", 0666, ""},
        {"unix:/run/x.sock,mode=600", CONF_LISTEN_UNIX, "/run/x.sock", 0600, ""},
        {"unix:/run/x.sock,mode=000", CONF_LISTEN_UNIX, "/run/x.sock", 0, ""},
        {"unix:/run/x.sock,mode=777", CONF_LISTEN_UNIX, "/run/x.sock", 0777, ""},
        {"unix:/run/x.sock,mode=0777", CONF_LISTEN_UNIX, "/run/x.sock", 0777, ""},
        {"tcp:127.0.0.1:9000", CONF_LISTEN_TCP, "127.0.0.1", 0, "9000"},
        {"tcp:*:1", CONF_LISTEN_TCP, "*", 0, "1"},
        {"tcp:localhost:65535", CONF_LISTEN_TCP, "localhost", 0, "65535"},
        {"tcp:[::1]:9000", CONF_LISTEN_TCP, "::1", 0, "9000"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf *const conf =
            conf_case_load_good(conf_case_one_key("server", "listen", rows[i].value), NULL);
        const struct conf_listen *const listen = &conf->server.listen;
        const bool is_tcp = listen->kind == CONF_LISTEN_TCP;
        check_number(rows[i].value, listen->kind, rows[i].kind);
        check_text(rows[i].value, str_from(is_tcp ? listen->host : listen->path), rows[i].where);
        check_number(rows[i].value, listen->mode, rows[i].mode);
        check_text(rows[i].value, str_from(listen->port), rows[i].port);
        conf_free(conf);
    }
}

static void invalid_listen_addresses_are_refused(void **state)
{
    (void)state;
    static const char path_of_108[] =
        "unix:/23456789a123456789b123456789c123456789d123456789e123456789f123456789g123456789h12345"
        "6789i123456789j12345678";
    static const char *const rows[] = {
        "/run/x.sock",
        "unix:",
        "unix:run/x.sock",
        "unix:/x,",
        "unix:/x,0660",
        "unix:/x,mode=",
        "unix:/x,mode=66",
        "unix:/x,mode=06600",
        "unix:/x,mode=8",
        "unix:/x,mode=888",
        "unix:/x,mode=1777",
        "unix:/x,mode=1000",
        "unix:/x,mode=0660,more",
        "tcp:",
        "tcp:9000",
        "tcp::9000",
        "tcp:host:",
        "tcp:host:0",
        "tcp:host:65536",
        "tcp:host:http",
        "tcp:host:+1",
        "tcp:host:000001",
        "127.0.0.1:9000",
        "udp:host:9000",
        "tcp:abc]:80",
        "tcp:[abc:80",
        "tcp:[abc]:80",
        "tcp:[127.0.0.1]:80",
        "tcp:[::1]80",
        "tcp:::1:80",
        "tcp:[]:80",
        "tcp:[*]:80",
        "tcp:a b:80",
        "tcp://host:80",
        "tcp:host:9000 ",
        path_of_108,
    };
    for (size_t i = 0; i + 2 < COUNT_OF(rows); i++) {
        check(rows[i],
              conf_case_load(conf_case_one_key("server", "listen", rows[i]), NULL) == NULL);
    }
    assert_int_equal(strlen(path_of_108), strlen("unix:") + 108);
    assert_null(conf_case_load_environment(environment_entry("server", "listen", path_of_108)));
    assert_null(
        conf_case_load_environment(environment_entry("server", "listen", "tcp:host:9000 ")));
}

static void the_longest_possible_socket_path_is_accepted(void **state)
{
    (void)state;
    char value[128] = "unix:/";
    memset(value + 6, 'x', 106); // 107 with its slash, and the NUL
    struct conf *const conf =
        conf_case_load_environment(environment_entry("server", "listen", value));
    assert_non_null(conf);
    assert_int_equal(strlen(conf->server.listen.path), 107);
    conf_free(conf);
}

static void words_must_match_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        const char *key;
        const char *value;
    } rows[] = {
        {"auth", "query_credentials", "yes"},
        {"auth", "query_credentials", "On"},
        {"auth", "query_credentials", "1"},
        {"auth", "query_credentials", ""},
        {"response", "language", "zh"},
        {"response", "language", "EN"},
        {"response", "timezone", "Asia/Nowhere"},
        {"response", "timezone", "../../etc/passwd"},
        {"response", "timezone", ""},
        {"log", "level", "trace"},
        {"log", "level", ""},
        {"log", "format", "xml"},
        {"log", "target", "stdout"},
        {"log", "target", "file:relative"},
        {"log", "target", "/var/log/x"},
        {"log", "target", ""},
        {"status", "allow", "localhost"},
        {"status", "allow", "10.0.0.0/33"},
        {"database", "socket", "relative"},
        {"database", "tls_ca", "relative.pem"},
        {"database", "option_file", "my.cnf"},
        {"database", "password_file", "password"},
        {"engine_database", "socket", "relative"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char expected[256];
        check(rows[i].value,
              conf_case_load(conf_case_one_key(rows[i].section, rows[i].key, rows[i].value),
                             NULL) == NULL);
        snprintf(expected, sizeof expected, ":2: [%s] %s: expected ", rows[i].section, rows[i].key);
        check(rows[i].value, has_text(str_from(conf_case.complaints), expected));
        check_number(rows[i].value, conf_case.count, 1); // no follow-up mistakes
    }
}

// ---- the engine's database ----

static void without_engine_keys_there_is_one_database(void **state)
{
    (void)state;
    struct conf *const conf =
        conf_case_load_good("[database]\nhost = db1\nuser = u\npassword = p\n"
                            "name = n\nport = 3307\ntls_ca = /ca\ntls_verify = off\n"
                            "option_file = /o\nquery_timeout = 7s\n",
                            NULL);
    assert_false(conf->has_engine_database);
    assert_string_equal(conf->engine_database.hosts.hosts[0].name, "db1");
    assert_string_equal(conf->engine_database.user, "u");
    assert_string_equal(conf->engine_database.password, "p");
    assert_string_equal(conf->engine_database.name, "n");
    assert_int_equal(conf->engine_database.port, 3307);
    assert_string_equal(conf->engine_database.tls_ca, "/ca");
    assert_false(conf->engine_database.tls_verify);
    assert_string_equal(conf->engine_database.option_file, "/o");
    assert_int_equal(conf->engine_database.query_timeout_ms, 7000);
    conf_free(conf);
}

static void each_engine_key_makes_a_second_database(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct conf *const conf = conf_case_load_good(
            conf_case_one_key(keys[i].section, keys[i].key, keys[i].value), NULL);
        // An empty password file changes nothing: it is still the same database.
        const bool is_engines = strcmp(keys[i].section, "engine_database") == 0 &&
                                strcmp(keys[i].key, "password_file") != 0;
        check(keys[i].key, conf->has_engine_database == is_engines);
        conf_free(conf);
    }
}

static void a_missing_engine_key_has_the_databases_value(void **state)
{
    (void)state;
    struct conf *const conf =
        conf_case_load_good("[database]\nhost = db1\nuser = u\npassword = p\n"
                            "connect_timeout = 9s\n[engine_database]\nname = e\n",
                            NULL);
    assert_true(conf->has_engine_database);
    assert_string_equal(conf->engine_database.hosts.hosts[0].name, "db1");
    assert_string_equal(conf->engine_database.user, "u");
    assert_string_equal(conf->engine_database.password, "p");
    assert_string_equal(conf->engine_database.name, "e");
    assert_int_equal(conf->engine_database.connect_timeout_ms, 9000);
    assert_string_equal(conf->database.name, "bkflow");
    conf_free(conf);
}

static void an_engine_host_does_not_get_the_databases_socket(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good("[database]\nsocket = /run/db.sock\nport = 3307\n"
                                                  "[engine_database]\nhost = db2\n",
                                                  NULL);
    assert_string_equal(conf->engine_database.hosts.hosts[0].name, "db2");
    assert_string_equal(conf->engine_database.socket, "");
    assert_int_equal(conf->engine_database.port, 3306);
    conf_free(conf);
}

static void an_engine_password_does_not_get_the_databases_file(void **state)
{
    (void)state;
    char text[1024];
    char *const path = scratch_write(conf_case.folder, "password", "hunter2\n");
    snprintf(text, sizeof text,
             "[database]\npassword_file = %s\n[engine_database]\npassword = hunter3\n", path);
    struct conf *const conf = conf_case_load_good(text, NULL);
    assert_string_equal(conf->database.password, "hunter2");
    assert_string_equal(conf->engine_database.password, "hunter3");
    conf_free(conf);
    free(path);
}

static void the_environment_makes_a_second_database_too(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_environment("BKFLOW_STATES_ENGINE_DATABASE_HOST=db2");
    assert_non_null(conf);
    assert_true(conf->has_engine_database);
    assert_string_equal(conf->engine_database.hosts.hosts[0].name, "db2");
    conf_free(conf);
}

static void the_engine_inherits_the_databases_credential_too(void **state)
{
    (void)state;
    free(scratch_write(conf_case.folder, "database_password", "hunter2\n"));
    setenv("CREDENTIALS_DIRECTORY", conf_case.folder, 1);
    struct conf *const conf = conf_case_load_good("[engine_database]\nname = engine\n", NULL);
    char password[64];
    snprintf(password, sizeof password, "%s", conf->engine_database.password);
    conf_free(conf);
    assert_string_equal(password, "hunter2");
}

// ---- gateways ----

static void each_gateway_has_a_key_with_its_name(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good("[auth]\ngateway_key_bk-apigw = /etc/a.pem\n"
                                                  "gateway_key_Other.1 = /etc/b.pem\n",
                                                  NULL);
    assert_int_equal(conf->auth.gateway_count, 2);
    assert_string_equal(conf->auth.gateways[0].name, "bk-apigw");
    assert_string_equal(conf->auth.gateways[0].path, "/etc/a.pem");
    assert_string_equal(conf->auth.gateways[1].name, "Other.1");
    assert_string_equal(conf->auth.gateways[1].path, "/etc/b.pem");
    char *const printed = print_to_text(conf);
    assert_text(printed_value(printed, "auth", "gateway_key_bk-apigw"), "/etc/a.pem");
    assert_text(printed_value(printed, "auth", "gateway_key_Other.1"), "/etc/b.pem");
    struct conf *const again = conf_case_load_good(printed, NULL);
    assert_int_equal(again->auth.gateway_count, 2);
    free(printed);
    conf_free(again);
    conf_free(conf);
}

static void the_environment_adds_a_gateway_or_replaces_its_key(void **state)
{
    (void)state;
    char same[] = "BKFLOW_STATES_AUTH_GATEWAY_KEY_a=/etc/env.pem";
    char more[] = "BKFLOW_STATES_AUTH_GATEWAY_KEY_b=/etc/more.pem";
    char *const variables[] = {same, more, NULL};
    struct conf *const conf =
        conf_case_load_good("[auth]\ngateway_key_a = /etc/file.pem\n", variables);
    assert_int_equal(conf->auth.gateway_count, 2);
    assert_string_equal(conf->auth.gateways[0].path, "/etc/env.pem");
    assert_string_equal(conf->auth.gateways[1].name, "b");
    assert_string_equal(conf->auth.gateways[1].path, "/etc/more.pem");
    conf_free(conf);
}

static void bad_gateway_keys_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        const char *expected;
    } rows[] = {
        {"no name", "[auth]\ngateway_key_ = /etc/a.pem\n",
         ":2: [auth] gateway_key_: expected gateway_key_NAME = an absolute path, not "
         "\"/etc/a.pem\""},
        {"no path", "[auth]\ngateway_key_a =\n",
         ":2: [auth] gateway_key_a: expected gateway_key_NAME = an absolute path, not \"\""},
        {"a relative path", "[auth]\ngateway_key_a = a.pem\n",
         ":2: [auth] gateway_key_a: expected gateway_key_NAME = an absolute path, not \"a.pem\""},
        {"twice", "[auth]\ngateway_key_a = /a\ngateway_key_a = /b\n",
         ":3: [auth] gateway_key_a: given before; several keys of one gateway go into one file"},
        {"elsewhere", "[server]\ngateway_key_a = /a\n",
         ":2: [server] gateway_key_a: unknown key; bkflow-states.conf(5) lists what there is"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        conf_case_check_complaint(rows[i].name, rows[i].text, rows[i].expected);
    }
}

static void the_number_of_gateways_is_bounded(void **state)
{
    (void)state;
    char text[4096];
    int len = snprintf(text, sizeof text, "[auth]\n");
    for (int i = 0; i < CONF_GATEWAYS_MAX; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "gateway_key_%d = /a\n", i);
    }
    struct conf *const conf = conf_case_load_good(text, NULL);
    assert_int_equal(conf->auth.gateway_count, CONF_GATEWAYS_MAX);
    conf_free(conf);
    snprintf(text + len, sizeof text - (size_t)len, "gateway_key_more = /a\n");
    conf_case_check_complaint("one more", text,
                              ":18: [auth] gateway_key_more: more than 16 gateways");
}

// ---- ways in ----

static void without_any_authentication_the_configuration_is_refused(void **state)
{
    (void)state;
    assert_null(conf_case_load("[auth]\ndirect = off\n", NULL));
    assert_true(has_text(str_from(conf_case.complaints), "no way to authenticate"));
}

static void the_gateway_alone_is_enough(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good("[auth]\ndirect = off\ngateway = on\n", NULL);
    assert_false(conf->auth.direct);
    assert_true(conf->auth.gateway);
    conf_free(conf);
}

// ---- printing ----

static void a_printed_configuration_loads_and_prints_the_same(void **state)
{
    (void)state;
    struct conf *const conf =
        conf_case_load_good("[server]\nlisten = unix:/run/x.sock,mode=0600\n"
                            "workers = 9\n[database]\nhost = a, b\n[log]\nlevel = debug\n"
                            "[status]\nallow = \n",
                            NULL);
    char *const printed = print_to_text(conf);
    struct conf *const again = conf_case_load_good(printed, NULL);
    char *const printed_again = print_to_text(again);
    assert_string_equal(printed_again, printed);
    assert_int_equal(again->server.workers, 9);
    free(printed);
    free(printed_again);
    conf_free(conf);
    conf_free(again);
}

static void a_printed_configuration_reaches_the_same_databases(void **state)
{
    (void)state;
    struct conf *const conf = conf_case_load_good("[database]\nhost = a\n", NULL);
    char *const printed = print_to_text(conf);
    struct conf *const again = conf_case_load_good(printed, NULL);
    const bool is_same = again->has_engine_database == conf->has_engine_database;
    free(printed);
    conf_free(conf);
    conf_free(again);
    assert_true(is_same);
}

static void printing_masks_passwords(void **state)
{
    (void)state;
    char *const path = scratch_write(conf_case.folder, "password", "hunter5\n");
    char text[1024];
    snprintf(text, sizeof text,
             "[database]\npassword = hunter2\n[engine_database]\npassword_file = %s\n", path);
    struct conf *const conf = conf_case_load_good(text, NULL);
    char *const printed = print_to_text(conf);
    assert_false(has_text(str_from(printed), "hunter"));
    assert_text(printed_value(printed, "database", "password"), "****");
    assert_text(printed_value(printed, "engine_database", "password"), "");
    assert_text(printed_value(printed, "engine_database", "password_file"), path);
    free(printed);
    free(path);
    conf_free(conf);
}

static void the_reference_loads_unchanged(void **state)
{
    (void)state;
    char *const reference = print_to_text(NULL);
    conf_free(conf_case_load_good(reference, NULL));
    free(reference);
}

// Uncomments the keys, like an operator.
static size_t uncomment_keys(char *text)
{
    size_t count = 0;
    struct str rest = str_from(text);
    while (rest.len > 0) {
        char *const start = text + (rest.ptr - text);
        const struct str line = str_cut(&rest, '\n');
        if (line.len > 1 && line.ptr[0] == '#' && line.ptr[1] != ' ' && has_text(line, " = ")) {
            memmove(start, start + 1, line.len - 1);
            start[line.len - 1] = ' ';
            count++;
        }
    }
    return count;
}

static void the_reference_loads_with_all_values_uncommented(void **state)
{
    (void)state;
    char *const reference = print_to_text(NULL);
    const size_t count = uncomment_keys(reference);
    struct conf *const conf = conf_case_load_good(reference, NULL);
    size_t given = 0;
    for (size_t i = 0; i < COUNT_OF(conf->given); i++) {
        given += conf->given[i];
    }
    assert_int_equal(given, count);
    assert_true(count > 20);
    free(reference);
    conf_free(conf);
}

static void the_reference_names_every_key(void **state)
{
    (void)state;
    char *const reference = print_to_text(NULL);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char commented[64];
        snprintf(commented, sizeof commented, "#%s", keys[i].key);
        check(keys[i].key, !str_is_absent(printed_value(reference, keys[i].section, commented)));
    }
    free(reference);
}

static void the_reference_fits_a_terminal(void **state)
{
    (void)state;
    char *const reference = print_to_text(NULL);
    struct str rest = str_from(reference);
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        check(line.ptr, line.len <= 80);
        check(line.ptr, line.len == 0 || (line.ptr[line.len - 1] != ' '));
    }
    free(reference);
}

// ---- reload ----

static void a_key_read_only_at_start_keeps_its_value_and_is_named(void **state)
{
    (void)state;
    struct conf *const running = conf_case_load_good(NULL, NULL);
    char *const before = print_to_text(running);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct conf *const fresh = conf_case_load_good(
            conf_case_one_key(keys[i].section, keys[i].key, keys[i].value), NULL);
        char expected[CONF_KEY_NAME_MAX];
        char name[CONF_KEY_NAME_MAX];
        size_t at = 0;
        snprintf(expected, sizeof expected, "[%s] %s", keys[i].section, keys[i].key);
        check(keys[i].key, conf_keep_start_values(fresh, running, conf_case_note, &conf_case) == 0);
        check(keys[i].key, conf_next_kept(fresh, &at, name) == keys[i].needs_restart);
        if (keys[i].needs_restart) {
            char *const after = print_to_text(fresh);
            check_text(keys[i].key, str_from(name), expected);
            check(keys[i].key, !conf_next_kept(fresh, &at, name));
            check_text(keys[i].key, str_from(after), before);
            free(after);
        }
        conf_free(fresh);
    }
    free(before);
    conf_free(running);
}

static void each_of_several_keys_that_need_a_restart_is_named(void **state)
{
    (void)state;
    struct conf *const running = conf_case_load_good(NULL, NULL);
    struct conf *const fresh = conf_case_load_good(
        "[server]\nworkers = 8\nlisten = tcp:127.0.0.1:9000\nmax_request_bytes = 128k\n"
        "drain_timeout = 1s\n[response]\ntimezone = Europe/Berlin\nmax_nodes = 7\n",
        NULL);
    char names[512] = "";
    char name[CONF_KEY_NAME_MAX];
    assert_int_equal(conf_keep_start_values(fresh, running, conf_case_note, &conf_case), 0);
    for (size_t at = 0; conf_next_kept(fresh, &at, name);) {
        const size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, "%s\n", name);
    }
    assert_string_equal(names, "[server] listen\n[server] workers\n[server] max_request_bytes\n"
                               "[response] timezone\n[response] max_nodes\n");
    assert_int_equal(fresh->server.listen.kind, CONF_LISTEN_INHERITED);
    assert_int_equal(fresh->server.workers, running->server.workers);
    assert_int_equal(fresh->server.max_request_bytes, 65536);
    assert_int_equal(fresh->server.drain_timeout_ms, 1000);
    assert_string_equal(fresh->response.timezone, "Asia/Shanghai");
    assert_int_equal(fresh->response.max_nodes, 100000);
    // The next reload is compared with what is in effect, not with the previous file.
    struct conf *const next = conf_case_load_good("[response]\nmax_nodes = 7\n", NULL);
    assert_int_equal(conf_keep_start_values(next, fresh, conf_case_note, &conf_case), 0);
    assert_true(conf_next_kept(next, &(size_t){0}, name));
    conf_free(next);
    conf_free(fresh);
    conf_free(running);
}

// ---- memory ----

static bool saw_secret;

static void look_for_secret(const void *block, size_t size)
{
    saw_secret = saw_secret || memmem(block, size, "hunter", 6) != NULL;
}

static void secrets_are_wiped_before_they_are_freed(void **state)
{
    (void)state;
    char *const path = scratch_write(conf_case.folder, "password", "hunter5\n");
    char text[1024];
    snprintf(text, sizeof text,
             "[database]\npassword = hunter2\n[engine_database]\npassword_file = %s\n", path);
    free(conf_case.path);
    conf_case.path = scratch_write(conf_case.folder, "conf", text);
    char entry[] = "BKFLOW_STATES_DATABASE_PASSWORD=hunter7"; // replaces the file's
    char *const variables[] = {entry, NULL};
    alloc_watch_start(0);
    saw_secret = false;
    alloc_watch.on_free = look_for_secret;
    struct conf *const conf = conf_load(conf_case.path, variables, conf_case_note, &conf_case);
    assert_non_null(conf);
    assert_string_equal(conf->database.password, "hunter7");
    conf_free(conf);
    alloc_watch_stop();
    assert_true(alloc_watch.frees > COUNT_OF(keys));
    assert_false(saw_secret);
    free(path);
}

static int load_without_memory(void *fail_at)
{
    static char entry[] = "BKFLOW_STATES_SERVER_WORKERS=9";
    static char replaced[] = "BKFLOW_STATES_AUTH_GATEWAY_KEY_a=/c";
    static char *const variables[] = {entry, replaced, NULL};
    alloc_watch_start(*(const unsigned long *)fail_at);
    struct conf *const conf = conf_load(conf_case.path, variables, conf_case_note, &conf_case);
    alloc_watch_stop();
    const bool is_told = conf == NULL && conf_case.count > 0;
    const bool is_loaded = conf != NULL && conf_case.count == 0;
    conf_free(conf);
    return alloc_watch.has_failed ? (is_told ? 0 : 1) : (is_loaded ? 2 : 3);
}

// 0: the failure was reported; 2: no allocation was left to fail.
static void each_failing_allocation_is_reported_and_nothing_else_happens(void **state)
{
    (void)state;
    char *const path = scratch_write(conf_case.folder, "password", "hunter5\n");
    char text[1024];
    snprintf(text, sizeof text,
             "[server]\nworkers = 8\n[database]\npassword_file = %s\n[engine_database]\nname = e\n"
             "[auth]\ngateway_key_a = /a\ngateway_key_b = /b\n",
             path);
    free(conf_case.path);
    conf_case.path = scratch_write(conf_case.folder, "conf", text);
    free(path);
    unsigned long n = 1;
    int outcome = run_in_child(load_without_memory, &n);
    while (outcome == 0) {
        n++;
        outcome = run_in_child(load_without_memory, &n);
    }
    if (outcome != 2) {
        print_error("allocation %lu failed: outcome %d\n", n, outcome);
    }
    assert_int_equal(outcome, 2);
    assert_true(n > COUNT_OF(keys));
}

#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, conf_case_set_up, conf_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_defaults_are_the_documented_ones),
        WITH_FIXTURE(there_are_as_many_workers_as_processors_but_at_least_two),
        WITH_FIXTURE(every_key_accepts_its_own_default),
        WITH_FIXTURE(these_tests_know_every_key),
        WITH_FIXTURE(every_key_can_be_set_in_the_file),
        WITH_FIXTURE(every_key_can_be_set_in_the_environment),
        WITH_FIXTURE(numbers_are_bounded_integers),
        WITH_FIXTURE(sizes_have_units),
        WITH_FIXTURE(durations_have_units),
        WITH_FIXTURE(listen_addresses_are_parsed),
        WITH_FIXTURE(invalid_listen_addresses_are_refused),
        WITH_FIXTURE(the_longest_possible_socket_path_is_accepted),
        WITH_FIXTURE(words_must_match_exactly),
        WITH_FIXTURE(without_engine_keys_there_is_one_database),
        WITH_FIXTURE(each_engine_key_makes_a_second_database),
        WITH_FIXTURE(a_missing_engine_key_has_the_databases_value),
        WITH_FIXTURE(an_engine_host_does_not_get_the_databases_socket),
        WITH_FIXTURE(an_engine_password_does_not_get_the_databases_file),
        WITH_FIXTURE(the_environment_makes_a_second_database_too),
        WITH_FIXTURE(the_engine_inherits_the_databases_credential_too),
        WITH_FIXTURE(each_gateway_has_a_key_with_its_name),
        WITH_FIXTURE(the_environment_adds_a_gateway_or_replaces_its_key),
        WITH_FIXTURE(bad_gateway_keys_are_named),
        WITH_FIXTURE(the_number_of_gateways_is_bounded),
        WITH_FIXTURE(without_any_authentication_the_configuration_is_refused),
        WITH_FIXTURE(the_gateway_alone_is_enough),
        WITH_FIXTURE(a_printed_configuration_loads_and_prints_the_same),
        WITH_FIXTURE(a_printed_configuration_reaches_the_same_databases),
        WITH_FIXTURE(printing_masks_passwords),
        WITH_FIXTURE(the_reference_loads_unchanged),
        WITH_FIXTURE(the_reference_loads_with_all_values_uncommented),
        WITH_FIXTURE(the_reference_names_every_key),
        WITH_FIXTURE(the_reference_fits_a_terminal),
        WITH_FIXTURE(a_key_read_only_at_start_keeps_its_value_and_is_named),
        WITH_FIXTURE(each_of_several_keys_that_need_a_restart_is_named),
        WITH_FIXTURE(secrets_are_wiped_before_they_are_freed),
        WITH_FIXTURE(each_failing_allocation_is_reported_and_nothing_else_happens),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
