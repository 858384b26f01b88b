// SPDX-License-Identifier: MIT
// Any bytes as the header X-Bkapi-Authorization: the answer is the one that a reading of RFC 8259
// to the letter leads to.
#include "ask.h"
#include "fuzz.h"
#include "ref_json.h"

static bool is_string_or_missing(const struct ref_json *object, const char *name)
{
    return ref_json_member(object, name) == NULL || !str_is_absent(ref_json_string(object, name));
}

static int expected_code(struct str header)
{
    const struct ref_json *const object = ref_json_object(header);
    if (object == NULL || !is_string_or_missing(object, "bk_app_code") ||
        !is_string_or_missing(object, "bk_app_secret") ||
        !is_string_or_missing(object, "bk_username")) {
        return 40003;
    }
    return ask_code_of(ref_json_string(object, "bk_app_code"),
                       ref_json_string(object, "bk_app_secret"),
                       ref_json_string(object, "bk_username"));
}

static int ask_with(struct str header)
{
    const struct http_var vars[] = {
        {STR("REQUEST_METHOD"), STR("GET")},
        {STR("PATH_INFO"), STR(STAGE_PATH)},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
        {STR("HTTP_X_BKAPI_AUTHORIZATION"), header},
    };
    return ask(ask_stage(NULL), vars, COUNT_OF(vars));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str next =
        STR("{\"\\u0062k_app_code\":\"demo\\u005fapp\",\"bk_app_secret\":\"demo-secret\","
            "\"bk_username\":\"\\u0061dmin\"}");
    const struct str header = {size == 0 ? "" : (const char *)data, size};
    REQUIRE(ask_with(header) == expected_code(header));
    REQUIRE(ask_with(next) == 0); // nothing is left of the request before
    return 0;
}
