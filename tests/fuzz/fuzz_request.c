// SPDX-License-Identifier: MIT
// Any CGI variables, "NAME=VALUE" each ended by a NUL: methods, doubled headers, tags, languages,
// trace ids, addresses. The answer is whole, and what it takes over from the request cannot add to
// its head.
#include "ask.h"
#include "fuzz.h"

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

static struct str last_of(const struct http_var *vars, size_t count, const char *name)
{
    struct str found = STR_ABSENT;
    for (size_t i = 0; i < count; i++) {
        if (str_equal(vars[i].name, str_from(name))) {
            found = vars[i].value;
        }
    }
    return found;
}

// Every line of the head is one that the service writes, and none stands there twice.
static void check_head(const struct stage *stage)
{
    static const char *const names[] = {
        "Status",       "Content-Type",     "Cache-Control", "X-Content-Type-Options",
        "X-Request-Id", "Retry-After",      "Allow",         "WWW-Authenticate",
        "ETag",         "X-States-Version",
    };
    unsigned found = 0;
    unsigned lines = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        found += !str_is_absent(stage_header(stage, names[i])); // fails when there are two
    }
    const struct str text = sink_text(stage->sink);
    const size_t head = text.len - stage_body(stage).len;
    for (size_t i = 0; i < head; i++) {
        lines += text.ptr[i] == '\n';
    }
    REQUIRE(lines == found + 1); // and the blank one
}

static void check_trace_id(struct str id)
{
    REQUIRE(id.len >= 1 && id.len <= 128);
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.ptr[i];
        REQUIRE((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                c == '.' || c == '_' || c == '-');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char no_limit[] = "BKFLOW_STATES_AUTH_FAILURE_LIMIT=0";
    static char proxies[] = "BKFLOW_STATES_SERVER_TRUSTED_PROXIES=10.0.0.0/8";
    static char *const environment[] = {no_limit, proxies, NULL};
    struct stage *const stage = ask_stage(environment);
    struct http_var vars[VARS_MAX];
    const size_t count = read_vars((struct str){(const char *)data, size}, vars);
    const int code = ask(stage, vars, count);
    const struct str method = last_of(vars, count, "REQUEST_METHOD");
    check_head(stage);
    check_trace_id(stage_header(stage, "X-Request-Id"));
    if (code == 0) {
        REQUIRE(str_equal(method, STR("GET")) || str_equal(method, STR("HEAD")));
    }
    if (str_equal(method, STR("HEAD")) || stage->response.status == 304) {
        REQUIRE(stage_body(stage).len == 0);
    }
    return 0;
}
