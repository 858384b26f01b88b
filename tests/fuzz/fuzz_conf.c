// SPDX-License-Identifier: MIT
// Any bytes as a configuration file, and behind the first NUL as the environment's entries, each
// ended by a NUL: they are loaded, or every mistake is named in a sentence. What loads from a file
// prints as a file that loads as the same configuration, and prints the same again.
#include "conf/conf.h"
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { ENTRIES_MAX = 32 };

static void count_complaint(void *context, const char *sentence)
{
    REQUIRE(sentence[0] != '\0');
    ++*(unsigned *)context;
}

// A file in memory with these bytes; its path is written to PATH.
static int make_file(struct str bytes, char path[64])
{
    const int fd = memfd_create("conf", 0);
    REQUIRE(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static struct conf *load(struct str file, char *const *environment)
{
    char path[64];
    unsigned complaints = 0;
    const int fd = make_file(file, path);
    struct conf *const conf = conf_load(path, environment, count_complaint, &complaints);
    close(fd);
    REQUIRE((conf == NULL) == (complaints > 0));
    return conf;
}

static struct str print(const struct conf *conf)
{
    char *text = NULL;
    size_t len = 0;
    FILE *const printed = open_memstream(&text, &len);
    conf_print(conf, printed);
    fclose(printed);
    return (struct str){text, len};
}

static void check_printed(const struct conf *conf)
{
    static char *const nothing[] = {NULL};
    const struct str text = print(conf);
    struct conf *const again = load(text, nothing);
    REQUIRE(again != NULL);
    const struct str text_again = print(again);
    REQUIRE(str_equal(text, text_again));
    char name[CONF_KEY_NAME_MAX];
    unsigned complaints = 0;
    REQUIRE(conf_keep_start_values(again, conf, count_complaint, &complaints) == 0);
    REQUIRE(!conf_next_kept(again, &(size_t){0}, name));
    free((char *)(uintptr_t)text.ptr);
    free((char *)(uintptr_t)text_again.ptr);
    conf_free(again);
}

// The entries of BYTES, terminated; the last one may lack its NUL. To be freed.
static char *split_entries(struct str bytes, char *entries[ENTRIES_MAX + 1])
{
    char *const copy = calloc(bytes.len + 1, 1);
    size_t count = 0;
    REQUIRE(copy != NULL);
    memcpy(copy, bytes.ptr, bytes.len);
    for (size_t at = 0; at < bytes.len && count < ENTRIES_MAX; at += strlen(copy + at) + 1) {
        entries[count++] = copy + at;
    }
    entries[count] = NULL;
    return copy;
}

// Files that exist are none of the input's business, and some of them never end.
static bool names_files(const uint8_t *data, size_t size)
{
    return memmem(data, size, "/dev", 4) != NULL || memmem(data, size, "/proc", 5) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *entries[ENTRIES_MAX + 1];
    struct str rest = {size == 0 ? "" : (const char *)data, size};
    if (names_files(data, size)) {
        return 0;
    }
    const struct str file = str_cut(&rest, '\0');
    char *const copy = split_entries(str_is_absent(rest) ? STR("") : rest, entries);
    struct conf *const conf = load(file, entries);
    if (conf != NULL) {
        unsigned notes = 0;
        conf_report_risks(conf, count_complaint, &notes);
        // A value of the environment may hold what a line of a file cannot.
        if (entries[0] == NULL && conf->secrets[0] == NULL && conf->secrets[1] == NULL) {
            check_printed(conf);
        }
    }
    conf_free(conf);
    free(copy);
    return 0;
}
