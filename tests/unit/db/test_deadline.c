// SPDX-License-Identifier: MIT
#include "db/deadline.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COUNT = 4 };

static struct db_deadline_list list;
static struct db_deadline deadlines[COUNT];
static int pairs[COUNT][2]; // the client's end, the server's

static int set_up(void **state)
{
    (void)state;
    db_deadline_list_init(&list);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        db_deadline_join(&list, &deadlines[i]);
        assert_int_equal(db_deadline_attach(&deadlines[i], pairs[i][0]), 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        db_deadline_leave(&list, &deadlines[i]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    assert_null(list.first);
    db_deadline_list_end(&list);
    return 0;
}

// Whether the other end of FD has been shut down or closed.
static bool is_over(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void a_late_connection_is_shut_down(void **state)
{
    (void)state;
    db_deadline_arm(&deadlines[0], 1000);
    db_deadline_arm(&deadlines[1], 1001);
    db_deadline_arm(&deadlines[2], 500);
    db_deadline_disarm(&deadlines[2]);
    db_deadline_enforce(&list, 999);
    assert_false(is_over(pairs[0][1]));
    db_deadline_enforce(&list, 1000);
    assert_true(is_over(pairs[0][1]));
    assert_true(is_over(pairs[0][0])); // wakes readers
    assert_false(is_over(pairs[1][1]));
    db_deadline_enforce(&list, INT64_MAX - 1);
    assert_true(is_over(pairs[1][1]));
    assert_false(is_over(pairs[2][1]));
    assert_false(is_over(pairs[3][1]));
}

static void nothing_is_late_before_it_is_armed(void **state)
{
    (void)state;
    db_deadline_enforce(&list, INT64_MAX - 1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_false(is_over(pairs[i][1]));
    }
}

// The client library closes its socket when a server hangs up. The kernel then reuses the number.
static void a_reused_descriptor_is_left_alone(void **state)
{
    (void)state;
    int stranger[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stranger), 0);
    db_deadline_arm(&deadlines[0], 1000);
    assert_true(dup2(stranger[0], pairs[0][0]) >= 0);
    db_deadline_enforce(&list, 1000);
    assert_false(is_over(stranger[1]));
    assert_true(is_over(pairs[0][1]));
    close(stranger[0]);
    close(stranger[1]);
}

static void detaching_closes_the_duplicate(void **state)
{
    (void)state;
    db_deadline_arm(&deadlines[0], 1000);
    db_deadline_detach(&deadlines[0]);
    db_deadline_enforce(&list, 1000);
    assert_false(is_over(pairs[0][1]));
    close(pairs[0][0]);
    assert_true(is_over(pairs[0][1])); // there is no other duplicate
    // The owner's next connection has no time limit at first.
    int next[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
    assert_int_equal(db_deadline_attach(&deadlines[0], next[0]), 0);
    db_deadline_enforce(&list, INT64_MAX - 1);
    assert_false(is_over(next[1]));
    pairs[0][0] = next[0];
    close(pairs[0][1]);
    pairs[0][1] = next[1];
}

static void attaching_again_closes_the_previous_duplicate(void **state)
{
    (void)state;
    assert_int_equal(db_deadline_attach(&deadlines[0], pairs[1][0]), 0);
    close(pairs[0][0]);
    assert_true(is_over(pairs[0][1]));
    pairs[0][0] = dup(pairs[1][0]);
    db_deadline_arm(&deadlines[0], 1);
    db_deadline_enforce(&list, 1);
    assert_true(is_over(pairs[1][1]));
}

static void a_lack_of_descriptors_is_an_error(void **state)
{
    (void)state;
    const int closed = dup(pairs[0][0]);
    close(closed);
    assert_int_equal(db_deadline_attach(&deadlines[0], closed), -1);
    db_deadline_arm(&deadlines[0], 1);
    db_deadline_enforce(&list, 1);
    assert_false(is_over(pairs[0][1]));
}

static void leave(size_t i)
{
    db_deadline_leave(&list, &deadlines[i]);
    memset(&deadlines[i], 0xA5, sizeof deadlines[i]); // like freed memory
}

static void any_order_of_leaving_keeps_the_others(void **state)
{
    (void)state;
    static const size_t orders[][COUNT] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 2, 0, 3},
                                           {2, 1, 3, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    for (size_t order = 0; order < COUNT_OF(orders); order++) {
        int64_t now_us = 1;
        for (size_t i = 0; i < COUNT; i++) {
            leave(orders[order][i]);
            for (size_t left = i + 1; left < COUNT; left++) {
                db_deadline_arm(&deadlines[orders[order][left]], now_us);
            }
            db_deadline_enforce(&list, now_us++);
            for (size_t left = i + 1; left < COUNT; left++) {
                assert_int_equal(deadlines[orders[order][left]].at_us, INT64_MAX);
            }
        }
        assert_null(list.first);
        for (size_t i = 0; i < COUNT; i++) {
            db_deadline_join(&list, &deadlines[i]);
            assert_int_equal(db_deadline_attach(&deadlines[i], pairs[i][0]), 0);
        }
    }
}

static void *enforce_all_the_time(void *is_over_flag)
{
    for (int64_t now_us = 1; !atomic_load((atomic_bool *)is_over_flag); now_us++) {
        db_deadline_enforce(&list, now_us);
    }
    return NULL;
}

// One thread enforces while others come and go; meant for sanitizers.
static void connections_come_and_go_while_it_enforces(void **state)
{
    (void)state;
    atomic_bool is_over_flag = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, enforce_all_the_time, &is_over_flag), 0);
    for (int i = 0; i < 2000; i++) {
        struct db_deadline guest;
        db_deadline_join(&list, &guest);
        assert_int_equal(db_deadline_attach(&guest, pairs[0][0]), 0);
        db_deadline_arm(&guest, INT64_MAX - 1);
        db_deadline_disarm(&guest);
        db_deadline_leave(&list, &guest);
    }
    atomic_store(&is_over_flag, true);
    pthread_join(thread, NULL);
    assert_false(is_over(pairs[0][1]));
}

int main(void)
{
#define WITH_LIST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LIST(a_late_connection_is_shut_down),
        WITH_LIST(nothing_is_late_before_it_is_armed),
        WITH_LIST(a_reused_descriptor_is_left_alone),
        WITH_LIST(detaching_closes_the_duplicate),
        WITH_LIST(attaching_again_closes_the_previous_duplicate),
        WITH_LIST(a_lack_of_descriptors_is_an_error),
        WITH_LIST(any_order_of_leaving_keeps_the_others),
        WITH_LIST(connections_come_and_go_while_it_enforces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
