// SPDX-License-Identifier: MIT
#include "base/metrics.h"
#include "support.h"

#include <inttypes.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 2, OTHERS = 1, SHARDS = WORKERS + OTHERS };

struct fixture {
    struct metrics *metrics;
    struct sink *sink;
};

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture.metrics = metrics_new(WORKERS, OTHERS, "1.2.3", INT64_C(1700000000500000));
    fixture.sink = sink_new();
    assert_non_null(fixture.metrics);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_free(fixture.metrics);
    sink_free(fixture.sink);
    return 0;
}

static struct str scrape(void)
{
    char buffer[OUTBUF_MIN_CAPACITY];
    struct outbuf out;
    sink_clear(fixture.sink);
    outbuf_init(&out, buffer, sizeof buffer, sink_take, fixture.sink);
    metrics_write(fixture.metrics, &out);
    assert_int_equal(outbuf_flush(&out), 0);
    return sink_text(fixture.sink);
}

// Returns the value of SAMPLE, a metric's name with its labels, in the last scrape.
static double sample(const char *name)
{
    struct str rest = sink_text(fixture.sink);
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        const size_t len = strlen(name);
        if (line.len > len && memcmp(line.ptr, name, len) == 0 && line.ptr[len] == ' ') {
            return strtod(line.ptr + len, NULL);
        }
    }
    fail_msg("no sample %s", name);
    return 0;
}

#define assert_sample(name, expected) assert_true(sample(name) == (double)(expected))

static void counters_are_summed_over_the_shards(void **state)
{
    (void)state;
    uint64_t n = 1;
#define ADD(member, name, help)                                                                    \
    for (size_t shard = 0; shard < SHARDS; shard++) {                                              \
        metrics_add(&fixture.metrics->shards[shard].member, n);                                    \
        n *= 2;                                                                                    \
    }
    METRICS_COUNTERS(ADD)
#undef ADD
    scrape();
    n = 7; // 1 + 2 + 4
#define EXPECT(member, name, help)                                                                 \
    assert_sample(name, n);                                                                        \
    n *= 8;
    METRICS_COUNTERS(EXPECT)
#undef EXPECT
}

static void every_outcome_is_counted_under_its_status_and_cause(void **state)
{
    (void)state;
    for (int outcome = 0; outcome < METRICS_OUTCOMES; outcome++) {
        for (int times = 0; times <= outcome; times++) {
            metrics_request(&fixture.metrics->shards[times % SHARDS], outcome, 1);
        }
    }
    scrape();
    assert_sample("bkflow_states_requests_total{status=\"200\",cause=\"ok\"}", METRICS_OK + 1);
    assert_sample("bkflow_states_requests_total{status=\"304\",cause=\"not_modified\"}",
                  METRICS_NOT_MODIFIED + 1);
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        char name[200];
        snprintf(name, sizeof name, "bkflow_states_requests_total{status=\"%d\",cause=\"%s\"}",
                 error_status((enum error_kind)kind), error_label((enum error_kind)kind));
        assert_sample(name, METRICS_FAILED + kind + 1);
    }
}

static void buckets_are_cumulative_and_include_their_limit(void **state)
{
    (void)state;
    static const int64_t durations_us[] = {
        0, 250, 251, 500, 10000000, 10000001, INT64_C(3600000000)};
    for (size_t i = 0; i < COUNT_OF(durations_us); i++) {
        metrics_request(&fixture.metrics->shards[i % SHARDS], METRICS_OK, durations_us[i]);
    }
    scrape();
#define BUCKET "bkflow_states_request_duration_seconds_bucket"
    assert_sample(BUCKET "{le=\"0.00025\"}", 2);
    assert_sample(BUCKET "{le=\"0.0005\"}", 4);
    assert_sample(BUCKET "{le=\"0.001\"}", 4);
    assert_sample(BUCKET "{le=\"2.5\"}", 4);
    assert_sample(BUCKET "{le=\"10\"}", 5);
    assert_sample(BUCKET "{le=\"+Inf\"}", 7);
    assert_sample("bkflow_states_request_duration_seconds_count", 7);
    assert_sample("bkflow_states_request_duration_seconds_sum", 3620.001002);
}

static void groups_are_counted_by_number_of_requests(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1, 2, 3, 4, 5, 8, 9, 16};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        metrics_group(&fixture.metrics->shards[i % SHARDS], sizes[i]);
    }
    scrape();
#define GROUPS "bkflow_states_group_requests"
    assert_sample(GROUPS "_bucket{le=\"1\"}", 2);
    assert_sample(GROUPS "_bucket{le=\"2\"}", 3);
    assert_sample(GROUPS "_bucket{le=\"4\"}", 5);
    assert_sample(GROUPS "_bucket{le=\"8\"}", 7);
    assert_sample(GROUPS "_bucket{le=\"16\"}", 9);
    assert_sample(GROUPS "_bucket{le=\"+Inf\"}", 9);
    assert_sample(GROUPS "_sum", 49);
    assert_sample(GROUPS "_count", 9);
}

static unsigned count_ascending_buckets(const char *mark)
{
    double last = 0;
    unsigned buckets = 0;
    struct str rest = scrape();
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        const char *const at = memmem(line.ptr, line.len, mark, strlen(mark));
        if (at != NULL) {
            const double limit = strtod(at + strlen(mark), NULL); // accepts +Inf too
            assert_true(limit > last);
            last = limit;
            buckets++;
        }
    }
    return buckets;
}

static void the_limits_of_buckets_ascend(void **state)
{
    (void)state;
    assert_int_equal(count_ascending_buckets(BUCKET "{le=\""), METRICS_BUCKETS + 1);
    assert_int_equal(count_ascending_buckets(GROUPS "_bucket{le=\""), METRICS_GROUP_BUCKETS + 1);
}

static void gauges_show_workers_start_and_version(void **state)
{
    (void)state;
    atomic_store(&fixture.metrics->shards[1].busy, true);
    atomic_store(&fixture.metrics->shards[2].busy, true);
    scrape();
    assert_sample("bkflow_states_workers", WORKERS);
    assert_sample("bkflow_states_workers_busy", 2);
    assert_sample("bkflow_states_start_time_seconds", 1700000000.5);
    assert_sample("bkflow_states_build_info{version=\"1.2.3\"}", 1);
}

// The Prometheus text format, version 0.0.4: comments and samples, each family begins with help and
// type.
static void every_line_is_in_the_text_format(void **state)
{
    (void)state;
    static const char pattern[] =
        "^(# (HELP|TYPE) [a-z_]+ .+"
        "|[a-z_]+(\\{[a-z]+=\"[^\"\\]*\"(,[a-z]+=\"[^\"\\]*\")*\\})? [0-9]+(\\.[0-9]+)?)$";
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    struct str rest = scrape();
    assert_int_equal(rest.ptr[rest.len - 1], '\n');
    while (rest.len > 0) {
        const struct str cut = str_cut(&rest, '\n');
        char *const line = strndup(cut.ptr, cut.len);
        check(line, regexec(&compiled, line, 0, NULL, 0) == 0);
        free(line);
    }
    regfree(&compiled);
}

// Returns "bkflow_states_x_total" for a line "# TYPE bkflow_states_x_total counter"; else absent.
static struct str declared_family(struct str line)
{
    if (!str_starts_with(line, STR("# TYPE "))) {
        return STR_ABSENT;
    }
    struct str rest = str_skip(line, 7);
    return str_cut(&rest, ' ');
}

static void every_sample_follows_its_family(void **state)
{
    (void)state;
    struct str family = STR("(none)");
    struct str rest = scrape();
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        const struct str declared = declared_family(line);
        if (!str_is_absent(declared)) {
            family = declared;
        } else if (line.ptr[0] != '#') {
            check(line.ptr, str_starts_with(line, family));
        }
    }
}

static void each_family_is_declared_once(void **state)
{
    (void)state;
    struct str families[64];
    size_t count = 0;
    struct str rest = scrape();
    while (rest.len > 0) {
        const struct str declared = declared_family(str_cut(&rest, '\n'));
        if (str_is_absent(declared)) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            assert_false(str_equal(families[i], declared));
        }
        assert_true(count < COUNT_OF(families));
        families[count++] = declared;
    }
    assert_true(count >= 10);
}

static void counters_are_named_as_counters(void **state)
{
    (void)state;
    struct str rest = scrape();
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        const struct str family = declared_family(line);
        if (!str_is_absent(family) && has_text(line, " counter")) {
            check(family.ptr,
                  family.len > 6 && memcmp(family.ptr + family.len - 6, "_total", 6) == 0);
        }
    }
}

enum { REQUESTS_OF_THREAD = 50000 };

static void *count_requests(void *shard)
{
    for (unsigned i = 0; i < REQUESTS_OF_THREAD; i++) {
        metrics_request(shard, METRICS_OK, i);
    }
    return NULL;
}

static void scraping_while_threads_count_loses_nothing(void **state)
{
    (void)state;
    pthread_t threads[SHARDS];
    for (size_t i = 0; i < SHARDS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_requests, &fixture.metrics->shards[i]), 0);
    }
    scrape();
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_join(threads[i], NULL);
    }
    scrape();
    assert_sample("bkflow_states_requests_total{status=\"200\",cause=\"ok\"}",
                  SHARDS * REQUESTS_OF_THREAD);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(counters_are_summed_over_the_shards),
        WITH_FIXTURE(every_outcome_is_counted_under_its_status_and_cause),
        WITH_FIXTURE(buckets_are_cumulative_and_include_their_limit),
        WITH_FIXTURE(groups_are_counted_by_number_of_requests),
        WITH_FIXTURE(the_limits_of_buckets_ascend),
        WITH_FIXTURE(gauges_show_workers_start_and_version),
        WITH_FIXTURE(every_line_is_in_the_text_format),
        WITH_FIXTURE(every_sample_follows_its_family),
        WITH_FIXTURE(each_family_is_declared_once),
        WITH_FIXTURE(counters_are_named_as_counters),
        WITH_FIXTURE(scraping_while_threads_count_loses_nothing),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
