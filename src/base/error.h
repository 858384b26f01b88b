// SPDX-License-Identifier: MIT
// err: why a request failed. One table gives each cause its HTTP status, its stable code, its name
// in logs and metrics, and its message in every language. An error is a value that is returned.
#ifndef BKFLOW_BASE_ERROR_H
#define BKFLOW_BASE_ERROR_H

#include "base/base.h"

// X(kind, HTTP status, code, label, English, Chinese)
//
// {task_id}, {template_id}, {app}, {bound_app} and {subject} stand for the members of struct error.
// The messages of the binding checks are BKFlow's own, to the letter: the English ones from its API
// document, the Chinese ones from its check_task_bk_app_code decorator.
// clang-format off
#define ERR_KINDS(X)                                                                               \
    X(ERR_BAD_REQUEST, 400, 40000, "bad_request", "Malformed request: {subject}",                  \
      "请求格式错误：{subject}")                                                                   \
    X(ERR_MALFORMED_VARIABLES, 400, 40000, "malformed_variables",                                  \
      "Malformed request: the web server's variables cannot be read",                              \
      "请求格式错误：无法解析 Web 服务器传递的变量")                                               \
    X(ERR_TASK_ID, 400, 40001, "task_id",                                                          \
      "The path must be /task/TASK_ID/get_task_states_by_app/ with a decimal TASK_ID from 1 to " \
      "9223372036854775807",                                                                       \
      "路径必须是 /task/TASK_ID/get_task_states_by_app/，其中 TASK_ID 为 1 到 "                  \
      "9223372036854775807 之间的十进制整数")                                                      \
    X(ERR_DUPLICATE_CREDENTIALS, 400, 40002, "duplicate_credentials",                                  \
      "Header {subject} was sent more than once", "请求头 {subject} 重复")                         \
    X(ERR_CREDENTIALS_FORMAT, 400, 40003, "credentials_format",                                    \
      "X-Bkapi-Authorization must be a JSON object whose members bk_app_code, bk_app_secret and "  \
      "bk_username are strings, each given once",                                                  \
      "X-Bkapi-Authorization 必须是 JSON 对象，其 bk_app_code、bk_app_secret、bk_username "        \
      "均为字符串且不得重复")                                                                      \
    X(ERR_QUERY_FORMAT, 400, 40004, "query_format",                                                \
      "The query string must be percent-encoded UTF-8 that gives each credential once",            \
      "查询字符串必须是百分号编码的 UTF-8，且每个凭证参数只能出现一次")                            \
    X(ERR_CREDENTIALS_MISSING, 401, 40101, "credentials_missing",                                  \
      "Authentication is required: {subject} is missing", "需要认证：缺少 {subject}")              \
    X(ERR_CREDENTIALS_WRONG, 401, 40102, "credentials_wrong",                                      \
      "bk_app_code or bk_app_secret is wrong", "bk_app_code 或 bk_app_secret 错误")                \
    X(ERR_USER_UNKNOWN, 401, 40103, "user_unknown", "bk_username is not an active user",           \
      "bk_username 不是有效用户")                                                                  \
    X(ERR_TOKEN_REFUSED, 401, 40104, "token_refused", "X-Bkapi-JWT is not a valid gateway token",  \
      "X-Bkapi-JWT 不是有效的网关令牌")                                                            \
    X(ERR_TOKEN_CLAIMS, 401, 40104, "token_claims", "X-Bkapi-JWT is not a valid gateway token",  \
      "X-Bkapi-JWT 不是有效的网关令牌")                                                            \
    X(ERR_WAY_IN_CLOSED, 401, 40105, "way_in_closed",                                              \
      "This way of authentication is switched off here: {subject}", "此处未启用该认证方式：{subject}") \
    X(ERR_TASK_WITHOUT_TEMPLATE, 403, 40301, "task_without_template",                              \
      "Task is not associated with any template. task_id={task_id}",                               \
      "任务未关联任何模板，task_id={task_id}")                                                     \
    X(ERR_TEMPLATE_UNBOUND, 403, 40302, "template_unbound",                                        \
      "Template associated with task is not bindedto any bk_app_code. task_id={task_id}, "         \
      "template_id={template_id}",                                                                 \
      "任务关联的模板未绑定任何 bk_app_code，task_id={task_id}，template_id={template_id}")        \
    X(ERR_OTHER_APPLICATION, 403, 40303, "other_application",                                      \
      "The current application does not have permission to operate this task, app={app}, "         \
      "template bindedapp={bound_app}",                                                            \
      "当前应用无权操作此任务，app={app}，模板绑定的 app={bound_app}")                             \
    X(ERR_METRICS_CLOSED, 403, 40304, "metrics_closed", "Metrics are not for this address",        \
      "该地址无权读取监控指标")                                                                    \
    X(ERR_UNKNOWN_PATH, 404, 40401, "unknown_path", "Unknown path", "路径不存在")                  \
    X(ERR_NO_PATH_INFO, 404, 40401, "no_path_info",                                                \
      "The web server sent no PATH_INFO: its configuration for bkflow-states must pass the part "  \
      "of the URL behind the mount as PATH_INFO",                                                  \
      "Web 服务器未传递 PATH_INFO：请在其 bkflow-states 配置中将挂载点之后的路径作为 PATH_INFO "   \
      "传递")                                                                                      \
    X(ERR_NO_TASK, 404, 40402, "no_task", "Task does not exist. task_id={task_id}",                \
      "任务不存在，task_id={task_id}")                                                             \
    X(ERR_NO_TEMPLATE, 404, 40403, "no_template",                                                  \
      "Template associated with task does not exist. task_id={task_id}, "                          \
      "template_id={template_id}",                                                                 \
      "任务关联的模板不存在，task_id={task_id}，template_id={template_id}")                        \
    X(ERR_METHOD, 405, 40501, "method", "Only GET and HEAD are allowed", "仅支持 GET 和 HEAD 方法") \
    X(ERR_BODY_TOO_LARGE, 413, 41301, "body_too_large", "The request's body is too large",         \
      "请求体过大")                                                                                \
    X(ERR_HEAD_TOO_LARGE, 431, 43101, "head_too_large",                                            \
      "The request's path, query and headers are too large", "请求路径、查询参数与请求头过大")     \
    X(ERR_TOO_MANY_FAILURES, 429, 42901, "too_many_failures",                                      \
      "Too many failed logins: wait before trying again", "登录失败次数过多，请稍后再试")          \
    X(ERR_INTERNAL, 500, 50001, "internal", "Internal error", "内部错误")                          \
    X(ERR_NO_ROOT_ROW, 500, 50002, "no_root_row",                                                  \
      "The engine's rows of this task hold no root node. task_id={task_id}",                       \
      "该任务的引擎数据缺少根节点，task_id={task_id}")                                             \
    X(ERR_TOO_MANY_NODES, 500, 50003, "too_many_nodes",                                            \
      "Task has more nodes than this service answers. task_id={task_id}",                          \
      "任务节点数超过本服务的上限，task_id={task_id}")                                             \
    X(ERR_NO_MEMORY, 500, 50004, "no_memory", "The request needs more memory than it may have",    \
      "请求所需内存超过上限")                                                                      \
    X(ERR_DATABASE_DOWN, 503, 50301, "database_down", "The database cannot be reached",            \
      "数据库不可用")                                                                              \
    X(ERR_DATABASE_FAULT, 503, 50303, "database_fault", "The database cannot answer",              \
      "数据库查询失败")                                                                            \
    X(ERR_OVERLOADED, 503, 50302, "overloaded", "The service is overloaded", "服务繁忙")           \
    X(ERR_QUERY_TIMEOUT, 504, 50401, "query_timeout",                                              \
      "The database did not answer within its time limit", "数据库查询超时")

enum error_kind {
#define ERR_ENUM(kind, ...) kind,
    ERR_KINDS(ERR_ENUM)
#undef ERR_ENUM
    ERR_KIND_COUNT
};
// clang-format on

enum lang { LANG_EN, LANG_ZH };

// What one failure needs to be told. The strings are borrowed: they must live as long as the error.
struct error {
    enum error_kind kind;
    int64_t task_id;
    int64_t template_id;
    struct str app;
    struct str bound_app;
    struct str subject;   // the thing that is wrong or missing, in the client's own terms
    unsigned wait_s;      // for ERR_TOO_MANY_FAILURES: when to try again
    unsigned server_code; // the database server's or its client library's number; 0: none
    char detail[256];     // for the log only, never for the client
};

// error_set(struct error *err, enum error_kind kind, const char *detail, ...): makes ERR an error
// of KIND and is -1, always, so that "return error_set(...)" cannot report success. DETAIL is a
// printf format, for the log only, and must not let a secret in.
#define error_set(...) (error_record(__VA_ARGS__), -1)
void error_record(struct error *err, enum error_kind kind, const char *detail, ...)
    PRINTF_LIKE(3, 4) __attribute__((nonnull(1, 3)));

int error_status(enum error_kind kind) MUST_CHECK;
int error_code(enum error_kind kind) MUST_CHECK;
const char *error_label(enum error_kind kind) MUST_CHECK;

// Renders the client's message into BUFFER and returns its view; cut at SIZE, which is at least 1.
struct str error_message(const struct error *err, enum lang lang, char *buffer,
                         size_t size) NONNULL;

// Seconds after which trying again makes sense, for Retry-After; 0 when the cause will not pass.
unsigned error_retry_after(const struct error *err) MUST_CHECK NONNULL;

#endif
