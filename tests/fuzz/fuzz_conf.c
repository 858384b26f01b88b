// SPDX-License-Identifier: MIT
// Any bytes as a configuration file: it is loaded, or every mistake is named. What loads prints as
// a file that loads again.
#include "conf.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_complaint(void *context, const char *sentence)
{
    (void)sentence;
    ++*(unsigned *)context;
}

// A file in memory with these bytes; its path is written to PATH.
static int make_file(const void *bytes, size_t size, char path[64])
{
    const int fd = memfd_create("conf", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
        abort();
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static struct conf *load(const void *bytes, size_t size, unsigned *complaints)
{
    static char *const nothing[] = {NULL};
    char path[64];
    const int fd = make_file(bytes, size, path);
    struct conf *const conf = conf_load(path, nothing, count_complaint, complaints);
    close(fd);
    return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned complaints = 0;
    struct conf *const conf = load(data, size, &complaints);
    if ((conf == NULL) != (complaints > 0)) {
        abort();
    }
    if (conf != NULL && strstr((const char *)conf->database.password_file, "/") == NULL) {
        char *text = NULL;
        size_t len = 0;
        FILE *const printed = open_memstream(&text, &len);
        conf_print(conf, printed);
        fclose(printed);
        struct conf *const again = load(text, len, &complaints);
        if (again == NULL) {
            abort();
        }
        conf_free(again);
        free(text);
    }
    conf_free(conf);
    return 0;
}
