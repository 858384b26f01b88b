// SPDX-License-Identifier: MIT
// conf_load: one load of the configuration under way, shared by the sources that values come from:
// the file, the environment, files with passwords. Part of conf.
#ifndef BKFLOW_CONF_CONF_LOAD_PRIV_H
#define BKFLOW_CONF_CONF_LOAD_PRIV_H

#include "conf/conf.h"

enum { CONF_PLACE_MAX = 512 };

struct conf_load {
    struct conf *conf;
    struct conf_mistakes mistakes;
    bool is_out_of_memory; // reported; a key may lack its value
};

// Takes TEXT as the value of a key that PLACE ("file:line: [section] key") gives. A refused value
// is reported, and then the configuration is not going to be used.
void conf_load_value(struct conf_load *load, size_t index, const char *text,
                     const char *place) NONNULL;

// The same for gateway_key_NAME = PATH. Where the gateway has a key already, the new one replaces
// it if MAY_REPLACE, else it is a mistake.
void conf_load_gateway(struct conf_load *load, const char *name, const char *path, bool may_replace,
                       const char *place) NONNULL;

void conf_load_out_of_memory(struct conf_load *load, const char *place) NONNULL;

// The sources.
void conf_load_file(struct conf_load *load, const char *path) NONNULL;
void conf_load_environment(struct conf_load *load, char *const *environment) NONNULL;
void conf_load_passwords(struct conf_load *load) NONNULL;

// Whether the file or the environment gives one of the keys; NAMES ends with NULL.
bool conf_any_given(const struct conf *conf, const char *section,
                    const char *const *names) MUST_CHECK NONNULL;

// Wipes and frees it; NULL is fine.
void conf_free_secret(char *secret);

#endif
