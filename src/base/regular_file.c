// SPDX-License-Identifier: MIT
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_null_device(const struct stat *status)
{
    enum { MEMORY_DEVICES = 1, NULL_DEVICE = 3 }; // fixed numbers on Linux
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(MEMORY_DEVICES, NULL_DEVICE);
}

// Returns why the open file is not to be read; NULL if it is.
static const char *file_mistake(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return strerror(errno);
    }
    if (S_ISREG(status.st_mode) || is_null_device(&status)) {
        return NULL;
    }
    return S_ISDIR(status.st_mode) ? strerror(EISDIR) : "it is not a regular file";
}

FILE *regular_file_open(const char *path, const char **why)
{
    // O_NONBLOCK: a FIFO without a writer is opened at once, and then refused.
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    *why = file_mistake(fd);
    FILE *const file = *why == NULL ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        *why = *why == NULL ? strerror(errno) : *why;
        close(fd);
    }
    return file;
}
