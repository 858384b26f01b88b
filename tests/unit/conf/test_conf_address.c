// SPDX-License-Identifier: MIT
// Values that are addresses: lists of hosts and of networks.
#include "conf/conf.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static char complaints[8192];
static unsigned complaint_count;

static void note(void *context, const char *sentence)
{
    (void)context;
    const size_t len = strlen(complaints);
    snprintf(complaints + len, sizeof complaints - len, "%s\n", sentence);
    complaint_count++;
}

// Loads one key from the environment, where a value may have any length.
static struct conf *load_value(const char *variable, const char *value)
{
    static char entry[8192];
    char *const variables[] = {entry, NULL};
    snprintf(entry, sizeof entry, "BKFLOW_STATES_%s=%s", variable, value);
    complaints[0] = '\0';
    complaint_count = 0;
    return conf_load(NULL, variables, note, NULL);
}

// ---- hosts ----

static void check_hosts(const char *value, const char *const expected[CONF_HOSTS_MAX + 1])
{
    struct conf *const conf = load_value("DATABASE_HOST", value);
    check(value, conf != NULL && complaint_count == 0);
    const struct conf_hosts *const hosts = &conf->database.hosts;
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        char text[CONF_HOST_TEXT_MAX];
        check(value, count < hosts->count);
        conf_host_show(&hosts->hosts[count], 3306, text);
        check_text(value, str_from(text), expected[count]);
    }
    check_number(value, hosts->count, count);
    conf_free(conf);
}

static void hosts_are_names_and_addresses_with_or_without_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *expected[CONF_HOSTS_MAX + 1];
    } rows[] = {
        {"", {"(local)"}},
        {" \t", {"(local)"}},
        {"localhost", {"localhost"}},
        {"db1", {"db1"}},
        {"db1:3306", {"db1"}},
        {"db1:1", {"db1:1"}},
        {"db1:65535", {"db1:65535"}},
        {"db1,db1:3307", {"db1", "db1:3307"}},
        {" db-1.example.org ,\tdb_2 ", {"db-1.example.org", "db_2"}},
        {"10.0.0.1:3307,10.0.0.2", {"10.0.0.1:3307", "10.0.0.2"}},
        {"::1", {"::1"}},
        {"[::1]", {"::1"}},
        {"[::1]:3307,::1", {"[::1]:3307", "::1"}},
        {"fe80::1%eth0", {"fe80::1%eth0"}},
        {"[fe80::1%eth0]:9", {"[fe80::1%eth0]:9"}},
        {"localhost,db1", {"localhost", "db1"}},
        {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p",
         {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_hosts(rows[i].value, rows[i].expected);
    }
}

static void hosts_without_a_port_have_the_databases_port(void **state)
{
    (void)state;
    char hosts[] = "BKFLOW_STATES_DATABASE_HOST=a,b:3308";
    char port[] = "BKFLOW_STATES_DATABASE_PORT=3307";
    char engine[] = "BKFLOW_STATES_ENGINE_DATABASE_NAME=e";
    char *const variables[] = {hosts, port, engine, NULL};
    struct conf *const conf = conf_load(NULL, variables, note, NULL);
    assert_non_null(conf);
    assert_int_equal(conf->database.hosts.hosts[0].port, 3307);
    assert_int_equal(conf->database.hosts.hosts[1].port, 3308);
    assert_int_equal(conf->engine_database.hosts.hosts[0].port, 3307);
    assert_int_equal(conf->engine_database.hosts.hosts[1].port, 3308);
    conf_free(conf);
}

static void the_local_socket_has_no_name_or_is_localhost(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_local;
    } rows[] = {{"", true}, {"localhost", true}, {"localhost.", false}, {"127.0.0.1", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf_host host = {.port = 3306};
        snprintf(host.name, sizeof host.name, "%s", rows[i].name);
        check(rows[i].name, conf_host_is_local(&host) == rows[i].is_local);
    }
}

static void each_mistake_in_a_list_of_hosts_is_named(void **state)
{
    (void)state;
    static const char comma[] = "there is a comma with nothing before or after it";
    static const struct {
        const char *value;
        const char *expected[3];
    } rows[] = {
        {",", {comma, comma}},
        {"a,", {comma}},
        {",a", {comma}},
        {"a, ,b", {comma}},
        {"a,,b:x", {comma, "expected a port from 1 to 65535 after the colon, not \"b:x\""}},
        {"a:", {"expected a port from 1 to 65535 after the colon, not \"a:\""}},
        {"a:0", {"expected a port from 1 to 65535 after the colon, not \"a:0\""}},
        {"a:65536", {"expected a port from 1 to 65535 after the colon, not \"a:65536\""}},
        {"a:033060", {"expected a port from 1 to 65535 after the colon, not \"a:033060\""}},
        {"a:-1", {"expected a port from 1 to 65535 after the colon, not \"a:-1\""}},
        {"[::1]:", {"expected a port from 1 to 65535 after the colon, not \"[::1]:\""}},
        {":3306", {"expected a host name or an address, not \":3306\""}},
        {"[db1]:3306", {"expected a host name or an address, not \"[db1]:3306\""}},
        {"[127.0.0.1]", {"expected a host name or an address, not \"[127.0.0.1]\""}},
        {"[::1", {"expected a host name or an address, not \"[::1\""}},
        {"::1]", {"expected a host name or an address, not \"::1]\""}},
        {"[::1]3306", {"expected a host name or an address, not \"[::1]3306\""}},
        {"[]", {"expected a host name or an address, not \"[]\""}},
        {"::1::", {"expected a host name or an address, not \"::1::\""}},
        {"1:2:3306", {"expected a host name or an address, not \"1:2:3306\""}},
        {"::1/64", {"expected a host name or an address, not \"::1/64\""}},
        {"fe80::1%", {"expected a host name or an address, not \"fe80::1%\""}},
        {"a b", {"expected a host name or an address, not \"a b\""}},
        {"a;b", {"expected a host name or an address, not \"a;b\""}},
        {"/run/mysqld.sock", {"expected a host name or an address, not \"/run/mysqld.sock\""}},
        {"tcp://db1:1", {"expected a host name or an address, not \"tcp://db1:1\""}},
        {"d\xC3\xA4", {"expected a host name or an address, not \"d\xC3\xA4\""}},
        {"a,b,a", {"expected each host once, not \"a\""}},
        {"::1,[::1]", {"expected each host once, not \"[::1]\""}},
        {"localhost:3306",
         {"expected localhost without a port (it is the local socket), or 127.0.0.1, not "
          "\"localhost:3306\""}},
        {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r",
         {"\"q\" is one too many: there may be 16 hosts",
          "\"r\" is one too many: there may be 16 hosts"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char expected[1024] = "";
        for (size_t k = 0; k < 3 && rows[i].expected[k] != NULL; k++) {
            const size_t len = strlen(expected);
            snprintf(expected + len, sizeof expected - len,
                     "environment: BKFLOW_STATES_DATABASE_HOST: %s\n", rows[i].expected[k]);
        }
        check(rows[i].value, load_value("DATABASE_HOST", rows[i].value) == NULL);
        check_text(rows[i].value, str_from(complaints), expected);
    }
}

static void a_host_name_of_255_bytes_is_accepted_and_a_longer_one_named(void **state)
{
    (void)state;
    char name[CONF_HOST_BYTES + 1] = "";
    memset(name, 'x', CONF_HOST_BYTES);
    assert_null(load_value("DATABASE_HOST", name));
    assert_true(has_text(str_from(complaints), "a host name is longer than 255 characters"));
    name[CONF_HOST_BYTES - 1] = '\0';
    struct conf *const conf = load_value("DATABASE_HOST", name);
    assert_non_null(conf);
    assert_string_equal(conf->database.hosts.hosts[0].name, name);
    conf_free(conf);
}

// ---- networks ----

static void the_number_of_networks_is_bounded(void **state)
{
    (void)state;
    char list[512] = "10.0.0.0/8";
    for (int i = 1; i < CIDR_LIST_MAX; i++) {
        const size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, ",10.0.0.%d", i);
    }
    struct conf *const conf = load_value("SERVER_TRUSTED_PROXIES", list);
    assert_non_null(conf);
    assert_int_equal(conf->server.trusted_proxies.count, 32);
    assert_true(cidr_list_has(&conf->server.trusted_proxies, cidr_address_parse(STR("10.9.9.9"))));
    conf_free(conf);
    snprintf(list + strlen(list), sizeof list - strlen(list), ",10.1.0.0/16");
    assert_null(load_value("SERVER_TRUSTED_PROXIES", list));
    assert_string_equal(complaints, "environment: BKFLOW_STATES_SERVER_TRUSTED_PROXIES: "
                                    "\"10.1.0.0/16\" is one too many: there may be 32 networks\n");
}

static void each_mistake_in_a_list_of_networks_is_named(void **state)
{
    (void)state;
    assert_null(load_value("STATUS_ALLOW", "10.0.0.0/33,, localhost"));
    assert_string_equal(
        complaints,
        "environment: BKFLOW_STATES_STATUS_ALLOW: expected an address or a network such as "
        "10.0.0.0/8, not \"10.0.0.0/33\"\n"
        "environment: BKFLOW_STATES_STATUS_ALLOW: there is a comma with nothing before or after "
        "it\n"
        "environment: BKFLOW_STATES_STATUS_ALLOW: expected an address or a network such as "
        "10.0.0.0/8, not \"localhost\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_names_and_addresses_with_or_without_a_port),
        cmocka_unit_test(hosts_without_a_port_have_the_databases_port),
        cmocka_unit_test(the_local_socket_has_no_name_or_is_localhost),
        cmocka_unit_test(each_mistake_in_a_list_of_hosts_is_named),
        cmocka_unit_test(a_host_name_of_255_bytes_is_accepted_and_a_longer_one_named),
        cmocka_unit_test(the_number_of_networks_is_bounded),
        cmocka_unit_test(each_mistake_in_a_list_of_networks_is_named),
    };
    return cmocka_run_group_tests_name("conf_address", tests, NULL, NULL);
}
