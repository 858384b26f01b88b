// SPDX-License-Identifier: MIT
#include "support.h"

#include "conf/conf.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- comparing ----

// cmocka's _fail does not return; the abort tells the compiler so.
static void fail_at(const char *file, int line)
{
    _fail(file, line);
    abort();
}

void support_assert_text(struct str actual, const char *expected, const char *row, const char *file,
                         int line)
{
    if (str_equal(actual, str_from(expected))) {
        return;
    }
    print_error("%s%s\"%.*s\" (%zu bytes) instead of \"%s\"\n", row, row[0] == '\0' ? "" : ": ",
                (int)actual.len, actual.ptr == NULL ? "" : actual.ptr, actual.len,
                expected == NULL ? "(absent)" : expected);
    fail_at(file, line);
}

void support_check(bool condition, const char *row, const char *text, const char *file, int line)
{
    if (!condition) {
        print_error("%s: not true: %s\n", row, text);
        fail_at(file, line);
    }
}

void support_check_number(long long actual, long long expected, const char *row, const char *text,
                          const char *file, int line)
{
    if (actual != expected) {
        print_error("%s: %s is %lld instead of %lld\n", row, text, actual, expected);
        fail_at(file, line);
    }
}

bool has_text(struct str text, const char *needle)
{
    return memmem(text.ptr, text.len, needle, strlen(needle)) != NULL;
}

// ---- a sink ----

struct sink *sink_new(void)
{
    struct sink *const sink = calloc(1, sizeof *sink);
    assert_non_null(sink);
    sink->bytes = malloc(SINK_BYTES + 1);
    assert_non_null(sink->bytes);
    sink_clear(sink);
    return sink;
}

void sink_free(struct sink *sink)
{
    free(sink->bytes);
    free(sink);
}

void sink_clear(struct sink *sink)
{
    *sink = (struct sink){.bytes = sink->bytes};
    sink->bytes[0] = '\0';
}

int sink_take(void *context, char *bytes, size_t len, bool is_last)
{
    struct sink *const sink = context;
    sink->calls++;
    sink->is_finished = is_last;
    if (sink->fail_at != 0 && sink->calls >= sink->fail_at) {
        return -1;
    }
    sink->largest = len > sink->largest ? len : sink->largest;
    sink->total += len;
    if (!sink->is_discarding) {
        assert_true(len <= SINK_BYTES - sink->len);
        memcpy(sink->bytes + sink->len, bytes, len);
        sink->len += len;
        sink->bytes[sink->len] = '\0';
    }
    return 0;
}

struct str sink_text(const struct sink *sink)
{
    return (struct str){sink->bytes, sink->len};
}

// ---- JSON ----

static struct json_object *parse_with(int flags, struct str text)
{
    json_tokener *const tokener = json_tokener_new_ex(512);
    json_tokener_set_flags(tokener, flags);
    struct json_object *const object = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    const enum json_tokener_error error = json_tokener_get_error(tokener);
    const bool is_all = json_tokener_get_parse_end(tokener) == text.len;
    json_tokener_free(tokener);
    if (error != json_tokener_success || !is_all) {
        print_error("not JSON (%s): %.*s\n", json_tokener_error_desc(error),
                    text.len < 2000 ? (int)text.len : 2000, text.ptr);
        fail();
    }
    return object;
}

static void expect_strict_json(struct str text)
{
    char *const ascii = malloc(text.len + 1);
    assert_non_null(ascii);
    for (size_t i = 0; i < text.len; i++) {
        ascii[i] = (unsigned char)text.ptr[i] < 0x80 ? text.ptr[i] : 'x';
    }
    json_object_put(parse_with(JSON_TOKENER_STRICT, (struct str){ascii, text.len}));
    free(ascii);
}

// In two steps: the strict mode of json-c 0.18 takes all bytes above 0x7F for control characters.
struct json_object *parse_json(struct str text)
{
    expect_strict_json(text);
    return parse_with(JSON_TOKENER_VALIDATE_UTF8, text);
}

struct json_object *json_at(struct json_object *object, const char *path)
{
    struct str rest = str_from(path);
    while (!str_is_absent(rest)) {
        const struct str step = str_cut(&rest, '/');
        char name[128];
        assert_true(step.len < sizeof name);
        memcpy(name, step.ptr, step.len);
        name[step.len] = '\0';
        struct json_object *next = NULL;
        if (!json_object_object_get_ex(object, name, &next)) {
            print_error("no member %s of %s\n", name, path);
            fail();
        }
        object = next;
    }
    return object;
}

const char *json_text(struct json_object *object, const char *path)
{
    return json_object_get_string(json_at(object, path));
}

int64_t json_number(struct json_object *object, const char *path)
{
    struct json_object *const number = json_at(object, path);
    assert_true(json_object_is_type(number, json_type_int));
    return json_object_get_int64(number);
}

// ---- configurations ----

struct conf *load_conf(char *const *variables)
{
    static char *const nothing[] = {NULL};
    struct conf *const conf =
        conf_load(NULL, variables == NULL ? nothing : variables, print_mistake, NULL);
    assert_non_null(conf);
    return conf;
}

void print_mistake(void *context, const char *sentence)
{
    (void)context;
    print_error("configuration: %s\n", sentence);
}

// ---- files ----

char *scratch_new(void)
{
    const char *const base = getenv("TMPDIR");
    char *folder = NULL;
    assert_true(asprintf(&folder, "%s/bkflow-unit-XXXXXX", base == NULL ? "/tmp" : base) > 0);
    assert_non_null(mkdtemp(folder));
    return folder;
}

void scratch_free(char *folder)
{
    DIR *const listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (entry->d_name[0] != '.') {
            char *const path = scratch_path(folder, entry->d_name);
            unlink(path);
            free(path);
        }
    }
    closedir(listing);
    rmdir(folder);
    free(folder);
}

char *scratch_path(const char *folder, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

char *scratch_write(const char *folder, const char *name, const char *text)
{
    char *const path = scratch_path(folder, name);
    FILE *const file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

char *read_whole_file(const char *path)
{
    FILE *const file = fopen(path, "re");
    assert_non_null(file);
    char *text = NULL;
    size_t len = 0;
    FILE *const memory = open_memstream(&text, &len);
    assert_non_null(memory);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        putc(c, memory);
    }
    fclose(file);
    fclose(memory);
    return text;
}

// ---- memory ----

char *guarded_new(size_t size)
{
    assert_true(size <= GUARDED_MAX);
    char *const block =
        mmap(NULL, 2 * GUARDED_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    assert_int_equal(mprotect(block + GUARDED_MAX, GUARDED_MAX, PROT_NONE), 0);
    return block + GUARDED_MAX - size;
}

void guarded_free(char *bytes, size_t size)
{
    assert_int_equal(munmap(bytes + size - GUARDED_MAX, 2 * GUARDED_MAX), 0);
}

struct str guarded_copy(struct str text)
{
    char *const copy = guarded_new(text.len);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return (struct str){copy, text.len};
}

void guarded_free_copy(struct str copy)
{
    guarded_free((char *)(uintptr_t)copy.ptr, copy.len);
}

// ---- processes ----

// Without this, cmocka would catch a crash of the child and run the remaining tests again there.
static void let_crashes_end_the_process(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        signal(signals[i], SIG_DFL);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

int run_in_child(int (*function)(void *context), void *context)
{
    fflush(stdout); // otherwise the child would write it again
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        let_crashes_end_the_process();
        exit(function(context)); // not _exit: the leak checker works at exit
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? CHILD_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

// ---- chance ----

uint64_t dice_roll(struct dice *dice)
{
    uint64_t x = dice->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    dice->state = x;
    return x * UINT64_C(2685821657736338717);
}
