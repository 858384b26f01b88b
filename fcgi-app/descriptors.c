// SPDX-License-Identifier: MIT
#include "descriptors.h"

#include <sys/resource.h>

size_t descriptors_allow(size_t most, size_t others)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return most;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    const size_t left = limit.rlim_cur > others ? limit.rlim_cur - others : 1;
    return left < most ? left : most;
}
