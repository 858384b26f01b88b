// SPDX-License-Identifier: MIT
// Gives the files of a target's corpus to it, one after the other, without libFuzzer: the corpora
// are tests too. Each file is a line of TAP. The target's name comes from the program's own,
// replay_NAME; with arguments, these files are taken instead.
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

static const char *folder_of(const char *program)
{
    static char folder[4096];
    const char *const source = getenv("srcdir"); // automake's
    const char *const target = strstr(program, "replay_");
    REQUIRE(target != NULL);
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source == NULL ? "." : source,
             target + strlen("replay_"));
    return folder;
}

// In memory of exactly its size, so that a byte read too far is noticed.
static char *read_file(const char *path, size_t *size)
{
    FILE *const file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    char *buffer = NULL;
    FILE *const memory = open_memstream(&buffer, size);
    REQUIRE(memory != NULL);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        putc(c, memory);
    }
    fclose(memory);
    fclose(file);
    char *const bytes = malloc(*size > 0 ? *size : 1);
    REQUIRE(bytes != NULL);
    memcpy(bytes, buffer, *size);
    free(buffer);
    return bytes;
}

static void replay(const char *path, int number)
{
    size_t size;
    char *const bytes = read_file(path, &size);
    printf("# %s\n", path);
    fflush(stdout); // in case this is the last that is heard of it
    REQUIRE(LLVMFuzzerTestOneInput((const uint8_t *)bytes, size) == 0);
    const char *const slash = strrchr(path, '/');
    printf("ok %d - %s\n", number, slash == NULL ? path : slash + 1);
    free(bytes);
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_seed, alphasort);
    if (count <= 0) {
        printf("1..1\nnot ok 1 - nothing in %s\n", folder);
        return;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        replay(path, i + 1);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        replay_folder(folder_of(argv[0]));
        return 0;
    }
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        replay(argv[i], i);
    }
    return 0;
}
