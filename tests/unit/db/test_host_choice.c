// SPDX-License-Identifier: MIT
// What a failing statement says about its host, and which host is next. No host here can be
// reached: nobody listens on port 1.
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

static void a_fault_of_the_statement_blames_no_host(void **state)
{
    (void)state;
    assert_false(fails(DB_VERDICT_FAULT, BROKEN));
    assert_true(is_well(A));
}

static void the_second_lost_statement_in_a_row_is_the_hosts_fault(void **state)
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

static void a_host_that_answers_nobody_is_blamed_at_once_where_there_is_another(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_false(is_well(A));
    assert_true(is_well(B));
}

static void a_single_host_may_be_a_proxy_that_leads_elsewhere_the_next_time(void **state)
{
    (void)state;
    use_hosts(1);
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_true(is_well(A));
    assert_true(fails(DB_VERDICT_NEXT_HOST, FULL));
    assert_false(is_well(A));
}

static void a_refusal_is_held_against_a_host_once_another_answers(void **state)
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

static void what_all_hosts_refuse_blames_nobody(void **state)
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

static void what_the_only_host_refuses_blames_nobody(void **state)
{
    (void)state;
    use_hosts(1);
    assert_false(fails(DB_VERDICT_REFUSED, DENIED));
    db_hosts_answered(&hosts); // the next statement
    assert_true(is_well(A));
}

static void a_time_limit_is_the_statements_fault_where_there_is_no_other_host(void **state)
{
    (void)state;
    use_hosts(1);
    assert_false(fails(DB_VERDICT_TIMEOUT, LATE));
    assert_true(is_well(A));
}

static void a_time_limit_has_the_host_looked_at_where_there_is_another(void **state)
{
    (void)state;
    struct db_outage ended;
    assert_false(fails(DB_VERDICT_TIMEOUT, LATE));
    assert_false(is_well(A));
    assert_int_equal(db_health_succeeded(health, hosts.hosts[A].key, &ended), DB_NEWS_NONE);
}

static void a_host_that_gives_no_answer_is_looked_at(void **state)
{
    (void)state;
    assert_true(fails(DB_VERDICT_NO_ANSWER, LOST));
    assert_false(is_well(A));
    use_hosts(1);
    assert_false(fails(DB_VERDICT_NO_ANSWER, LOST)); // once is what a request waits for
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
    assert_null(strstr(err.detail, "127.0.0")); // nobody was tried
    assert_null(db_hosts_failback(&hosts));
}

static void who_refused_is_passed_over_until_nobody_else_is_left(void **state)
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

static void only_preferred_hosts_are_returned_to(void **state)
{
    (void)state;
    hosts.current = B;
    while (is_well(A)) {
        assert_null(db_hosts_failback(&hosts));
    }
    assert_true(is_well(B));
    assert_true(is_well(C));
}

static void other_hosts_of_a_new_configuration_start_well(void **state)
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
    conf.hosts.hosts[A].port = 2; // another host, of which nothing is known
    fails(DB_VERDICT_NEXT_HOST, FULL);
    db_hosts_reconfigure(&hosts, &conf);
    assert_true(is_well(A));
}

int main(void)
{
#define WITH_HOSTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_HOSTS(a_fault_of_the_statement_blames_no_host),
        WITH_HOSTS(the_second_lost_statement_in_a_row_is_the_hosts_fault),
        WITH_HOSTS(lost_statements_with_an_answer_between_them_blame_nobody),
        WITH_HOSTS(a_host_that_answers_nobody_is_blamed_at_once_where_there_is_another),
        WITH_HOSTS(a_single_host_may_be_a_proxy_that_leads_elsewhere_the_next_time),
        WITH_HOSTS(a_refusal_is_held_against_a_host_once_another_answers),
        WITH_HOSTS(what_all_hosts_refuse_blames_nobody),
        WITH_HOSTS(what_the_only_host_refuses_blames_nobody),
        WITH_HOSTS(a_time_limit_is_the_statements_fault_where_there_is_no_other_host),
        WITH_HOSTS(a_time_limit_has_the_host_looked_at_where_there_is_another),
        WITH_HOSTS(a_host_that_gives_no_answer_is_looked_at),
        WITH_HOSTS(each_host_is_tried_once_and_then_left_to_the_prober),
        WITH_HOSTS(who_refused_is_passed_over_until_nobody_else_is_left),
        WITH_HOSTS(only_preferred_hosts_are_returned_to),
        WITH_HOSTS(other_hosts_of_a_new_configuration_start_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
