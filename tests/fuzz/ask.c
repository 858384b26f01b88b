// SPDX-License-Identifier: MIT
#include "ask.h"

#include "fuzz.h"

struct stage *ask_stage(char *const *environment)
{
    static struct stage *stage;
    static char no_limit[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=0";
    static char *const only_this[] = {no_limit, NULL};
    if (stage == NULL) {
        stage = stage_new(environment == NULL ? only_this : environment);
    }
    return stage;
}

static bool has_json(const struct stage *stage)
{
    return str_equal(stage_header(stage, "Content-Type"), STR("application/json"));
}

int ask(struct stage *stage, const struct http_var *vars, size_t count)
{
    return ask_with_body(stage, vars, count, STR(""));
}

int ask_with_body(struct stage *stage, const struct http_var *vars, size_t count, struct str sent)
{
    stage_begin(stage);
    service_handle(&stage->service, vars, count, sent, &stage->response);
    const int status = stage_end(stage);
    const struct str body = stage_body(stage);
    REQUIRE(arena_used(stage->service.arena) == 0 && service_group_is_empty(stage->service.group));
    REQUIRE(status == 200 || status == 304 || (status >= 400 && status <= 504));
    if (body.len == 0 || !has_json(stage)) {
        REQUIRE(body.len == 0 || status == 200);
        return status < 400 ? 0 : -1;
    }
    struct json_object *const envelope = parse_json(body);
    const int code = (int)json_number(envelope, "code");
    REQUIRE((status == 200) == (code == 0));
    REQUIRE(code == 0 || code / 100 == status);
    REQUIRE(json_object_get_boolean(json_at(envelope, "result")) == (code == 0));
    json_object_put(envelope);
    return code;
}

int ask_code_of(struct str app_code, struct str secret, struct str username)
{
    if (app_code.len == 0 || secret.len == 0 || username.len == 0) {
        return 40101;
    }
    if (!str_equal(app_code, STR(STAGE_APP)) || !str_equal(secret, STR(STAGE_SECRET))) {
        return 40102;
    }
    return str_equal(username, STR(STAGE_USER)) ? 0 : 40103;
}
