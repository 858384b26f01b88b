// SPDX-License-Identifier: MIT
#include "server.h"

#include "base/clock.h"
#include "base/log.h"
#include "descriptors.h"
#include "sd_notify.h"
#include "prober_thread.h"
#include "progress_report.h"
#include "waiting_room.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    DRAIN_TICK_MS = 10,
    STUCK_TICK_MS = 10,
    CONNECTIONS_MAX = 8192, // besides those whose requests wait
    DESCRIPTORS_BESIDE_CONNECTIONS = 64,
    DESCRIPTORS_PER_WORKER = 8, // two for each of two connections and their replacements
};

struct server {
    const struct server_options *options;
    struct worker_shared *shared;
    struct worker **workers;           // one per thread
    struct worker *overload_responder; // runs in the main thread
    size_t overload_shard;             // its metrics
    struct prober_thread *prober;
    pthread_t *threads;
    bool *is_joined;
    size_t count; // of WORKERS
    int signal_fd;
    struct progress progress;
    struct progress_report report;
    int64_t drain_end_us; // monotonic; 0: not draining
};

// ---- starting ----

static int report(const char *what)
{
    LOG_EVENT(LOG_LEVEL_ERROR, what, LOG_TEXT("error", str_from(strerror(errno))));
    return -1;
}

static void warn_of_risk(void *context, const char *sentence)
{
    (void)context;
    LOG_EVENT(LOG_LEVEL_WARNING, sentence, LOG_NUMBER("pid", getpid()));
}

static void signal_set(sigset_t *set)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    sigemptyset(set);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        sigaddset(set, numbers[i]);
    }
}

void server_hold_signals(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int open_signals(void)
{
    // libfcgi installs its own handlers if there are none.
    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a log at its size limit loses lines, as on a full disk
    sigset_t set;
    signal_set(&set);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start_prober(struct server *server)
{
    // Its shard comes after those of the workers.
    const size_t shard = server->shared->metrics->workers;
    server->prober = prober_thread_start(server->shared, shard);
    return server->prober == NULL ? report("cannot start the prober") : 0;
}

static int make_overload_responder(struct server *server)
{
    server->overload_shard = server->shared->metrics->workers - 1;
    server->overload_responder = worker_new(server->shared, server->overload_shard, false);
    errno = ENOMEM;
    return server->overload_responder == NULL ? report("cannot make the overload responder") : 0;
}

// Returns 0 or an errno.
static int start_worker(struct server *server, size_t i)
{
    server->workers[i] = worker_new(server->shared, i, true);
    if (server->workers[i] == NULL) {
        return ENOMEM;
    }
    const int failure = pthread_create(&server->threads[i], NULL, worker_run, server->workers[i]);
    if (failure != 0) {
        worker_free(server->workers[i]);
    }
    return failure;
}

// Warns if a limit on threads or memory allows fewer workers than configured: a few are better than
// none.
static void warn_of_few_workers(const struct server *server, size_t wanted, int failure)
{
    LOG_EVENT(LOG_LEVEL_WARNING, "fewer workers than configured: no more can be started",
              LOG_NUMBER("workers", (int64_t)server->count),
              LOG_NUMBER("configured", (int64_t)wanted),
              LOG_TEXT("error", str_from(strerror(failure))));
}

static int start_workers(struct server *server)
{
    const size_t wanted = server->count;
    int failure = 0;
    for (server->count = 0; server->count < wanted; server->count++) {
        failure = start_worker(server, server->count);
        if (failure != 0) {
            break;
        }
    }
    if (server->count == 0) {
        errno = failure;
        return report("cannot start a worker");
    }
    if (server->count < wanted) {
        metrics_set_workers(server->shared->metrics, server->count + 1);
        warn_of_few_workers(server, wanted, failure);
    }
    return 0;
}

// Of few descriptors a quarter is for requests that do not wait. The shards come after the
// prober's.
static int make_waiting_room(const struct server *server, const struct conf *conf,
                             size_t connections)
{
    const size_t shard = server->shared->metrics->workers + 1;
    server->shared->waiting_room =
        waiting_room_new(server->shared, (size_t)conf->server.waiting_max, connections, shard);
    return server->shared->waiting_room == NULL ? report("cannot make the waiting room") : 0;
}

static int make_loop(struct server *server, const struct conf *conf)
{
    const size_t others = DESCRIPTORS_BESIDE_CONNECTIONS + DESCRIPTORS_PER_WORKER * server->count +
                          server->options->source->count - 1;
    const size_t connections =
        descriptors_allow(CONNECTIONS_MAX + (size_t)conf->server.waiting_max, others);
    const struct loop_options options = {
        .listen_fds = server->options->source->fds,
        .listen_count = server->options->source->count,
        .max_request_bytes = (size_t)conf->server.max_request_bytes,
        .max_connections = connections,
        .client_timeout_ms = conf->server.client_timeout_ms,
    };
    server->shared->loop = loop_new(&options);
    if (server->shared->loop == NULL) {
        return report("cannot watch the listening socket");
    }
    return make_waiting_room(server, conf, connections);
}

static int start(struct server *server, const struct conf *conf)
{
    server->count = (size_t)conf->server.workers;
    server->workers = calloc(server->count, sizeof(struct worker *));
    server->threads = calloc(server->count, sizeof(pthread_t));
    server->is_joined = calloc(server->count, sizeof(bool));
    server->signal_fd = open_signals();
    if (server->workers == NULL || server->threads == NULL || server->is_joined == NULL ||
        server->signal_fd < 0) {
        return report("cannot start");
    }
    if (make_loop(server, conf) != 0 || make_overload_responder(server) != 0 ||
        start_prober(server) != 0 || start_workers(server) != 0) {
        return -1;
    }
    LOG_EVENT(LOG_LEVEL_INFO, "ready",
              LOG_TEXT("version", str_from(server->shared->metrics->version)),
              LOG_NUMBER("workers", (int64_t)server->count), LOG_NUMBER("pid", getpid()));
    conf_report_risks(conf, warn_of_risk, NULL);
    server->progress.watchdog_us = sd_notify_interval_us();
    server->progress.limit_us = progress_limit_us(conf);
    sd_notify_ready();
    return 0;
}

// ---- signals ----

static void complain_to_log(void *context, const char *sentence)
{
    (void)context;
    LOG_EVENT(LOG_LEVEL_ERROR, "configuration", LOG_TEXT("mistake", str_from(sentence)));
}

static void reopen_log(const struct conf *conf)
{
    const struct log_options options = {conf->log.target, conf->log.level, conf->log.format};
    if (log_open(&options) != 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "[log] target cannot be opened; the log stays as it was",
                  LOG_TEXT("target", str_from(conf->log.target)),
                  LOG_TEXT("error", str_from(log_open_mistake(errno))));
    }
}

static void warn_of_restart(const struct conf *conf)
{
    char key[CONF_KEY_NAME_MAX];
    for (size_t at = 0; conf_next_kept(conf, &at, key);) {
        LOG_EVENT(LOG_LEVEL_WARNING, "a changed key takes effect only after a restart",
                  LOG_TEXT("key", str_from(key)));
    }
}

static void reload(struct server *server)
{
    struct config_ref *const place = server->shared->snapshots;
    sd_notify_reloading();
    const bool is_loaded = snapshot_load(place, server->options->conf_path,
                                         server->options->environment, complain_to_log, NULL) == 0;
    struct snapshot *const now = snapshot_take(place);
    reopen_log(now->conf);
    if (is_loaded) {
        db_health_wake(server->shared->health); // the prober releases the old configuration
        loop_set_client_timeout(server->shared->loop, now->conf->server.client_timeout_ms);
        worker_refresh(server->overload_responder);
        waiting_room_refresh(server->shared->waiting_room);
        server->progress.limit_us = progress_limit_us(now->conf);
        warn_of_restart(now->conf);
        LOG_EVENT(LOG_LEVEL_INFO, "reloaded", LOG_NUMBER("pid", getpid()));
        conf_report_risks(now->conf, warn_of_risk, NULL);
    } else {
        LOG_EVENT(LOG_LEVEL_ERROR, "reload refused, the old configuration stays",
                  LOG_NUMBER("pid", getpid()));
    }
    snapshot_drop(now);
    sd_notify_ready();
}

static void begin_drain(struct server *server)
{
    struct snapshot *const snapshot = snapshot_take(server->shared->snapshots);
    const int64_t drain_ms = snapshot->conf->server.drain_timeout_ms;
    snapshot_drop(snapshot);
    LOG_EVENT(LOG_LEVEL_INFO, "stopping",
              LOG_NUMBER("connections", (int64_t)loop_connections(server->shared->loop)));
    sd_notify_stopping();
    server->drain_end_us = clock_monotonic_us() + drain_ms * 1000;
    listen_let_nobody_in(server->options->source);
    loop_drain(server->shared->loop);
    waiting_room_drain(server->shared->waiting_room);
}

static void take_signal(struct server *server, uint32_t number)
{
    if (number == SIGHUP) {
        reload(server);
    } else if (server->drain_end_us == 0) {
        begin_drain(server);
    } else {
        server->drain_end_us = clock_monotonic_us(); // the second signal: stop now
    }
}

static void take_signals(struct server *server, int timeout_ms)
{
    struct pollfd waiting = {.fd = server->signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;
    if (poll(&waiting, 1, timeout_ms) <= 0) {
        return;
    }
    while (read(server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        take_signal(server, info.ssi_signo);
    }
}

// ---- watching ----

static bool all_busy(const struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        if (!atomic_load_explicit(&server->shared->metrics->shards[i].busy, memory_order_relaxed)) {
            return false;
        }
    }
    return true;
}

static bool is_stuck(struct server *server)
{
    progress_look(&server->progress, atomic_load(&server->shared->requests_done), all_busy(server),
                  clock_monotonic_us());
    return progress_is_stuck(&server->progress);
}

// Only the overload responder refuses requests because of overload.
static void report_progress(struct server *server)
{
    const struct metrics *const metrics = server->shared->metrics;
    const struct metrics_shard *const shard = &metrics->shards[server->overload_shard];
    const uint64_t refused = atomic_load(&shard->outcomes[METRICS_FAILED + ERR_OVERLOADED]);
    progress_report(&server->report, &server->progress, refused, clock_monotonic_us());
}

static void feed_watchdog(struct server *server)
{
    if (progress_feeds_watchdog(&server->progress, clock_monotonic_us())) {
        sd_notify_alive();
    }
}

// Serves what is ready while all workers are stuck. Checks again before each request: one that a
// worker could answer must not be refused.
static void shed_load(struct server *server)
{
    const int64_t end_us = clock_monotonic_us() + (int64_t)TICK_MS * 1000;
    while (is_stuck(server) && clock_monotonic_us() < end_us &&
           worker_serve_ready(server->overload_responder)) {
    }
}

// Exits if a worker ended although the loop did not: its work is unfinished, and it may have left a
// lock. A process with too few workers is worse than none; the service manager restarts it.
static void expect_orderly_end(const struct server *server, size_t worker, const void *result)
{
    if (result != server->workers[worker]) {
        LOG_EVENT(LOG_LEVEL_ERROR, "a worker ended unexpectedly, and so does the process",
                  LOG_NUMBER("worker", (int64_t)worker), LOG_NUMBER("pid", getpid()));
        _exit(EXIT_FAILURE); // exit() would run while other workers do
    }
}

static void expect_running(bool runs, struct str name)
{
    if (!runs) {
        LOG_EVENT(LOG_LEVEL_ERROR, "a worker ended unexpectedly, and so does the process",
                  LOG_TEXT("worker", name), LOG_NUMBER("pid", getpid()));
        _exit(EXIT_FAILURE);
    }
}

// Without them failed hosts would stay unused, and requests that wait without an answer.
static void expect_helpers(const struct server *server)
{
    expect_running(prober_thread_runs(server->prober), STR("prober"));
    expect_running(waiting_room_runs(server->shared->waiting_room), STR("waiting room"));
}

// Returns how many workers have ended, all of them in the expected way.
static size_t count_ended(struct server *server)
{
    size_t ended = 0;
    for (size_t i = 0; i < server->count; i++) {
        void *result;
        if (!server->is_joined[i] && pthread_tryjoin_np(server->threads[i], &result) == 0) {
            expect_orderly_end(server, i, result);
            server->is_joined[i] = true;
        }
        ended += server->is_joined[i];
    }
    return ended;
}

static void tick(struct server *server)
{
    report_progress(server);
    feed_watchdog(server);
    loop_sweep(server->shared->loop);
    db_deadline_enforce(db_health_deadlines(server->shared->health), clock_monotonic_us());
    refusals_report(server->shared->refusals, clock_monotonic_us());
    shed_load(server);
}

// Shorter while all workers are stuck, so that clients are refused without delay.
static int tick_ms(struct server *server)
{
    return is_stuck(server) ? STUCK_TICK_MS : TICK_MS;
}

// ---- ending ----

static void free_server(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        worker_free(server->workers[i]);
    }
    worker_free(server->overload_responder);
    free(server->workers);
    free(server->threads);
    free(server->is_joined);
    loop_free(server->shared->loop);
    close(server->signal_fd);
}

// Serves what has begun until all is done (true) or the time is over (false).
static bool drain(struct server *server)
{
    while (!prober_thread_has_ended(&server->prober) || count_ended(server) < server->count ||
           !waiting_room_has_ended(&server->shared->waiting_room)) {
        if (clock_monotonic_us() >= server->drain_end_us) {
            return false;
        }
        take_signals(server, DRAIN_TICK_MS);
        tick(server);
    }
    return true;
}

int server_run(const struct server_options *options, struct worker_shared *shared)
{
    struct server server = {
        .options = options, .shared = shared, .progress = {.looked_us = clock_monotonic_us()}};
    struct snapshot *const snapshot = snapshot_take(shared->snapshots);
    const int started = start(&server, snapshot->conf);
    snapshot_drop(snapshot);
    if (started != 0) {
        return EXIT_FAILURE; // threads may be running; the process exits next
    }
    while (server.drain_end_us == 0) {
        take_signals(&server, tick_ms(&server));
        (void)count_ended(&server); // only to detect a worker that ended unexpectedly
        expect_helpers(&server);
        tick(&server);
    }
    if (!drain(&server)) {
        LOG_EVENT(LOG_LEVEL_WARNING, "stopped with requests unfinished: drain_timeout is over",
                  LOG_NUMBER("connections", (int64_t)loop_connections(shared->loop)));
        loop_abandon(shared->loop);
        _exit(EXIT_SUCCESS); // workers may still be waiting for the database
    }
    LOG_EVENT(LOG_LEVEL_INFO, "stopped", LOG_NUMBER("pid", getpid()));
    free_server(&server);
    return EXIT_SUCCESS;
}
