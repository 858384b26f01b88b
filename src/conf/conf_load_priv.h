// SPDX-License-Identifier: MIT
// conf_load: the configuration while it is being loaded, shared by the sources of values: the file,
// the environment, password files. Part of conf.
#ifndef BKFLOW_CONF_CONF_LOAD_PRIV_H
#define BKFLOW_CONF_CONF_LOAD_PRIV_H

#include "conf/conf.h"

enum { CONF_PLACE_MAX = 512 };

struct conf_load {
    struct conf *conf;
    struct conf_mistakes mistakes;
    bool is_out_of_memory; // reported; a key may lack its value
};

// Sets the key to TEXT, which was found at PLACE ("file:line: [section] key"). Reports a mistake in
// it; the configuration is then not used.
void conf_load_value(struct conf_load *load, size_t index, const char *text,
                     const char *place) NONNULL;

// The same for gateway_key_NAME = PATH. If the gateway already has a key, the new one replaces it
// if MAY_REPLACE; otherwise that is a mistake.
void conf_load_gateway(struct conf_load *load, const char *name, const char *path, bool may_replace,
                       const char *place) NONNULL;

void conf_load_out_of_memory(struct conf_load *load, const char *place) NONNULL;

// The sources.
void conf_load_file(struct conf_load *load, const char *path) NONNULL;
void conf_load_environment(struct conf_load *load, char *const *environment) NONNULL;
void conf_load_passwords(struct conf_load *load) NONNULL;

// Whether the file or the environment gives one of the keys. NAMES ends with NULL.
bool conf_any_given(const struct conf *conf, const char *section,
                    const char *const *names) MUST_CHECK NONNULL;

#endif
