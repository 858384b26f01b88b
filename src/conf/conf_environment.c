// SPDX-License-Identifier: MIT
// Reads BKFLOW_STATES_<SECTION>_<KEY> from the environment.
#include "conf/conf_keys_priv.h"
#include "conf/conf_load_priv.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>

static const char prefix[] = "BKFLOW_STATES_";

// Writes the name of the key's variable, such as "BKFLOW_STATES_SERVER_LISTEN".
static void variable_name(const struct conf_key *key, char name[CONF_PLACE_MAX])
{
    snprintf(name, CONF_PLACE_MAX, "%s%s_%s", prefix, key->section, key->name);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

// Returns the key that a variable overrides. For a family, *REST is what follows the family's name.
static int find_key(struct str variable, struct str *rest)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        char name[CONF_PLACE_MAX];
        variable_name(&conf_keys[i], name);
        const struct str known = str_from(name);
        const bool is_family = (conf_keys[i].flags & CONF_KEY_FAMILY) != 0;
        if (is_family ? str_starts_with(variable, known) : str_equal(variable, known)) {
            *rest = str_skip(variable, known.len);
            return (int)i;
        }
    }
    return CONF_NO_KEY;
}

// Kubernetes sets variables in every container for each Service of the namespace. Those of a
// Service named bkflow-states or bkflow-states-database begin like ours.
static bool is_service_link(const char *name, const char *value)
{
    static const char *const patterns[] = {
        "*_SERVICE_HOST",       "*_SERVICE_PORT",        "*_SERVICE_PORT_*",
        "*_PORT_[0-9]*_TCP",    "*_PORT_[0-9]*_UDP",     "*_PORT_[0-9]*_SCTP",
        "*_PORT_[0-9]*_*_PORT", "*_PORT_[0-9]*_*_PROTO", "*_PORT_[0-9]*_*_ADDR",
    };
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        if (fnmatch(patterns[i], name, 0) == 0) {
            return true;
        }
    }
    // BKFLOW_STATES_DATABASE_PORT is also one of our keys, but no port number looks like this.
    return fnmatch("*_PORT", name, 0) == 0 && strstr(value, "://") != NULL;
}

static void take_variable(struct conf_load *load, struct str name, const char *value)
{
    char place[CONF_PLACE_MAX];
    snprintf(place, sizeof place, "environment: %.*s", (int)name.len, name.ptr);
    struct str rest;
    const int index = find_key(name, &rest);
    if (index == CONF_NO_KEY) {
        conf_mistake(&load->mistakes, "%s: no such key; bkflow-states.conf(5) lists what there is",
                     place);
    } else if ((conf_keys[index].flags & CONF_KEY_FAMILY) != 0) {
        char gateway[CONF_PLACE_MAX];
        snprintf(gateway, sizeof gateway, "%.*s", (int)rest.len, rest.ptr);
        conf_load_gateway(load, gateway, value, true, place);
    } else {
        load->conf->given[index] = true;
        conf_load_value(load, (size_t)index, value, place);
    }
}

static void take_entry(struct conf_load *load, const char *entry)
{
    struct str value = str_from(entry);
    const struct str name = str_cut(&value, '=');
    char text[CONF_PLACE_MAX];
    if (!str_starts_with(name, str_from(prefix)) || str_is_absent(value) ||
        str_equal(name, STR("BKFLOW_STATES_CONFIG"))) {
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.ptr);
    if (!is_service_link(text, value.ptr)) {
        take_variable(load, name, value.ptr);
    }
}

void conf_load_environment(struct conf_load *load, char *const *environment)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        take_entry(load, environment[i]);
    }
}
