// SPDX-License-Identifier: MIT
#include "states/messages_priv.h"

#include <inttypes.h>
#include <stdio.h>

// The placeholders are members of struct error. The messages for tasks that are not bound are
// literally BKFlow's: the English ones are from its API document, the Chinese ones from its
// check_task_bk_app_code decorator. The Chinese ones about spaces are from check_jwt_and_space.
static const char *const messages[ERR_KIND_COUNT][2] = {
    [ERR_BAD_REQUEST] = {"Malformed request: {subject}", "请求格式错误：{subject}"},
    [ERR_MALFORMED_VARIABLES] = {"Malformed request: the web server's variables cannot be read",
                                 "请求格式错误：无法解析 Web 服务器传递的变量"},
    [ERR_TASK_ID] =
        {"The path must be /task/TASK_ID/get_task_states_by_app/ with a decimal TASK_ID from 1 to "
         "9223372036854775807",
         "路径必须是 /task/TASK_ID/get_task_states_by_app/，其中 TASK_ID 为 1 到 "
         "9223372036854775807 之间的十进制整数"},
    [ERR_SPACE_PATH] =
        {"The path must be /space/SPACE_ID/task/TASK_ID/get_task_states/ or "
         "/space/SPACE_ID/get_tasks_states/ with decimal ids from 1 to 9223372036854775807",
         "路径必须是 /space/SPACE_ID/task/TASK_ID/get_task_states/ 或 "
         "/space/SPACE_ID/get_tasks_states/，其中 ID 为 1 到 9223372036854775807 之间的十进制整数"},
    [ERR_TASK_IDS] = {"task_ids cannot be used: {subject}", "task_ids 无效：{subject}"},
    [ERR_BODY_FORMAT] = {"The request's body cannot be used: {subject}", "请求体无效：{subject}"},
    [ERR_DUPLICATE_CREDENTIALS] = {"Header {subject} was sent more than once",
                                   "请求头 {subject} 重复"},
    [ERR_CREDENTIALS_FORMAT] =
        {"X-Bkapi-Authorization must be a JSON object whose members bk_app_code, bk_app_secret and "
         "bk_username are strings, each given once",
         "X-Bkapi-Authorization 必须是 JSON 对象，其 bk_app_code、bk_app_secret、bk_username "
         "均为字符串且不得重复"},
    [ERR_QUERY_FORMAT] =
        {"The query string must be percent-encoded UTF-8 that gives each credential once",
         "查询字符串必须是百分号编码的 UTF-8，且每个凭证参数只能出现一次"},
    [ERR_CREDENTIALS_MISSING] = {"Authentication is required: {subject} is missing",
                                 "需要认证：缺少 {subject}"},
    [ERR_CREDENTIALS_WRONG] = {"bk_app_code or bk_app_secret is wrong",
                               "bk_app_code 或 bk_app_secret 错误"},
    [ERR_USER_UNKNOWN] = {"bk_username is not an active user", "bk_username 不是有效用户"},
    [ERR_TOKEN_REFUSED] = {"X-Bkapi-JWT is not a valid gateway token",
                           "X-Bkapi-JWT 不是有效的网关令牌"},
    [ERR_TOKEN_CLAIMS] = {"X-Bkapi-JWT is not a valid gateway token",
                          "X-Bkapi-JWT 不是有效的网关令牌"},
    [ERR_WAY_IN_CLOSED] = {"This way of authentication is switched off here: {subject}",
                           "此处未启用该认证方式：{subject}"},
    [ERR_TASK_WITHOUT_TEMPLATE] = {"Task is not associated with any template. task_id={task_id}",
                                   "任务未关联任何模板，task_id={task_id}"},
    [ERR_TEMPLATE_UNBOUND] =
        {"Template associated with task is not bindedto any bk_app_code. task_id={task_id}, "
         "template_id={template_id}",
         "任务关联的模板未绑定任何 bk_app_code，task_id={task_id}，template_id={template_id}"},
    [ERR_OTHER_APPLICATION] =
        {"The current application does not have permission to operate this task, app={app}, "
         "template bindedapp={bound_app}",
         "当前应用无权操作此任务，app={app}，模板绑定的 app={bound_app}"},
    [ERR_METRICS_CLOSED] = {"Metrics are not for this address", "该地址无权读取监控指标"},
    [ERR_NO_SPACE] = {"Space does not exist. space_id={space_id}",
                      "空间不存在，space_id={space_id}"},
    [ERR_SPACE_OF_OTHER_APPLICATION] =
        {"The current application does not have permission to operate this space, app={app}",
         "当前应用无权操作此空间，app={app}"},
    [ERR_TASK_OF_OTHER_SPACE] = {"space_id is invalid", "space_id 无效"},
    [ERR_UNKNOWN_PATH] = {"Unknown path", "路径不存在"},
    [ERR_NO_PATH_INFO] =
        {"The web server sent no PATH_INFO: its configuration for bkflow-states must pass the part "
         "of the URL after the mount as PATH_INFO",
         "Web 服务器未传递 PATH_INFO：请在其 bkflow-states 配置中将挂载点之后的路径作为 PATH_INFO "
         "传递"},
    [ERR_NO_TASK] = {"Task does not exist. task_id={task_id}", "任务不存在，task_id={task_id}"},
    [ERR_NO_TEMPLATE] = {"Template associated with task does not exist. task_id={task_id}, "
                         "template_id={template_id}",
                         "任务关联的模板不存在，task_id={task_id}，template_id={template_id}"},
    [ERR_METHOD] = {"Method not allowed; allowed: {subject}",
                    "请求方法不允许，允许的方法：{subject}"},
    [ERR_BODY_TOO_LARGE] = {"The request's body is too large", "请求体过大"},
    [ERR_HEAD_TOO_LARGE] = {"The request's path, query and headers are too large",
                            "请求路径、查询参数与请求头过大"},
    [ERR_TOO_MANY_FAILURES] = {"Too many failed logins: wait before trying again",
                               "登录失败次数过多，请稍后再试"},
    [ERR_INTERNAL] = {"Internal error", "内部错误"},
    [ERR_NO_ROOT_ROW] = {"The engine's rows of this task hold no root node. task_id={task_id}",
                         "该任务的引擎数据缺少根节点，task_id={task_id}"},
    [ERR_TOO_MANY_NODES] = {"Task has more nodes than this service answers. task_id={task_id}",
                            "任务节点数超过本服务的上限，task_id={task_id}"},
    [ERR_TOO_MANY_NODES_TOGETHER] =
        {"The tasks together have more nodes than this service answers: ask for fewer of them, or "
         "without nodes=1",
         "这些任务的节点总数超过本服务的上限，请减少任务数或去掉 nodes=1"},
    [ERR_NO_MEMORY] = {"The request needs more memory than it may have", "请求所需内存超过上限"},
    [ERR_DATABASE_DOWN] = {"The database cannot be reached", "数据库不可用"},
    [ERR_DATABASE_FAULT] = {"The database cannot answer", "数据库查询失败"},
    [ERR_OVERLOADED] = {"The service is overloaded", "服务繁忙"},
    [ERR_QUERY_TIMEOUT] = {"The database did not answer within its time limit", "数据库查询超时"},
};

struct message {
    char *next;
    size_t room;
};

static void append(struct message *message, struct str text)
{
    const size_t n = text.len < message->room ? text.len : message->room;
    if (n > 0) {
        memcpy(message->next, text.ptr, n);
    }
    message->next += n;
    message->room -= n;
}

static void append_number(struct message *message, int64_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, number);
    append(message, (struct str){digits, (size_t)len});
}

static void append_member(struct message *message, const struct error *err, struct str name)
{
    if (str_equal(name, STR("task_id"))) {
        append_number(message, err->task_id);
    } else if (str_equal(name, STR("template_id"))) {
        append_number(message, err->template_id);
    } else if (str_equal(name, STR("space_id"))) {
        append_number(message, err->space_id);
    } else if (str_equal(name, STR("app"))) {
        append(message, err->app);
    } else if (str_equal(name, STR("bound_app"))) {
        append(message, err->bound_app);
    } else {
        append(message, err->subject);
    }
}

struct str messages_render(const struct error *err, enum lang lang, char *buffer, size_t size)
{
    struct message message = {buffer, size - 1};
    struct str rest = str_from(messages[err->kind][lang]);
    while (!str_is_absent(rest)) {
        append(&message, str_cut(&rest, '{'));
        if (!str_is_absent(rest)) {
            append_member(&message, err, str_cut(&rest, '}'));
        }
    }
    *message.next = '\0';
    return (struct str){buffer, (size_t)(message.next - buffer)};
}
