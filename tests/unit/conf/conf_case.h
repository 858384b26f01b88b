// SPDX-License-Identifier: MIT
// conf_case: loads configurations from a scratch folder, and keeps what is complained about.
#ifndef BKFLOW_TEST_CONF_CASE_H
#define BKFLOW_TEST_CONF_CASE_H

#include "conf/conf.h"

struct conf_case {
    char *folder;
    char *path;             // of the configuration file, when there is one
    char complaints[16384]; // a line for each
    size_t len;
    unsigned count;
};

extern struct conf_case conf_case;

int conf_case_set_up(void **state);
int conf_case_tear_down(void **state);

// Keeps what is complained about; CONTEXT is conf_case.
void conf_case_note(void *context, const char *sentence);

// A file with one key, in static memory.
const char *conf_case_one_key(const char *section, const char *key, const char *value);

// Loads TEXT as the file (NULL: no file) with the environment VARIABLES (NULL: none).
struct conf *conf_case_load(const char *text, char *const *variables);
struct conf *conf_case_load_environment(const char *variable);

// The same; the test fails if there is a complaint.
struct conf *conf_case_load_good(const char *text, char *const *variables);

// Loading TEXT fails, with exactly this one complaint behind the file's name.
void conf_case_check_complaint(const char *name, const char *text, const char *expected);

#endif
