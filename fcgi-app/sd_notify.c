// SPDX-License-Identifier: MIT
#include "sd_notify.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Reads the address from NOTIFY_SOCKET: a path, or an abstract name with a leading @. Returns its
// length; 0 if there is none.
static socklen_t find_address(struct sockaddr_un *address)
{
    const char *const name = getenv("NOTIFY_SOCKET");
    const size_t len = name == NULL ? 0 : strlen(name);
    if (len < 2 || len >= sizeof address->sun_path || (name[0] != '/' && name[0] != '@')) {
        return 0;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, len);
    if (name[0] == '@') {
        address->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void notify(const char *state)
{
    struct sockaddr_un address;
    const socklen_t len = find_address(&address);
    if (len == 0) {
        return;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    // Failures are ignored: the service manager notices by itself that nothing came.
    const ssize_t sent =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
    (void)sent;
    close(fd);
}

void sd_notify_ready(void)
{
    notify("READY=1");
}

// Includes the time since boot, by which systemd distinguishes this reload from older ones
// (Type=notify-reload).
void sd_notify_reloading(void)
{
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
    notify(state);
}

void sd_notify_stopping(void)
{
    notify("STOPPING=1");
}

void sd_notify_alive(void)
{
    notify("WATCHDOG=1");
}

int64_t sd_notify_interval_us(void)
{
    const char *const limit = getenv("WATCHDOG_USEC");
    const char *const pid = getenv("WATCHDOG_PID");
    if (limit == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    const long long us = strtoll(limit, NULL, 10);
    return us > 0 ? us / 2 : 0;
}
