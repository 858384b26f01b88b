// SPDX-License-Identifier: MIT
#include "db/attempt_priv.h"

#include "base/clock.h"
#include "db/library.h"

#include <errmsg.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

// Enough for the resolver's modules and a TLS handshake. Untouched stack costs no memory.
enum { STACK_BYTES = 1024 * 1024 };

struct db_attempt {
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    bool is_over; // both under the mutex; the thread frees an abandoned attempt
    bool is_abandoned;
    int over_fd;
    int64_t started_us;
    _Atomic int64_t limit_us; // monotonic; when the attempt should be over
    // Written before the thread starts.
    struct conf_database conf; // with its own copies of the strings
    struct conf_host host;
    enum db_connect_use use;
    struct db_checks checks; // empty unless it is a probe
    // Written by the thread before it is over.
    struct db_connect_result result;
};

// ---- the configuration ----

// Lists the strings that connecting needs.
static void list_texts(struct conf_database *conf, const char **texts[6])
{
    const char **const all[] = {&conf->socket, &conf->user,   &conf->password,
                                &conf->name,   &conf->tls_ca, &conf->option_file};
    memcpy(texts, all, sizeof all);
}

// Copies all strings: a reload may free CONF in the meantime.
static bool copy_conf(struct conf_database *copy, const struct conf_database *conf)
{
    const char **texts[6];
    bool is_copied = true;
    *copy = *conf;
    copy->password_file = NULL;
    list_texts(copy, texts);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i] = strdup(*texts[i]);
        is_copied = is_copied && *texts[i] != NULL;
    }
    return is_copied;
}

static void free_conf(struct conf_database *copy)
{
    const char **texts[6];
    list_texts(copy, texts);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *const text = (char *)(uintptr_t)*texts[i];
        if (text != NULL) {
            explicit_bzero(text, strlen(text));
            free(text);
        }
    }
}

// ---- the thread ----

// Returns the number of the host's addresses, or 0 with the result set if the lookup fails. The
// client library gets the name and looks it up again: it checks the server's certificate against
// it.
static int count_addresses(struct db_attempt *attempt)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (conf_host_is_local(&attempt->host)) {
        return 1;
    }
    const int failure = getaddrinfo(attempt->host.name, NULL, &hints, &addresses);
    if (failure != 0) {
        attempt->result.code = CR_UNKNOWN_HOST;
        snprintf(attempt->result.message, sizeof attempt->result.message,
                 "the lookup of the name failed: %s", gai_strerror(failure));
        return 0;
    }
    int count = 0;
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        count++;
    }
    freeaddrinfo(addresses);
    return count;
}

// The client library tries one address after the other and rounds its timeout up to seconds, which
// delays all addresses but the first.
static void set_limit(struct db_attempt *attempt, int addresses)
{
    const int64_t ms = attempt->conf.connect_timeout_ms;
    const int64_t whole_ms = (ms + 999) / 1000 * 1000;
    atomic_store(&attempt->limit_us,
                 clock_monotonic_us() + (ms + (addresses - 1) * whole_ms) * 1000);
}

static void make(struct db_attempt *attempt)
{
    const int addresses = count_addresses(attempt);
    if (addresses > 0) {
        set_limit(attempt, addresses);
        db_connect(&attempt->conf, &attempt->host, attempt->use, &attempt->result);
        db_check_connection(&attempt->result, &attempt->checks);
    }
}

static void destroy(struct db_attempt *attempt)
{
    if (attempt->result.handle != NULL) {
        db_connect_close(attempt->result.handle);
    }
    if (attempt->over_fd >= 0) {
        close(attempt->over_fd);
    }
    free_conf(&attempt->conf);
    pthread_mutex_destroy(&attempt->mutex);
    free(attempt);
}

static void *run(void *argument)
{
    struct db_attempt *const attempt = argument;
    const bool has_library = db_library_thread_init() == 0;
    if (has_library) {
        make(attempt);
    } else {
        db_connect_fail(&attempt->result, CR_OUT_OF_MEMORY, "out of memory");
    }
    pthread_mutex_lock(&attempt->mutex);
    attempt->is_over = true;
    const bool is_abandoned = attempt->is_abandoned;
    if (!is_abandoned) {
        (void)eventfd_write(attempt->over_fd, 1); // cannot fail the first time
    }
    pthread_mutex_unlock(&attempt->mutex);
    if (is_abandoned) {
        destroy(attempt);
    }
    if (has_library) {
        db_library_thread_end();
    }
    db_library_leave();
    return NULL;
}

// ---- the caller ----

static bool start_thread(struct db_attempt *attempt)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    db_library_enter();
    const bool is_started = pthread_create(&attempt->thread, &attributes, run, attempt) == 0;
    pthread_attr_destroy(&attributes);
    if (!is_started) {
        db_library_leave();
    }
    return is_started;
}

// Connects in the calling thread if no thread can be started. The caller then waits as long as it
// takes.
static void make_here(struct db_attempt *attempt)
{
    make(attempt);
    attempt->is_over = true;
    (void)eventfd_write(attempt->over_fd, 1);
}

static struct db_attempt *start(const struct conf_database *conf, const struct conf_host *host,
                                enum db_connect_use use, const struct db_checks *checks)
{
    struct db_attempt *const attempt = calloc(1, sizeof(struct db_attempt));
    if (attempt == NULL) {
        return NULL;
    }
    attempt->host = *host;
    attempt->use = use;
    attempt->checks = *checks;
    attempt->started_us = clock_monotonic_us();
    atomic_init(&attempt->limit_us, attempt->started_us + conf->connect_timeout_ms * 1000);
    pthread_mutex_init(&attempt->mutex, NULL);
    attempt->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!copy_conf(&attempt->conf, conf) || attempt->over_fd < 0) {
        destroy(attempt);
        return NULL;
    }
    attempt->has_thread = start_thread(attempt);
    if (!attempt->has_thread) {
        make_here(attempt);
    }
    return attempt;
}

struct db_attempt *db_attempt_start(const struct conf_database *conf, const struct conf_host *host,
                                    enum db_connect_use use)
{
    return start(conf, host, use, &(struct db_checks){.count = 0});
}

struct db_attempt *db_attempt_start_probe(const struct conf_database *conf,
                                          const struct conf_host *host,
                                          const struct db_checks *checks)
{
    return start(conf, host, DB_CONNECT_READ, checks);
}

int64_t db_attempt_started_us(const struct db_attempt *attempt)
{
    return attempt->started_us;
}

int db_attempt_fd(const struct db_attempt *attempt)
{
    return attempt->over_fd;
}

struct db_connect_result *db_attempt_result(struct db_attempt *attempt)
{
    pthread_mutex_lock(&attempt->mutex);
    const bool is_over = attempt->is_over;
    pthread_mutex_unlock(&attempt->mutex);
    return is_over ? &attempt->result : NULL;
}

// Returns the milliseconds until the attempt's limit or UNTIL_US, whichever comes first.
static int64_t left_ms(const struct db_attempt *attempt, int64_t until_us)
{
    const int64_t limit_us = atomic_load(&attempt->limit_us);
    const int64_t end_us = limit_us < until_us ? limit_us : until_us;
    return (end_us - clock_monotonic_us() + 999) / 1000;
}

struct db_connect_result *db_attempt_wait(struct db_attempt *attempt, int64_t until_us)
{
    struct pollfd over = {.fd = attempt->over_fd, .events = POLLIN};
    int64_t wait_ms;
    while ((wait_ms = left_ms(attempt, until_us)) > 0 && poll(&over, 1, (int)wait_ms) <= 0) {
        // The limit moves when the name lookup is done.
    }
    return db_attempt_result(attempt);
}

void db_attempt_free(struct db_attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    const pthread_t thread = attempt->thread;
    const bool has_thread = attempt->has_thread;
    pthread_mutex_lock(&attempt->mutex);
    const bool is_over = attempt->is_over;
    attempt->is_abandoned = true;
    pthread_mutex_unlock(&attempt->mutex);
    if (is_over) {
        if (has_thread) {
            pthread_join(thread, NULL);
        }
        destroy(attempt);
    } else {
        pthread_detach(thread);
    }
}
