// SPDX-License-Identifier: MIT
#include "states/statements.h"
#include "support.h"

static struct conf conf;

static bool asks(const struct db_checks *checks, enum statement_kind kind)
{
    bool found = false;
    for (size_t i = 0; i < checks->count; i++) {
        found = found || checks->list[i].statement == statements_get(kind, 0);
    }
    return found;
}

static struct db_checks checks_of(enum statements_database database)
{
    return statements_checks(&conf, database);
}

static void one_database_gets_all_statements(void **state)
{
    (void)state;
    conf = (struct conf){.auth = {.direct = true, .user_table_check = true}};
    const struct db_checks checks = checks_of(STATEMENTS_INTERFACE);
    assert_int_equal(checks.count, 3);
    assert_true(asks(&checks, STATEMENT_CALLERS));
    assert_true(asks(&checks, STATEMENT_TASKS_AND_TEMPLATES));
    assert_true(asks(&checks, STATEMENT_NODES));
    assert_int_equal(checks_of(STATEMENTS_ENGINE).count, 0);
}

static void two_databases_get_their_own_statements(void **state)
{
    (void)state;
    conf = (struct conf){.has_engine_database = true,
                         .auth = {.direct = true, .user_table_check = true}};
    const struct db_checks interface = checks_of(STATEMENTS_INTERFACE);
    const struct db_checks engine = checks_of(STATEMENTS_ENGINE);
    assert_int_equal(interface.count, 2);
    assert_true(asks(&interface, STATEMENT_CALLERS));
    assert_true(asks(&interface, STATEMENT_TEMPLATES));
    assert_int_equal(engine.count, 2);
    assert_true(asks(&engine, STATEMENT_TASKS));
    assert_true(asks(&engine, STATEMENT_NODES));
}

static void an_unneeded_table_is_not_read(void **state)
{
    (void)state;
    conf = (struct conf){.auth = {.direct = true}};
    const struct db_checks without_users = checks_of(STATEMENTS_INTERFACE);
    assert_true(asks(&without_users, STATEMENT_APPLICATIONS));
    assert_false(asks(&without_users, STATEMENT_CALLERS));
    conf.auth.direct = false; // a gateway authenticates both
    const struct db_checks of_gateway = checks_of(STATEMENTS_INTERFACE);
    assert_false(asks(&of_gateway, STATEMENT_APPLICATIONS));
    assert_false(asks(&of_gateway, STATEMENT_CALLERS));
    assert_int_equal(of_gateway.count, 2);
}

static void a_check_has_the_slot_of_its_statement(void **state)
{
    (void)state;
    conf = (struct conf){.auth = {.direct = true, .user_table_check = true}};
    const struct db_checks checks = checks_of(STATEMENTS_INTERFACE);
    assert_int_equal(checks.list[0].slot, statements_slot(STATEMENT_CALLERS, 0));
    assert_int_equal(checks.list[2].slot, statements_slot(STATEMENT_NODES, 0));
    assert_int_equal(checks.list[2].statement->parameter_count, 2);
    assert_true(checks.list[2].parameters[1].is_number);
}

static void a_key_is_added_only_once(void **state)
{
    (void)state;
    struct statements_key_set keys = {.count = 0};
    statements_add_key(&keys, DB_PARAMETER_TEXT(STR("a")));
    statements_add_key(&keys, DB_PARAMETER_TEXT(STR("b")));
    statements_add_key(&keys, DB_PARAMETER_TEXT(STR("a")));
    assert_int_equal(keys.count, 2);
}

static void the_last_key_fills_up_a_group(void **state)
{
    (void)state;
    struct statements_key_set keys = {.count = 0};
    struct db_parameter parameters[4] = {{.number = 0}};
    for (int64_t id = 1; id <= 3; id++) {
        statements_add_key(&keys, DB_PARAMETER_NUMBER(id));
    }
    statements_put_keys(parameters, &keys, COUNT_OF(parameters));
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        assert_int_equal(parameters[i].number, i < 2 ? (int64_t)i + 1 : 3);
    }
}

static void a_digest_statement_takes_what_it_is_chosen_for(void **state)
{
    (void)state;
    for (size_t count = 1; count <= STATEMENT_DIGEST_KEYS_MAX; count++) {
        const size_t size = statements_digest_size(count);
        const size_t keys = statements_digest_keys(size);
        assert_true(size < STATEMENT_SIZES && count <= keys && (keys == 1 || count > keys / 4));
        assert_int_equal(statements_get(STATEMENT_DIGESTS, size)->parameter_count, keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_database_gets_all_statements),
        cmocka_unit_test(two_databases_get_their_own_statements),
        cmocka_unit_test(an_unneeded_table_is_not_read),
        cmocka_unit_test(a_check_has_the_slot_of_its_statement),
        cmocka_unit_test(a_key_is_added_only_once),
        cmocka_unit_test(the_last_key_fills_up_a_group),
        cmocka_unit_test(a_digest_statement_takes_what_it_is_chosen_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
