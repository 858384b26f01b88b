// SPDX-License-Identifier: MIT
// Loaded before the program's libraries: the first THREADS_MAX threads start, further ones do not,
// as with RLIMIT_NPROC or a control group's limit.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    static atomic_int started;
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    create *const original = (create *)dlsym(RTLD_NEXT, "pthread_create");
    const char *const most = getenv("THREADS_MAX");
    if (most != NULL && atomic_fetch_add(&started, 1) >= atoi(most)) {
        return EAGAIN;
    }
    return original(thread, attributes, run, argument);
}
