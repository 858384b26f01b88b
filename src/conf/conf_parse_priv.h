// SPDX-License-Identifier: MIT
// conf_parse: parses the text of a key into its member of struct conf. Part of conf.
#ifndef BKFLOW_CONF_CONF_PARSE_PRIV_H
#define BKFLOW_CONF_CONF_PARSE_PRIV_H

#include "conf/conf_keys_priv.h"

// The parsers of conf_keys. Each sets value->member, or reports the mistakes and returns -1.

// Any text, on one line.
int conf_parse_text(const struct conf_value *value) MUST_CHECK NONNULL;
// Does nothing: the loader stores the values of families itself.
int conf_parse_ignored(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_bool(const struct conf_value *value) MUST_CHECK NONNULL;

// int64_t within the key's bounds: a number, bytes or milliseconds.
int conf_parse_number(const struct conf_value *value) MUST_CHECK NONNULL;
// A number, or "auto".
int conf_parse_workers(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_size(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_duration(const struct conf_value *value) MUST_CHECK NONNULL;

// Enums.
int conf_parse_language(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_level(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_format(const struct conf_value *value) MUST_CHECK NONNULL;

// Text of a certain form. A path is absolute or empty, and not longer than the key's max if that is
// given.
int conf_parse_path(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_log_target(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_zone(const struct conf_value *value) MUST_CHECK NONNULL;

// struct conf_listen, struct conf_hosts, struct cidr_list.
int conf_parse_listen(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_hosts(const struct conf_value *value) MUST_CHECK NONNULL;
int conf_parse_networks(const struct conf_value *value) MUST_CHECK NONNULL;

// Reports that the value is not what the key expects. Always -1.
int conf_refuse(const struct conf_value *value) NONNULL;

// Reports a specific mistake in the value. Always -1.
int conf_refuse_because(const struct conf_value *value, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
