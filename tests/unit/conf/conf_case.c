// SPDX-License-Identifier: MIT
#include "conf/conf_case.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

struct conf_case conf_case;

int conf_case_set_up(void **state)
{
    (void)state;
    conf_case = (struct conf_case){.folder = scratch_new()};
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

int conf_case_tear_down(void **state)
{
    (void)state;
    free(conf_case.path);
    scratch_free(conf_case.folder);
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

void conf_case_note(void *context, const char *sentence)
{
    struct conf_case *const notes = context;
    notes->count++;
    const int len = snprintf(notes->complaints + notes->len, sizeof notes->complaints - notes->len,
                             "%s\n", sentence);
    notes->len += (size_t)len;
    assert_true(notes->len < sizeof notes->complaints);
}

struct conf *conf_case_load(const char *text, char *const *variables)
{
    static char *const nothing[] = {NULL};
    free(conf_case.path);
    conf_case.path = text == NULL ? NULL : scratch_write(conf_case.folder, "conf", text);
    conf_case.len = 0;
    conf_case.count = 0;
    conf_case.complaints[0] = '\0';
    return conf_load(conf_case.path, variables == NULL ? nothing : variables, conf_case_note,
                     &conf_case);
}

struct conf *conf_case_load_good(const char *text, char *const *variables)
{
    struct conf *const conf = conf_case_load(text, variables);
    if (conf == NULL || conf_case.count != 0) {
        print_error("%s\n----\n%s", text == NULL ? "(no file)" : text, conf_case.complaints);
        fail();
    }
    return conf;
}

struct conf *conf_case_load_environment(const char *variable)
{
    char *const copy = strdup(variable);
    char *const variables[] = {copy, NULL};
    struct conf *const conf = conf_case_load(NULL, variables);
    free(copy);
    return conf;
}

void conf_case_check_complaint(const char *name, const char *text, const char *expected)
{
    check(name, conf_case_load(text, NULL) == NULL);
    const struct str complaint = {conf_case.complaints, conf_case.len - 1};
    check(name, str_starts_with(complaint, str_from(conf_case.path)));
    check_text(name, str_skip(complaint, strlen(conf_case.path)), expected);
}

const char *conf_case_one_key(const char *section, const char *key, const char *value)
{
    static char text[1024];
    snprintf(text, sizeof text, "[%s]\n%s = %s\n", section, key, value);
    return text;
}
