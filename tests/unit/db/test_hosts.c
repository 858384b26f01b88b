// SPDX-License-Identifier: MIT
#include "db/connect_priv.h"
#include "db/hosts_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/library.h"
#include "db/tcp_host.h"
#include "support.h"

#include <stdlib.h>

static struct tcp_host *places[CONF_HOSTS_MAX];
static size_t count;
static struct conf_database conf;
static struct db_health *health;
static struct metrics_shard shard;
static struct db_hosts hosts;
static struct error err;

static void start(const enum tcp_host_state *states, size_t state_count)
{
    for (count = 0; count < state_count; count++) {
        places[count] = tcp_host_new(states[count]);
    }
    conf = tcp_host_conf(places, count);
    health = db_health_new();
    assert_non_null(health);
    memset(&shard, 0, sizeof shard);
    err = (struct error){0};
    db_hosts_init(&hosts, &conf, health, &shard);
}

#define START(...)                                                                                 \
    start((const enum tcp_host_state[]){__VA_ARGS__},                                              \
          COUNT_OF(((const enum tcp_host_state[]){__VA_ARGS__})))

static int tear_down(void **state)
{
    (void)state;
    db_hosts_end_failback(&hosts);
    for (size_t i = 0; i < count; i++) {
        tcp_host_free(places[i]);
    }
    tcp_host_wait_for_attempts();
    db_health_free(health);
    return 0;
}

static void assert_connects_to(size_t i)
{
    MYSQL *const handle = db_hosts_connect(&hosts, &err);
    assert_non_null(handle);
    assert_int_equal(hosts.current, i);
    assert_int_equal(mysql_ping(handle), 0);
    db_connect_close(handle);
}

static bool has_failed(size_t i)
{
    return db_health_retry_at(health, hosts.hosts[i].key) != 0;
}

// Records an answer like the prober.
static void let_answer(size_t i)
{
    struct db_outage ended;
    db_health_succeeded(health, hosts.hosts[i].key, &ended);
}

// ---- connecting ----

static void the_first_host_that_answers_is_used(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL, TCP_HOST_WELL);
    assert_connects_to(1);
    assert_true(has_failed(0));
    assert_false(has_failed(1));
    assert_int_equal(tcp_host_logins(places[2]), 0);
    assert_int_equal(atomic_load(&shard.database_errors), 1);
    assert_int_equal(atomic_load(&shard.database_connects), 1);
}

static void every_host_of_a_full_list_is_used(void **state)
{
    (void)state;
    enum tcp_host_state states[CONF_HOSTS_MAX] = {0};
    states[CONF_HOSTS_MAX - 1] = TCP_HOST_WELL;
    start(states, CONF_HOSTS_MAX);
    assert_connects_to(CONF_HOSTS_MAX - 1);
    for (size_t i = 0; i < CONF_HOSTS_MAX - 1; i++) {
        assert_true(has_failed(i));
    }
}

static void if_none_answers_the_error_has_each_reason(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_REFUSES);
    assert_null(db_hosts_connect(&hosts, &err));
    assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(strstr(err.detail, hosts.hosts[i].shown));
    }
    assert_true(err.server_code != 0);
}

// With a prober, requests skip a failed host for any length of time.
static void a_failed_host_is_left_to_the_prober(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    db_health_set_probed(health);
    assert_null(db_hosts_connect(&hosts, &err));
    const uint64_t errors = atomic_load(&shard.database_errors);
    while (clock_monotonic_us() < db_health_retry_at(health, hosts.hosts[0].key)) {
    }
    for (int i = 0; i < 10; i++) {
        assert_null(db_hosts_connect(&hosts, &err));
        assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    }
    assert_int_equal(atomic_load(&shard.database_errors), errors);
    tcp_host_become(places[0], TCP_HOST_WELL);
    let_answer(0);
    assert_connects_to(0);
}

static bool pause_is_over(void *unused)
{
    (void)unused;
    return clock_monotonic_us() >= db_health_retry_at(health, hosts.hosts[0].key);
}

static void without_a_prober_a_failed_host_has_a_pause(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    assert_null(db_hosts_connect(&hosts, &err));
    tcp_host_become(places[0], TCP_HOST_WELL);
    wait_for(pause_is_over, NULL);
    assert_connects_to(0);
    assert_false(has_failed(0));
}

static void an_unresponsive_host_is_skipped(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE, TCP_HOST_WELL);
    db_health_set_probed(health);
    assert_connects_to(1); // although connect_timeout is 30 s
    assert_true(has_failed(0));
}

static void the_only_host_has_all_of_connect_timeout(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE);
    conf.connect_timeout_ms = 600; // longer than if there were another
    db_health_set_probed(health);
    const int64_t before_us = clock_monotonic_us();
    assert_null(db_hosts_connect(&hosts, &err));
    assert_true(clock_monotonic_us() - before_us >= 600 * 1000);
    assert_true(has_failed(0));
    assert_non_null(strstr(err.detail, hosts.hosts[0].shown));
}

// ---- going back ----

static MYSQL *better;

static bool fails_back(void *unused)
{
    (void)unused;
    better = db_hosts_failback(&hosts);
    return better != NULL;
}

static void failback_follows_the_recovery_of_a_preferred_host(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL);
    db_health_set_probed(health);
    assert_connects_to(1);
    for (int i = 0; i < 5; i++) { // it has failed, and no probe has succeeded
        assert_false(fails_back(NULL));
        assert_false(db_library_is_busy());
    }
    assert_int_equal(hosts.current, 1);
    tcp_host_become(places[0], TCP_HOST_WELL);
    let_answer(0);
    wait_for(fails_back, NULL);
    assert_int_equal(hosts.current, 0);
    assert_int_equal(mysql_ping(better), 0);
    db_connect_close(better);
    assert_false(fails_back(NULL)); // no host precedes the first
    assert_int_equal(tcp_host_logins(places[0]), 1);
}

// Nobody waits for it, and it is tried once by this connection, not by each request.
static void failback_to_an_unresponsive_host_costs_nothing(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL);
    db_health_set_probed(health);
    assert_connects_to(1);
    tcp_host_become(places[0], TCP_HOST_UNRESPONSIVE);
    let_answer(0);
    for (int i = 0; i < 1000; i++) {
        assert_false(fails_back(NULL));
    }
    assert_int_equal(hosts.current, 1);
    tcp_host_become(places[0], TCP_HOST_WELL);
    wait_for(fails_back, NULL);
    db_connect_close(better);
    assert_int_equal(tcp_host_logins(places[0]), 1);
}

static bool is_blamed(void *unused)
{
    assert_false(fails_back(unused));
    return has_failed(0);
}

static void failback_to_a_refusing_host_is_left_to_the_prober(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL);
    db_health_set_probed(health);
    assert_connects_to(1);
    let_answer(0);
    assert_false(has_failed(0));
    wait_for(is_blamed, NULL);
    assert_false(fails_back(NULL));
    assert_false(db_library_is_busy());
}

// ---- the configuration ----

static void a_reload_replaces_the_hosts(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL, TCP_HOST_WELL);
    assert_connects_to(1);
    struct tcp_host *const fewer[] = {places[2]};
    struct conf_database fresh = tcp_host_conf(fewer, 1);
    db_hosts_reconfigure(&hosts, &fresh);
    assert_int_equal(hosts.count, 1);
    assert_int_equal(hosts.current, 0);
    assert_ptr_equal(hosts.conf, &fresh);
    assert_connects_to(0);
    assert_int_equal(tcp_host_logins(places[2]), 1);
}

static void a_host_keeps_its_record_over_a_reload(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    assert_null(db_hosts_connect(&hosts, &err));
    struct conf_database same = conf;
    db_hosts_reconfigure(&hosts, &same);
    assert_true(has_failed(0));
}

static void change_host(struct conf_database *changed)
{
    strcpy(changed->hosts.hosts[0].name, "127.0.0.2");
}

static void change_port(struct conf_database *changed)
{
    changed->hosts.hosts[0].port++;
}

static void change_user(struct conf_database *changed)
{
    changed->user = "another";
}

static void change_password(struct conf_database *changed)
{
    changed->password = "another";
}

static void change_name(struct conf_database *changed)
{
    changed->name = "another";
}

static void change_tls_ca(struct conf_database *changed)
{
    changed->tls_ca = "/another";
}

static void change_tls_verify(struct conf_database *changed)
{
    changed->tls_verify = !changed->tls_verify;
}

static void change_option_file(struct conf_database *changed)
{
    changed->option_file = "/another";
}

// A host is identified by how it is reached: a different way starts with a clean record.
static void a_host_reached_differently_is_a_different_host(void **state)
{
    (void)state;
    static void (*const changes[])(struct conf_database *) = {
        change_host, change_port,   change_user,       change_password,
        change_name, change_tls_ca, change_tls_verify, change_option_file};
    START(TCP_HOST_REFUSES);
    assert_null(db_hosts_connect(&hosts, &err));
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct conf_database changed = conf;
        changes[i](&changed);
        db_hosts_reconfigure(&hosts, &changed);
        assert_false(has_failed(0));
    }
    db_hosts_reconfigure(&hosts, &conf);
    assert_true(has_failed(0));
}

static void the_local_socket_is_identified_by_its_path(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    conf.hosts.hosts[0] = (struct conf_host){.name = ""};
    conf.socket = "/one";
    db_hosts_reconfigure(&hosts, &conf);
    const uint64_t key = hosts.hosts[0].key;
    conf.socket = "/another";
    db_hosts_reconfigure(&hosts, &conf);
    assert_true(hosts.hosts[0].key != key);
    assert_true(key != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_first_host_that_answers_is_used, tear_down),
        cmocka_unit_test_teardown(every_host_of_a_full_list_is_used, tear_down),
        cmocka_unit_test_teardown(if_none_answers_the_error_has_each_reason, tear_down),
        cmocka_unit_test_teardown(a_failed_host_is_left_to_the_prober, tear_down),
        cmocka_unit_test_teardown(without_a_prober_a_failed_host_has_a_pause, tear_down),
        cmocka_unit_test_teardown(an_unresponsive_host_is_skipped, tear_down),
        cmocka_unit_test_teardown(the_only_host_has_all_of_connect_timeout, tear_down),
        cmocka_unit_test_teardown(failback_follows_the_recovery_of_a_preferred_host, tear_down),
        cmocka_unit_test_teardown(failback_to_an_unresponsive_host_costs_nothing, tear_down),
        cmocka_unit_test_teardown(failback_to_a_refusing_host_is_left_to_the_prober, tear_down),
        cmocka_unit_test_teardown(a_reload_replaces_the_hosts, tear_down),
        cmocka_unit_test_teardown(a_host_keeps_its_record_over_a_reload, tear_down),
        cmocka_unit_test_teardown(a_host_reached_differently_is_a_different_host, tear_down),
        cmocka_unit_test_teardown(the_local_socket_is_identified_by_its_path, tear_down),
    };
    const struct log_options quiet = {"stderr", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT};
    return log_open(&quiet) == 0 && db_library_init() == 0
               ? cmocka_run_group_tests(tests, NULL, NULL)
               : EXIT_FAILURE;
}
