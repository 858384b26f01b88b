// SPDX-License-Identifier: MIT
// The MySQL store, as far as it works without a server.
#include "alloc.h"
#include "states/store_mysql.h"
#include "support.h"

#include <stdlib.h>

// Sockets without a server: an error names the one that was tried.
static char interface_socket[] = "BKFLOW_STATES_DATABASE_SOCKET=/nowhere/interface";
static char engine_socket[] = "BKFLOW_STATES_ENGINE_DATABASE_SOCKET=/nowhere/engine";

static void a_reload_that_brings_a_second_database_needs_no_memory(void **state)
{
    (void)state;
    struct metrics_shard shard = {0};
    struct conf *const one = load_conf((char *[]){interface_socket, NULL});
    struct conf *const two = load_conf((char *[]){interface_socket, engine_socket, NULL});
    struct store store;
    assert_int_equal(store_mysql_new(&store, one, NULL, &shard), 0);
    alloc_watch_start(1);
    store.ops->reconfigure(store.context, two);
    store.ops->reconfigure(store.context, one);
    store.ops->reconfigure(store.context, two);
    alloc_watch_stop();
    assert_int_equal(alloc_watch.calls, 0);
    store.ops->free(store.context);
    conf_free(one);
    conf_free(two);
}

static void without_memory_for_both_connections_there_is_no_store(void **state)
{
    (void)state;
    struct metrics_shard shard = {0};
    struct conf *const conf = load_conf((char *[]){interface_socket, NULL});
    unsigned long n = 0;
    struct store store;
    for (bool has_failed = true; has_failed;) {
        alloc_watch_start(++n);
        const int made = store_mysql_new(&store, conf, NULL, &shard);
        alloc_watch_stop();
        has_failed = alloc_watch.has_failed;
        assert_int_equal(made, has_failed ? -1 : 0);
    }
    assert_true(n > 3); // the store and two connections
    store.ops->free(store.context);
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_that_brings_a_second_database_needs_no_memory),
        cmocka_unit_test(without_memory_for_both_connections_there_is_no_store),
    };
    return cmocka_run_group_tests_name("store_mysql", tests, NULL, NULL);
}
