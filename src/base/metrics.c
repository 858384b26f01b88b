// SPDX-License-Identifier: MIT
#include "base/metrics.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t bucket_limits_us[METRICS_BUCKETS] = {
    250,   500,    1000,   2500,   5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

struct metrics *metrics_new(size_t workers, size_t others, const char *version, int64_t start_us)
{
    const size_t shards = workers + others;
    struct metrics *const metrics =
        calloc(1, sizeof(struct metrics) + shards * sizeof(struct metrics_shard));
    if (metrics == NULL) {
        return NULL;
    }
    metrics->version = version;
    metrics->start_us = start_us;
    atomic_init(&metrics->workers, workers);
    metrics->count = shards;
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

void metrics_request(struct metrics_shard *shard, int outcome, int64_t duration_us)
{
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS && duration_us > bucket_limits_us[bucket]) {
        bucket++;
    }
    metrics_add(&shard->outcomes[outcome], 1);
    metrics_add(&shard->buckets[bucket], 1);
    metrics_add(&shard->duration_us, (uint64_t)duration_us);
}

void metrics_group(struct metrics_shard *shard, size_t count)
{
    size_t bucket = 0;
    while (bucket + 1 < METRICS_GROUP_BUCKETS && count > (size_t)1 << bucket) {
        bucket++;
    }
    metrics_add(&shard->groups[bucket], 1);
    metrics_add(&shard->grouped, count);
}

static void put(struct outbuf *out, const char *format, ...) PRINTF_LIKE(2, 3);

static void put(struct outbuf *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    outbuf_write(out, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

static void put_head(struct outbuf *out, const char *name, const char *type, const char *help)
{
    put(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// Sums a member over all shards. The member is given by its offset in a shard.
static uint64_t sum(const struct metrics *metrics, size_t offset)
{
    uint64_t total = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        const char *const shard = (const char *)&metrics->shards[i];
        const atomic_uint_fast64_t *const counter = (const void *)(shard + offset);
        total += atomic_load_explicit(counter, memory_order_relaxed);
    }
    return total;
}

static uint64_t sum_outcome(const struct metrics *metrics, size_t outcome)
{
    return sum(metrics,
               offsetof(struct metrics_shard, outcomes) + outcome * sizeof(atomic_uint_fast64_t));
}

static void put_outcome(const struct metrics *metrics, struct outbuf *out, size_t outcome,
                        int status, const char *cause)
{
    put(out, "bkflow_states_requests_total{status=\"%d\",cause=\"%s\"} %" PRIu64 "\n", status,
        cause, sum_outcome(metrics, outcome));
}

static void put_requests(const struct metrics *metrics, struct outbuf *out)
{
    put_head(out, "bkflow_states_requests_total", "counter",
             "Requests answered, by status and cause.");
    put_outcome(metrics, out, METRICS_OK, 200, "ok");
    put_outcome(metrics, out, METRICS_NOT_MODIFIED, 304, "not_modified");
    for (size_t kind = 0; kind < ERR_KIND_COUNT; kind++) {
        put_outcome(metrics, out, METRICS_FAILED + kind, error_status((enum error_kind)kind),
                    error_label((enum error_kind)kind));
    }
}

static uint64_t sum_bucket(const struct metrics *metrics, size_t bucket)
{
    return sum(metrics,
               offsetof(struct metrics_shard, buckets) + bucket * sizeof(atomic_uint_fast64_t));
}

static void put_durations(const struct metrics *metrics, struct outbuf *out)
{
    static const char name[] = "bkflow_states_request_duration_seconds";
    put_head(
        out, name, "histogram",
        "From the complete request to the last byte handed over, without the wait for a change.");
    uint64_t count = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += sum_bucket(metrics, i);
        put(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)bucket_limits_us[i] / 1e6,
            count);
    }
    count += sum_bucket(metrics, METRICS_BUCKETS);
    put(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    const uint64_t total_us = sum(metrics, offsetof(struct metrics_shard, duration_us));
    put(out, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)total_us / 1e6, name, count);
}

static void put_groups(const struct metrics *metrics, struct outbuf *out)
{
    static const char name[] = "bkflow_states_group_requests";
    put_head(out, name, "histogram", "Requests that a worker answered together.");
    uint64_t count = 0;
    for (size_t i = 0; i < METRICS_GROUP_BUCKETS; i++) {
        count +=
            sum(metrics, offsetof(struct metrics_shard, groups) + i * sizeof(atomic_uint_fast64_t));
        put(out, "%s_bucket{le=\"%d\"} %" PRIu64 "\n", name, 1 << i, count);
    }
    put(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    const uint64_t requests = sum(metrics, offsetof(struct metrics_shard, grouped));
    put(out, "%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n", name, requests, name, count);
}

// A sum of durations and their number.
static void put_summary(const struct metrics *metrics, struct outbuf *out, const char *name,
                        const char *help, size_t us_offset, size_t count_offset)
{
    put_head(out, name, "summary", help);
    put(out, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)sum(metrics, us_offset) / 1e6,
        name, sum(metrics, count_offset));
}

static void put_waits(const struct metrics *metrics, struct outbuf *out)
{
    static const char *const ends[METRICS_WAIT_ENDS] = {
        [METRICS_WAIT_CHANGE] = "change",   [METRICS_WAIT_TIME] = "time",
        [METRICS_WAIT_ENDED] = "ended",     [METRICS_WAIT_GONE] = "gone",
        [METRICS_WAIT_NO_ROOM] = "no_room",
    };
    put_head(out, "bkflow_states_waits_total", "counter",
             "Requests that waited for a change, or had no room to, by what ended it.");
    for (size_t end = 0; end < METRICS_WAIT_ENDS; end++) {
        put(out, "bkflow_states_waits_total{end=\"%s\"} %" PRIu64 "\n", ends[end],
            sum(metrics,
                offsetof(struct metrics_shard, waits) + end * sizeof(atomic_uint_fast64_t)));
    }
    put_summary(metrics, out, "bkflow_states_wait_answer_seconds",
                "From seeing a change to the answer of a request that waited for it.",
                offsetof(struct metrics_shard, wake_us),
                offsetof(struct metrics_shard, wake_count));
    put_summary(metrics, out, "bkflow_states_watch_tick_seconds",
                "Time in the database for looking at all watched tasks once.",
                offsetof(struct metrics_shard, watch_us),
                offsetof(struct metrics_shard, watch_ticks));
}

static void put_counter(struct outbuf *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, "counter", help);
    put(out, "%s %" PRIu64 "\n", name, value);
}

static void put_gauge(struct outbuf *out, const char *name, const char *help, double value)
{
    put_head(out, name, "gauge", help);
    put(out, "%s %.3f\n", name, value);
}

static size_t busy_shards(const struct metrics *metrics)
{
    size_t busy = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        busy += atomic_load_explicit(&metrics->shards[i].busy, memory_order_relaxed);
    }
    return busy;
}

void metrics_write(const struct metrics *metrics, struct outbuf *out)
{
    put_requests(metrics, out);
    put_durations(metrics, out);
    put_groups(metrics, out);
#define METRICS_PUT(member, name, help)                                                            \
    put_counter(out, name, help, sum(metrics, offsetof(struct metrics_shard, member)));
    METRICS_COUNTERS(METRICS_PUT)
#undef METRICS_PUT
    put_waits(metrics, out);
    put_counter(out, "bkflow_states_log_lost_total", "Log lines that could not be written.",
                log_lost());
    put_gauge(out, "bkflow_states_workers", "Worker threads, the overload responder included.",
              (double)atomic_load(&metrics->workers));
    put_gauge(out, "bkflow_states_workers_busy", "Worker threads that answer a request right now.",
              (double)busy_shards(metrics));
    put_gauge(out, "bkflow_states_waiting_requests", "Requests that wait for a change.",
              (double)atomic_load(&metrics->waiting));
    put_gauge(out, "bkflow_states_watched_tasks", "Tasks that are watched for changes.",
              (double)atomic_load(&metrics->watched));
    put_gauge(out, "bkflow_states_start_time_seconds", "When the process started, Unix time.",
              (double)metrics->start_us / 1e6);
    put_head(out, "bkflow_states_build_info", "gauge", "Always 1; the version as a label.");
    put(out, "bkflow_states_build_info{version=\"%s\"} 1\n", metrics->version);
}
