// SPDX-License-Identifier: MIT
#include "states/task_ids_priv.h"

#include "states/routes.h"

#include <stdio.h>
#include <stdlib.h>

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

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

// Sorts a copy: a request may have so many ids that comparing each with each is expensive.
static int check_distinct(const struct task_ids *ids, struct arena *arena, struct error *err)
{
    int64_t *const sorted = arena_alloc(arena, ids->count, sizeof *sorted);
    if (sorted == NULL) {
        return no_memory(err);
    }
    memcpy(sorted, ids->list, ids->count * sizeof *sorted);
    qsort(sorted, ids->count, sizeof *sorted, compare);
    for (size_t i = 1; i < ids->count; i++) {
        if (sorted[i] == sorted[i - 1]) {
            return refuse(err, STR("an id is given twice"));
        }
    }
    return 0;
}

static int read_parts(struct str text, struct task_ids *ids, struct error *err)
{
    for (size_t i = 0; i < ids->count; i++) {
        ids->list[i] = routes_parse_id(str_cut(&text, ','));
        if (ids->list[i] == 0) {
            return refuse(err, STR("it must be decimal ids from 1 to 9223372036854775807, split by "
                                   "commas"));
        }
    }
    return 0;
}

int task_ids_read_list(struct str text, size_t max, struct arena *arena, struct task_ids *ids,
                       struct error *err)
{
    *ids = (struct task_ids){.count = count_parts(text)};
    if (ids->count == 0) {
        return refuse(err, STR("it is missing"));
    }
    if (ids->count > max) {
        return refuse_many(err, max, arena);
    }
    ids->list = arena_alloc(arena, ids->count, sizeof *ids->list);
    if (ids->list == NULL) {
        return no_memory(err);
    }
    return read_parts(text, ids, err) != 0 ? -1 : check_distinct(ids, arena, err);
}
