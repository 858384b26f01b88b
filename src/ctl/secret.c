// SPDX-License-Identifier: MIT
#include "ctl/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

enum { RANDOM_BYTES = 32 };

int ctl_secret_generate(struct ctl_secret *secret)
{
    static const char hex[] = "0123456789abcdef";
    // In the secret's own memory, to be wiped with it.
    unsigned char *const random =
        (unsigned char *)secret->bytes + sizeof secret->bytes - RANDOM_BYTES;
    // getrandom() waits until the source is seeded, then returns up to 256 bytes in full.
    const ssize_t got = getrandom(random, RANDOM_BYTES, 0);
    if (got != RANDOM_BYTES) {
        errno = got < 0 ? errno : EIO;
        return -1;
    }
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        secret->bytes[2 * i] = hex[random[i] >> 4];
        secret->bytes[2 * i + 1] = hex[random[i] & 15];
    }
    secret->len = (size_t)2 * RANDOM_BYTES;
    secret->bytes[secret->len] = '\0';
    return 0;
}

// Reads byte by byte: nothing after the line is consumed, and no other buffer holds the secret.
// Returns 1, 0 at the end of the file, or -1.
static int read_line(int fd, struct ctl_secret *secret)
{
    bool is_there = false;
    secret->len = 0;
    for (;;) {
        char byte;
        const ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        is_there = is_there || got == 1;
        if (got == 0 || byte == '\n') {
            break;
        }
        if (secret->len == sizeof secret->bytes - 1) {
            errno = EMSGSIZE;
            return -1;
        }
        secret->bytes[secret->len++] = byte;
    }
    if (secret->len > 0 && secret->bytes[secret->len - 1] == '\r') {
        secret->len--;
    }
    secret->bytes[secret->len] = '\0';
    return is_there;
}

// Turns echo off while the secret is typed. Ctrl-C and the like become characters of the line, so
// that the program cannot end with echo off; the secret is refused for them.
static int read_unseen(struct ctl_secret *secret)
{
    struct termios usual;
    if (tcgetattr(STDIN_FILENO, &usual) != 0) {
        return -1;
    }
    struct termios unseen = usual;
    unseen.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) != 0) {
        return -1;
    }
    fputs("Secret (it is not shown): ", stderr);
    const int outcome = read_line(STDIN_FILENO, secret);
    const int error = errno;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
    fputc('\n', stderr);
    errno = error;
    return outcome;
}

int ctl_secret_read(struct ctl_secret *secret)
{
    const bool is_terminal = isatty(STDIN_FILENO) == 1;
    const int outcome = is_terminal ? read_unseen(secret) : read_line(STDIN_FILENO, secret);
    if (outcome == 0) {
        errno = ENODATA;
    }
    return outcome == 1 ? 0 : -1;
}

int ctl_secret_load(struct ctl_secret *secret, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    const int outcome = read_line(fd, secret);
    const int error = errno;
    close(fd);
    errno = error;
    return outcome < 0 ? -1 : 0;
}

void ctl_secret_wipe(struct ctl_secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}
