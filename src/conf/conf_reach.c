// SPDX-License-Identifier: MIT
// Checks what the configuration refers to: the account, and files that must be readable.
#include "base/regular_file.h"
#include "conf/conf.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>

#define PUBLIC_KEY_LINE "-----BEGIN PUBLIC KEY-----"

// A database and the section with its keys.
struct reach {
    const char *section;
    const struct conf_database *database;
    const struct conf_database *reported; // a value as in this one has been looked at; NULL: none
    struct conf_mistakes *mistakes;
};

// Whether a mistake in the value would be reported once more: the engine's is often [database]'s.
#define IS_REPORTED(reach, member)                                                                 \
    ((reach)->reported != NULL && strcmp((reach)->database->member, (reach)->reported->member) == 0)

static bool is_line(const char *line, const char *beginning)
{
    return strncmp(line, beginning, strlen(beginning)) == 0 &&
           strstr(line, "CERTIFICATE-----") != NULL;
}

// Returns why the open file has no usable PEM certificates; NULL if it has.
static const char *certificate_mistake(FILE *file)
{
    char line[256];
    unsigned begun = 0;
    unsigned ended = 0;
    errno = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        begun += is_line(line, "-----BEGIN ");
        ended += is_line(line, "-----END ");
    }
    if (errno != 0) {
        return strerror(errno);
    }
    if (begun == 0) {
        return "it holds no PEM certificate";
    }
    return begun != ended ? "a certificate in it is cut off" : NULL;
}

static void check_tls_ca(const struct reach *reach)
{
    const char *const path = reach->database->tls_ca;
    if (path[0] == '\0' || IS_REPORTED(reach, tls_ca)) {
        return;
    }
    const char *mistake;
    FILE *const file = regular_file_open(path, &mistake);
    if (file != NULL) {
        mistake = certificate_mistake(file);
        fclose(file);
    }
    if (mistake != NULL) {
        conf_mistake(reach->mistakes, "[%s] tls_ca: %s cannot be used: %s", reach->section, path,
                     mistake);
    }
}

// Without a key that it can read, MariaDB's library asks the server for one, and encrypts the
// password with whatever comes.
static const char *key_mistake(const char *path)
{
    const char *mistake;
    FILE *const file = regular_file_open(path, &mistake);
    if (file == NULL) {
        return mistake;
    }
    char line[256] = "";
    const bool is_key = fgets(line, sizeof line, file) != NULL &&
                        strncmp(line, PUBLIC_KEY_LINE, sizeof PUBLIC_KEY_LINE - 1) == 0;
    fclose(file);
    return is_key ? NULL : "it does not begin with " PUBLIC_KEY_LINE;
}

static bool is_server_key(const char *name)
{
    return strcmp(name, "server-public-key") == 0 || strcmp(name, "server_public_key") == 0;
}

// A value as the client libraries read it: without a comment and quotes.
static void copy_value(char *to, size_t size, const char *value)
{
    const char *const comment = strstr(value, " #");
    struct str text = str_from(value);
    text.len = comment == NULL ? text.len : (size_t)(comment - value);
    text = str_trim(text);
    const bool is_quoted = text.len >= 2 && (text.ptr[0] == '"' || text.ptr[0] == '\'') &&
                           text.ptr[text.len - 1] == text.ptr[0];
    if (is_quoted) {
        text = (struct str){text.ptr + 1, text.len - 2};
    }
    snprintf(to, size, "%.*s", (int)text.len, text.ptr);
}

// Any group: which ones are read depends on the library.
static int check_option(void *context, const char *group, const char *name, const char *value)
{
    const struct reach *const reach = context;
    (void)group;
    if (!is_server_key(name)) {
        return 1;
    }
    char path[PATH_MAX];
    copy_value(path, sizeof path, value);
    const char *const mistake = key_mistake(path);
    if (mistake != NULL) {
        conf_mistake(reach->mistakes, "[%s] option_file: server-public-key %s cannot be used: %s",
                     reach->section, path, mistake);
    }
    return 1;
}

static void check_option_file(const struct reach *reach)
{
    const char *const path = reach->database->option_file;
    if (path[0] == '\0' || IS_REPORTED(reach, option_file)) {
        return;
    }
    const char *mistake;
    FILE *const file = regular_file_open(path, &mistake);
    if (file == NULL) {
        conf_mistake(reach->mistakes, "[%s] option_file: %s cannot be read: %s", reach->section,
                     path, mistake);
        return;
    }
    struct reach context = *reach;
    (void)ini_parse_file(file, check_option, &context);
    fclose(file);
}

// An option file may name the account and the database.
static void check_names(const struct reach *reach)
{
    const struct conf_database *const database = reach->database;
    if (database->option_file[0] != '\0') {
        return;
    }
    const bool is_alike = IS_REPORTED(reach, option_file);
    if (database->user[0] == '\0' && !(is_alike && IS_REPORTED(reach, user))) {
        conf_mistake(reach->mistakes,
                     "[%s] user is empty: give the MySQL account, here or in option_file",
                     reach->section);
    }
    if (database->name[0] == '\0' && !(is_alike && IS_REPORTED(reach, name))) {
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

int conf_check_reach(const struct conf *conf, conf_complain *complain, void *context)
{
    struct conf_mistakes mistakes = {.complain = complain, .context = context};
    check_database(&(struct reach){"database", &conf->database, NULL, &mistakes});
    check_database(
        &(struct reach){"engine_database", &conf->engine_database, &conf->database, &mistakes});
    return mistakes.count == 0 ? 0 : -1;
}
