// SPDX-License-Identifier: MIT
#include "states/store_overloaded.h"

static int refuse(struct error *err)
{
    return error_set(err, ERR_OVERLOADED, "all workers are waiting for the database");
}

static int find(void *store, struct lookup *const lookups[], size_t count, struct error *err)
{
    (void)store, (void)lookups, (void)count;
    return refuse(err);
}

static int find_links(void *store, const int64_t parents[], size_t count, size_t row_limit,
                      const struct store_link_reader *reader, struct error *err)
{
    (void)store, (void)parents, (void)count, (void)row_limit, (void)reader;
    return refuse(err);
}

static int load_nodes(void *store, struct node_query queries[], size_t count, size_t row_limit,
                      struct arena *arena, struct error *err)
{
    (void)store, (void)queries, (void)count, (void)row_limit, (void)arena;
    return refuse(err);
}

static int find_digests(void *store, const struct str roots[], size_t count,
                        struct store_digest digests[], struct error *err)
{
    (void)store, (void)roots, (void)count, (void)digests;
    return refuse(err);
}

static int ping(void *store, struct error *err)
{
    (void)store;
    return refuse(err);
}

static void reconfigure(void *store, const struct conf *conf)
{
    (void)store, (void)conf;
}

static void do_nothing(void *store)
{
    (void)store;
}

static const struct store_ops overloaded_ops = {
    .find_callers = find,
    .find_spaces = find,
    .find_tasks = find,
    .find_only_tasks = find,
    .find_links = find_links,
    .load_nodes = load_nodes,
    .find_digests = find_digests,
    .ping = ping,
    .reconfigure = reconfigure,
    .failback = do_nothing,
    .disconnect = do_nothing,
    .free = do_nothing,
};

struct store store_overloaded(void)
{
    return (struct store){.ops = &overloaded_ops};
}
