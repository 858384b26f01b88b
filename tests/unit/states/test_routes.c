// SPDX-License-Identifier: MIT
#include "states/routes.h"
#include "support.h"

static struct conf *conf;

static int set_up(void **state)
{
    (void)state;
    conf = load_conf(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conf_free(conf);
    return 0;
}

static void a_path_leads_to_its_route(void **state)
{
    static const struct {
        const char *path;
        enum route_id id;
        enum route_access access;
        int64_t task_id;
        int64_t space_id;
    } rows[] = {
        {"/task/7/get_task_states_by_app", ROUTE_STATES, ACCESS_BOUND_APPLICATION, 7, 0},
        {"/task/7/get_task_states_by_app/", ROUTE_STATES, ACCESS_BOUND_APPLICATION, 7, 0},
        {"/task/007/get_task_states_by_app", ROUTE_STATES, ACCESS_BOUND_APPLICATION, 7, 0},
        {"/space/8/task/7/get_task_states", ROUTE_SPACE_STATES, ACCESS_SPACE_APPLICATION, 7, 8},
        {"/space/08/task/7/get_task_states/", ROUTE_SPACE_STATES, ACCESS_SPACE_APPLICATION, 7, 8},
        {"/get_tasks_states_by_app", ROUTE_BATCH, ACCESS_BOUND_APPLICATION, 0, 0},
        {"/get_tasks_states_by_app/", ROUTE_BATCH, ACCESS_BOUND_APPLICATION, 0, 0},
        {"/space/8/get_tasks_states", ROUTE_SPACE_BATCH, ACCESS_SPACE_APPLICATION, 0, 8},
        {"/healthz", ROUTE_HEALTHZ, ACCESS_ANYBODY, 0, 0},
        {"/healthz/", ROUTE_HEALTHZ, ACCESS_ANYBODY, 0, 0},
        {"/readyz", ROUTE_READYZ, ACCESS_ANYBODY, 0, 0},
        {"/metrics", ROUTE_METRICS, ACCESS_STATUS_ADDRESS, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct route_match match;
        struct error err = {0};
        check(rows[i].path, routes_find(conf, str_from(rows[i].path), &match, &err) == 0);
        check_number(rows[i].path, match.route->id, rows[i].id);
        check_number(rows[i].path, match.route->access, rows[i].access);
        check_number(rows[i].path, match.task_id, rows[i].task_id);
        check_number(rows[i].path, match.space_id, rows[i].space_id);
    }
}

static void any_other_path_is_an_error(void **state)
{
    static const struct {
        const char *path;
        enum error_kind kind;
    } rows[] = {
        {"", ERR_NO_PATH_INFO},
        {"/", ERR_UNKNOWN_PATH},
        {"//", ERR_UNKNOWN_PATH},
        {"healthz", ERR_UNKNOWN_PATH},
        {"/healthz//", ERR_UNKNOWN_PATH},
        {"/Healthz", ERR_UNKNOWN_PATH},
        {"/task", ERR_UNKNOWN_PATH},
        {"/get_task_states_by_app", ERR_UNKNOWN_PATH},
        {"/task/", ERR_TASK_ID},
        {"/task/7", ERR_TASK_ID},
        {"/task/7/", ERR_TASK_ID},
        {"/task/healthz", ERR_TASK_ID},
        {"/task/7/healthz", ERR_TASK_ID},
        {"/task//get_task_states_by_app", ERR_TASK_ID},
        {"/task/0/get_task_states_by_app", ERR_TASK_ID},
        {"/task/7/get_task_states_by_app//", ERR_TASK_ID},
        {"/task/7/get_task_states_by_app/8", ERR_TASK_ID},
        {"/task/7/8/get_task_states_by_app", ERR_TASK_ID},
        {"/task/{task_id}/get_task_states_by_app", ERR_TASK_ID},
        {"/space", ERR_UNKNOWN_PATH},
        {"/space/", ERR_SPACE_PATH},
        {"/space/8/task/7", ERR_SPACE_PATH},
        {"/space/0/task/7/get_task_states", ERR_SPACE_PATH},
        {"/space/8/task/0/get_task_states", ERR_SPACE_PATH},
        {"/space/8/task/7/get_task_states//", ERR_SPACE_PATH},
        {"/space/{space_id}/task/7/get_task_states", ERR_SPACE_PATH},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct route_match match;
        struct error err = {0};
        check(rows[i].path, routes_find(conf, str_from(rows[i].path), &match, &err) != 0);
        check_number(rows[i].path, err.kind, rows[i].kind);
        check(rows[i].path, match.route == NULL && match.task_id == 0 && match.space_id == 0);
    }
}

static void a_route_allows_its_methods(void **state)
{
    static const char *const others[] = {"", " ", "POST", "GET,", "GET, HEAD", " HEAD", "get"};
    struct route_match match;
    struct error err = {0};
    (void)state;
    assert_int_equal(routes_find(conf, STR("/healthz"), &match, &err), 0);
    assert_true(routes_allow(match.route, STR("GET")));
    assert_true(routes_allow(match.route, STR("HEAD")));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        check(others[i], !routes_allow(match.route, str_from(others[i])));
    }
    assert_false(routes_allow(match.route, STR_ABSENT));
    assert_int_equal(routes_find(conf, STR("/space/8/get_tasks_states"), &match, &err), 0);
    assert_true(routes_allow(match.route, STR("POST")));
    assert_false(routes_allow(match.route, STR("GET")));
}

static void a_route_that_is_switched_off_is_unknown(void **state)
{
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    bool *const keys[] = {&conf->status.healthz, &conf->status.readyz, &conf->status.metrics};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct route_match match;
        struct error err = {0};
        *keys[i] = false;
        check(paths[i], routes_find(conf, str_from(paths[i]), &match, &err) != 0);
        check_number(paths[i], err.kind, ERR_UNKNOWN_PATH);
    }
}

static void a_task_id_is_digits_that_fit(void **state)
{
    static const struct {
        const char *text;
        int64_t id;
    } rows[] = {
        {"1", 1},
        {"0001", 1},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", 0},
        {"92233720368547758070", 0},
        {"18446744073709551617", 0},
        {"0", 0},
        {"", 0},
        {"-1", 0},
        {"+1", 0},
        {" 1", 0},
        {"1 ", 0},
        {"1.0", 0},
        {"0x1", 0},
        {"1e3", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_number(rows[i].text, routes_parse_id(str_from(rows[i].text)), rows[i].id);
    }
    check_number("a NUL", routes_parse_id((struct str){"1\0002", 3}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_leads_to_its_route, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_other_path_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_allows_its_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_that_is_switched_off_is_unknown, set_up, tear_down),
        cmocka_unit_test(a_task_id_is_digits_that_fit),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
