// SPDX-License-Identifier: MIT
// Any path, and behind the first line break any query string: the answer is the one that a second,
// plainer reading of both leads to.
#include "ask.h"
#include "fuzz.h"
#include "ref_json.h"

// ---- the path, as docs/api.md says it ----

// The answer depends on ids and query.
enum { CODE_TASK = -1, CODE_SPACE = -2, CODE_BATCH = -3 };

static bool is_one_of(struct str path, const char *plain, const char *with_slash)
{
    return str_equal(path, str_from(plain)) || str_equal(path, str_from(with_slash));
}

// The digits in front of "/get_task_states_by_app" without leading zeros; absent when there are
// none, or others.
static struct str id_of(struct str path)
{
    static const char call[] = "/get_task_states_by_app";
    struct str id = str_skip(path, strlen("/task/"));
    size_t digits = 0;
    while (digits < id.len && id.ptr[digits] >= '0' && id.ptr[digits] <= '9') {
        digits++;
    }
    if (!is_one_of(str_skip(id, digits), call, "/get_task_states_by_app/")) {
        return STR_ABSENT;
    }
    id.len = digits;
    while (id.len > 0 && id.ptr[0] == '0') {
        id = str_skip(id, 1);
    }
    return id.len == 0 ? STR_ABSENT : id;
}

// Whether it is at most 9223372036854775807.
static bool fits_id(struct str id)
{
    static const char largest[] = "9223372036854775807";
    return id.len < strlen(largest) ||
           (id.len == strlen(largest) && memcmp(id.ptr, largest, id.len) <= 0);
}

// Removes decimal digits from the start of the path; false unless they are an id.
static bool take_id(struct str *path)
{
    struct str id = *path;
    for (id.len = 0; id.len < path->len && strchr("0123456789", path->ptr[id.len]) != NULL &&
                     path->ptr[id.len] != '\0';) {
        id.len++;
    }
    *path = str_skip(*path, id.len);
    while (id.len > 0 && id.ptr[0] == '0') {
        id = str_skip(id, 1);
    }
    return id.len > 0 && fits_id(id);
}

static bool take_text(struct str *path, struct str text)
{
    const bool is_there = str_starts_with(*path, text);
    *path = is_there ? str_skip(*path, text.len) : *path;
    return is_there;
}

static bool is_space_call(struct str path)
{
    return take_text(&path, STR("/space/")) && take_id(&path) && take_text(&path, STR("/task/")) &&
           take_id(&path) && is_one_of(path, "/get_task_states", "/get_task_states/");
}

static bool is_space_batch(struct str path)
{
    return take_text(&path, STR("/space/")) && take_id(&path) &&
           is_one_of(path, "/get_tasks_states", "/get_tasks_states/");
}

static int code_of_path(struct str path)
{
    if (is_one_of(path, "/healthz", "/healthz/") || is_one_of(path, "/readyz", "/readyz/") ||
        is_one_of(path, "/metrics", "/metrics/")) {
        return 0;
    }
    if (is_one_of(path, "/get_tasks_states_by_app", "/get_tasks_states_by_app/")) {
        return CODE_BATCH;
    }
    if (is_space_batch(path)) {
        return 40501; // it is for POST
    }
    if (str_starts_with(path, STR("/space/"))) {
        return is_space_call(path) ? CODE_SPACE : 40005;
    }
    if (!str_starts_with(path, STR("/task/"))) {
        return 40401;
    }
    const struct str id = id_of(path);
    return str_is_absent(id) || !fits_id(id) ? 40001 : CODE_TASK;
}

// ---- the query string, as the URL standard says it ----

#define HEX "0123456789abcdefABCDEF"

struct decoded {
    char bytes[1 << 16];
    size_t len;
    bool is_bad;
};

static void decode(struct decoded *to, const char *from, size_t len)
{
    to->len = 0;
    to->is_bad = false;
    for (size_t i = 0; i < len; i++) {
        char c = from[i] == '+' ? ' ' : from[i];
        if (c == '%') {
            const char digits[3] = {i + 1 < len ? from[i + 1] : '-',
                                    i + 2 < len ? from[i + 2] : '-', '\0'};
            char *end;
            c = (char)strtoul(digits, &end, 16);
            to->is_bad = to->is_bad || *end != '\0' || strspn(digits, HEX) != 2;
            i += 2;
        }
        to->is_bad = to->is_bad || c == '\0';
        to->bytes[to->len++] = c;
    }
}

static bool is_good(const struct decoded *text)
{
    return !text->is_bad && ref_utf8_is_valid((struct str){text->bytes, text->len});
}

struct sent_credentials {
    struct decoded values[3];
    unsigned given[3];
};

static struct str value_of(const struct sent_credentials *credentials, size_t i)
{
    return credentials->given[i] == 0
               ? STR_ABSENT
               : (struct str){credentials->values[i].bytes, credentials->values[i].len};
}

// False when a part is malformed.
static bool read_part(struct sent_credentials *credentials, const char *part, size_t len)
{
    static const char *const names[] = {"bk_app_code", "bk_app_secret", "bk_username"};
    static struct decoded name;
    static struct decoded value;
    const char *const equals = memchr(part, '=', len);
    const size_t name_len = equals == NULL ? len : (size_t)(equals - part);
    decode(&name, part, name_len);
    decode(&value, part + name_len + (equals != NULL), len - name_len - (equals != NULL));
    if (!is_good(&name) || !is_good(&value)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal((struct str){name.bytes, name.len}, str_from(names[i]))) {
            credentials->given[i]++;
            credentials->values[i] = value;
        }
    }
    return true;
}

static int code_of_query(struct str query)
{
    static struct sent_credentials credentials;
    memset(credentials.given, 0, sizeof credentials.given);
    bool is_right = true;
    for (size_t at = 0; at < query.len;) {
        size_t end = at;
        while (end < query.len && query.ptr[end] != '&') {
            end++;
        }
        is_right = is_right && (end == at || read_part(&credentials, query.ptr + at, end - at));
        at = end + 1;
    }
    for (size_t i = 0; i < COUNT_OF(credentials.given); i++) {
        is_right = is_right && credentials.given[i] < 2;
    }
    return is_right ? ask_code_of(value_of(&credentials, 0), value_of(&credentials, 1),
                                  value_of(&credentials, 2))
                    : 40004;
}

// Whether the answer may be CODE. Parameters other than credentials are looked at once these have
// been found, and before they are checked; what they may be is not said again here.
static bool is_expected(int code, struct str path, struct str query)
{
    const int of_path = code_of_path(path);
    if (of_path >= 0) {
        return code == of_path;
    }
    const int credentials = code_of_query(query);
    if (credentials != 40004 && credentials != 40101 &&
        (code == 40000 || (of_path == CODE_BATCH && code == 40006))) {
        return true;
    }
    if (credentials != 0 || of_path == CODE_BATCH) {
        return code == credentials;
    }
    if (of_path == CODE_SPACE) {
        return code == 40305; // the stage has no space
    }
    return code == (str_equal(id_of(path), STR("10")) ? 0 : 40402);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage *const stage = ask_stage(NULL);
    struct str query = {(const char *)data, size};
    struct str path = str_cut(&query, '\n');
    query = str_is_absent(query) ? STR("") : query;
    if (path.len > 4096 || query.len > sizeof((struct decoded *)NULL)->bytes) {
        return 0;
    }
    const struct http_var vars[] = {
        {STR("REQUEST_METHOD"), STR("GET")},
        {STR("PATH_INFO"), path},
        {STR("QUERY_STRING"), query},
        {STR("REMOTE_ADDR"), STR("127.0.0.1")},
    };
    const unsigned loads = stage->fake.loads;
    const int code = ask(stage, vars, COUNT_OF(vars));
    REQUIRE(is_expected(code, path, query));
    // Nodes are read for the task of the path alone, and only when the answer shows them.
    const bool is_task = code == 0 && str_starts_with(path, STR("/task/"));
    const bool may_be_batch = code == 0 && str_starts_with(path, STR("/get_tasks"));
    const unsigned loaded = stage->fake.loads - loads;
    REQUIRE(may_be_batch ? loaded <= 1 : loaded == (is_task ? 1U : 0U));
    return 0;
}
