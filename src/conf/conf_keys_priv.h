// SPDX-License-Identifier: MIT
// conf_keys: the table of all configuration keys, from which the parser, the printed configuration
// and the reference file are generated. Part of conf: nobody else includes it.
#ifndef BKFLOW_CONF_CONF_KEYS_PRIV_H
#define BKFLOW_CONF_CONF_KEYS_PRIV_H

#include "conf/conf.h"

enum conf_key_flags {
    CONF_KEY_SECRET = 1,  // never printed
    CONF_KEY_RESTART = 2, // read at start only
    CONF_KEY_FAMILY = 4,  // the name is a prefix; the operator chooses the rest
    CONF_KEY_LIST = 8,    // elements separated by commas; may continue on indented lines
};

struct conf_key;

// A value while it is being parsed into struct conf.
struct conf_value {
    const struct conf_key *key;
    const char *text; // lives as long as the configuration
    void *member;
    const char *place; // "file:line: [section] key", for messages
    struct conf_mistakes *mistakes;
};

struct conf_key {
    const char *section;
    const char *name;
    // Parses the text into the member. -1 after reporting every mistake in it; the member may then
    // be incomplete.
    int (*parse)(const struct conf_value *value);
    size_t member; // offset in struct conf
    const char *fallback;
    int64_t min; // for numbers, in the member's unit
    int64_t max; // for paths: the maximum length; 0: any
    unsigned flags;
    const char *expected; // completes "expected ..."
    const char *about;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_key_count;

enum { CONF_NO_KEY = -1 };

// Returns the index of the key, or of its family; CONF_NO_KEY if there is none.
int conf_find_key(const char *section, const char *name) MUST_CHECK NONNULL;
bool conf_section_exists(const char *section) MUST_CHECK NONNULL;

// Writes "[section] key".
void conf_key_name(const struct conf_key *key, char name[CONF_KEY_NAME_MAX]) NONNULL;

#endif
