// SPDX-License-Identifier: MIT
// Takes the place of suexec: root owns it, Apache's user starts it, and it starts START as the user
// ACCOUNT, within the limits of a shared host.
#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

static int limit(int resource, rlim_t most)
{
    const struct rlimit both = {most, most};
    return setrlimit(resource, &both);
}

int main(void)
{
    char *const arguments[] = {START, NULL};
    if (limit(RLIMIT_NPROC, 25) != 0 || limit(RLIMIT_AS, 512 << 20) != 0 ||
        limit(RLIMIT_NOFILE, 100) != 0 || setgroups(0, NULL) != 0 || setgid(ACCOUNT) != 0 ||
        setuid(ACCOUNT) != 0) {
        return 1;
    }
    execv(START, arguments);
    return 1;
}
