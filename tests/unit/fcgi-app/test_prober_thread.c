// SPDX-License-Identifier: MIT
#include "prober_thread.h"

#include "base/log.h"
#include "db/hosts_priv.h"
#include "db/library.h"
#include "db/tcp_host.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { RELOADS = 20, REFUSED = 2002 };

static struct {
    char *folder;
    struct config_ref place;
    struct worker_shared shared;
    struct prober_thread *prober;
    struct tcp_host *host;
} fixture;

static void complain(void *context, const char *sentence)
{
    (void)context;
    fail_msg("%s", sentence);
}

static void load(const char *password)
{
    static char *nothing[] = {NULL};
    char text[256];
    snprintf(text, sizeof text,
             "[database]\nhost = 127.0.0.1\nport = %u\nuser = reader\npassword = %s\n",
             tcp_host_address(fixture.host).port, password);
    char *const path = scratch_write(fixture.folder, "conf", text);
    assert_int_equal(snapshot_load(&fixture.place, path, nothing, complain, NULL), 0);
    free(path);
    if (fixture.prober != NULL) {
        db_health_wake(fixture.shared.health); // as the server does
    }
}

static void start(enum tcp_host_state state)
{
    fixture.folder = scratch_new();
    fixture.host = tcp_host_new(state);
    pthread_mutex_init(&fixture.place.mutex, NULL);
    load("the-first");
    fixture.shared = (struct worker_shared){
        .snapshots = &fixture.place,
        .metrics = metrics_new(0, 1, "", 0),
        .health = db_health_new(),
    };
    fixture.prober = prober_thread_start(&fixture.shared, 0);
    assert_non_null(fixture.prober);
}

static bool has_ended(void *unused)
{
    (void)unused;
    return prober_thread_has_ended(&fixture.prober);
}

static int tear_down(void **state)
{
    (void)state;
    wait_for(has_ended, NULL);
    tcp_host_free(fixture.host);
    tcp_host_wait_for_attempts();
    assert_int_equal(atomic_load(&fixture.place.current->references), 1);
    snapshot_drop(fixture.place.current);
    db_health_free(fixture.shared.health);
    metrics_free(fixture.shared.metrics);
    scratch_free(fixture.folder);
    memset(&fixture, 0, sizeof fixture);
    return 0;
}

// Whether the test has the last reference.
static bool is_let_go(void *snapshot)
{
    return atomic_load(&((struct snapshot *)snapshot)->references) == 1;
}

// Whether config_ref, the prober and the test have references.
static bool is_in_use(void *snapshot)
{
    return atomic_load(&((struct snapshot *)snapshot)->references) == 3;
}

// Each configuration, with its passwords, is freed as soon as there is a new one.
static void a_sleeping_prober_releases_the_old_configuration(void **state)
{
    (void)state;
    start(TCP_HOST_WELL);
    for (int i = 0; i < RELOADS; i++) {
        struct snapshot *const old = snapshot_take(&fixture.place);
        wait_for(is_in_use, old);
        load(i % 2 == 0 ? "the-second" : "the-first");
        wait_for(is_let_go, old);
        snapshot_drop(old);
    }
    assert_true(prober_thread_runs(fixture.prober));
}

static struct db_hosts current_hosts(void)
{
    static struct metrics_shard shard;
    struct db_hosts hosts;
    db_hosts_init(&hosts, &fixture.place.current->conf->database, fixture.shared.health, &shard);
    return hosts;
}

static bool is_trying(void *unused)
{
    (void)unused;
    return db_library_is_busy();
}

// Neither a reload nor the end waits for a host that does not answer.
static void a_prober_reloads_and_ends_during_an_attempt(void **state)
{
    (void)state;
    start(TCP_HOST_UNRESPONSIVE);
    struct snapshot *const old = snapshot_take(&fixture.place);
    db_health_failed(fixture.shared.health, current_hosts().hosts[0].key, REFUSED);
    wait_for(is_trying, NULL);
    load("the-second");
    wait_for(is_let_go, old);
    snapshot_drop(old);
    wait_for(has_ended, NULL);
    assert_true(db_library_is_busy());
}

static bool has_logged_in(void *unused)
{
    (void)unused;
    return tcp_host_logins(fixture.host) > 0;
}

static void a_host_of_a_reloaded_configuration_is_probed(void **state)
{
    (void)state;
    start(TCP_HOST_WELL);
    load("the-second");
    db_health_failed(fixture.shared.health, current_hosts().hosts[0].key, REFUSED);
    wait_for(has_logged_in, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_sleeping_prober_releases_the_old_configuration, tear_down),
        cmocka_unit_test_teardown(a_prober_reloads_and_ends_during_an_attempt, tear_down),
        cmocka_unit_test_teardown(a_host_of_a_reloaded_configuration_is_probed, tear_down),
    };
    const struct log_options quiet = {"stderr", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT};
    return log_open(&quiet) == 0 && db_library_init() == 0
               ? cmocka_run_group_tests(tests, NULL, NULL)
               : EXIT_FAILURE;
}
