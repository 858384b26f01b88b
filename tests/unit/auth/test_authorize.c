// SPDX-License-Identifier: MIT
#include "states/messages_priv.h"
#include "auth/authorize.h"
#include "rows.h"
#include "support.h"

struct fixture {
    struct auth *auth;
    struct conf *conf;
    struct arena *arena;
    const struct caller *caller; // of application "demo_app"
};

static struct fixture fixture;

// Authenticates, because only that makes a caller.
static const struct caller *make_caller(void)
{
    const struct credentials credentials = {
        .app_code = STR("demo_app"),
        .secret = STR("demo-secret"),
        .username = STR("admin"),
    };
    struct lookup_result result = {.user_is_active = true};
    const struct caller *caller = NULL;
    struct error err = {0};
    app_with_secret(&result.app, "demo-secret");
    const struct auth_context context = {
        .auth = fixture.auth,
        .conf = fixture.conf,
        .arena = fixture.arena,
    };
    assert_int_equal(authenticate(&context, &credentials, &result, &caller, &err), 0);
    return caller;
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){
        .auth = auth_new(),
        .conf = load_conf(NULL),
        .arena = arena_new(1 << 20),
    };
    assert_non_null(fixture.auth);
    fixture.caller = make_caller();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    auth_free(fixture.auth);
    conf_free(fixture.conf);
    arena_free(fixture.arena);
    return 0;
}

static struct lookup_result good_facts(void)
{
    return (struct lookup_result){
        .task = {.exists = true,
                 .is_started = true,
                 .instance_id = STR("n0123456789abcdef0123456789abcdef"),
                 .template_id = 3},
        .template = {.exists = true, .app_code = STR("demo_app")},
    };
}

// Returns the message of the refusal, or "" with *STATUS 0 if there is a permit.
static const char *check_binding(const struct lookup_result *result, int *status)
{
    static char message[512];
    const struct permit *permit = NULL;
    struct error err = {0};
    const int outcome = authorize(fixture.caller, result, 10, fixture.arena, &permit, &err);
    assert_int_equal(outcome == 0, permit != NULL);
    message[0] = '\0';
    *status = 0;
    if (outcome != 0) {
        *status = error_status(err.kind);
        (void)messages_render(&err, LANG_EN, message, sizeof message);
    }
    return message;
}

#define assert_refused(result, expected_status, expected_message)                                  \
    do {                                                                                           \
        int status;                                                                                \
        assert_string_equal(check_binding((result), &status), (expected_message));                 \
        assert_int_equal(status, (expected_status));                                               \
    } while (0)

static void a_bound_task_gets_a_permit(void **state)
{
    (void)state;
    const struct lookup_result result = good_facts();
    const struct permit *permit = NULL;
    struct error err = {0};
    assert_int_equal(authorize(fixture.caller, &result, 10, fixture.arena, &permit, &err), 0);
    assert_int_equal(permit_task_id(permit), 10);
    assert_int_equal(permit_kind(permit), PERMIT_STARTED);
    assert_text(permit_root_id(permit), "n0123456789abcdef0123456789abcdef");
}

#define NO_TASK "Task does not exist. task_id=10"

static void an_unknown_task_is_404(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.exists = false;
    assert_refused(&result, 404, NO_TASK);
}

static void a_deleted_task_is_404(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.is_deleted = true;
    assert_refused(&result, 404, NO_TASK);
}

static void an_expired_task_is_404(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.is_expired = true;
    assert_refused(&result, 404, NO_TASK);
    result.task.is_started = false;
    assert_refused(&result, 404, NO_TASK);
}

static void an_operator_sees_deleted_and_expired_tasks(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    const struct permit *permit = NULL;
    struct error err = {0};
    result.task.is_deleted = true;
    result.task.is_expired = true;
    assert_int_equal(permit_for_operator(&result, 10, fixture.arena, &permit, &err), 0);
    assert_int_equal(permit_kind(permit), PERMIT_STARTED);
}

static void a_task_without_template_is_403(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.template_id = 0;
    assert_refused(&result, 403, "Task is not associated with any template. task_id=10");
}

#define NO_TEMPLATE "Template associated with task does not exist. task_id=10, template_id=3"

static void an_unknown_template_is_404(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.template.exists = false;
    assert_refused(&result, 404, NO_TEMPLATE);
}

static void a_deleted_template_is_404(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.template.is_deleted = true;
    assert_refused(&result, 404, NO_TEMPLATE);
}

#define UNBOUND                                                                                    \
    "Template associated with task is not bindedto any bk_app_code. task_id=10, template_id=3"

static void a_template_without_application_is_403(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.template.app_code = STR_ABSENT;
    assert_refused(&result, 403, UNBOUND);
}

static void a_template_with_an_empty_application_is_403(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.template.app_code = STR("");
    assert_refused(&result, 403, UNBOUND);
}

static void another_application_is_403_and_both_are_named(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.template.app_code = STR("your_app");
    assert_refused(&result, 403,
                   "The current application does not have permission to operate this task, "
                   "app=demo_app, template bindedapp=your_app");
}

static void codes_are_compared_byte_for_byte(void **state)
{
    (void)state;
    static const struct str codes[] = {
        STR("Demo_app"),  STR("DEMO_APP"),        STR("demo_app "),
        STR(" demo_app"), STR("demo_ap"),         STR("demo_app\0"),
        STR("demo-app"),  STR("d\xC3\xA9mo_app"), STR("demo_appx"),
    };
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct lookup_result result = good_facts();
        int status;
        result.template.app_code = codes[i];
        (void)check_binding(&result, &status);
        check_number(codes[i].ptr, status, 403);
    }
}

// Everything is wrong at first; then one thing after the other is corrected.
static void checks_are_in_bkflows_order(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.exists = false;
    result.task.is_expired = true;
    result.task.template_id = 0;
    result.template = (struct lookup_template){0};
    assert_refused(&result, 404, NO_TASK);
    result.task.exists = true;
    assert_refused(&result, 404, NO_TASK);
    result.task.is_expired = false;
    assert_refused(&result, 403, "Task is not associated with any template. task_id=10");
    result.task.template_id = 3;
    assert_refused(&result, 404, NO_TEMPLATE);
    result.template.exists = true;
    assert_refused(&result, 403, UNBOUND);
    result.template.app_code = STR("demo_app");
    int status;
    (void)check_binding(&result, &status);
    assert_int_equal(status, 0);
}

static void the_state_of_the_task_decides_the_kind_of_permit(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_started;
        enum permit_kind kind;
    } rows[] = {
        {"not started", false, PERMIT_NOT_STARTED},
        {"started", true, PERMIT_STARTED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct lookup_result result = good_facts();
        const struct permit *permit = NULL;
        struct error err = {0};
        result.task.is_started = rows[i].is_started;
        check(rows[i].name,
              authorize(fixture.caller, &result, 10, fixture.arena, &permit, &err) == 0);
        check_number(rows[i].name, permit_kind(permit), rows[i].kind);
    }
}

static void a_refusal_comes_before_the_state_of_the_task(void **state)
{
    (void)state;
    struct lookup_result result = good_facts();
    result.task.is_started = false;
    result.template.app_code = STR("your_app");
    int status;
    (void)check_binding(&result, &status);
    assert_int_equal(status, 403);
}

static void without_memory_there_is_no_permit(void **state)
{
    (void)state;
    const struct lookup_result result = good_facts();
    const struct permit *permit = NULL;
    struct error err = {0};
    struct arena *const small = arena_new(1);
    assert_int_equal(authorize(fixture.caller, &result, 10, small, &permit, &err), -1);
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    assert_null(permit);
    arena_free(small);
}

// ---- by space ----

// Returns the kind of the refusal, ERR_KIND_COUNT if there is a permit. The space is 8, the
// task 10.
static enum error_kind check_space(const struct lookup_space *space, const struct lookup_task *task)
{
    const struct space_permit *of_space = NULL;
    const struct permit *permit = NULL;
    struct error err = {0};
    if (authorize_space(fixture.caller, space, 8, fixture.arena, &of_space, &err) != 0) {
        assert_null(of_space);
        assert_int_equal(err.space_id, 8);
        return err.kind;
    }
    if (authorize_in_space(of_space, task, 10, fixture.arena, &permit, &err) != 0) {
        assert_null(permit);
        assert_int_equal(err.task_id, 10);
        return err.kind;
    }
    assert_int_equal(permit_task_id(permit), 10);
    assert_text(permit_root_id(permit), task->instance_id.ptr);
    return ERR_KIND_COUNT;
}

// Everything is wrong at first; then one thing after the other is corrected.
static void a_space_is_checked_in_bkflows_order(void **state)
{
    (void)state;
    struct lookup_space space = {.exists = false};
    struct lookup_task task = {.is_deleted = true, .is_expired = true, .instance_id = STR("root")};
    assert_int_equal(check_space(&space, &task), ERR_NO_SPACE);
    space = (struct lookup_space){.exists = true, .app_code = STR("your_app")};
    assert_int_equal(check_space(&space, &task), ERR_SPACE_OF_OTHER_APPLICATION);
    space.app_code = STR("demo_app");
    assert_int_equal(check_space(&space, &task), ERR_NO_TASK);
    task.exists = true;
    assert_int_equal(check_space(&space, &task), ERR_NO_TASK);
    task.is_deleted = false;
    assert_int_equal(check_space(&space, &task), ERR_NO_TASK);
    task.is_expired = false;
    assert_int_equal(check_space(&space, &task), ERR_TASK_OF_OTHER_SPACE);
    task.space_id = 8;
    assert_int_equal(check_space(&space, &task), ERR_KIND_COUNT);
}

static void a_spaces_code_is_compared_byte_for_byte(void **state)
{
    (void)state;
    static const struct str codes[] = {
        STR_ABSENT,        STR(""),
        STR("Demo_app"),   STR("demo_app "),
        STR(" demo_app"),  STR("demo_ap"),
        STR("demo_app\0"), STR("demo-app"),
        STR("demo_appx"),  STR("d\xC3\xA9mo_app"),
    };
    const struct lookup_task task = {.exists = true, .space_id = 8, .instance_id = STR("root")};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        const struct lookup_space space = {.exists = true, .app_code = codes[i]};
        check_number(codes[i].ptr == NULL ? "NULL" : codes[i].ptr, check_space(&space, &task),
                     ERR_SPACE_OF_OTHER_APPLICATION);
    }
}

static void without_memory_there_is_no_permit_for_a_space(void **state)
{
    (void)state;
    const struct lookup_space space = {.exists = true, .app_code = STR("demo_app")};
    const struct space_permit *permit = NULL;
    struct error err = {0};
    struct arena *const small = arena_new(1);
    assert_int_equal(authorize_space(fixture.caller, &space, 8, small, &permit, &err), -1);
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    assert_null(permit);
    arena_free(small);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_bound_task_gets_a_permit),
        WITH_FIXTURE(an_unknown_task_is_404),
        WITH_FIXTURE(a_deleted_task_is_404),
        WITH_FIXTURE(an_expired_task_is_404),
        WITH_FIXTURE(an_operator_sees_deleted_and_expired_tasks),
        WITH_FIXTURE(a_task_without_template_is_403),
        WITH_FIXTURE(an_unknown_template_is_404),
        WITH_FIXTURE(a_deleted_template_is_404),
        WITH_FIXTURE(a_template_without_application_is_403),
        WITH_FIXTURE(a_template_with_an_empty_application_is_403),
        WITH_FIXTURE(another_application_is_403_and_both_are_named),
        WITH_FIXTURE(codes_are_compared_byte_for_byte),
        WITH_FIXTURE(checks_are_in_bkflows_order),
        WITH_FIXTURE(the_state_of_the_task_decides_the_kind_of_permit),
        WITH_FIXTURE(a_refusal_comes_before_the_state_of_the_task),
        WITH_FIXTURE(without_memory_there_is_no_permit),
        WITH_FIXTURE(a_space_is_checked_in_bkflows_order),
        WITH_FIXTURE(a_spaces_code_is_compared_byte_for_byte),
        WITH_FIXTURE(without_memory_there_is_no_permit_for_a_space),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
