// SPDX-License-Identifier: MIT
#include "conf/conf.h"

#include "conf/conf_keys_priv.h"
#include "conf/conf_load_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// ---- loading ----

void conf_mistake(struct conf_mistakes *mistakes, const char *format, ...)
{
    char sentence[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    mistakes->complain(mistakes->context, sentence);
    mistakes->count++;
}

// Wipes and frees the secret, which may be NULL.
static void free_secret(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void conf_load_out_of_memory(struct conf_load *load, const char *place)
{
    load->is_out_of_memory = true;
    conf_mistake(&load->mistakes, "%s: out of memory", place);
}

void conf_load_value(struct conf_load *load, size_t index, const char *text, const char *place)
{
    const struct conf_key *const key = &conf_keys[index];
    char *const copy = strdup(text);
    if (copy == NULL) {
        conf_load_out_of_memory(load, place);
        return;
    }
    const struct conf_value value = {
        .key = key,
        .text = copy,
        .member = (char *)load->conf + key->member,
        .place = place,
        .mistakes = &load->mistakes,
    };
    if (key->parse(&value) != 0) {
        free_secret(copy);
        return;
    }
    free_secret(load->conf->texts[index]);
    load->conf->texts[index] = copy;
}

// Runs last, so that a default is checked only if it is used: the default time zone may be missing.
static void set_defaults(struct conf_load *load)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        char name[CONF_KEY_NAME_MAX];
        conf_key_name(&conf_keys[i], name);
        if (load->conf->texts[i] == NULL) {
            conf_load_value(load, i, conf_keys[i].fallback, name);
        }
    }
}

// -1 if out of memory; GATEWAY is then unchanged.
static int set_gateway(struct conf_gateway *gateway, const char *name, const char *path)
{
    const struct conf_gateway fresh = {strdup(name), strdup(path)};
    const bool is_whole = fresh.name != NULL && fresh.path != NULL;
    const struct conf_gateway dropped = is_whole ? *gateway : fresh;
    if (is_whole) {
        *gateway = fresh;
    }
    free(dropped.name);
    free(dropped.path);
    return is_whole ? 0 : -1;
}

void conf_load_gateway(struct conf_load *load, const char *name, const char *path, bool may_replace,
                       const char *place)
{
    struct conf_gateway *gateway = load->conf->auth.gateways;
    const struct conf_gateway *const end = gateway + load->conf->auth.gateway_count;
    while (gateway < end && strcmp(gateway->name, name) != 0) {
        gateway++;
    }
    if (name[0] == '\0' || path[0] != '/') {
        conf_mistake(&load->mistakes,
                     "%s: expected gateway_key_NAME = an absolute path, not \"%s\"", place, path);
    } else if (gateway < end && !may_replace) {
        conf_mistake(&load->mistakes,
                     "%s: given before; several keys of one gateway go into one file", place);
    } else if (gateway == load->conf->auth.gateways + CONF_GATEWAYS_MAX) {
        conf_mistake(&load->mistakes, "%s: more than %d gateways", place, CONF_GATEWAYS_MAX);
    } else if (set_gateway(gateway, name, path) == 0) {
        load->conf->auth.gateway_count += gateway == end;
    } else {
        conf_load_out_of_memory(load, place);
    }
}

// ---- what depends on more than one key ----

bool conf_any_given(const struct conf *conf, const char *section, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (conf->given[conf_find_key(section, names[i])]) {
            return true;
        }
    }
    return false;
}

// A missing engine key has the value of [database]. Keys that only make sense together are
// inherited together: a host must not be combined with another server's socket or password.
static void inherit_group(struct conf_load *load, const char *const *names)
{
    if (conf_any_given(load->conf, "engine_database", names)) {
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        const int from = conf_find_key("database", names[i]);
        const int to = conf_find_key("engine_database", names[i]);
        conf_load_value(load, (size_t)to, load->conf->texts[from], "inherited");
    }
}

static void inherit_engine_database(struct conf_load *load)
{
    static const char *const groups[][4] = {
        {"host", "port", "socket"},    {"user"},
        {"password", "password_file"}, {"name"},
        {"connect_timeout"},           {"query_timeout"},
        {"tls_ca", "tls_verify"},      {"option_file"},
    };
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        inherit_group(load, groups[i]);
    }
}

// ---- databases ----

bool conf_host_is_local(const struct conf_host *host)
{
    return host->name[0] == '\0' || strcmp(host->name, "localhost") == 0;
}

void conf_host_show(const struct conf_host *host, int64_t usual_port, char text[CONF_HOST_TEXT_MAX])
{
    const bool is_ip6 = strchr(host->name, ':') != NULL;
    if (host->name[0] == '\0') {
        snprintf(text, CONF_HOST_TEXT_MAX, "(local)");
    } else if (conf_host_is_local(host) || host->port == usual_port) {
        snprintf(text, CONF_HOST_TEXT_MAX, "%s", host->name);
    } else {
        snprintf(text, CONF_HOST_TEXT_MAX, is_ip6 ? "[%s]:%u" : "%s:%u", host->name, host->port);
    }
}

static void set_host_ports(struct conf_database *database)
{
    for (size_t i = 0; i < database->hosts.count; i++) {
        struct conf_host *const host = &database->hosts.hosts[i];
        host->port = host->port == 0 ? (unsigned)database->port : host->port;
    }
}

static bool are_same_hosts(const struct conf_hosts *a, const struct conf_hosts *b)
{
    bool is_same = a->count == b->count;
    for (size_t i = 0; is_same && i < a->count; i++) {
        is_same =
            strcmp(a->hosts[i].name, b->hosts[i].name) == 0 && a->hosts[i].port == b->hosts[i].port;
    }
    return is_same;
}

bool conf_is_same_database(const struct conf_database *a, const struct conf_database *b)
{
    return are_same_hosts(&a->hosts, &b->hosts) && a->port == b->port &&
           strcmp(a->socket, b->socket) == 0 && strcmp(a->user, b->user) == 0 &&
           strcmp(a->password, b->password) == 0 && strcmp(a->name, b->name) == 0 &&
           a->connect_timeout_ms == b->connect_timeout_ms &&
           a->query_timeout_ms == b->query_timeout_ms && strcmp(a->tls_ca, b->tls_ca) == 0 &&
           a->tls_verify == b->tls_verify && strcmp(a->option_file, b->option_file) == 0;
}

static void check_ways_in(struct conf_load *load)
{
    if (!load->conf->auth.direct && !load->conf->auth.gateway) {
        conf_mistake(&load->mistakes,
                     "[auth] direct = off and gateway = off leave no way to authenticate");
    }
}

// ---- all of it ----

// Applies the rules that involve more than one key.
static void apply_rules(struct conf_load *load)
{
    struct conf *const conf = load->conf;
    inherit_engine_database(load);
    set_host_ports(&conf->database);
    set_host_ports(&conf->engine_database);
    if (!load->is_out_of_memory) {
        conf_load_passwords(load);
        conf->has_engine_database = !conf_is_same_database(&conf->database, &conf->engine_database);
    }
    check_ways_in(load);
}

struct conf *conf_load(const char *path, char *const *environment, conf_complain *complain_to,
                       void *context)
{
    struct conf_load load = {
        .conf = calloc(1, sizeof(struct conf)),
        .mistakes = {.complain = complain_to, .context = context},
    };
    if (load.conf == NULL) {
        conf_load_out_of_memory(&load, "configuration");
        return NULL;
    }
    if (path != NULL) {
        conf_load_file(&load, path);
    }
    conf_load_environment(&load, environment);
    set_defaults(&load);
    if (!load.is_out_of_memory) {
        apply_rules(&load);
    }
    if (load.mistakes.count > 0) {
        conf_free(load.conf);
        return NULL;
    }
    return load.conf;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL) {
        return;
    }
    for (size_t i = 0; i < CONF_KEYS_MAX; i++) {
        free_secret(conf->texts[i]);
    }
    for (size_t i = 0; i < COUNT_OF(conf->secrets); i++) {
        free_secret(conf->secrets[i]);
    }
    for (size_t i = 0; i < conf->auth.gateway_count; i++) {
        free(conf->auth.gateways[i].name);
        free(conf->auth.gateways[i].path);
    }
    free(conf);
}

// ---- what a loaded configuration says of itself ----

static bool is_all_local(const struct conf_hosts *hosts)
{
    bool is_local = true;
    for (size_t i = 0; i < hosts->count; i++) {
        is_local = is_local && conf_host_is_local(&hosts->hosts[i]);
    }
    return is_local;
}

// Whether a port is configured that nothing uses.
static bool has_unused_port(const struct conf_database *database)
{
    enum { USUAL_PORT = 3306 };
    return database->port != USUAL_PORT && is_all_local(&database->hosts);
}

void conf_report_risks(const struct conf *conf, conf_complain *note, void *context)
{
    if (conf->auth.direct && !conf->auth.user_table_check) {
        note(context, "user_table_check = off: an application's secret speaks for any user name");
    }
    if (has_unused_port(&conf->database) || has_unused_port(&conf->engine_database)) {
        note(context, "the database's port is not used: without a host, or with localhost, the "
                      "connection goes through the local socket; 127.0.0.1 is TCP");
    }
}

// ---- reload ----

int conf_keep_start_values(struct conf *fresh, const struct conf *running,
                           conf_complain *complain_to, void *context)
{
    struct conf_load load = {.conf = fresh,
                             .mistakes = {.complain = complain_to, .context = context}};
    for (size_t i = 0; i < conf_key_count; i++) {
        if ((conf_keys[i].flags & CONF_KEY_RESTART) != 0 &&
            strcmp(running->texts[i], fresh->texts[i]) != 0) {
            char name[CONF_KEY_NAME_MAX];
            conf_key_name(&conf_keys[i], name);
            conf_load_value(&load, i, running->texts[i], name);
            fresh->kept[i] = true;
        }
    }
    return load.mistakes.count == 0 ? 0 : -1;
}

bool conf_next_kept(const struct conf *conf, size_t *at, char name[CONF_KEY_NAME_MAX])
{
    while (*at < conf_key_count) {
        const size_t i = (*at)++;
        if (conf->kept[i]) {
            conf_key_name(&conf_keys[i], name);
            return true;
        }
    }
    return false;
}
