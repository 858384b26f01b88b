// SPDX-License-Identifier: MIT
#include "states/waiting_priv.h"

enum {
    // What no root's rows show is looked at again after this time: a new subtask, and that a task
    // has been started although no node has begun.
    REREAD_SUBTASKS_US = 2000 * 1000,
    REREAD_NOT_STARTED_US = 10 * 1000 * 1000,
    PARTS_OF_WAIT = 64, // a wait may end later by one of them
};

// What a request waits for.
struct watched {
    const struct str *roots;
    size_t count;
    int64_t reread_us;
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Waits end in steps, so that many end together: requests that are answered at the same time share
// their statements, and so do the next ones of their clients.
static int64_t end_of_step(int64_t end_us, int64_t wait_us)
{
    int64_t step_us = 1;
    while (2 * step_us <= wait_us / PARTS_OF_WAIT) {
        step_us *= 2;
    }
    return (end_us + step_us - 1) / step_us * step_us;
}

// Returns the end of the wait, monotonic. A token that expires sooner shortens it.
static int64_t end_of_wait(const struct exchange *exchange)
{
    if (exchange->client.waiting_until_us != 0) {
        return exchange->client.waiting_until_us;
    }
    const int64_t wait_us =
        earlier(exchange->parameters.wait_ms, exchange->service->conf->response.wait_max_ms) * 1000;
    if (wait_us == 0) {
        return exchange->started_us;
    }
    const int64_t end_us = end_of_step(exchange->started_us + wait_us, wait_us);
    const int64_t expires_us = exchange->credentials.expires_us;
    return expires_us == 0 ? end_us
                           : earlier(end_us, exchange->started_us + expires_us - exchange->now_us);
}

static bool has_known_states(const struct exchange *exchange)
{
    const struct batch *const batch = exchange->batch;
    char version[TREE_VERSION_BYTES];
    return str_equal(exchange->parameters.version,
                     tree_version(batch == NULL ? exchange->tree : &batch->digest, version));
}

// A database that fails does not end a wait.
static bool may_succeed_later(const struct exchange *exchange)
{
    return exchange->client.waiting_since_us != 0 && error_status(exchange->err.kind) >= 503;
}

static bool park_failed(const struct exchange *exchange, int64_t until_us)
{
    const struct service_parking parking = {
        .has_failed = true, .until_us = until_us, .read_us = clock_monotonic_us()};
    return exchange->client.park(exchange->client.context, &parking);
}

static bool park_unchanged(const struct exchange *exchange, const struct watched *watched,
                           int64_t until_us)
{
    const struct service_parking parking = {
        .roots = watched->roots,
        .root_count = watched->count,
        .reread_us = watched->reread_us,
        .app_code = caller_app_code(exchange->caller),
        .until_us = until_us,
        .read_us = exchange->started_us,
    };
    return exchange->client.park(exchange->client.context, &parking);
}

static bool park_task(const struct exchange *exchange, int64_t until_us)
{
    const struct str root = permit_root_id(exchange->permit);
    const bool is_started = exchange->tree->kind != TREE_NOT_STARTED;
    struct watched watched = {&root, 1, is_started ? 0 : REREAD_NOT_STARTED_US};
    if (exchange->parameters.subtasks) {
        watched.reread_us = REREAD_SUBTASKS_US;
    }
    if (exchange->root_count > 0) {
        watched.roots = exchange->roots;
        watched.count = exchange->root_count;
    }
    return park_unchanged(exchange, &watched, until_us);
}

// A task that is refused has no root to be watched.
static bool park_batch(const struct exchange *exchange, int64_t until_us)
{
    const struct batch *const batch = exchange->batch;
    struct str *const roots = arena_alloc(exchange->arena, batch->count, sizeof(struct str));
    struct watched watched = {roots, 0, batch->has_unstarted ? REREAD_NOT_STARTED_US : 0};
    for (size_t i = 0; roots != NULL && i < batch->count; i++) {
        const struct batch_entry *const entry = &batch->entries[i];
        if (!str_is_absent(entry->root_id)) {
            roots[watched.count++] = entry->root_id;
        }
    }
    return roots != NULL && park_unchanged(exchange, &watched, until_us);
}

bool waiting_park(struct exchange *exchange)
{
    const struct parameters *const parameters = &exchange->parameters;
    if (exchange->client.park == NULL || parameters->wait_ms == 0 || parameters->version.len == 0) {
        return false;
    }
    const int64_t until_us = end_of_wait(exchange);
    if (clock_monotonic_us() >= until_us) {
        return false;
    }
    if (exchange->has_failed) {
        return may_succeed_later(exchange) && park_failed(exchange, until_us);
    }
    if (!has_known_states(exchange)) {
        return false;
    }
    return exchange->batch == NULL ? park_task(exchange, until_us) : park_batch(exchange, until_us);
}
