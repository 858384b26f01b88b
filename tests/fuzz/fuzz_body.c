// SPDX-License-Identifier: MIT
// Any bytes as the body of a request for several tasks of a space: the answer is the one that a
// reading of RFC 8259 to the letter leads to.
#include "ask.h"
#include "fuzz.h"
#include "ref_json.h"

enum { IDS_MAX = 100 }; // [response] max_tasks

// Whether the text is a number from 1 to 9223372036854775807, with leading zeros if it is quoted.
static bool is_id(struct str text)
{
    static const char largest[] = "9223372036854775807";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    while (text.len > 0 && text.ptr[0] == '0') {
        text = str_skip(text, 1);
    }
    return text.len > 0 &&
           (text.len < strlen(largest) ||
            (text.len == strlen(largest) && memcmp(text.ptr, largest, text.len) <= 0));
}

static bool are_ids(const struct ref_json *array)
{
    size_t count = 0;
    for (const struct ref_json *one = array->first; one != NULL; one = one->next) {
        count++;
        if ((one->type != REF_NUMBER && one->type != REF_STRING) || !is_id(one->text)) {
            return false;
        }
    }
    return count <= IDS_MAX;
}

static int expected_code(struct str body)
{
    const struct ref_json *const object = ref_json_object(body);
    if (object == NULL) {
        return 40007;
    }
    const struct ref_json *const ids = ref_json_member(object, "task_ids");
    return ids != NULL && ids->type == REF_ARRAY && are_ids(ids) ? 40305 : 40006;
}

static int ask_with(struct str body)
{
    const struct http_var vars[] = {
        {STR("REQUEST_METHOD"), STR("POST")},
        {STR("PATH_INFO"), STR("/space/8/get_tasks_states/")}, // the stage has no space
        {STR("CONTENT_TYPE"), STR("application/json")},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
        {STR("HTTP_X_BKAPI_AUTHORIZATION"), STR(STAGE_CREDENTIALS)},
    };
    return ask_with_body(ask_stage(NULL), vars, COUNT_OF(vars), body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str body = {size == 0 ? "" : (const char *)data, size};
    const int code = ask_with(body);
    const int expected = expected_code(body);
    // The product takes no escape for a digit.
    const bool may_be_escaped = expected == 40305 && size > 0 && memchr(data, '\\', size) != NULL;
    REQUIRE(code == expected || (may_be_escaped && code == 40006));
    return 0;
}
