// SPDX-License-Identifier: MIT
// loop: what happens when the system has no more of something. How it works otherwise, and with
// threads, tests/it and tests/strain.py tell.
#include "alloc.h"
#include "loop.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_TIMEOUT_MS = 60000 };

static struct {
    char *folder;
    int listen_fd;
    struct sockaddr_un address;
    struct loop *loop;
} fixture;

static struct loop *new_loop(void)
{
    const struct loop_options options = {
        .listen_fd = fixture.listen_fd,
        .max_request_bytes = 8192,
        .max_connections = 8,
    };
    return loop_new(&options);
}

static int set_up(void **state)
{
    (void)state;
    fixture.folder = scratch_new();
    fixture.address.sun_family = AF_UNIX;
    snprintf(fixture.address.sun_path, sizeof fixture.address.sun_path, "%s/s", fixture.folder);
    fixture.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(fixture.listen_fd, (const struct sockaddr *)&fixture.address, sizeof fixture.address),
        0);
    assert_int_equal(listen(fixture.listen_fd, 16), 0);
    fixture.loop = new_loop();
    assert_non_null(fixture.loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alloc_watch_stop();
    loop_free(fixture.loop);
    close(fixture.listen_fd);
    scratch_free(fixture.folder);
    return 0;
}

static int connect_client(void)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&fixture.address, sizeof fixture.address),
                     0);
    return fd;
}

// The connection that is ready; NULL when there is none.
static struct loop_conn *ready_connection(void)
{
    struct loop_conn *conn = NULL;
    const enum loop_event event = loop_wait(fixture.loop, 0, CLIENT_TIMEOUT_MS, &conn);
    assert_true((event == LOOP_CONNECTION) == (conn != NULL));
    return conn;
}

static bool is_closed_for(int client)
{
    char byte;
    return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void without_memory_there_is_no_loop(void **state)
{
    (void)state;
    const int before = open_descriptors();
    unsigned long n = 0;
    struct loop *loop = NULL;
    while (loop == NULL) {
        alloc_watch_start(++n);
        loop = new_loop();
        alloc_watch_stop();
        assert_true(alloc_watch.has_failed == (loop == NULL));
    }
    loop_free(loop);
    assert_int_equal(n, 2);
    assert_int_equal(open_descriptors(), before);
}

static void without_descriptors_there_is_no_loop(void **state)
{
    (void)state;
    const int before = open_descriptors();
    struct rlimit usual;
    struct loop *loop = NULL;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (rlim_t most = 0; loop == NULL; most++) {
        const struct rlimit limit = {most, usual.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        loop = new_loop();
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        assert_true(most < usual.rlim_cur && (loop != NULL || open_descriptors() == before));
    }
    loop_free(loop);
    assert_int_equal(open_descriptors(), before);
}

static void a_client_for_which_memory_lacks_is_closed_and_the_next_is_served(void **state)
{
    (void)state;
    const int first = connect_client();
    const int second = connect_client();
    alloc_watch_start(1);
    struct loop_conn *conn = ready_connection();
    alloc_watch_stop();
    assert_true(alloc_watch.has_failed);
    assert_null(conn);
    assert_true(is_closed_for(first));
    assert_int_equal(loop_connections(fixture.loop), 0);
    // No edge comes for the second, which has been waiting: the sweep sees to it.
    assert_null(ready_connection());
    loop_sweep(fixture.loop);
    conn = ready_connection();
    assert_non_null(conn);
    assert_false(is_closed_for(second));
    assert_int_equal(loop_connections(fixture.loop), 1);
    loop_close(fixture.loop, conn);
    assert_true(is_closed_for(second));
    close(first);
    close(second);
}

static void a_client_for_which_descriptors_lack_is_served_once_there_are_some(void **state)
{
    (void)state;
    struct rlimit usual;
    const int client = connect_client();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, usual.rlim_max}), 0);
    struct loop_conn *conn = ready_connection();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_null(conn);
    assert_false(is_closed_for(client));
    loop_sweep(fixture.loop);
    conn = ready_connection();
    assert_non_null(conn);
    loop_close(fixture.loop, conn);
    close(client);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(without_memory_there_is_no_loop),
        WITH_LOOP(without_descriptors_there_is_no_loop),
        WITH_LOOP(a_client_for_which_memory_lacks_is_closed_and_the_next_is_served),
        WITH_LOOP(a_client_for_which_descriptors_lack_is_served_once_there_are_some),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
