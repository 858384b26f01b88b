// SPDX-License-Identifier: MIT
#include "rows.h"

#include "auth/authorize.h"
#include "base/clock.h"

#include <openssl/evp.h>

static bool copy_text(struct arena *arena, const char *text, const char **copy, uint16_t *len)
{
    const struct str source = text == NULL ? STR("") : str_from(text);
    char *const bytes = arena_text(arena, source.len);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, source.ptr, source.len);
    *copy = bytes;
    *len = (uint16_t)source.len;
    return true;
}

int row_add(struct node_list *nodes, struct arena *arena, const struct row *row)
{
    struct node *const node = node_list_add(nodes, arena);
    if (node == NULL || !copy_text(arena, row->id, &node->id, &node->id_len) ||
        !copy_text(arena, row->parent, &node->parent_id, &node->parent_id_len) ||
        !copy_text(arena, row->state, &node->state, &node->state_len) ||
        !copy_text(arena, row->version, &node->version, &node->version_len)) {
        return -1;
    }
    node->started_us = row->started == 0 ? CLOCK_NO_TIME : row->started;
    node->archived_us = row->archived == 0 ? CLOCK_NO_TIME : row->archived;
    node->loop = row->loop;
    node->retry = row->retry;
    node->flags = row->flags;
    return 0;
}

struct node_list rows_load(struct arena *arena, const struct row *rows, size_t count)
{
    struct node_list nodes = {0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(row_add(&nodes, arena, &rows[i]), 0);
    }
    return nodes;
}

static const char *const ids[] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7",
                                  "n8", "n9", "na", "nb", "nc", "nd", "ne", "nf"};
static const char *const states[] = {"RUNNING",   "RUNNING",  "RUNNING", "FAILED",
                                     "SUSPENDED", "FINISHED", "READY",   "NODE_SUSPENDED"};
static const char *const versions[] = {"v1", "v2", "", "0123456789abcdef0123456789abcdef"};

static int64_t random_moment(struct dice *dice)
{
    if (dice_below(dice, 4) == 0) {
        return 0;
    }
    return INT64_C(1600000000) * US_PER_SECOND + (int64_t)dice_below(dice, 400) * US_PER_SECOND / 2;
}

static const char *random_parent(size_t index, struct dice *dice)
{
    switch (dice_below(dice, 12)) {
    case 0:
        return "nowhere";
    case 1:
        return ids[dice_below(dice, COUNT_OF(ids))]; // sometimes itself, or a cycle
    default:
        return ids[index == 0 ? 0 : dice_below(dice, index)];
    }
}

static struct str write_tree(const struct tree *tree, bool shows_failed,
                             struct local_time *local_time, struct sink *sink)
{
    char buffer[OUTBUF_MIN_CAPACITY];
    struct outbuf out;
    struct json_writer json;
    sink_clear(sink);
    outbuf_init(&out, buffer, sizeof buffer, sink_take, sink);
    json_write_init(&json, &out);
    tree_write(tree, shows_failed, local_time, &json);
    assert_true(json_write_is_complete(&json));
    assert_int_equal(outbuf_flush(&out), 0);
    return sink_text(sink);
}

struct str tree_text(const struct tree *tree, struct local_time *local_time, struct sink *sink)
{
    return write_tree(tree, false, local_time, sink);
}

struct str tree_text_with_failed(const struct tree *tree, struct local_time *local_time,
                                 struct sink *sink)
{
    return write_tree(tree, true, local_time, sink);
}

void rows_random(struct row *rows, size_t count, struct dice *dice)
{
    assert_true(count <= COUNT_OF(ids));
    for (size_t i = 0; i < count; i++) {
        const bool is_double = i > 0 && dice_below(dice, 20) == 0;
        rows[i] = (struct row){
            .id = ids[is_double ? dice_below(dice, i) : i],
            .parent = random_parent(i, dice),
            .state = states[dice_below(dice, COUNT_OF(states))],
            .version = versions[dice_below(dice, COUNT_OF(versions))],
            .started = random_moment(dice),
            .archived = random_moment(dice),
            .loop = (int32_t)dice_below(dice, 3),
            .retry = (int32_t)dice_below(dice, 3),
            .flags = (uint8_t)dice_below(dice, 4),
        };
    }
    for (size_t i = count; i > 1; i--) { // children may come before their parents
        const size_t other = dice_below(dice, i);
        const struct row moved = rows[i - 1];
        rows[i - 1] = rows[other];
        rows[other] = moved;
    }
}

// ---- the fake store ----

static int count_call(struct fake_store *fake, struct error *err)
{
    fake->calls++;
    if (fake->fail_at != 0 && fake->calls == fake->fail_at) {
        return error_set(err, fake->failure, "the fake store was told to fail");
    }
    return 0;
}

static int fake_find_callers(void *store, struct lookup *const lookups[], size_t count,
                             struct error *err)
{
    struct fake_store *const fake = store;
    fake->look_ups++;
    for (size_t i = 0; i < count; i++) {
        struct lookup *const lookup = lookups[i];
        if (str_equal(lookup->app_code, str_from(fake->app_code))) {
            lookup->result.app = fake->app;
        }
        lookup->result.user_is_active = str_equal(lookup->username, str_from(fake->username));
    }
    return count_call(fake, err);
}

static int fake_find_spaces(void *store, struct lookup *const lookups[], size_t count,
                            struct error *err)
{
    struct fake_store *const fake = store;
    fake->space_look_ups++;
    for (size_t i = 0; i < count; i++) {
        if (lookups[i]->space_id == fake->space_id) {
            lookups[i]->result.space = fake->space;
        }
    }
    return count_call(fake, err);
}

static int fake_find_tasks(void *store, struct lookup *const lookups[], size_t count,
                           struct error *err)
{
    struct fake_store *const fake = store;
    fake->task_look_ups++;
    for (size_t i = 0; i < count; i++) {
        struct lookup *const lookup = lookups[i];
        if (lookup->task_id == fake->task_id) {
            lookup->result.task = fake->task;
            lookup->result.template = fake->template;
        }
    }
    return count_call(fake, err);
}

static const struct fake_subtask *find_subtask(const struct fake_store *fake, int64_t id)
{
    for (size_t i = 0; i < fake->subtask_count; i++) {
        if (id != fake->task_id && fake->subtasks[i].id == id && !fake->subtasks[i].is_missing) {
            return &fake->subtasks[i];
        }
    }
    return NULL;
}

static int fake_find_only_tasks(void *store, struct lookup *const lookups[], size_t count,
                                struct error *err)
{
    struct fake_store *const fake = store;
    for (size_t i = 0; i < count; i++) {
        const struct fake_subtask *const subtask = find_subtask(fake, lookups[i]->task_id);
        if (lookups[i]->task_id == fake->task_id) {
            lookups[i]->result.task = fake->task;
        }
        if (subtask != NULL) {
            lookups[i]->result.task = (struct lookup_task){
                .exists = true,
                .is_deleted = subtask->is_deleted,
                .is_expired = subtask->is_expired,
                .is_started = !subtask->is_not_started,
                .space_id = subtask->space_id,
                .instance_id = str_from(subtask->root),
            };
        }
    }
    return count_call(fake, err);
}

static int fake_find_links(void *store, const int64_t parents[], size_t count, size_t row_limit,
                           const struct store_link_reader *reader, struct error *err)
{
    struct fake_store *const fake = store;
    size_t rows = 0;
    fake->link_look_ups++;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < fake->subtask_count; k++) {
            const struct fake_subtask *const subtask = &fake->subtasks[k];
            const struct store_link link = {
                subtask->parent, subtask->id,
                subtask->extra_info == NULL ? STR_ABSENT : str_from(subtask->extra_info)};
            if (subtask->parent == parents[i]) {
                rows++;
                reader->take(reader->context, &link);
            }
        }
    }
    return rows > row_limit ? error_set(err, ERR_TOO_MANY_NODES, "links") : count_call(fake, err);
}

// Fills in the nodes of one task; all or none, like a database.
static int fake_load_task(struct fake_store *fake, struct node_query *query, size_t row_limit,
                          struct arena *arena, struct error *err)
{
    fake->permitted_task = permit_task_id(query->permit);
    const struct fake_subtask *const subtask = find_subtask(fake, fake->permitted_task);
    const struct row *const rows = subtask == NULL ? fake->rows : subtask->rows;
    const size_t row_count = subtask == NULL ? fake->row_count : subtask->row_count;
    *query = (struct node_query){.permit = query->permit};
    query->is_complete = row_count <= row_limit;
    for (size_t i = 0; query->is_complete && i < row_count; i++) {
        if (row_add(&query->nodes, arena, &rows[i]) != 0) {
            return error_set(err, ERR_NO_MEMORY, "node %zu", i);
        }
    }
    return 0;
}

static int fake_load_nodes(void *store, struct node_query queries[], size_t count, size_t row_limit,
                           struct arena *arena, struct error *err)
{
    struct fake_store *const fake = store;
    fake->loads++;
    fake->limit = row_limit;
    if (count_call(fake, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (fake_load_task(fake, &queries[i], row_limit, arena, err) != 0) {
            return -1;
        }
    }
    return 0;
}

// Of the fake's task, DIGEST; all others have no rows.
static int fake_find_digests(void *store, const struct str roots[], size_t count,
                             struct store_digest digests[], struct error *err)
{
    struct fake_store *const fake = store;
    fake->digest_look_ups++;
    for (size_t i = 0; i < count; i++) {
        const bool is_task = str_equal(roots[i], fake->task.instance_id);
        digests[i] = is_task ? fake->digest : (struct store_digest){.has_rows = false};
    }
    return count_call(fake, err);
}

static int fake_ping(void *store, struct error *err)
{
    struct fake_store *const fake = store;
    fake->pings++;
    return count_call(fake, err);
}

const struct store_ops fake_store_ops = {
    .find_callers = fake_find_callers,
    .find_spaces = fake_find_spaces,
    .find_tasks = fake_find_tasks,
    .find_only_tasks = fake_find_only_tasks,
    .find_links = fake_find_links,
    .load_nodes = fake_load_nodes,
    .find_digests = fake_find_digests,
    .ping = fake_ping,
};

void digest_of_secret(const uint8_t salt[LOOKUP_SALT_BYTES], const char *secret,
                      uint8_t digest[LOOKUP_DIGEST_BYTES])
{
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    assert_non_null(context);
    assert_int_equal(EVP_DigestInit_ex(context, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(context, salt, LOOKUP_SALT_BYTES), 1);
    assert_int_equal(EVP_DigestUpdate(context, secret, strlen(secret)), 1);
    assert_int_equal(EVP_DigestFinal_ex(context, digest, NULL), 1);
    EVP_MD_CTX_free(context);
}

void app_with_secret(struct lookup_application *app, const char *secret)
{
    *app = (struct lookup_application){.exists = true, .is_enabled = true};
    for (unsigned i = 0; i < LOOKUP_SALT_BYTES; i++) {
        app->salt[i] = (uint8_t)(0xA0 + i);
    }
    digest_of_secret(app->salt, secret, app->digest);
}
