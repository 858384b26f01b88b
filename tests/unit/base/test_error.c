// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "support.h"

// The documented codes. Do not change a row by accident: clients and operators rely on it.
static const struct {
    enum error_kind kind;
    int status;
    int code;
    const char *label;
} promised[] = {
    {ERR_BAD_REQUEST, 400, 40000, "bad_request"},
    {ERR_MALFORMED_VARIABLES, 400, 40000, "malformed_variables"},
    {ERR_TASK_ID, 400, 40001, "task_id"},
    {ERR_DUPLICATE_CREDENTIALS, 400, 40002, "duplicate_credentials"},
    {ERR_CREDENTIALS_FORMAT, 400, 40003, "credentials_format"},
    {ERR_QUERY_FORMAT, 400, 40004, "query_format"},
    {ERR_SPACE_PATH, 400, 40005, "space_path"},
    {ERR_TASK_IDS, 400, 40006, "task_ids"},
    {ERR_BODY_FORMAT, 400, 40007, "body_format"},
    {ERR_CREDENTIALS_MISSING, 401, 40101, "credentials_missing"},
    {ERR_CREDENTIALS_WRONG, 401, 40102, "credentials_wrong"},
    {ERR_USER_UNKNOWN, 401, 40103, "user_unknown"},
    {ERR_TOKEN_REFUSED, 401, 40104, "token_refused"},
    {ERR_TOKEN_CLAIMS, 401, 40104, "token_claims"},
    {ERR_WAY_IN_CLOSED, 401, 40105, "way_in_closed"},
    {ERR_TASK_WITHOUT_TEMPLATE, 403, 40301, "task_without_template"},
    {ERR_TEMPLATE_UNBOUND, 403, 40302, "template_unbound"},
    {ERR_OTHER_APPLICATION, 403, 40303, "other_application"},
    {ERR_METRICS_CLOSED, 403, 40304, "metrics_closed"},
    {ERR_NO_SPACE, 403, 40305, "no_space"},
    {ERR_SPACE_OF_OTHER_APPLICATION, 403, 40306, "space_of_other_application"},
    {ERR_TASK_OF_OTHER_SPACE, 403, 40307, "task_of_other_space"},
    {ERR_UNKNOWN_PATH, 404, 40401, "unknown_path"},
    {ERR_NO_PATH_INFO, 404, 40401, "no_path_info"},
    {ERR_NO_TASK, 404, 40402, "no_task"},
    {ERR_NO_TEMPLATE, 404, 40403, "no_template"},
    {ERR_METHOD, 405, 40501, "method"},
    {ERR_BODY_TOO_LARGE, 413, 41301, "body_too_large"},
    {ERR_HEAD_TOO_LARGE, 431, 43101, "head_too_large"},
    {ERR_TOO_MANY_FAILURES, 429, 42901, "too_many_failures"},
    {ERR_INTERNAL, 500, 50001, "internal"},
    {ERR_NO_ROOT_ROW, 500, 50002, "no_root_row"},
    {ERR_TOO_MANY_NODES, 500, 50003, "too_many_nodes"},
    {ERR_TOO_MANY_NODES_TOGETHER, 500, 50003, "too_many_nodes_together"},
    {ERR_NO_MEMORY, 500, 50004, "no_memory"},
    {ERR_DATABASE_DOWN, 503, 50301, "database_down"},
    {ERR_DATABASE_FAULT, 503, 50303, "database_fault"},
    {ERR_OVERLOADED, 503, 50302, "overloaded"},
    {ERR_QUERY_TIMEOUT, 504, 50401, "query_timeout"},
};

static void every_kind_has_the_promised_status_code_and_label(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(promised); i++) {
        check_number(promised[i].label, error_status(promised[i].kind), promised[i].status);
        check_number(promised[i].label, error_code(promised[i].kind), promised[i].code);
        check_text(promised[i].label, str_from(error_label(promised[i].kind)), promised[i].label);
    }
}

static void every_kind_is_promised(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        size_t i = 0;
        while (i < COUNT_OF(promised) && (int)promised[i].kind != kind) {
            i++;
        }
        check(error_label((enum error_kind)kind), i < COUNT_OF(promised));
    }
}

static void a_code_begins_with_its_status(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        check_number(error_label((enum error_kind)kind), error_code((enum error_kind)kind) / 100,
                     error_status((enum error_kind)kind));
    }
}

// Some kinds share a code because clients must not see the difference: the operator gets more
// detail, and only a wrong signature counts as a guess.
static bool may_share_code(enum error_kind a, enum error_kind b)
{
    return (a == ERR_TOKEN_REFUSED && b == ERR_TOKEN_CLAIMS) ||
           (a == ERR_BAD_REQUEST && b == ERR_MALFORMED_VARIABLES) ||
           (a == ERR_UNKNOWN_PATH && b == ERR_NO_PATH_INFO) ||
           (a == ERR_TOO_MANY_NODES && b == ERR_TOO_MANY_NODES_TOGETHER);
}

static void codes_and_labels_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_KIND_COUNT; a++) {
        for (int b = a + 1; b < ERR_KIND_COUNT; b++) {
            const char *const label = error_label((enum error_kind)a);
            check(label, strcmp(label, error_label((enum error_kind)b)) != 0);
            check(label, error_code((enum error_kind)a) != error_code((enum error_kind)b) ||
                             may_share_code((enum error_kind)a, (enum error_kind)b));
        }
    }
}

static void labels_fit_metrics_and_logs(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const char *const label = error_label((enum error_kind)kind);
        check(label,
              label[0] != '\0' && strspn(label, "abcdefghijklmnopqrstuvwxyz_") == strlen(label));
    }
}

static void setting_an_error_is_always_minus_one(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, ERR_NO_MEMORY, "table of %d nodes", 7), -1);
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    assert_string_equal(err.detail, "table of 7 nodes");
}

static void setting_an_error_keeps_its_members(void **state)
{
    (void)state;
    struct error err = {.kind = ERR_INTERNAL, .task_id = 10};
    assert_int_equal(error_set(&err, ERR_NO_TASK, "%s", ""), -1);
    assert_int_equal(err.task_id, 10);
}

static void a_long_detail_is_truncated(void **state)
{
    (void)state;
    struct error err = {0};
    char text[1000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(error_set(&err, ERR_INTERNAL, "%s", text), -1);
    assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
}

static void only_temporary_errors_suggest_a_retry(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const struct error err = {.kind = (enum error_kind)kind, .wait_s = 17};
        const int status = error_status(err.kind);
        const bool passes = status == 429 || status == 503 || status == 504;
        check(error_label(err.kind), (error_retry_after(&err) > 0) == passes);
    }
}

static void too_many_failures_say_how_long_to_wait(void **state)
{
    (void)state;
    const struct error err = {.kind = ERR_TOO_MANY_FAILURES, .wait_s = 17};
    assert_int_equal(error_retry_after(&err), 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_the_promised_status_code_and_label),
        cmocka_unit_test(every_kind_is_promised),
        cmocka_unit_test(a_code_begins_with_its_status),
        cmocka_unit_test(codes_and_labels_are_unique),
        cmocka_unit_test(labels_fit_metrics_and_logs),
        cmocka_unit_test(setting_an_error_is_always_minus_one),
        cmocka_unit_test(setting_an_error_keeps_its_members),
        cmocka_unit_test(a_long_detail_is_truncated),
        cmocka_unit_test(only_temporary_errors_suggest_a_retry),
        cmocka_unit_test(too_many_failures_say_how_long_to_wait),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
