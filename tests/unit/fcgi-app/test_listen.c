// SPDX-License-Identifier: MIT
// listen: each way to get a listening socket, and what is refused, in child processes with their
// own descriptors and environment.
#include "listen.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3, NO_FD = -1, NOT_OPENED = -1 };

static struct {
    char *folder;
    struct listen_source source;
} fixture;

static int set_up(void **state)
{
    (void)state;
    fixture.folder = scratch_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_free(fixture.folder);
    return 0;
}

// ---- making sockets; -1 when that fails ----

static int unix_socket(int type, const char *name, bool is_listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", fixture.folder, name);
    const int fd = socket(AF_UNIX, type, 0);
    const bool is_bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    return is_bound && (!is_listening || listen(fd, 4) == 0) ? fd : -1;
}

static int half_of_a_pair(void)
{
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1;
}

// Passes descriptors and variables like systemd.
static bool pass(const int *fds, int count, const char *said)
{
    char number[24];
    int copies[8];
    for (int i = 0; i < count; i++) {
        copies[i] = fcntl(fds[i], F_DUPFD, 100);
    }
    for (int i = 0; i < count; i++) {
        if (copies[i] < 0 || dup2(copies[i], FIRST_FD + i) < 0) {
            return false;
        }
    }
    snprintf(number, sizeof number, "%ld", (long)getpid());
    return setenv("LISTEN_PID", number, 1) == 0 && setenv("LISTEN_FDS", said, 1) == 0;
}

static const struct conf_listen inherited = {.kind = CONF_LISTEN_INHERITED};

static int kind_of(const struct conf_listen *conf)
{
    return listen_open(conf, &fixture.source) == 0 ? (int)fixture.source.kind : NOT_OPENED;
}

static bool is_ready(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

// ---- in children: the result is 0, or the number of the check that failed ----

static int three_are_served(void *context)
{
    (void)context;
    const int fds[] = {unix_socket(SOCK_STREAM, "a", true), unix_socket(SOCK_STREAM, "b", true),
                       unix_socket(SOCK_STREAM, "c", true)};
    if (!pass(fds, 3, "3") || kind_of(&inherited) != (int)LISTEN_SYSTEMD ||
        fixture.source.count != 3) {
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        if (fixture.source.fds[i] != FIRST_FD + i || !is_ready(FIRST_FD + i)) {
            return 2;
        }
    }
    return 0;
}

struct bad {
    const char *name;
    int (*make)(void);
};

static int datagrams(void)
{
    return unix_socket(SOCK_DGRAM, "bad", false);
}

static int packets(void)
{
    return unix_socket(SOCK_SEQPACKET, "bad", true);
}

static int not_listening(void)
{
    return unix_socket(SOCK_STREAM, "bad", false);
}

static int no_socket(void)
{
    return open("/dev/null", O_RDWR);
}

static int refuse(void *context)
{
    const struct bad *const bad = context;
    const int fds[] = {unix_socket(SOCK_STREAM, "good", true), bad->make()};
    return pass(fds, 2, "2") && kind_of(&inherited) == (int)LISTEN_REFUSED &&
                   fixture.source.count == 0
               ? 0
               : 1;
}

static void a_descriptor_that_is_not_listening_is_refused_with_the_others(void **state)
{
    (void)state;
    static const struct bad all[] = {
        {"datagrams", datagrams},         {"packets", packets},     {"connection", half_of_a_pair},
        {"not listening", not_listening}, {"no socket", no_socket},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        char path[256];
        check_number(all[i].name, run_in_child(refuse, (void *)(uintptr_t)&all[i]), 0);
        snprintf(path, sizeof path, "%s/good", fixture.folder);
        unlink(path);
        snprintf(path, sizeof path, "%s/bad", fixture.folder);
        unlink(path);
    }
}

static void all_that_systemd_passes_are_served(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(three_are_served, NULL), 0);
}

static int count_is_refused(void *said)
{
    return pass(NULL, 0, said) && kind_of(&inherited) == (int)LISTEN_REFUSED ? 0 : 1;
}

static void an_invalid_count_is_refused(void **state)
{
    (void)state;
    static const char *const all[] = {"", "x", "1x", "-1", "65", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        check_number(all[i], run_in_child(count_is_refused, (void *)(uintptr_t)all[i]), 0);
    }
}

// LISTEN_PID is another process; descriptor 0 is not a socket.
static int others_are_left(void *context)
{
    (void)context;
    const int fds[] = {unix_socket(SOCK_STREAM, "a", true)};
    if (!pass(fds, 1, "1") || setenv("LISTEN_PID", "1", 1) != 0 || close(STDIN_FILENO) != 0 ||
        open("/dev/null", O_RDONLY) != STDIN_FILENO) {
        return 1;
    }
    return kind_of(&inherited) == (int)LISTEN_NOWHERE ? 0 : 2;
}

static int none_are_passed(void *context)
{
    (void)context;
    if (!pass(NULL, 0, "0") || close(STDIN_FILENO) != 0 ||
        open("/dev/null", O_RDONLY) != STDIN_FILENO) {
        return 1;
    }
    return kind_of(&inherited) == (int)LISTEN_NOWHERE ? 0 : 2;
}

static void descriptors_for_another_process_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(others_are_left, NULL), 0);
    assert_int_equal(run_in_child(none_are_passed, NULL), 0);
}

static int stdin_is_taken(void *context)
{
    (void)context;
    struct stat before;
    struct stat after;
    unsetenv("LISTEN_PID");
    const int fd = unix_socket(SOCK_STREAM, "a", true);
    if (dup2(fd, STDIN_FILENO) != STDIN_FILENO || fstat(STDIN_FILENO, &before) != 0) {
        return 1;
    }
    if (kind_of(&inherited) != (int)LISTEN_STDIN || fixture.source.count != 1) {
        return 2;
    }
    const int taken = fixture.source.fds[0];
    if (taken <= STDERR_FILENO || !is_ready(taken) || fstat(taken, &after) != 0 ||
        after.st_ino != before.st_ino) {
        return 3;
    }
    close(taken);
    close(fd);
    return open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 4; // descriptor 0 is never free
}

static int bad_stdin_is_refused(void *context)
{
    (void)context;
    unsetenv("LISTEN_PID");
    const int fd = unix_socket(SOCK_DGRAM, "bad", false);
    return dup2(fd, STDIN_FILENO) == STDIN_FILENO && kind_of(&inherited) == (int)LISTEN_REFUSED ? 0
                                                                                                : 1;
}

static void a_socket_on_descriptor_0_gets_another_number(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(stdin_is_taken, NULL), 0);
    assert_int_equal(run_in_child(bad_stdin_is_refused, NULL), 0);
}

// ---- a socket of its own ----

static struct conf_listen own_unix(mode_t mode)
{
    struct conf_listen own = {.kind = CONF_LISTEN_UNIX, .mode = mode};
    snprintf(own.path, sizeof own.path, "%s/own", fixture.folder);
    return own;
}

static void its_own_socket_has_the_mode_from_the_start(void **state)
{
    (void)state;
    static const mode_t modes[] = {0600, 0660, 0666, 0777};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        const struct conf_listen own = own_unix(modes[i]);
        const mode_t before = umask(077);
        struct stat status;
        assert_int_equal(kind_of(&own), LISTEN_OWN);
        assert_int_equal(umask(before), 077);
        assert_int_equal(stat(own.path, &status), 0);
        assert_int_equal(status.st_mode & 0777, modes[i]);
        assert_true(is_ready(fixture.source.fds[0]));
        listen_let_nobody_in(&fixture.source);
        assert_int_equal(stat(own.path, &status), -1);
        close(fixture.source.fds[0]);
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return NO_FD;
    }
    return fd;
}

static void queued_connections_can_still_be_accepted_at_the_end(void **state)
{
    (void)state;
    const struct conf_listen own = own_unix(0600);
    assert_int_equal(kind_of(&own), LISTEN_OWN);
    const int waiting = connect_to(own.path);
    assert_true(waiting >= 0);
    listen_let_nobody_in(&fixture.source);
    assert_int_equal(connect_to(own.path), NO_FD);
    const int accepted = accept(fixture.source.fds[0], NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(waiting);
    close(fixture.source.fds[0]);
}

static void a_socket_that_another_process_has_replaced_is_left(void **state)
{
    (void)state;
    const struct conf_listen own = own_unix(0600);
    struct stat status;
    assert_int_equal(kind_of(&own), LISTEN_OWN);
    struct listen_source first = fixture.source;
    assert_int_equal(kind_of(&own), NOT_OPENED); // because it is being served
    assert_int_equal(unlink(own.path), 0);
    assert_int_equal(kind_of(&own), LISTEN_OWN);
    listen_let_nobody_in(&first);
    assert_int_equal(stat(own.path, &status), 0);
    close(first.fds[0]);
    close(fixture.source.fds[0]);
}

static void a_stale_socket_is_replaced_and_a_file_is_not(void **state)
{
    (void)state;
    const struct conf_listen own = own_unix(0600);
    assert_int_equal(kind_of(&own), LISTEN_OWN);
    close(fixture.source.fds[0]); // the path remains
    assert_int_equal(kind_of(&own), LISTEN_OWN);
    close(fixture.source.fds[0]);
    unlink(own.path);
    free(scratch_write(fixture.folder, "own", "precious"));
    assert_int_equal(kind_of(&own), NOT_OPENED);
    char *const text = read_whole_file(own.path);
    assert_string_equal(text, "precious");
    free(text);
}

static void a_socket_that_was_passed_is_left_to_its_owner(void **state)
{
    (void)state;
    const int fd = unix_socket(SOCK_STREAM, "theirs", true);
    const struct listen_source handed = {.kind = LISTEN_SYSTEMD, .fds = {fd}, .count = 1};
    char *const path = scratch_path(fixture.folder, "theirs");
    listen_let_nobody_in(&handed);
    const int client = connect_to(path);
    assert_true(client >= 0);
    close(client);
    close(fd);
    free(path);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_that_systemd_passes_are_served),
        IN_FOLDER(a_descriptor_that_is_not_listening_is_refused_with_the_others),
        IN_FOLDER(an_invalid_count_is_refused),
        IN_FOLDER(descriptors_for_another_process_are_left_alone),
        IN_FOLDER(a_socket_on_descriptor_0_gets_another_number),
        IN_FOLDER(its_own_socket_has_the_mode_from_the_start),
        IN_FOLDER(queued_connections_can_still_be_accepted_at_the_end),
        IN_FOLDER(a_socket_that_another_process_has_replaced_is_left),
        IN_FOLDER(a_stale_socket_is_replaced_and_a_file_is_not),
        IN_FOLDER(a_socket_that_was_passed_is_left_to_its_owner),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
