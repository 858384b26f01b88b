// SPDX-License-Identifier: MIT
#include "db/connect_priv.h"
#include "db/attempt_priv.h"

#include "base/clock.h"
#include "db/library.h"
#include "db/tcp_host.h"
#include "support.h"

#include <errmsg.h>
#include <poll.h>
#include <stdlib.h>

static struct tcp_host *host;
static struct conf_database conf;
static struct db_attempt *attempt;

static void start(enum tcp_host_state state)
{
    host = tcp_host_new(state);
    conf = tcp_host_conf(&host, 1);
    attempt = db_attempt_start(&conf, &conf.hosts.hosts[0], DB_CONNECT_READ);
    assert_non_null(attempt);
}

static int tear_down(void **state)
{
    (void)state;
    db_attempt_free(attempt);
    tcp_host_free(host);
    attempt = NULL;
    host = NULL;
    tcp_host_wait_for_attempts();
    return 0;
}

static bool has_no_connection(void *unused)
{
    (void)unused;
    return tcp_host_open(host) == 0;
}

static void an_attempt_makes_a_connection_for_its_caller(void **state)
{
    (void)state;
    start(TCP_HOST_WELL);
    struct db_connect_result *const result = db_attempt_wait(attempt, INT64_MAX);
    assert_non_null(result);
    assert_int_equal(result->code, 0);
    MYSQL *const taken = result->handle;
    assert_non_null(taken);
    result->handle = NULL;
    db_attempt_free(attempt);
    attempt = NULL;
    assert_int_equal(mysql_ping(taken), 0);
    db_connect_close(taken);
}

static void an_unused_connection_is_closed(void **state)
{
    (void)state;
    start(TCP_HOST_WELL);
    assert_non_null(db_attempt_wait(attempt, INT64_MAX));
    assert_int_equal(tcp_host_open(host), 1);
    db_attempt_free(attempt);
    attempt = NULL;
    wait_for(has_no_connection, NULL);
}

static void its_descriptor_shows_when_it_is_over(void **state)
{
    (void)state;
    start(TCP_HOST_UNRESPONSIVE);
    struct pollfd over = {.fd = db_attempt_fd(attempt), .events = POLLIN};
    assert_int_equal(poll(&over, 1, 20), 0);
    assert_null(db_attempt_result(attempt));
    tcp_host_become(host, TCP_HOST_WELL);
    assert_int_equal(poll(&over, 1, -1), 1);
    struct db_connect_result *const result = db_attempt_wait(attempt, INT64_MAX);
    assert_non_null(result);
    assert_ptr_equal(db_attempt_result(attempt), result);
    assert_non_null(result->handle);
}

static void a_refusing_host_is_reported_with_its_reason(void **state)
{
    (void)state;
    start(TCP_HOST_REFUSES);
    const struct db_connect_result *const result = db_attempt_wait(attempt, INT64_MAX);
    assert_non_null(result);
    assert_null(result->handle);
    assert_uint_in_range(result->code, CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR);
    assert_true(strlen(result->message) > 0);
}

static void waiting_ends_at_the_callers_limit(void **state)
{
    (void)state;
    start(TCP_HOST_UNRESPONSIVE);
    const int64_t before_us = clock_monotonic_us();
    assert_null(db_attempt_wait(attempt, before_us - 1));
    assert_null(db_attempt_wait(attempt, before_us + 20 * 1000));
    assert_true(clock_monotonic_us() - before_us >= 20 * 1000);
}

static void waiting_ends_after_connect_timeout(void **state)
{
    (void)state;
    host = tcp_host_new(TCP_HOST_UNRESPONSIVE);
    conf = tcp_host_conf(&host, 1);
    conf.connect_timeout_ms = 100;
    attempt = db_attempt_start(&conf, &conf.hosts.hosts[0], DB_CONNECT_READ);
    assert_non_null(attempt);
    assert_null(db_attempt_wait(attempt, INT64_MAX));
    assert_true(clock_monotonic_us() - db_attempt_started_us(attempt) >= 100 * 1000);
}

static void an_abandoned_attempt_ends_and_closes_its_connection(void **state)
{
    (void)state;
    start(TCP_HOST_UNRESPONSIVE);
    db_attempt_free(attempt);
    attempt = NULL;
    assert_true(db_library_is_busy());
    tcp_host_become(host, TCP_HOST_WELL);
    tcp_host_wait_for_attempts();
    wait_for(has_no_connection, NULL);
    assert_int_equal(tcp_host_logins(host), 1);
}

// The resolver rejects an empty label without a query.
static void an_invalid_name_is_an_error(void **state)
{
    (void)state;
    host = tcp_host_new(TCP_HOST_WELL);
    conf = tcp_host_conf(&host, 1);
    struct conf_host nowhere = {.name = "no..where", .port = 3306};
    attempt = db_attempt_start(&conf, &nowhere, DB_CONNECT_READ);
    assert_non_null(attempt);
    const struct db_connect_result *const result = db_attempt_wait(attempt, INT64_MAX);
    assert_non_null(result);
    assert_null(result->handle);
    assert_int_equal(result->code, CR_UNKNOWN_HOST);
    assert_non_null(strstr(result->message, "name"));
}

static void the_configuration_may_be_freed_meanwhile(void **state)
{
    (void)state;
    host = tcp_host_new(TCP_HOST_UNRESPONSIVE);
    struct conf_database *const short_lived = calloc(1, sizeof *short_lived);
    assert_non_null(short_lived);
    *short_lived = tcp_host_conf(&host, 1);
    char *const user = strdup("reader");
    char *const password = strdup("the-password");
    short_lived->user = user;
    short_lived->password = password;
    attempt = db_attempt_start(short_lived, &short_lived->hosts.hosts[0], DB_CONNECT_READ);
    memset(user, 'x', strlen(user));
    memset(password, 'x', strlen(password));
    memset(short_lived, 0xA5, sizeof *short_lived);
    free(user);
    free(password);
    free(short_lived);
    assert_non_null(attempt);
    tcp_host_become(host, TCP_HOST_WELL);
    const struct db_connect_result *const result = db_attempt_wait(attempt, INT64_MAX);
    assert_non_null(result);
    assert_non_null(result->handle);
    assert_int_equal(tcp_host_logins(host), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_attempt_makes_a_connection_for_its_caller, tear_down),
        cmocka_unit_test_teardown(an_unused_connection_is_closed, tear_down),
        cmocka_unit_test_teardown(its_descriptor_shows_when_it_is_over, tear_down),
        cmocka_unit_test_teardown(a_refusing_host_is_reported_with_its_reason, tear_down),
        cmocka_unit_test_teardown(waiting_ends_at_the_callers_limit, tear_down),
        cmocka_unit_test_teardown(waiting_ends_after_connect_timeout, tear_down),
        cmocka_unit_test_teardown(an_abandoned_attempt_ends_and_closes_its_connection, tear_down),
        cmocka_unit_test_teardown(an_invalid_name_is_an_error, tear_down),
        cmocka_unit_test_teardown(the_configuration_may_be_freed_meanwhile, tear_down),
    };
    return db_library_init() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : EXIT_FAILURE;
}
