// SPDX-License-Identifier: MIT
// Calls the store's find_digests, with the database of the configuration named by the argument. A
// line of standard input is one call: roots in hexadecimal digits, separated by spaces. It is
// answered by a line with "-" for a root without rows, or its digest.
#include "base/error.h"
#include "db/library.h"
#include "states/store_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

struct call {
    struct str roots[STORE_DIGESTS_MAX];
    struct store_digest digests[STORE_DIGESTS_MAX];
    size_t count;
};

static void complain(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

// Converts the digits in place: the root is half as long.
static struct str read_root(char *digits)
{
    const size_t len = strlen(digits) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        sscanf(digits + 2 * i, "%2x", &byte);
        digits[i] = (char)byte;
    }
    return (struct str){digits, len};
}

static void read_call(struct call *call, char *line)
{
    call->count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && call->count < STORE_DIGESTS_MAX;
         word = strtok(NULL, " \n")) {
        call->roots[call->count++] = read_root(word);
    }
}

static void print_digests(const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct store_digest *const digest = &call->digests[i];
        const char *const before = i == 0 ? "" : " ";
        if (digest->has_rows) {
            printf("%s%" PRIx64 ":%" PRIx64, before, digest->a, digest->b);
        } else {
            printf("%s-", before);
        }
    }
    printf("\n");
    fflush(stdout);
}

static int answer_calls(const struct store *store)
{
    static struct call call;
    static char line[1 << 20];
    struct error err = {0};
    while (fgets(line, sizeof line, stdin) != NULL) {
        read_call(&call, line);
        if (store->ops->find_digests(store->context, call.roots, call.count, call.digests, &err) !=
            0) {
            fprintf(stderr, "%s\n", err.detail);
            return 1;
        }
        print_digests(&call);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct metrics_shard shard;
    struct store store;
    struct conf *const conf = argc == 2 ? conf_load(argv[1], environ, complain, NULL) : NULL;
    if (conf == NULL || db_library_init() != 0 ||
        store_mysql_new(&store, conf, NULL, &shard) != 0) {
        return 2;
    }
    const int outcome = answer_calls(&store);
    store.ops->free(store.context);
    db_library_end();
    conf_free(conf);
    return outcome;
}
