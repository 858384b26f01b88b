// SPDX-License-Identifier: MIT
#include "db/error_code_priv.h"
#include "support.h"

static void assert_verdict(const unsigned *codes, size_t count, enum db_verdict expected)
{
    for (size_t i = 0; i < count; i++) {
        if (db_error_code_verdict(codes[i], false) != expected) {
            fail_msg("code %u has another verdict", codes[i]);
        }
    }
}

#define ASSERT_VERDICT(codes, expected) assert_verdict((codes), COUNT_OF(codes), (expected))

static void a_lost_statement_may_be_answered_on_a_new_connection(void **state)
{
    (void)state;
    static const unsigned codes[] = {0,    1020, 1152, 1158, 1159, 1160, 1161, 1184, 1213,
                                     1243, 1317, 1412, 1615, 1927, 2006, 2013, 2026, 2027,
                                     2055, 2056, 2057, 3169, 4031, 5013, 5014};
    ASSERT_VERDICT(codes, DB_VERDICT_RETRY);
}

static void a_host_that_answers_nobody_is_skipped(void **state)
{
    (void)state;
    static const unsigned codes[] = {1037, 1040, 1041, 1047, 1053, 1135, 1203, 1226, 1461,
                                     1820, 1862, 2005, 3032, 3168, 9001, 9002, 9006, 9501};
    ASSERT_VERDICT(codes, DB_VERDICT_NEXT_HOST);
}

static void another_host_may_answer_what_one_refuses(void **state)
{
    (void)state;
    static const unsigned codes[] = {1044, 1045, 1049, 1054, 1142, 1143,
                                     1146, 1194, 1877, 3118, 4151, 9003};
    ASSERT_VERDICT(codes, DB_VERDICT_REFUSED);
}

static void unknown_codes_are_refusals(void **state)
{
    (void)state;
    static const unsigned codes[] = {1, 999, 1999, 4711, 9999, 65535, 4294967295U};
    ASSERT_VERDICT(codes, DB_VERDICT_REFUSED);
}

static void defects_of_the_statement_fail_everywhere(void **state)
{
    (void)state;
    static const unsigned codes[] = {1064, 1210, 2008, 2014, 2020, 2030, 2031, 2034, 2036};
    ASSERT_VERDICT(codes, DB_VERDICT_FAULT);
}

static void the_servers_time_limits_are_timeouts_at_any_time(void **state)
{
    (void)state;
    static const unsigned codes[] = {1205, 1969, 3024};
    ASSERT_VERDICT(codes, DB_VERDICT_TIMEOUT);
    assert_int_equal(db_error_code_verdict(1969, true), DB_VERDICT_TIMEOUT);
}

static void the_time_shows_who_ended_a_statement(void **state)
{
    (void)state;
    assert_int_equal(db_error_code_verdict(1317, false), DB_VERDICT_RETRY);
    assert_int_equal(db_error_code_verdict(1317, true), DB_VERDICT_TIMEOUT);
}

static void a_late_loss_is_not_an_answer(void **state)
{
    (void)state;
    static const unsigned codes[] = {0, 2006, 2013, 2026};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_int_equal(db_error_code_verdict(codes[i], true), DB_VERDICT_NO_ANSWER);
    }
    assert_int_equal(db_error_code_verdict(1213, true), DB_VERDICT_RETRY); // the server answered
    assert_int_equal(db_error_code_verdict(1146, true), DB_VERDICT_REFUSED);
}

static void only_client_libraries_say_that_nobody_answers(void **state)
{
    (void)state;
    static const unsigned others[] = {1045, 1053, 1158, 1999, 2005, 2008, 2014, 3000, 3169, 9001};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(db_error_code_is_unreachable(others[i]));
    }
    assert_true(db_error_code_is_unreachable(0));
    assert_true(db_error_code_is_unreachable(2002));
    assert_true(db_error_code_is_unreachable(2013));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_statement_may_be_answered_on_a_new_connection),
        cmocka_unit_test(a_host_that_answers_nobody_is_skipped),
        cmocka_unit_test(another_host_may_answer_what_one_refuses),
        cmocka_unit_test(unknown_codes_are_refusals),
        cmocka_unit_test(defects_of_the_statement_fail_everywhere),
        cmocka_unit_test(the_servers_time_limits_are_timeouts_at_any_time),
        cmocka_unit_test(the_time_shows_who_ended_a_statement),
        cmocka_unit_test(a_late_loss_is_not_an_answer),
        cmocka_unit_test(only_client_libraries_say_that_nobody_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
