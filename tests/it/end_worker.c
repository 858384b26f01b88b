// SPDX-License-Identifier: MIT
// Loaded before the program's libraries: makes worker threads end that should not. Which way, the
// environment says:
//   END_WORKER=init    the database library cannot be started in a thread
//   END_WORKER=FILE    a worker that has something to do ends instead as soon as FILE exists
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static const char *how(void)
{
    const char *const told = getenv("END_WORKER");
    return told == NULL ? "" : told;
}

int mysql_thread_init(void)
{
    int (*const original)(void) = (int (*)(void))dlsym(RTLD_NEXT, "mysql_thread_init");
    return strcmp(how(), "init") == 0 ? 1 : original();
}

// AddressSanitizer wants to be told, as its own calls to functions that do not return do.
static void end_thread(void)
{
    void (*const forget_stack)(void) =
        (void (*)(void))dlsym(RTLD_DEFAULT, "__asan_handle_no_return");
    if (forget_stack != NULL) {
        forget_stack();
    }
    pthread_exit(NULL);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    int (*const original)(int, struct epoll_event *, int, int) =
        (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    const int ready = original(fd, events, max, timeout_ms);
    // Only workers wait.
    if (timeout_ms != 0 && access(how(), F_OK) == 0) {
        end_thread();
    }
    return ready;
}
