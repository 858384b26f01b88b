// SPDX-License-Identifier: MIT
#include "base/log.h"
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 };

// While a test runs, standard error is a socket that preserves the boundaries of writes.
static struct {
    int real_stderr;
    int reader;
    char line[LINE_BYTES];
    size_t len;
} capture;

static int set_up(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    capture.real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
    close(pair[1]);
    capture.reader = pair[0];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(dup2(capture.real_stderr, STDERR_FILENO) >= 0);
    close(capture.real_stderr);
    close(capture.reader);
    return 0;
}

// Returns the next write; absent if there was none.
static struct str next_write(void)
{
    const ssize_t got = recv(capture.reader, capture.line, sizeof capture.line - 1, 0);
    if (got < 0) {
        return STR_ABSENT;
    }
    capture.line[got] = '\0';
    return (struct str){capture.line, (size_t)got};
}

static void open_log(const char *target, enum log_level level, enum log_format format)
{
    assert_int_equal(log_open(&(struct log_options){target, level, format}), 0);
}

// Whether the regular expression matches. Standard error is captured, so a failure prints nothing.
static bool matches(struct str text, const char *pattern)
{
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const bool found = !str_is_absent(text) && regexec(&compiled, text.ptr, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

#define TIME_PATTERN "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static void before_log_open_events_are_text_on_standard_error(void **state)
{
    (void)state;
    LOG_EVENT(LOG_LEVEL_INFO, "early", LOG_NUMBER("n", 1));
    assert_true(matches(next_write(), TIME_PATTERN " info: early n=1\n$"));
    assert_false(log_wants(LOG_LEVEL_DEBUG));
}

static void a_text_line_has_time_level_message_and_fields(void **state)
{
    (void)state;
    open_log("stderr", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    LOG_EVENT(LOG_LEVEL_WARNING, "slow query", LOG_NUMBER("task_id", -5),
              LOG_TEXT("app", STR("demo_app")), LOG_TEXT("detail", STR("two words")));
    assert_true(matches(next_write(), TIME_PATTERN
                        " warning: slow query task_id=-5 app=demo_app detail=\"two words\"\n$"));
}

static void each_level_has_its_name(void **state)
{
    (void)state;
    static const char *const patterns[] = {"Z error: m\n$", "Z warning: m\n$", "Z info: m\n$",
                                           "Z debug: m\n$"};
    open_log("stderr", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_event(level, "m", NULL, 0);
        assert_true(matches(next_write(), patterns[level]));
    }
}

static void the_time_is_now_in_utc(void **state)
{
    (void)state;
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const time_t before = time(NULL);
    log_event(LOG_LEVEL_INFO, "m", NULL, 0);
    const struct str line = next_write();
    struct tm read = {0};
    assert_non_null(strptime(line.ptr, "%Y-%m-%dT%H:%M:%S", &read));
    assert_uint_in_range(timegm(&read), before, time(NULL) + 1);
}

static void ambiguous_values_are_quoted(void **state)
{
    (void)state;
    static const struct {
        struct str value;
        const char *pattern;
    } rows[] = {
        {STR("plain"), " v=plain\n$"},
        {STR("/path:1-2,x@y+z_.0"), " v=/path:1-2,x@y\\+z_\\.0\n$"},
        {STR(""), " v=\"\"\n$"},
        {STR("two words"), " v=\"two words\"\n$"},
        {STR("a=b"), " v=\"a=b\"\n$"},
        {STR("say \"x\""), " v=\"say \\\\\"x\\\\\"\"\n$"},
        {STR("back\\slash"), " v=\"back\\\\\\\\slash\"\n$"},
        {STR("line\nbreak"), " v=\"line\\\\u000abreak\"\n$"},
        {STR("cr\rlf"), " v=\"cr\\\\u000dlf\"\n$"},
        {STR("esc\x1B[2J"), " v=\"esc\\\\u001b\\[2J\"\n$"},
        {STR("del\x7F"), " v=\"del\\\\u007f\"\n$"},
        {STR("nul\0x"), " v=\"nul\\\\u0000x\"\n$"},
        {STR("bad\xFFx"), " v=\"bad\\\\ufffdx\"\n$"},
        {STR("任务"), " v=\"任务\"\n$"},
        {STR("next\xC2\x85line"), " v=\"next\\\\u0085line\"\n$"},
        {STR("csi\xC2\x9B[J"), " v=\"csi\\\\u009b\\[J\"\n$"},
        {STR("turned\xE2\x80\xAEround"), " v=\"turned\\\\u202eround\"\n$"},
        {STR("no\xE2\x80\x8Bwidth"), " v=\"no\\\\u200bwidth\"\n$"},
        {STR("line\xE2\x80\xA8separator"), " v=\"line\\\\u2028separator\"\n$"},
        {STR("mark\xEF\xBB\xBF"), " v=\"mark\\\\ufeff\"\n$"},
        {STR("tag\xF3\xA0\x81\x81"), " v=\"tag\\\\udb40\\\\udc41\"\n$"},
        {STR("\xF0\x9F\x98\x80 seen"), " v=\"\xF0\x9F\x98\x80 seen\"\n$"},
    };
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("v", rows[i].value));
        if (!matches(next_write(), rows[i].pattern)) {
            fail_msg("row %zu: %s", i, capture.line);
        }
    }
}

static bool is_one_clean_line(struct str line)
{
    for (size_t i = 0; i + 1 < line.len; i++) {
        const unsigned char byte = (unsigned char)line.ptr[i];
        if (byte < 0x20 || byte == 0x7F) {
            return false;
        }
    }
    return line.len > 0 && line.ptr[line.len - 1] == '\n';
}

static void no_byte_of_a_value_can_forge_a_line(void **state)
{
    (void)state;
    for (enum log_format format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        open_log("stderr", LOG_LEVEL_INFO, format);
        for (unsigned byte = 0; byte < 256; byte++) {
            const char value[] = {'a', (char)byte, 'b'};
            LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("v", ((struct str){value, 3})));
            assert_true(is_one_clean_line(next_write()));
        }
    }
}

// ---- JSON ----

static struct json_object *next_json(void)
{
    struct str line = next_write();
    assert_true(line.len > 0 && line.ptr[line.len - 1] == '\n');
    line.len--;
    return parse_json(line);
}

static void a_json_line_has_the_same_members(void **state)
{
    (void)state;
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_EVENT(LOG_LEVEL_ERROR, "say \"x\"", LOG_NUMBER("task_id", INT64_MIN),
              LOG_TEXT("app", STR("a\"b\\c\nd")), LOG_TEXT("none", STR("")));
    struct json_object *const event = next_json();
    assert_true(matches(str_from(json_text(event, "time")), TIME_PATTERN "$"));
    assert_string_equal(json_text(event, "level"), "error");
    assert_string_equal(json_text(event, "message"), "say \"x\"");
    assert_int_equal(json_number(event, "task_id"), INT64_MIN);
    assert_string_equal(json_text(event, "app"), "a\"b\\c\nd");
    assert_string_equal(json_text(event, "none"), "");
    json_object_put(event);
}

static void random_values_make_json_lines(void **state)
{
    (void)state;
    struct dice dice = {3};
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (unsigned round = 0; round < 2000; round++) {
        char bytes[100];
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (char)dice_roll(&dice);
        }
        LOG_EVENT(LOG_LEVEL_INFO, "m",
                  LOG_TEXT("v", ((struct str){bytes, dice_below(&dice, sizeof bytes)})),
                  LOG_NUMBER("behind", round));
        struct json_object *const event = next_json();
        assert_int_equal(json_number(event, "behind"), round);
        json_object_put(event);
    }
}

// Returns LEN bytes of FILLING, repeated.
static struct str long_text(const char *filling, size_t len)
{
    static char value[6000];
    const size_t unit = strlen(filling);
    assert_true(len <= sizeof value);
    for (size_t i = 0; i < len; i++) {
        value[i] = filling[i % unit];
    }
    return (struct str){value, len};
}

static void however_long_a_value_is_the_line_is_json_with_every_field(void **state)
{
    (void)state;
    static const char *const fillings[] = {"x",  "\n",           "\xFF",
                                           "任", "\xE2\x80\xAE", "\xF3\xA0\x81\x81"};
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t f = 0; f < COUNT_OF(fillings); f++) {
        for (size_t len = 0; len <= 6000; len += 13) {
            const struct str value = long_text(fillings[f], len);
            LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("first", value),
                      LOG_TEXT("second", ((struct str){value.ptr, len / 2})),
                      LOG_NUMBER("third", 3), LOG_TEXT("fourth", STR("short")));
            struct json_object *const event = next_json();
            assert_true(len == 0 || json_object_get_string_len(json_at(event, "first")) > 0);
            assert_true(len < 2 || json_object_get_string_len(json_at(event, "second")) > 0);
            assert_int_equal(json_number(event, "third"), 3);
            assert_string_equal(json_text(event, "fourth"), "short");
            json_object_put(event);
        }
    }
}

static void a_truncated_value_is_marked_and_uses_all_room(void **state)
{
    (void)state;
    for (enum log_format format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        open_log("stderr", LOG_LEVEL_INFO, format);
        LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("v", long_text("x", 6000)),
                  LOG_TEXT("after", STR("this")));
        const struct str line = next_write();
        assert_true(has_text(line, "xxx...\""));
        assert_true(has_text(line, "this"));
        assert_true(line.len > 3000 && line.len <= 4096);
    }
}

static void a_value_that_just_fits_is_complete(void **state)
{
    (void)state;
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    size_t whole = 0;
    for (size_t len = 3900; len < 4096; len++) {
        LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("v", long_text("x", len)), LOG_NUMBER("n", 7));
        struct json_object *const event = next_json();
        const size_t got = (size_t)json_object_get_string_len(json_at(event, "v"));
        whole = got == len ? len : whole;
        assert_true(got == len || strcmp(json_text(event, "v") + got - 3, "...") == 0);
        json_object_put(event);
    }
    assert_true(whole > 3950);
}

static void a_long_message_is_truncated_and_the_line_is_json(void **state)
{
    (void)state;
    static char message[6000];
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    memset(message, '"', sizeof message - 1);
    log_event(LOG_LEVEL_INFO, message, NULL, 0);
    struct json_object *const event = next_json();
    assert_true(json_object_get_string_len(json_at(event, "message")) > 1000);
    json_object_put(event);
}

static void a_long_text_line_is_truncated_to_one_line(void **state)
{
    (void)state;
    static char value[6000];
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t len = 3900; len < sizeof value; len++) {
        memset(value, len % 2 == 0 ? 'x' : '\n', sizeof value);
        LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("v", ((struct str){value, len})),
                  LOG_TEXT("w", STR("more words")));
        assert_true(is_one_clean_line(next_write()));
        assert_true(str_is_absent(next_write()));
    }
}

// ---- levels and targets ----

static void events_below_the_level_are_not_written(void **state)
{
    (void)state;
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        open_log("stderr", level, LOG_FORMAT_TEXT);
        for (enum log_level event = LOG_LEVEL_ERROR; event <= LOG_LEVEL_DEBUG; event++) {
            assert_int_equal(log_wants(event), event <= level);
            log_event(event, "m", NULL, 0);
            assert_int_equal(str_is_absent(next_write()), event > level);
        }
    }
}

static void one_event_is_one_write(void **state)
{
    (void)state;
    static char value[3000];
    memset(value, 'x', sizeof value);
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_TEXT("a", ((struct str){value, sizeof value})),
              LOG_NUMBER("b", 1), LOG_NUMBER("c", 2));
    assert_true(is_one_clean_line(next_write()));
    assert_true(str_is_absent(next_write()));
}

struct file_log {
    char *folder;
    char *target; // "file:/..."
    char *path;
};

static struct file_log file_log_new(void)
{
    struct file_log log = {.folder = scratch_new()};
    log.path = scratch_path(log.folder, "log");
    assert_true(asprintf(&log.target, "file:%s", log.path) > 0);
    open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return log;
}

static void file_log_free(struct file_log *log)
{
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    free(log->path);
    free(log->target);
    scratch_free(log->folder);
}

// Returns the number of lines; each must end with " n=NUMBER", as these tests write them.
static unsigned count_lines(const char *path)
{
    char *const text = read_whole_file(path);
    unsigned lines = 0;
    struct str rest = str_from(text);
    while (rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');
        assert_true(memmem(line.ptr, line.len, "Z info: m n=", 12) != NULL);
        lines++;
    }
    free(text);
    return lines;
}

static void log_numbers(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        LOG_EVENT(LOG_LEVEL_INFO, "m", LOG_NUMBER("n", i));
    }
}

static void a_file_is_created_and_appended_to(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    log_numbers(3);
    assert_int_equal(count_lines(log.path), 3);
    open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_numbers(2);
    assert_int_equal(count_lines(log.path), 5);
    assert_true(str_is_absent(next_write()));
    file_log_free(&log);
}

static void a_file_is_not_readable_by_everybody(void **state)
{
    (void)state;
    const mode_t before = umask(0);
    struct file_log log = file_log_new();
    umask(before);
    struct stat status;
    assert_int_equal(stat(log.path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    file_log_free(&log);
}

static void reopening_follows_a_rotation(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    char *const old = scratch_path(log.folder, "log.1");
    log_numbers(3);
    assert_int_equal(rename(log.path, old), 0);
    log_numbers(1); // not reopened yet: still the old file
    open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_numbers(2);
    assert_int_equal(count_lines(old), 4);
    assert_int_equal(count_lines(log.path), 2);
    free(old);
    file_log_free(&log);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *const listing = opendir("/proc/self/fd");
    assert_non_null(listing);
    while (readdir(listing) != NULL) {
        count++;
    }
    closedir(listing);
    return count;
}

static void reopening_leaks_no_descriptor(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    const unsigned before = count_descriptors();
    for (unsigned i = 0; i < 20; i++) {
        open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    }
    assert_int_equal(count_descriptors(), before);
    file_log_free(&log);
}

static void only_the_target_stays_if_a_file_cannot_be_opened(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    const struct log_options bad = {"file:/nowhere/at/all/log", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT};
    errno = 0;
    assert_int_equal(log_open(&bad), -1);
    assert_int_equal(errno, ENOENT);
    assert_true(log_wants(LOG_LEVEL_DEBUG));
    log_numbers(2);
    assert_int_equal(count_lines(log.path), 2);
    file_log_free(&log);
}

static struct file_log fifo_log_new(void)
{
    struct file_log log = {.folder = scratch_new()};
    log.path = scratch_path(log.folder, "fifo");
    assert_int_equal(mkfifo(log.path, 0600), 0);
    assert_true(asprintf(&log.target, "file:%s", log.path) > 0);
    return log;
}

static void a_fifo_without_a_reader_is_an_error_at_once(void **state)
{
    (void)state;
    struct file_log log = fifo_log_new();
    const struct log_options options = {log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    assert_int_equal(log_open(&options), -1);
    assert_int_equal(errno, ENXIO);
    file_log_free(&log);
}

// A full FIFO, or one without a reader, loses lines; it takes lines again when it is read.
static void a_fifo_with_a_reader_takes_lines(void **state)
{
    (void)state;
    struct file_log log = fifo_log_new();
    int reader = open(log.path, O_RDONLY | O_NONBLOCK);
    open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const uint64_t before = log_lost();
    log_numbers(1);
    char text[200];
    assert_true(read(reader, text, sizeof text) > 0);
    assert_int_equal(log_lost(), before);
    log_numbers(5000);
    assert_true(log_lost() > before);
    close(reader);
    signal(SIGPIPE, SIG_IGN);
    const uint64_t without_reader = log_lost();
    log_numbers(2);
    assert_int_equal(log_lost(), without_reader + 2);
    reader = open(log.path, O_RDONLY | O_NONBLOCK);
    while (read(reader, text, sizeof text) > 0) { // earlier lines
    }
    log_numbers(1);
    assert_true(read(reader, text, sizeof text) > 0);
    assert_int_equal(log_lost(), without_reader + 2);
    close(reader);
    file_log_free(&log);
}

static void lines_lost_to_a_full_disk_are_counted(void **state)
{
    (void)state;
    open_log("file:/dev/full", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const uint64_t before = log_lost();
    log_numbers(3);
    log_event(LOG_LEVEL_DEBUG, "not wanted, so not lost", NULL, 0);
    assert_int_equal(log_lost() - before, 3);
    open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_numbers(1);
    assert_int_equal(log_lost() - before, 3);
    assert_false(str_is_absent(next_write()));
}

static void with_syslog_nothing_goes_to_standard_error(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    open_log("syslog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_EVENT(LOG_LEVEL_INFO, "test of bkflow-states, to be ignored", LOG_NUMBER("n", 1));
    assert_int_equal(count_lines(log.path), 0);
    assert_true(str_is_absent(next_write()));
    file_log_free(&log);
}

enum { WRITERS = 4, EVENTS_OF_WRITER = 2000 };

static void *write_events(void *argument)
{
    (void)argument;
    log_numbers(EVENTS_OF_WRITER);
    return NULL;
}

static void lines_of_threads_never_mix_or_get_lost_in_a_rotation(void **state)
{
    (void)state;
    struct file_log log = file_log_new();
    pthread_t threads[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_events, NULL), 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        open_log(log.target, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(count_lines(log.path), WRITERS * EVENTS_OF_WRITER);
    file_log_free(&log);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(before_log_open_events_are_text_on_standard_error), // must be the first
        CAPTURED(a_text_line_has_time_level_message_and_fields),
        CAPTURED(each_level_has_its_name),
        CAPTURED(the_time_is_now_in_utc),
        CAPTURED(ambiguous_values_are_quoted),
        CAPTURED(no_byte_of_a_value_can_forge_a_line),
        CAPTURED(a_json_line_has_the_same_members),
        CAPTURED(random_values_make_json_lines),
        CAPTURED(however_long_a_value_is_the_line_is_json_with_every_field),
        CAPTURED(a_truncated_value_is_marked_and_uses_all_room),
        CAPTURED(a_value_that_just_fits_is_complete),
        CAPTURED(a_long_message_is_truncated_and_the_line_is_json),
        CAPTURED(a_long_text_line_is_truncated_to_one_line),
        CAPTURED(events_below_the_level_are_not_written),
        CAPTURED(one_event_is_one_write),
        CAPTURED(a_file_is_created_and_appended_to),
        CAPTURED(a_file_is_not_readable_by_everybody),
        CAPTURED(reopening_follows_a_rotation),
        CAPTURED(reopening_leaks_no_descriptor),
        CAPTURED(only_the_target_stays_if_a_file_cannot_be_opened),
        CAPTURED(a_fifo_without_a_reader_is_an_error_at_once),
        CAPTURED(a_fifo_with_a_reader_takes_lines),
        CAPTURED(lines_lost_to_a_full_disk_are_counted),
        CAPTURED(with_syslog_nothing_goes_to_standard_error),
        CAPTURED(lines_of_threads_never_mix_or_get_lost_in_a_rotation),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
