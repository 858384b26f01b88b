// SPDX-License-Identifier: MIT
#include "base/utf8.h"
#include "states/messages_priv.h"
#include "support.h"

enum { MESSAGE_BYTES = 1024 };

static struct error error_of(enum error_kind kind)
{
    return (struct error){
        .kind = kind,
        .task_id = 10,
        .template_id = 3,
        .space_id = 8,
        .app = STR("other_app"),
        .bound_app = STR("your_app"),
        .subject = STR("<subject>"),
        .wait_s = 17,
    };
}

static struct str render(const struct error *err, enum lang lang)
{
    static char buffer[MESSAGE_BYTES];
    return messages_render(err, lang, buffer, sizeof buffer);
}

static void no_message_shows_a_placeholder(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const struct error err = error_of((enum error_kind)kind);
        for (enum lang lang = LANG_EN; lang <= LANG_ZH; lang++) {
            const struct str text = render(&err, lang);
            check(error_label(err.kind), text.len > 0);
            check(error_label(err.kind), !has_text(text, "{") && !has_text(text, "}"));
        }
    }
}

// Both languages use the same placeholders: a translation must not lose information.
static void both_languages_have_the_same_members(void **state)
{
    (void)state;
    static const char *const things[] = {"task_id=10",    "template_id=3", "space_id=8",
                                         "app=other_app", "app=your_app",  "<subject>"};
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const struct error err = error_of((enum error_kind)kind);
        for (size_t i = 0; i < COUNT_OF(things); i++) {
            const bool in_english = has_text(render(&err, LANG_EN), things[i]);
            const bool in_chinese = has_text(render(&err, LANG_ZH), things[i]);
            check(error_label(err.kind), in_english == in_chinese);
        }
    }
}

static bool is_ascii(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static void each_language_is_written_in_its_own_script(void **state)
{
    (void)state;
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const struct error err = error_of((enum error_kind)kind);
        check(error_label(err.kind), is_ascii(render(&err, LANG_EN)));
        check(error_label(err.kind), !is_ascii(render(&err, LANG_ZH)));
        check(error_label(err.kind), utf8_is_valid(render(&err, LANG_ZH)));
    }
}

static void binding_messages_are_literally_bkflows(void **state)
{
    (void)state;
    static const struct {
        enum error_kind kind;
        const char *english;
        const char *chinese;
    } rows[] = {
        {ERR_NO_TASK, "Task does not exist. task_id=10", "任务不存在，task_id=10"},
        {ERR_TASK_WITHOUT_TEMPLATE, "Task is not associated with any template. task_id=10",
         "任务未关联任何模板，task_id=10"},
        {ERR_NO_TEMPLATE, "Template associated with task does not exist. task_id=10, template_id=3",
         "任务关联的模板不存在，task_id=10，template_id=3"},
        {ERR_TEMPLATE_UNBOUND,
         "Template associated with task is not bindedto any bk_app_code. task_id=10, template_id=3",
         "任务关联的模板未绑定任何 bk_app_code，task_id=10，template_id=3"},
        {ERR_OTHER_APPLICATION,
         "The current application does not have permission to operate this task, app=other_app, "
         "template bindedapp=your_app",
         "当前应用无权操作此任务，app=other_app，模板绑定的 app=your_app"},
        {ERR_NO_SPACE, "Space does not exist. space_id=8", "空间不存在，space_id=8"},
        {ERR_SPACE_OF_OTHER_APPLICATION,
         "The current application does not have permission to operate this space, app=other_app",
         "当前应用无权操作此空间，app=other_app"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct error err = error_of(rows[i].kind);
        check_text(error_label(err.kind), render(&err, LANG_EN), rows[i].english);
        check_text(error_label(err.kind), render(&err, LANG_ZH), rows[i].chinese);
    }
}

static void numbers_are_complete(void **state)
{
    (void)state;
    struct error err = error_of(ERR_NO_TASK);
    err.task_id = INT64_MAX;
    assert_text(render(&err, LANG_EN), "Task does not exist. task_id=9223372036854775807");
    err.task_id = INT64_MIN;
    assert_text(render(&err, LANG_EN), "Task does not exist. task_id=-9223372036854775808");
}

static void braces_in_a_member_are_not_placeholders(void **state)
{
    (void)state;
    struct error err = error_of(ERR_OTHER_APPLICATION);
    err.app = STR("{bound_app}");
    err.bound_app = STR("a}b{");
    assert_text(render(&err, LANG_EN),
                "The current application does not have permission to operate this task, "
                "app={bound_app}, template bindedapp=a}b{");
}

static void a_message_is_truncated_at_the_buffers_size(void **state)
{
    (void)state;
    const struct error err = error_of(ERR_OTHER_APPLICATION);
    char full[MESSAGE_BYTES];
    const struct str message = messages_render(&err, LANG_EN, full, sizeof full);
    for (size_t size = 1; size <= message.len + 2; size++) {
        char buffer[MESSAGE_BYTES];
        memset(buffer, '#', sizeof buffer);
        const struct str cut = messages_render(&err, LANG_EN, buffer, size);
        const size_t expected = size - 1 < message.len ? size - 1 : message.len;
        assert_int_equal(cut.len, expected);
        assert_memory_equal(cut.ptr, message.ptr, expected);
        assert_int_equal(buffer[expected], '\0');
        assert_int_equal(buffer[size], '#');
    }
}

static void an_absent_member_is_left_empty(void **state)
{
    (void)state;
    const struct error err = {.kind = ERR_CREDENTIALS_MISSING};
    assert_text(render(&err, LANG_EN), "Authentication is required:  is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_shows_a_placeholder),
        cmocka_unit_test(both_languages_have_the_same_members),
        cmocka_unit_test(each_language_is_written_in_its_own_script),
        cmocka_unit_test(binding_messages_are_literally_bkflows),
        cmocka_unit_test(numbers_are_complete),
        cmocka_unit_test(braces_in_a_member_are_not_placeholders),
        cmocka_unit_test(a_message_is_truncated_at_the_buffers_size),
        cmocka_unit_test(an_absent_member_is_left_empty),
    };
    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
