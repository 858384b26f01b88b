// SPDX-License-Identifier: MIT
// What a configuration needs that is not in it: an account, and files that can be read.
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>

// A database, and the section that its keys stand in.
struct reach {
    const char *section;
    const struct conf_database *database;
    struct conf_mistakes *mistakes;
};

static bool is_certificate(const char *line)
{
    return strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE-----") != NULL;
}

// Reads all of the file. Whether it holds a certificate; ERRNO is set if it cannot be read.
static bool holds_certificate(const char *path)
{
    FILE *const file = fopen(path, "re");
    char line[256];
    bool is_found = false;
    if (file == NULL) {
        return false;
    }
    errno = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        is_found = is_found || is_certificate(line);
    }
    const int error = errno;
    fclose(file);
    errno = error;
    return is_found && error == 0;
}

static void check_tls_ca(const struct reach *reach)
{
    const char *const path = reach->database->tls_ca;
    errno = 0;
    if (path[0] != '\0' && !holds_certificate(path)) {
        conf_mistake(reach->mistakes, "[%s] tls_ca: %s cannot be used: %s", reach->section, path,
                     errno == 0 ? "it holds no PEM certificate" : strerror(errno));
    }
}

static bool is_readable(const char *path)
{
    FILE *const file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    errno = 0;
    (void)getc(file); // a directory can be opened
    const int error = errno;
    fclose(file);
    errno = error;
    return error == 0;
}

static void check_option_file(const struct reach *reach)
{
    const char *const path = reach->database->option_file;
    if (path[0] != '\0' && !is_readable(path)) {
        conf_mistake(reach->mistakes, "[%s] option_file: %s cannot be read: %s", reach->section,
                     path, strerror(errno));
    }
}

// An option file may name the account and the database.
static void check_names(const struct reach *reach)
{
    const struct conf_database *const database = reach->database;
    if (database->option_file[0] != '\0') {
        return;
    }
    if (database->user[0] == '\0') {
        conf_mistake(reach->mistakes,
                     "[%s] user is empty: give the MySQL account, here or in option_file",
                     reach->section);
    }
    if (database->name[0] == '\0') {
        conf_mistake(reach->mistakes,
                     "[%s] name is empty: give the database, here or in option_file",
                     reach->section);
    }
}

static void check_database(const struct reach *reach)
{
    check_names(reach);
    check_tls_ca(reach);
    check_option_file(reach);
}

// Whether the engine's mistakes would be those of [database] once more.
static bool is_reached_alike(const struct conf *conf)
{
    const struct conf_database *const a = &conf->database;
    const struct conf_database *const b = &conf->engine_database;
    return strcmp(a->user, b->user) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->tls_ca, b->tls_ca) == 0 && strcmp(a->option_file, b->option_file) == 0;
}

int conf_check_reach(const struct conf *conf, conf_complain *complain, void *context)
{
    struct conf_mistakes mistakes = {.complain = complain, .context = context};
    check_database(&(struct reach){"database", &conf->database, &mistakes});
    if (!is_reached_alike(conf)) {
        check_database(&(struct reach){"engine_database", &conf->engine_database, &mistakes});
    }
    return mistakes.count == 0 ? 0 : -1;
}
