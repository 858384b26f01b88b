// SPDX-License-Identifier: MIT
// Any rows: what is written is JSON that json-c parses back to the very tree that a plain reading
// of the rules makes of the same rows: nesting, order, roll-up, times, and every text with what is
// not UTF-8 in it replaced. And the tag changes exactly when what is written does.
//
// The input is text: in the first line the root's id and a zone's number, then a row in each line,
// id|parent|state|version|loop|retry|flags|started|archived, in microseconds, empty for NULL.
#include "base/clock.h"
#include "fuzz.h"
#include "ref_json.h"
#include "states/tree.h"

#include <json.h>
#include <math.h>
#include <time.h>

enum { ROWS_MAX = 160, OUTPUT_MAX = 4 << 20, BUFFER = 2048, FIELD_MAX = 65535 };
#define NOW_US INT64_C(1686821400500000)

struct row {
    struct str id;
    struct str parent;
    struct str state;
    struct str version;
    int32_t loop;
    int32_t retry;
    uint8_t flags;
    int64_t started_us;
    int64_t archived_us;
    bool is_doubled;   // a later row has the same id
    struct str rolled; // the state after the roll-up, once it is known
};

static struct {
    struct row rows[ROWS_MAX];
    size_t count;
    struct str root_id;
    const char *zone;
} input;

// ---- reading the input ----

static int64_t number_in(struct str text, int64_t from, int64_t to)
{
    int64_t number = 0;
    const bool is_negative = text.len > 0 && text.ptr[0] == '-';
    for (size_t i = is_negative; i < text.len && number < INT64_MAX / 10 - 9; i++) {
        number = number * 10 + (text.ptr[i] & 15);
    }
    number = is_negative ? -number : number;
    return number < from ? from : number > to ? to : number;
}

// Years 1000 to 9999, as a datetime column holds.
static int64_t moment_in(struct str text)
{
    return text.len == 0 ? CLOCK_NO_TIME
                         : number_in(text, INT64_C(-30600000000) * US_PER_SECOND,
                                     INT64_C(253400000000) * US_PER_SECOND);
}

// An id comes from a column of UTF-8. As a member's name json-c would end it at a NUL.
static struct str id_in(struct str text, struct arena *arena)
{
    char *const id = arena_text(arena, text.len + 1);
    const bool is_valid = ref_utf8_is_valid(text);
    for (size_t i = 0; i < text.len; i++) {
        const bool is_odd = text.ptr[i] == '\0' || (!is_valid && (text.ptr[i] & 0x80) != 0);
        id[i] = is_odd ? '?' : text.ptr[i];
    }
    return (struct str){id, text.len};
}

static struct str next_field(struct str *line)
{
    const struct str field = str_is_absent(*line) ? STR("") : str_cut(line, '|');
    return (struct str){field.ptr, field.len < FIELD_MAX ? field.len : FIELD_MAX};
}

static void read_row(struct row *row, struct str line, struct arena *arena)
{
    row->id = id_in(next_field(&line), arena);
    row->parent = id_in(next_field(&line), arena);
    row->state = next_field(&line);
    row->version = next_field(&line);
    row->loop = (int32_t)number_in(next_field(&line), INT32_MIN, INT32_MAX);
    row->retry = (int32_t)number_in(next_field(&line), INT32_MIN, INT32_MAX);
    row->flags = (uint8_t)number_in(next_field(&line), 0, 3);
    row->started_us = moment_in(next_field(&line));
    row->archived_us = moment_in(next_field(&line));
    row->is_doubled = false;
    row->rolled = STR_ABSENT;
}

static void read_input(struct str text, struct arena *arena)
{
    static const char *const zones[] = {"UTC", "Asia/Shanghai", "America/St_Johns"};
    struct str line = str_cut(&text, '\n');
    input.root_id = id_in(next_field(&line), arena);
    input.zone = zones[number_in(next_field(&line), 0, (int64_t)COUNT_OF(zones) - 1)];
    input.count = 0;
    while (!str_is_absent(text) && text.len > 0 && input.count < ROWS_MAX) {
        struct row *const row = &input.rows[input.count++];
        read_row(row, str_cut(&text, '\n'), arena);
        for (struct row *earlier = input.rows; earlier < row; earlier++) {
            earlier->is_doubled = earlier->is_doubled || str_equal(earlier->id, row->id);
        }
    }
}

// ---- the product's answer ----

struct answer {
    char bytes[OUTPUT_MAX];
    size_t len;
    char tag[TREE_TAG_BYTES];
    bool is_made;
};

static int collect(void *context, char *bytes, size_t len, bool is_last)
{
    (void)is_last;
    struct answer *const answer = context;
    REQUIRE(len <= OUTPUT_MAX - answer->len);
    memcpy(answer->bytes + answer->len, bytes, len);
    answer->len += len;
    return 0;
}

static void add_row(struct node_list *nodes, const struct row *row, struct arena *arena)
{
    struct node *const node = node_list_add(nodes, arena);
    REQUIRE(node != NULL);
    node->id = row->id.ptr;
    node->id_len = (uint16_t)row->id.len;
    node->parent_id = row->parent.ptr;
    node->parent_id_len = (uint16_t)row->parent.len;
    node->state = row->state.ptr;
    node->state_len = (uint16_t)row->state.len;
    node->version = row->version.ptr;
    node->version_len = (uint16_t)row->version.len;
    node->loop = row->loop;
    node->retry = row->retry;
    node->flags = row->flags;
    node->started_us = row->started_us;
    node->archived_us = row->archived_us;
}

static void write_answer(const struct tree *tree, struct answer *answer)
{
    static char buffer[BUFFER];
    struct local_time local_time = {0};
    struct outbuf out;
    struct json_writer json;
    char text[TREE_TAG_BYTES];
    outbuf_init(&out, buffer, sizeof buffer, collect, answer);
    json_write_init(&json, &out);
    tree_write(tree, false, &local_time, &json);
    REQUIRE(outbuf_flush(&out) == 0 && json_write_is_complete(&json));
    const struct str tag = tree_tag(tree, false, input.zone, text);
    REQUIRE(tag.len <= sizeof answer->tag);
    memset(answer->tag, 0, sizeof answer->tag);
    memcpy(answer->tag, tag.ptr, tag.len);
}

static void make_answer(struct answer *answer, int64_t now_us, struct arena *arena)
{
    struct node_list nodes = {0};
    struct tree tree;
    struct error err = {0};
    for (size_t i = 0; i < input.count; i++) {
        add_row(&nodes, &input.rows[i], arena);
    }
    answer->len = 0;
    answer->is_made =
        tree_build(&tree, &nodes, input.root_id, now_us, (uint64_t)now_us, arena, &err) == 0;
    REQUIRE(answer->is_made || err.kind == ERR_NO_ROOT_ROW);
    if (answer->is_made) {
        write_answer(&tree, answer);
    }
}

// ---- the rules, read plainly ----

static struct row *find_row(struct str id)
{
    for (size_t i = input.count; i > 0; i--) {
        if (str_equal(input.rows[i - 1].id, id)) {
            return &input.rows[i - 1];
        }
    }
    return NULL;
}

static bool is_child(const struct row *row, const struct row *parent)
{
    return !row->is_doubled && !str_equal(row->id, input.root_id) && row != parent &&
           str_equal(row->parent, parent->id);
}

static struct str state_of(struct row *row);

// Recursive, as the rule is: trees here are small.
static struct str roll_up(const struct row *row)
{
    bool has_suspended = false;
    for (size_t i = 0; i < input.count; i++) {
        if (is_child(&input.rows[i], row)) {
            const struct str state = state_of(&input.rows[i]);
            if (str_equal(state, STR("FAILED"))) {
                return state;
            }
            has_suspended = has_suspended || str_equal(state, STR("SUSPENDED"));
        }
    }
    return has_suspended ? STR("NODE_SUSPENDED") : row->state;
}

static struct str state_of(struct row *row)
{
    if (str_is_absent(row->rolled)) {
        row->rolled = str_equal(row->state, STR("RUNNING")) ? roll_up(row) : row->state;
    }
    return row->rolled;
}

static int64_t elapsed_of(const struct row *row)
{
    const int64_t end_us = row->archived_us == CLOCK_NO_TIME ? NOW_US : row->archived_us;
    return row->started_us == CLOCK_NO_TIME
               ? 0
               : llrintl((long double)(end_us - row->started_us) / 1000000);
}

static struct str text_of_moment(int64_t us, char text[64])
{
    struct tm tm;
    const time_t seconds = us / US_PER_SECOND - (us % US_PER_SECOND < 0);
    if (us == CLOCK_NO_TIME) {
        return STR("");
    }
    REQUIRE(localtime_r(&seconds, &tm) != NULL);
    size_t len = strftime(text, 64, "%Y-%m-%d %H:%M:%S %z", &tm);
    if (tm.tm_gmtoff % 60 != 0) { // local mean time, which strftime cuts
        len += (size_t)snprintf(text + len, 8, "%02ld", labs(tm.tm_gmtoff) % 60);
    }
    return (struct str){text, len};
}

// ---- comparing ----

static bool is_text(json_object *value, struct str expected)
{
    static char repaired[FIELD_MAX * 3];
    const size_t len = ref_utf8_repair(expected, repaired);
    return json_object_is_type(value, json_type_string) &&
           (size_t)json_object_get_string_len(value) == len &&
           memcmp(json_object_get_string(value), repaired, len) == 0;
}

static bool is_number(json_object *value, int64_t expected)
{
    return json_object_is_type(value, json_type_int) && json_object_get_int64(value) == expected;
}

static bool is_flag(json_object *value, const struct row *row, uint8_t flag)
{
    return json_object_is_type(value, json_type_boolean) &&
           json_object_get_boolean(value) == ((row->flags & flag) != 0);
}

static void check_node(json_object *node, struct row *row);

static void check_children(json_object *children, const struct row *parent)
{
    size_t at = 0;
    json_object_object_foreach(children, id, child)
    {
        while (at < input.count && !is_child(&input.rows[at], parent)) {
            at++;
        }
        REQUIRE(at < input.count && str_equal(str_from(id), input.rows[at].id));
        check_node(child, &input.rows[at++]);
    }
    for (; at < input.count; at++) {
        REQUIRE(!is_child(&input.rows[at], parent));
    }
}

static void check_member(size_t index, const char *name, json_object *value, struct row *row)
{
    static const char *const names[] = {
        "id",           "state",      "root_id:",    "root_id",         "parent_id",     "version",
        "loop",         "retry",      "skip",        "error_ignorable", "error_ignored", "children",
        "elapsed_time", "start_time", "finish_time",
    };
    const bool is_root = str_equal(row->id, input.root_id);
    char text[64];
    REQUIRE(index < COUNT_OF(names) && strcmp(name, names[index]) == 0);
    switch (index) {
    case 0:
        REQUIRE(is_text(value, row->id));
        break;
    case 1:
        REQUIRE(is_text(value, state_of(row)));
        break;
    case 2:
    case 3:
        REQUIRE(is_text(value, input.root_id));
        break;
    case 4:
        REQUIRE(is_text(value, is_root ? input.root_id : row->parent));
        break;
    case 5:
        REQUIRE(is_text(value, row->version));
        break;
    case 6:
        REQUIRE(is_number(value, row->loop));
        break;
    case 7:
        REQUIRE(is_number(value, row->retry));
        break;
    case 8:
        REQUIRE(is_flag(value, row, NODE_SKIP));
        break;
    case 9:
    case 10:
        REQUIRE(is_flag(value, row, NODE_ERROR_IGNORED));
        break;
    case 11:
        check_children(value, row);
        break;
    case 12:
        REQUIRE(is_number(value, elapsed_of(row)));
        break;
    case 13:
        REQUIRE(is_text(value, text_of_moment(row->started_us, text)));
        break;
    default:
        REQUIRE(is_text(value, text_of_moment(row->archived_us, text)));
    }
}

static void check_node(json_object *node, struct row *row)
{
    size_t members = 0;
    REQUIRE(json_object_is_type(node, json_type_object));
    json_object_object_foreach(node, name, value)
    {
        check_member(members++, name, value, row);
    }
    REQUIRE(members == 15);
}

static void check_answer(const struct answer *answer)
{
    struct row *const root = find_row(input.root_id);
    if (input.count == 0) {
        REQUIRE(answer->is_made && strncmp(answer->bytes, "{\"state\":\"CREATED\"}", 19) == 0);
        return;
    }
    REQUIRE(answer->is_made == (root != NULL));
    if (!answer->is_made) {
        return;
    }
    struct json_tokener *const tokener = json_tokener_new_ex(4 * ROWS_MAX);
    // The strict mode of json-c 0.18 takes all bytes above 0x7F for control characters.
    const int strict = json_c_version_num() == (18 << 8) ? 0 : JSON_TOKENER_STRICT;
    json_tokener_set_flags(tokener, strict | JSON_TOKENER_VALIDATE_UTF8);
    json_object *const parsed = json_tokener_parse_ex(tokener, answer->bytes, (int)answer->len);
    REQUIRE(parsed != NULL && json_tokener_get_parse_end(tokener) == answer->len);
    check_node(parsed, root);
    json_object_put(parsed);
    json_tokener_free(tokener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    static const char *zone;
    static struct answer answer;
    static struct answer later;
    if (arena == NULL) {
        arena = arena_new(16 << 20);
    }
    read_input((struct str){size == 0 ? "" : (const char *)data, size}, arena);
    if (input.zone != zone) {
        REQUIRE(local_time_use_zone(input.zone) == 0);
        zone = input.zone;
    }
    make_answer(&answer, NOW_US, arena);
    check_answer(&answer);
    make_answer(&later, NOW_US + US_PER_SECOND / 2, arena);
    if (answer.is_made) {
        const bool is_same =
            answer.len == later.len && memcmp(answer.bytes, later.bytes, answer.len) == 0;
        REQUIRE(is_same == (memcmp(answer.tag, later.tag, sizeof answer.tag) == 0));
    }
    arena_reset(arena);
    return 0;
}
