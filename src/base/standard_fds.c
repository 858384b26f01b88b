// SPDX-License-Identifier: MIT
#include "base/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

int standard_fds_open(void)
{
    // From below: open takes the lowest free number, which is the one that was found closed.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const int direction = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", direction) != fd) {
            return -1;
        }
    }
    return 0;
}
