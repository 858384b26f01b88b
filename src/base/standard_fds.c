// SPDX-License-Identifier: MIT
#include "base/standard_fds.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

int standard_fds_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            continue;
        }
        const int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (opened < 0) {
            return -1;
        }
        assert(opened == fd); // open returns the lowest free number
    }
    return 0;
}
