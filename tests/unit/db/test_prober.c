// SPDX-License-Identifier: MIT
#include "db/prober.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/hosts_priv.h"
#include "db/library.h"
#include "db/tcp_host.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLACES_MAX = 3, REFUSED = 2002, SILENT_US = 300 * 1000 };

static struct tcp_host *places[PLACES_MAX];
static size_t count;
static struct conf conf;
static struct db_health *health;
static struct metrics_shard shard;
static struct db_hosts hosts; // for their keys
static const struct db_checks no_checks;
static struct db_prober *prober;

static void start(const enum tcp_host_state *states, size_t state_count)
{
    for (count = 0; count < state_count; count++) {
        places[count] = tcp_host_new(states[count]);
    }
    memset(&conf, 0, sizeof conf);
    conf.database = tcp_host_conf(places, count);
    health = db_health_new();
    assert_non_null(health);
    db_health_set_probed(health);
    memset(&shard, 0, sizeof shard);
    db_hosts_init(&hosts, &conf.database, health, &shard);
    prober = db_prober_new(health, &shard);
    assert_non_null(prober);
    db_prober_configure(prober, &conf, &no_checks, &no_checks);
}

#define START(...)                                                                                 \
    start((const enum tcp_host_state[]){__VA_ARGS__},                                              \
          COUNT_OF(((const enum tcp_host_state[]){__VA_ARGS__})))

static int tear_down(void **state)
{
    (void)state;
    db_prober_free(prober);
    for (size_t i = 0; i < count; i++) {
        tcp_host_free(places[i]);
    }
    tcp_host_wait_for_attempts();
    db_health_free(health);
    return 0;
}

static uint64_t key_of(size_t i)
{
    return hosts.hosts[i].key;
}

static bool is_well(size_t i)
{
    return db_health_retry_at(health, key_of(i)) == 0;
}

static void let_fail(size_t i)
{
    db_health_failed(health, key_of(i), REFUSED);
}

static uint64_t attempts(void)
{
    return atomic_load(&shard.database_errors) + atomic_load(&shard.database_connects);
}

// ---- probing ----

static void a_failed_host_is_probed_until_it_is_healthy(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    let_fail(0);
    while (attempts() < 3) {
        db_prober_run_once(prober);
    }
    assert_false(is_well(0));
    assert_int_equal(atomic_load(&shard.database_connects), 0);
    tcp_host_become(places[0], TCP_HOST_WELL);
    while (!is_well(0)) {
        db_prober_run_once(prober);
    }
    assert_int_equal(atomic_load(&shard.database_connects), 1);
}

static void it_closes_its_connections(void **state)
{
    (void)state;
    START(TCP_HOST_WELL);
    let_fail(0);
    while (!is_well(0)) {
        db_prober_run_once(prober);
    }
    while (tcp_host_open(places[0]) > 0) {
        usleep(1000);
    }
}

static void a_host_is_not_tried_before_its_pause_is_over(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    let_fail(0);
    for (int i = 0; i < 4; i++) {
        const int64_t retry_at_us = db_health_retry_at(health, key_of(0));
        const uint64_t before = attempts();
        while (attempts() == before) {
            db_prober_run_once(prober);
        }
        assert_true(clock_monotonic_us() >= retry_at_us);
    }
}

static void a_healthy_host_is_not_probed(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_WELL);
    let_fail(0);
    while (attempts() < 2) {
        db_prober_run_once(prober);
    }
    assert_int_equal(tcp_host_logins(places[1]), 0);
}

static void an_unresponsive_host_delays_no_other(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE, TCP_HOST_WELL);
    let_fail(0);
    let_fail(1);
    while (!is_well(1)) {
        db_prober_run_once(prober);
    }
    assert_false(is_well(0));
}

static void an_unresponsive_host_is_reported_to_its_connections(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE);
    let_fail(0);
    const int64_t before_us = clock_monotonic_us();
    while (!db_health_is_unresponsive(health, key_of(0))) {
        db_prober_run_once(prober);
    }
    assert_true(clock_monotonic_us() - before_us >= SILENT_US);
    tcp_host_become(places[0], TCP_HOST_WELL);
    while (!is_well(0)) {
        db_prober_run_once(prober);
    }
    assert_false(db_health_is_unresponsive(health, key_of(0)));
}

static void both_databases_are_probed(void **state)
{
    (void)state;
    START(TCP_HOST_WELL, TCP_HOST_WELL);
    struct db_hosts engine;
    conf.has_engine_database = true;
    conf.engine_database = tcp_host_conf(&places[1], 1);
    conf.engine_database.name = "engine";
    db_prober_configure(prober, &conf, &no_checks, &no_checks);
    db_hosts_init(&engine, &conf.engine_database, health, &shard);
    db_health_failed(health, engine.hosts[0].key, REFUSED);
    while (db_health_retry_at(health, engine.hosts[0].key) != 0) {
        db_prober_run_once(prober);
    }
    assert_int_equal(tcp_host_logins(places[1]), 1);
}

// ---- sleeping ----

struct rounds {
    atomic_uint count;
    pthread_t thread;
};

static void *run_until_closed(void *context)
{
    struct rounds *const rounds = context;
    while (!db_health_is_closed(health)) {
        db_prober_run_once(prober);
        atomic_fetch_add(&rounds->count, 1);
    }
    return NULL;
}

static bool has_gone_round(void *context)
{
    return atomic_load(&((struct rounds *)context)->count) > 0;
}

static bool has_stopped_going_round(void *context)
{
    const unsigned before = atomic_load(&((struct rounds *)context)->count);
    usleep(200 * 1000);
    return atomic_load(&((struct rounds *)context)->count) == before;
}

static void it_sleeps_while_all_hosts_are_healthy(void **state)
{
    (void)state;
    START(TCP_HOST_WELL, TCP_HOST_WELL);
    struct rounds rounds = {.count = 0};
    assert_int_equal(pthread_create(&rounds.thread, NULL, run_until_closed, &rounds), 0);
    usleep(200 * 1000);
    assert_int_equal(atomic_load(&rounds.count), 0);
    db_health_wake(health);
    wait_for(has_gone_round, &rounds);
    usleep(200 * 1000);
    assert_int_equal(atomic_load(&rounds.count), 1);
    db_health_close(health);
    pthread_join(rounds.thread, NULL);
}

static void it_sleeps_again_when_a_host_is_back(void **state)
{
    (void)state;
    START(TCP_HOST_WELL);
    struct rounds rounds = {.count = 0};
    let_fail(0);
    assert_int_equal(pthread_create(&rounds.thread, NULL, run_until_closed, &rounds), 0);
    while (!is_well(0)) {
        usleep(1000);
    }
    wait_for(has_stopped_going_round, &rounds);
    db_health_close(health);
    pthread_join(rounds.thread, NULL);
}

// There are two or three rounds per attempt; without waiting there would be thousands.
static void it_rarely_wakes_while_a_host_is_down(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES);
    let_fail(0);
    unsigned rounds = 0;
    while (attempts() < 4) {
        db_prober_run_once(prober);
        rounds++;
    }
    assert_uint_in_range(rounds, 4, 100);
}

// ---- the configuration ----

static void an_attempt_continues_over_a_reload(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE);
    let_fail(0);
    while (!db_library_is_busy()) {
        db_prober_run_once(prober);
    }
    for (int i = 0; i < 5; i++) {
        db_prober_configure(prober, &conf, &no_checks, &no_checks);
        db_prober_run_once(prober);
    }
    tcp_host_become(places[0], TCP_HOST_WELL);
    while (!is_well(0)) {
        db_prober_run_once(prober);
    }
    assert_int_equal(tcp_host_logins(places[0]), 1);
}

static void an_attempt_with_an_old_password_is_abandoned(void **state)
{
    (void)state;
    START(TCP_HOST_UNRESPONSIVE);
    let_fail(0);
    while (!db_library_is_busy()) {
        db_prober_run_once(prober);
    }
    conf.database.password = "the-next";
    db_hosts_reconfigure(&hosts, &conf.database);
    db_prober_configure(prober, &conf, &no_checks, &no_checks);
    let_fail(0);
    while (!db_health_is_unresponsive(health, key_of(0))) {
        db_prober_run_once(prober);
    }
    tcp_host_become(places[0], TCP_HOST_WELL);
    while (!is_well(0)) {
        db_prober_run_once(prober);
    }
    assert_int_equal(atomic_load(&shard.database_connects), 1);
    assert_int_equal(atomic_load(&shard.database_errors), 0);
}

static void a_removed_host_is_no_longer_probed(void **state)
{
    (void)state;
    START(TCP_HOST_REFUSES, TCP_HOST_REFUSES);
    const uint64_t key = key_of(1);
    let_fail(0);
    let_fail(1);
    conf.database.hosts.count = 1;
    db_prober_configure(prober, &conf, &no_checks, &no_checks);
    const int64_t retry_at_us = db_health_retry_at(health, key);
    while (attempts() < 4) {
        db_prober_run_once(prober);
    }
    assert_int_equal(db_health_retry_at(health, key), retry_at_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_failed_host_is_probed_until_it_is_healthy, tear_down),
        cmocka_unit_test_teardown(it_closes_its_connections, tear_down),
        cmocka_unit_test_teardown(a_host_is_not_tried_before_its_pause_is_over, tear_down),
        cmocka_unit_test_teardown(a_healthy_host_is_not_probed, tear_down),
        cmocka_unit_test_teardown(an_unresponsive_host_delays_no_other, tear_down),
        cmocka_unit_test_teardown(an_unresponsive_host_is_reported_to_its_connections, tear_down),
        cmocka_unit_test_teardown(both_databases_are_probed, tear_down),
        cmocka_unit_test_teardown(it_sleeps_while_all_hosts_are_healthy, tear_down),
        cmocka_unit_test_teardown(it_sleeps_again_when_a_host_is_back, tear_down),
        cmocka_unit_test_teardown(it_rarely_wakes_while_a_host_is_down, tear_down),
        cmocka_unit_test_teardown(an_attempt_continues_over_a_reload, tear_down),
        cmocka_unit_test_teardown(an_attempt_with_an_old_password_is_abandoned, tear_down),
        cmocka_unit_test_teardown(a_removed_host_is_no_longer_probed, tear_down),
    };
    const struct log_options quiet = {"stderr", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT};
    return log_open(&quiet) == 0 && db_library_init() == 0
               ? cmocka_run_group_tests(tests, NULL, NULL)
               : EXIT_FAILURE;
}
