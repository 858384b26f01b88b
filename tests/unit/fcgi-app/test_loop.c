// SPDX-License-Identifier: MIT
// loop: lack of resources and time limits, with a fake clock. tests/it and tests/strain.py cover
// threads.
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

enum { CLIENT_TIMEOUT_US = CLIENT_TIMEOUT_MS * 1000, SECOND_US = 1000 * 1000, ROOM = 8 };

static struct {
    char *folder;
    int listen_fds[2];
    struct sockaddr_un addresses[2];
    struct loop *loop;
    int64_t now_us;
} fixture;

int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void)
{
    return fixture.now_us;
}

static struct loop *new_loop(void)
{
    const struct loop_options options = {
        .listen_fds = fixture.listen_fds,
        .listen_count = COUNT_OF(fixture.listen_fds),
        .max_request_bytes = 8192,
        .max_connections = ROOM,
        .client_timeout_ms = CLIENT_TIMEOUT_MS,
    };
    return loop_new(&options);
}

static void open_listener(size_t i)
{
    struct sockaddr_un *const address = &fixture.addresses[i];
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%s/%zu", fixture.folder, i);
    fixture.listen_fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fixture.listen_fds[i], (const struct sockaddr *)address, sizeof *address),
                     0);
    assert_int_equal(listen(fixture.listen_fds[i], 16), 0);
}

static int set_up(void **state)
{
    (void)state;
    fixture.now_us = 1000 * SECOND_US;
    fixture.folder = scratch_new();
    open_listener(0);
    open_listener(1);
    fixture.loop = new_loop();
    assert_non_null(fixture.loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alloc_watch_stop();
    if (!loop_is_draining(fixture.loop)) {
        close(fixture.listen_fds[0]);
        close(fixture.listen_fds[1]);
    }
    loop_free(fixture.loop);
    scratch_free(fixture.folder);
    return 0;
}

static int connect_to(size_t i)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&fixture.addresses[i], sizeof fixture.addresses[i]),
        0);
    return fd;
}

static int connect_client(void)
{
    return connect_to(0);
}

// Returns the connection that is ready; NULL if there is none.
static struct loop_conn *ready_connection(void)
{
    struct loop_conn *conn = NULL;
    size_t count;
    const enum loop_event event = loop_wait(fixture.loop, 0, &conn, 1, &count);
    assert_true((event == LOOP_CONNECTIONS) == (count == 1));
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

static void without_memory_a_client_is_closed_and_the_next_is_served(void **state)
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
    // There is no edge for the second one, which is already waiting; the sweep accepts it.
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

static void without_descriptors_a_client_waits_until_there_are_some(void **state)
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

// ---- several sockets ----

static void no_listening_socket_starves_the_others(void **state)
{
    (void)state;
    int clients[2 * ROOM];
    for (size_t i = 0; i < ROOM; i++) {
        clients[2 * i] = connect_to(0);
        clients[2 * i + 1] = connect_to(1);
    }
    (void)ready_connection();
    assert_int_equal(loop_connections(fixture.loop), ROOM); // no more room
    size_t waiting[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        for (int fd; (fd = accept(fixture.listen_fds[i], NULL, NULL)) >= 0; waiting[i]++) {
            close(fd);
        }
    }
    assert_int_equal(waiting[0], ROOM / 2);
    assert_int_equal(waiting[1], ROOM / 2);
    for (size_t i = 0; i < 2 * ROOM; i++) {
        close(clients[i]);
    }
}

// ---- time ----

// Advances the clock by US and sweeps, like the process.
static void pass(int64_t us)
{
    fixture.now_us += us;
    loop_sweep(fixture.loop);
}

// Whether the loop has shut down reading: writes of the client then fail.
static bool is_ended_for(int client)
{
    return send(client, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
}

// Returns a client that has sent nothing and waits in the loop.
static int waiting_client(void)
{
    const int client = connect_client();
    struct loop_conn *const conn = ready_connection();
    assert_non_null(conn);
    loop_give_back(fixture.loop, conn);
    return client;
}

// Returns a client that was answered and keeps its connection.
static int idle_client(void)
{
    const int client = connect_client();
    struct loop_conn *const conn = ready_connection();
    assert_non_null(conn);
    atomic_store(&conn->deadline_us, 0);
    conn->has_served = true;
    loop_give_back(fixture.loop, conn);
    return client;
}

// Returns a client that was answered and does not keep its connection.
static int answered_client(void)
{
    const int client = connect_client();
    struct loop_conn *const conn = ready_connection();
    assert_non_null(conn);
    loop_let_go(fixture.loop, conn);
    return client;
}

static void a_request_has_the_client_timeout_and_no_more(void **state)
{
    (void)state;
    const int client = waiting_client();
    pass(CLIENT_TIMEOUT_US);
    assert_null(ready_connection());
    pass(1);
    assert_non_null(ready_connection());
    assert_true(is_ended_for(client));
    close(client);
}

static void a_changed_timeout_applies_to_later_requests(void **state)
{
    (void)state;
    const int before = waiting_client();
    loop_set_client_timeout(fixture.loop, 1000);
    const int after = waiting_client();
    pass(SECOND_US + 1);
    assert_true(is_ended_for(after));
    assert_false(is_ended_for(before));
    close(before);
    close(after);
}

static void while_there_is_room_idle_and_slow_clients_stay(void **state)
{
    (void)state;
    const int slow = waiting_client();
    const int idle = idle_client();
    pass(CLIENT_TIMEOUT_US);
    assert_null(ready_connection());
    close(slow);
    close(idle);
}

static void without_room_connections_waiting_for_a_second_are_closed(void **state)
{
    (void)state;
    int clients[ROOM];
    for (size_t i = 0; i < ROOM; i++) {
        clients[i] = i % 2 == 0 ? waiting_client() : idle_client();
    }
    const int newcomer = connect_client();
    assert_null(ready_connection());
    pass(SECOND_US);
    assert_null(ready_connection());
    pass(1); // the previous sweep found that there is still no room
    for (size_t i = 0; i < ROOM; i++) {
        struct loop_conn *const conn = ready_connection();
        assert_non_null(conn);
        loop_close(fixture.loop, conn);
        close(clients[i]);
    }
    pass(0);
    assert_non_null(ready_connection());
    assert_false(is_closed_for(newcomer));
    close(newcomer);
}

static void after_its_answer_a_client_may_write_for_a_second(void **state)
{
    (void)state;
    const int client = answered_client();
    assert_true(is_closed_for(client)); // it reads the end at once
    pass(SECOND_US - 1);
    assert_int_equal(send(client, "late", 4, MSG_NOSIGNAL), 4);
    assert_null(ready_connection());
    assert_int_equal(loop_connections(fixture.loop), 1);
    pass(2);
    assert_null(ready_connection());
    assert_int_equal(loop_connections(fixture.loop), 0);
    assert_true(is_ended_for(client));
    close(client);
}

static void a_client_that_keeps_writing_is_closed_after_a_second(void **state)
{
    (void)state;
    const int client = answered_client();
    fixture.now_us += SECOND_US; // no sweep has come yet
    assert_int_equal(send(client, "late", 4, MSG_NOSIGNAL), 4);
    assert_null(ready_connection());
    assert_int_equal(loop_connections(fixture.loop), 0);
    close(client);
}

static void a_client_that_closes_after_its_answer_is_closed_at_once(void **state)
{
    (void)state;
    const int client = answered_client();
    close(client);
    assert_null(ready_connection());
    assert_int_equal(loop_connections(fixture.loop), 0);
}

static void when_draining_a_request_that_has_begun_has_a_second(void **state)
{
    (void)state;
    const int slow = waiting_client();
    loop_drain(fixture.loop);
    pass(SECOND_US);
    assert_null(ready_connection());
    pass(1);
    struct loop_conn *const conn = ready_connection();
    assert_non_null(conn);
    loop_close(fixture.loop, conn);
    assert_true(is_closed_for(slow));
    close(slow);
}

static void when_draining_the_last_accepted_connection_has_a_second(void **state)
{
    (void)state;
    const int last = connect_client();
    loop_drain(fixture.loop);
    assert_int_equal(loop_connections(fixture.loop), 1);
    assert_null(ready_connection());
    pass(SECOND_US + 1);
    assert_non_null(ready_connection());
    assert_true(is_ended_for(last));
    close(last);
}

static void when_draining_a_request_has_only_one_second(void **state)
{
    (void)state;
    const int slow = connect_client();
    struct loop_conn *conn = ready_connection();
    loop_drain(fixture.loop);
    loop_give_back(fixture.loop, conn);
    fixture.now_us += SECOND_US / 2;
    assert_int_equal(send(slow, "x", 1, MSG_NOSIGNAL), 1);
    conn = ready_connection();
    assert_non_null(conn);
    loop_give_back(fixture.loop, conn);
    assert_true(atomic_load(&conn->deadline_us) <= fixture.now_us + SECOND_US / 2);
    close(slow);
}

static void when_draining_a_shorter_time_is_not_extended(void **state)
{
    (void)state;
    const int slow = waiting_client();
    pass(CLIENT_TIMEOUT_US - 1);
    loop_drain(fixture.loop);
    pass(2);
    assert_true(is_ended_for(slow));
    close(slow);
}

static void when_draining_idle_connections_are_closed_at_once(void **state)
{
    (void)state;
    const int idle = idle_client();
    loop_drain(fixture.loop);
    assert_non_null(ready_connection());
    assert_true(is_ended_for(idle));
    close(idle);
}

static void the_last_connection_stops_the_loop(void **state)
{
    (void)state;
    struct loop_conn *conn;
    size_t count;
    const int client = answered_client();
    loop_drain(fixture.loop);
    assert_int_equal(loop_wait(fixture.loop, 0, &conn, 1, &count), LOOP_NOTHING);
    close(client);
    for (unsigned worker = 0; worker < 3; worker++) {
        assert_int_equal(loop_wait(fixture.loop, 0, &conn, 1, &count), LOOP_STOPPED);
    }
}

// ---- connections that somebody holds ----

static void a_held_connection_is_counted_and_never_over_its_time(void **state)
{
    (void)state;
    const int client = connect_client();
    struct loop_conn *conn = ready_connection();
    assert_true(loop_hold(fixture.loop, conn));
    pass(INT64_C(100) * CLIENT_TIMEOUT_US);
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), 1);
    assert_null(ready_connection());
    assert_int_equal(loop_connections(fixture.loop), 1);
    assert_false(is_closed_for(client));
    loop_release(fixture.loop, conn);
    assert_true(loop_resume(fixture.loop, conn));
    conn = ready_connection();
    assert_non_null(conn);
    loop_close(fixture.loop, conn);
    assert_int_equal(loop_connections(fixture.loop), 0);
    close(client);
}

static void a_resumed_client_that_does_not_read_has_the_client_timeout(void **state)
{
    (void)state;
    static char bytes[4096];
    const int client = connect_client();
    struct loop_conn *const conn = ready_connection();
    while (send(conn->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    assert_true(loop_hold(fixture.loop, conn));
    loop_release(fixture.loop, conn);
    assert_true(loop_resume(fixture.loop, conn));
    pass(CLIENT_TIMEOUT_US);
    assert_null(ready_connection());
    pass(3 * SECOND_US);
    assert_ptr_equal(ready_connection(), conn);
    loop_close(fixture.loop, conn);
    close(client);
}

static void nobody_is_held_when_draining_or_when_its_time_is_over(void **state)
{
    (void)state;
    const int late = connect_client();
    struct loop_conn *const conn = ready_connection();
    pass(CLIENT_TIMEOUT_US + 1);
    assert_false(loop_hold(fixture.loop, conn));
    loop_close(fixture.loop, conn);
    const int other = connect_client();
    struct loop_conn *const held = ready_connection();
    loop_drain(fixture.loop);
    assert_false(loop_hold(fixture.loop, held));
    assert_int_equal(loop_connections(fixture.loop), 1);
    loop_close(fixture.loop, held);
    close(late);
    close(other);
}

static void a_held_connection_keeps_the_loop_from_stopping(void **state)
{
    (void)state;
    struct loop_conn *conn;
    size_t count;
    const int client = connect_client();
    struct loop_conn *const held = ready_connection();
    assert_true(loop_hold(fixture.loop, held));
    loop_drain(fixture.loop);
    assert_int_equal(loop_wait(fixture.loop, 0, &conn, 1, &count), LOOP_NOTHING);
    assert_false(is_closed_for(client));
    loop_release(fixture.loop, held);
    loop_close(fixture.loop, held);
    assert_int_equal(loop_wait(fixture.loop, 0, &conn, 1, &count), LOOP_STOPPED);
    close(client);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(without_memory_there_is_no_loop),
        WITH_LOOP(without_descriptors_there_is_no_loop),
        WITH_LOOP(without_memory_a_client_is_closed_and_the_next_is_served),
        WITH_LOOP(without_descriptors_a_client_waits_until_there_are_some),
        WITH_LOOP(no_listening_socket_starves_the_others),
        WITH_LOOP(a_request_has_the_client_timeout_and_no_more),
        WITH_LOOP(a_changed_timeout_applies_to_later_requests),
        WITH_LOOP(while_there_is_room_idle_and_slow_clients_stay),
        WITH_LOOP(without_room_connections_waiting_for_a_second_are_closed),
        WITH_LOOP(a_held_connection_is_counted_and_never_over_its_time),
        WITH_LOOP(a_resumed_client_that_does_not_read_has_the_client_timeout),
        WITH_LOOP(nobody_is_held_when_draining_or_when_its_time_is_over),
        WITH_LOOP(a_held_connection_keeps_the_loop_from_stopping),
        WITH_LOOP(after_its_answer_a_client_may_write_for_a_second),
        WITH_LOOP(a_client_that_keeps_writing_is_closed_after_a_second),
        WITH_LOOP(a_client_that_closes_after_its_answer_is_closed_at_once),
        WITH_LOOP(when_draining_a_request_that_has_begun_has_a_second),
        WITH_LOOP(when_draining_the_last_accepted_connection_has_a_second),
        WITH_LOOP(when_draining_a_request_has_only_one_second),
        WITH_LOOP(when_draining_a_shorter_time_is_not_extended),
        WITH_LOOP(when_draining_idle_connections_are_closed_at_once),
        WITH_LOOP(the_last_connection_stops_the_loop),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
