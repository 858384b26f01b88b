// SPDX-License-Identifier: MIT
// Passwords stored in files: password_file, and systemd's credentials.
#include "base/regular_file.h"
#include "conf/conf_load_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASSWORD_MAX = 1024 };

const char *conf_password_mistake(struct str line)
{
    if (line.len == 0) {
        return "its first line is empty";
    }
    if (str_starts_with(line, STR("\xEF\xBB\xBF"))) {
        return "it begins with a byte order mark, which would count as part of the password";
    }
    for (size_t i = 0; i < line.len; i++) {
        const unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F) {
            return "its first line holds a control character";
        }
    }
    return line.len == PASSWORD_MAX ? "its first line is too long" : NULL;
}

// Returns the first line of BYTES without the line end.
static struct str first_line(const char *bytes, size_t len)
{
    const char *const newline = memchr(bytes, '\n', len);
    const size_t end = newline == NULL ? len : (size_t)(newline - bytes);
    return (struct str){bytes, end > 0 && bytes[end - 1] == '\r' ? end - 1 : end};
}

static char *copy_line(struct str line)
{
    char *const copy = malloc(line.len + 1);
    if (copy != NULL) {
        memcpy(copy, line.ptr, line.len);
        copy[line.len] = '\0';
    }
    return copy;
}

// Reads the first line of an open file into memory of its own. NULL with *WHY set on failure.
static char *read_line(FILE *file, const char **why)
{
    char bytes[PASSWORD_MAX];
    setvbuf(file, NULL, _IONBF, 0); // stdio would not wipe its buffer
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    const struct str line = first_line(bytes, len);
    *why = ferror(file) != 0 ? strerror(errno) : conf_password_mistake(line);
    char *const password = *why == NULL ? copy_line(line) : NULL;
    explicit_bzero(bytes, sizeof bytes);
    if (*why == NULL && password == NULL) {
        *why = "out of memory";
    }
    return password;
}

static char *read_password(const char *path, const char **why)
{
    FILE *const file = regular_file_open(path, why);
    if (file == NULL) {
        return NULL;
    }
    char *const password = read_line(file, why);
    fclose(file);
    return password;
}

static void use_file(struct conf_load *load, const char *section, const char *path,
                     struct conf_database *database, char **kept)
{
    const char *why = NULL;
    *kept = read_password(path, &why);
    if (*kept == NULL) {
        conf_mistake(&load->mistakes, "[%s] password_file: %s cannot be used: %s", section, path,
                     why);
        return;
    }
    database->password = *kept;
}

// Uses systemd's credential for the section, if there is one.
static void use_credential(struct conf_load *load, const char *section,
                           struct conf_database *database, char **kept)
{
    const char *const folder = getenv("CREDENTIALS_DIRECTORY");
    char path[CONF_PLACE_MAX];
    if (folder == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s_password", folder, section);
    // An unreadable credential is a mistake; it must not lead to a login without a password.
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        use_file(load, section, path, database, kept);
    }
}

static void find_password(struct conf_load *load, const char *section,
                          struct conf_database *database, char **kept)
{
    if (database->password_file[0] != '\0' && database->password[0] != '\0') {
        conf_mistake(&load->mistakes, "[%s] password and password_file are both given; keep one",
                     section);
    } else if (database->password_file[0] != '\0') {
        use_file(load, section, database->password_file, database, kept);
    } else if (database->password[0] == '\0') {
        use_credential(load, section, database, kept);
    }
}

// An engine database without its own password uses the interface's, wherever that came from.
static void find_engine_password(struct conf_load *load)
{
    static const char *const names[] = {"password", "password_file", NULL};
    struct conf *const conf = load->conf;
    if (conf_any_given(conf, "engine_database", names)) {
        find_password(load, "engine_database", &conf->engine_database, &conf->secrets[1]);
        return;
    }
    if (conf->engine_database.password[0] == '\0' &&
        conf->engine_database.password_file[0] == '\0') {
        use_credential(load, "engine_database", &conf->engine_database, &conf->secrets[1]);
    }
    if (conf->secrets[1] == NULL) {
        conf->engine_database.password = conf->database.password;
    }
}

void conf_load_passwords(struct conf_load *load)
{
    find_password(load, "database", &load->conf->database, &load->conf->secrets[0]);
    find_engine_password(load);
}
