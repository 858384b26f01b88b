// SPDX-License-Identifier: MIT
// What a failing statement means for its host, and which host is next. No host here can be reached:
// nobody listens on port 1.
#include "base/clock.h"
#include "db/hosts_priv.h"
#include "support.h"

enum { A, B, C, HOST_COUNT };
enum { LOST = 2013, DENIED = 1142, FULL = 1461, BROKEN = 1064, LATE = 1969 };

static struct conf_database conf;
static struct db_health *health;
static struct metrics_shard shard;
static struct db_hosts hosts;

static void use_hosts(size_t count)
{
    static const char *const names[HOST_COUNT] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    conf = (struct conf_database){.socket = "",
                                  .user = "nobody",
                                  .password = "",
                                  .name = "nothing",
                                  .connect_timeout_ms = 1000,
                                  .query_timeout_ms = 1000,
                                  .tls_ca = "",
                                  .option_file = ""};
    for (size_t i = 0; i < count; i++) {
        snprintf(conf.hosts.hosts[i].name, sizeof conf.hosts.hosts[i].name, "%s", names[i]);
        conf.hosts.hosts[i].port = 1;
    }
    conf.hosts.count = count;
    db_hosts_init(&hosts, &conf, health, &shard);
}

static int set_up(void **state)
{
    (void)state;
    health = db_health_new();
    assert_non_null(health);
    db_health_set_probed(health);
    use_hosts(HOST_COUNT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_health_free(health);
    return 0;
}

static bool is_well(size_t i)
{
    return db_health_retry_at(health, hosts.hosts[i].key) == 0;
}

static bool fails(enum db_verdict verdict, unsigned code)
{
    return db_hosts_failed(&hosts, verdict, code, "made up by the test");
}

static void a_faulty_statement_blames_no_host(void **state)
{
    (void)state;
    assert_false(fails(DB_VERDICT_FAULT, BROKEN));
    assert_true(is_well(A));
}

static void the_second_lost_statement_in_a_row_blames_the_host(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_RETRY, LOST));
    assert_true(is_well(A));
    assert_true(fails(DB_VERDICT_RETRY, LOST));
    assert_false(is_well(A));
}

static void lost_statements_with_an_answer_between_them_blame_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(fails(DB_VERDICT_RETRY, LOST));
        db_hosts_answered(&hosts);
    }
    assert_true(is_well(A));
}

static void a_host_that_answers_nobody_is_blamed_at_once_if_there_is_another(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_false(is_well(A));
    assert_true(is_well(B));
}

static void a_single_host_may_be_a_proxy_to_several(void **state)
{
    (void)state;
    use_hosts(1);
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_true(is_well(A));
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_false(is_well(A));
}

static void a_refusal_blames_a_host_when_another_answers(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_REFUSED, DENIED));
    assert_true(is_well(A));
    hosts.current = B;
    db_hosts_answered(&hosts);
    assert_false(is_well(A));
    assert_true(is_well(B));
    assert_int_equal(hosts.hosts[A].refusal, 0);
}

static void a_refusal_by_all_hosts_blames_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < HOST_COUNT; i++) {
        hosts.current = i;
        assert_int_equal(fails(DB_VERDICT_REFUSED, DENIED), i + 1 < HOST_COUNT);
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        assert_true(is_well(i));
    }
}

static void a_refusal_by_the_only_host_does_not_blame_it(void **state)
{
    (void)state;
    use_hosts(1);
    assert_false(fails(DB_VERDICT_REFUSED, DENIED));
    db_hosts_answered(&hosts); // the next statement
    assert_true(is_well(A));
}

static void a_time_limit_does_not_blame_the_only_host(void **state)
{
    (void)state;
    use_hosts(1);
    assert_false(fails(DB_VERDICT_TIMEOUT, LATE));
    assert_true(is_well(A));
}

static void a_time_limit_has_the_host_probed_if_there_is_another(void **state)
{
    (void)state;
    struct db_outage ended;
    assert_false(fails(DB_VERDICT_TIMEOUT, LATE));
    assert_false(is_well(A));
    assert_int_equal(db_health_succeeded(health, hosts.hosts[A].key, &ended), DB_NEWS_NONE);
}

static void a_host_without_an_answer_is_probed(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_NO_ANSWER, LOST));
    assert_false(is_well(A));
    use_hosts(1);
    assert_false(fails(DB_VERDICT_NO_ANSWER, LOST)); // a request waits only once
}

static void each_host_is_tried_once_and_then_left_to_the_prober(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(db_hosts_connect(&hosts, &err));
    assert_int_equal(err.kind, ERR_DATABASE_DOWN);
    assert_non_null(strstr(err.detail, "127.0.0.1"));
    assert_non_null(strstr(err.detail, "127.0.0.3"));
    assert_null(db_hosts_connect(&hosts, &err));
    assert_null(strstr(err.detail, "127.0.0")); // no host was tried
    assert_null(db_hosts_failback(&hosts));
}

static void a_refusing_host_is_skipped_until_no_other_is_left(void **state)
{
    (void)state;
    struct error err = {0};
    hosts.current = B;
    assert_true(fails(DB_VERDICT_REFUSED, DENIED));
    assert_null(db_hosts_connect(&hosts, &err));
    assert_null(strstr(err.detail, "127.0.0.2"));
    assert_true(is_well(B));
    assert_null(db_hosts_connect(&hosts, &err));
    assert_non_null(strstr(err.detail, "127.0.0.2"));
}

static void failback_is_only_to_preferred_hosts(void **state)
{
    (void)state;
    hosts.current = B;
    while (is_well(A)) {
        assert_null(db_hosts_failback(&hosts));
    }
    assert_true(is_well(B));
    assert_true(is_well(C));
}

static void new_hosts_start_with_a_clean_record(void **state)
{
    (void)state;
    hosts.current = C;
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_true(fails(DB_VERDICT_REFUSED, DENIED));
    use_hosts(2);
    assert_int_equal(hosts.count, 2);
    assert_int_equal(hosts.current, A);
    assert_int_equal(hosts.losses, 0);
    assert_true(is_well(A) && is_well(B));
    conf.hosts.hosts[A].port = 2; // a new host without a record
    fails(DB_VERDICT_NEXT_HOST, FULL);
    db_hosts_reconfigure(&hosts, &conf);
    assert_true(is_well(A));
}

int main(void)
{
#define WITH_HOSTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_HOSTS(a_faulty_statement_blames_no_host),
        WITH_HOSTS(the_second_lost_statement_in_a_row_blames_the_host),
        WITH_HOSTS(lost_statements_with_an_answer_between_them_blame_nobody),
        WITH_HOSTS(a_host_that_answers_nobody_is_blamed_at_once_if_there_is_another),
        WITH_HOSTS(a_single_host_may_be_a_proxy_to_several),
        WITH_HOSTS(a_refusal_blames_a_host_when_another_answers),
        WITH_HOSTS(a_refusal_by_all_hosts_blames_none),
        WITH_HOSTS(a_refusal_by_the_only_host_does_not_blame_it),
        WITH_HOSTS(a_time_limit_does_not_blame_the_only_host),
        WITH_HOSTS(a_time_limit_has_the_host_probed_if_there_is_another),
        WITH_HOSTS(a_host_without_an_answer_is_probed),
        WITH_HOSTS(each_host_is_tried_once_and_then_left_to_the_prober),
        WITH_HOSTS(a_refusing_host_is_skipped_until_no_other_is_left),
        WITH_HOSTS(failback_is_only_to_preferred_hosts),
        WITH_HOSTS(new_hosts_start_with_a_clean_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
