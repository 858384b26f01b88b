// SPDX-License-Identifier: MIT
#include "base/standard_fds.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// A set of descriptors, one bit each.
enum { IN = 1, OUT = 2, ERR = 4, ALL = IN | OUT | ERR };

// Runs in a child process. Returns 0, or the number of the failed check.
static int fill(void *context)
{
    const unsigned closed = *(const unsigned *)context;
    char byte = 'x';
    for (int fd = 0; fd < 3; fd++) {
        if ((closed >> fd & 1) != 0) {
            close(fd);
        }
    }
    if (standard_fds_open() != 0) {
        return 1;
    }
    if (open("/dev/null", O_RDONLY) < 3) {
        return 2; // another file could get that number
    }
    if ((closed & IN) != 0 && (read(0, &byte, 1) != -1 || errno != EBADF)) {
        return 3;
    }
    for (int fd = 1; fd < 3; fd++) {
        if ((closed >> fd & 1) != 0 && (write(fd, &byte, 1) != -1 || errno != EBADF)) {
            return 3 + fd;
        }
    }
    return 0;
}

static void closed_descriptors_are_opened_and_fail_as_if_closed(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed <= ALL; closed++) {
        assert_int_equal(run_in_child(fill, &closed), 0);
    }
}

// Standard output is unchanged and works.
static int keep(void *context)
{
    int *const pipe_ends = context;
    if (dup2(pipe_ends[1], STDOUT_FILENO) < 0 || close(STDIN_FILENO) != 0 ||
        standard_fds_open() != 0) {
        return 1;
    }
    return write(STDOUT_FILENO, "x", 1) == 1 ? 0 : 2;
}

static void open_descriptors_are_unchanged(void **state)
{
    (void)state;
    int pipe_ends[2];
    char byte = 0;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(run_in_child(keep, pipe_ends), 0);
    assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_descriptors_are_opened_and_fail_as_if_closed),
        cmocka_unit_test(open_descriptors_are_unchanged),
    };
    return cmocka_run_group_tests_name("standard_fds", tests, NULL, NULL);
}
