// SPDX-License-Identifier: MIT
// Any CGI variables, "NAME=VALUE" each ended by a NUL: path, query, credentials, token, and all
// other headers. The service answers with a status, and whatever it says is JSON or has no body.
#include "../unit/stage.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARS_MAX = 64 };

static size_t read_vars(struct str text, struct http_var vars[VARS_MAX])
{
    size_t count = 0;
    while (text.len > 0 && count < VARS_MAX) {
        struct str value = str_cut(&text, '\0');
        const struct str name = str_cut(&value, '=');
        vars[count++] = (struct http_var){name, str_is_absent(value) ? STR("") : value};
    }
    return count;
}

static bool is_json(struct str text)
{
    struct json_tokener *const tokener = json_tokener_new();
    struct json_object *const parsed = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    const bool is_whole = parsed != NULL;
    json_object_put(parsed);
    json_tokener_free(tokener);
    return is_whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage *stage;
    struct http_var vars[VARS_MAX];
    if (stage == NULL) {
        static char no_limit[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=0";
        static char *const environment[] = {no_limit, NULL};
        stage = stage_new(environment);
    }
    const size_t count = read_vars((struct str){(const char *)data, size}, vars);
    stage_begin(stage);
    service_handle(&stage->service, vars, count, &stage->response);
    const int status = stage_end(stage);
    const struct str body = stage_body(stage);
    const bool is_text = str_equal(stage_header(stage, "Content-Type"), STR("application/json"));
    if (status < 200 || status > 599 || (is_text && body.len > 0 && !is_json(body))) {
        abort();
    }
    return 0;
}
