// SPDX-License-Identifier: MIT
#include "states/task_ids_priv.h"

#include "base/json_members.h"
#include "states/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "task_ids");
}

static int refuse(struct error *err, struct str reason)
{
    return error_set_subject(err, ERR_TASK_IDS, reason, "%.*s", (int)reason.len, reason.ptr);
}

static int refuse_many(struct error *err, size_t max, struct arena *arena)
{
    char reason[64];
    const int len = snprintf(reason, sizeof reason, "more than %zu ids", max);
    const struct str kept = arena_copy(arena, (struct str){reason, (size_t)len});
    return str_is_absent(kept) ? no_memory(err) : refuse(err, kept);
}

static size_t count_parts(struct str text)
{
    size_t count = 0;
    while (!str_is_absent(text)) {
        (void)str_cut(&text, ',');
        count++;
    }
    return count;
}

// ---- each once ----

struct position {
    int64_t id;
    size_t at; // in the list
};

static int compare(const void *left, const void *right)
{
    const struct position *const a = left;
    const struct position *const b = right;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : (a->at > b->at) - (a->at < b->at);
}

// Sets the ids that came before to 0. Sorts a copy: a request may have so many ids that comparing
// each with each is expensive.
static int mark_duplicates(const struct task_ids *ids, struct arena *arena, size_t *duplicates,
                           struct error *err)
{
    struct position *const sorted = arena_alloc(arena, ids->count, sizeof *sorted);
    if (sorted == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < ids->count; i++) {
        sorted[i] = (struct position){ids->list[i], i};
    }
    qsort(sorted, ids->count, sizeof *sorted, compare);
    *duplicates = 0;
    for (size_t i = 1; i < ids->count; i++) {
        if (sorted[i].id == sorted[i - 1].id) {
            ids->list[sorted[i].at] = 0;
            ++*duplicates;
        }
    }
    return 0;
}

static void drop_marked(struct task_ids *ids)
{
    size_t kept = 0;
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->list[i] != 0) {
            ids->list[kept++] = ids->list[i];
        }
    }
    ids->count = kept;
}

// ---- the parts of a list ----

static int read_parts(struct str text, struct task_ids *ids, struct str (*id_of)(struct str part),
                      struct str rule, struct error *err)
{
    for (size_t i = 0; i < ids->count; i++) {
        ids->list[i] = routes_parse_id(id_of(str_cut(&text, ',')));
        if (ids->list[i] == 0) {
            return refuse(err, rule);
        }
    }
    return 0;
}

static int new_list(struct str text, size_t max, struct arena *arena, struct task_ids *ids,
                    struct error *err)
{
    *ids = (struct task_ids){.count = count_parts(text)};
    if (ids->count > max) {
        return refuse_many(err, max, arena);
    }
    ids->list = arena_alloc(arena, ids->count, sizeof *ids->list);
    return ids->list == NULL ? no_memory(err) : 0;
}

static struct str plain_id(struct str part)
{
    return part;
}

int task_ids_read_list(struct str text, size_t max, struct arena *arena, struct task_ids *ids,
                       struct error *err)
{
    size_t duplicates;
    if (str_is_absent(text)) {
        return refuse(err, STR("it is missing"));
    }
    if (new_list(text, max, arena, ids, err) != 0 ||
        read_parts(text, ids, plain_id,
                   STR("it must be decimal ids from 1 to 9223372036854775807, split by commas"),
                   err) != 0 ||
        mark_duplicates(ids, arena, &duplicates, err) != 0) {
        return -1;
    }
    return duplicates == 0 ? 0 : refuse(err, STR("an id is given twice"));
}

// ---- a body ----

static int refuse_body(struct error *err, struct str reason)
{
    return error_set_subject(err, ERR_BODY_FORMAT, reason, "%.*s", (int)reason.len, reason.ptr);
}

static bool is_json(struct str content_type)
{
    const struct str expected = STR("application/json");
    const struct str type = str_trim(str_cut(&content_type, ';'));
    return type.len == expected.len && strncasecmp(type.ptr, expected.ptr, expected.len) == 0;
}

// Web servers leave it out, or empty, if the client sent the body in chunks.
static bool is_length(struct str content_length, size_t len)
{
    char digits[24];
    const int count = snprintf(digits, sizeof digits, "%zu", len);
    return content_length.len == 0 ||
           str_equal(content_length, (struct str){digits, (size_t)count});
}

static const struct json_member *find_member(const struct json_members *members, struct str name)
{
    const struct json_member *one = members->first;
    while (one != NULL && !str_equal(one->name, name)) {
        one = one->next;
    }
    return one;
}

static int read_members(const struct http_request *request, struct arena *arena,
                        struct json_members *members, struct error *err)
{
    if (!is_json(request->content_type)) {
        return refuse_body(err, STR("its Content-Type is not application/json"));
    }
    if (!is_length(request->content_length, request->body.len)) {
        return refuse_body(err, STR("it is not as long as Content-Length says"));
    }
    if (json_members_read(request->body, "body", ERR_BODY_FORMAT, arena, members, err) == 0) {
        return 0;
    }
    return err->kind == ERR_BODY_FORMAT
               ? refuse_body(err, STR("it is not one JSON object with distinct members"))
               : -1;
}

static bool is_white_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str trim_json(struct str text)
{
    while (text.len > 0 && is_white_space(text.ptr[0])) {
        text = str_skip(text, 1);
    }
    while (text.len > 0 && is_white_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

// The document is valid JSON, so a part that begins and ends with a quote and holds only digits is
// a string, and one of only digits is a number.
static struct str json_id(struct str part)
{
    const struct str id = trim_json(part);
    const bool is_quoted = id.len >= 2 && id.ptr[0] == '"' && id.ptr[id.len - 1] == '"';
    return is_quoted ? (struct str){id.ptr + 1, id.len - 2} : id;
}

// Returns what is between the brackets of an array; absent if there is nothing but white space.
static struct str elements_of(struct str array)
{
    const struct str inside = trim_json((struct str){array.ptr + 1, array.len - 2});
    return inside.len == 0 ? STR_ABSENT : inside;
}

static int read_array(struct str json, size_t max, struct arena *arena, struct task_ids *ids,
                      struct error *err)
{
    const struct str rule = STR("it must be an array of decimal ids from 1 to 9223372036854775807");
    size_t duplicates;
    if (json.ptr[0] != '[') {
        return refuse(err, rule);
    }
    const struct str elements = elements_of(json);
    if (new_list(elements, max, arena, ids, err) != 0 ||
        read_parts(elements, ids, json_id, rule, err) != 0 ||
        mark_duplicates(ids, arena, &duplicates, err) != 0) {
        return -1;
    }
    drop_marked(ids);
    return 0;
}

int task_ids_read_body(const struct http_request *request, size_t max, struct arena *arena,
                       struct task_ids *ids, struct error *err)
{
    struct json_members members;
    if (read_members(request, arena, &members, err) != 0) {
        return -1;
    }
    const struct json_member *const member = find_member(&members, STR("task_ids"));
    return member == NULL ? refuse(err, STR("it is missing"))
                          : read_array(member->json, max, arena, ids, err);
}
