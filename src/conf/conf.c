// SPDX-License-Identifier: MIT
#include "conf/conf.h"

#include "conf/conf_keys.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

// ---- loading ----

enum { PLACE_MAX = 512 };

// One load under way: where it is, and how many mistakes it has met.
struct load {
    struct conf *conf;
    const char *path;
    FILE *file;
    int line;
    int lines[CONF_KEYS_MAX]; // where a key was given first
    struct conf_mistakes mistakes;
    bool in_environment;   // the file is done
    bool is_out_of_memory; // a key may lack its value
};

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

static void free_secret(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

// Takes TEXT as the value of a key that PLACE ("file:line: [section] key") gives. A refused value
// is reported, and the configuration is not going to be used.
static void set_value(struct load *load, size_t index, const char *text, const char *place)
{
    const struct conf_key *const key = &conf_keys[index];
    char *const copy = strdup(text);
    if (copy == NULL) {
        load->is_out_of_memory = true;
        conf_mistake(&load->mistakes, "%s: out of memory", place);
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

static void set_defaults(struct load *load)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        set_value(load, i, conf_keys[i].fallback, "built-in default");
    }
}

// -1 without memory: it is as it was.
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

// gateway_key_NAME = PATH. A name given again in the environment takes the place of the file's.
static void take_gateway(struct load *load, const char *name, const char *path, const char *place)
{
    struct conf_gateway *gateway = load->conf->auth.gateways;
    const struct conf_gateway *const end = gateway + load->conf->auth.gateway_count;
    while (gateway < end && strcmp(gateway->name, name) != 0) {
        gateway++;
    }
    if (name[0] == '\0' || path[0] != '/') {
        conf_mistake(&load->mistakes,
                     "%s: expected gateway_key_NAME = an absolute path, not \"%s\"", place, path);
    } else if (gateway < end && !load->in_environment) {
        conf_mistake(&load->mistakes,
                     "%s: given before; several keys of one gateway go into one file", place);
    } else if (gateway == load->conf->auth.gateways + CONF_GATEWAYS_MAX) {
        conf_mistake(&load->mistakes, "%s: more than %d gateways", place, CONF_GATEWAYS_MAX);
    } else if (set_gateway(gateway, name, path) == 0) {
        load->conf->auth.gateway_count += gateway == end;
    } else {
        conf_mistake(&load->mistakes, "%s: out of memory", place);
    }
}

static int take_entry(void *context, const char *section, const char *name, const char *value)
{
    struct load *const load = context;
    char place[PLACE_MAX];
    // Of a name with blanks only the first word: "password SECRET" is a slip that happens.
    snprintf(place, sizeof place, "%s:%d: [%s] %.*s", load->path, load->line, section,
             (int)strcspn(name, " \t"), name);
    const int index = conf_find_key(section, name);
    if (index == CONF_NO_KEY) {
        conf_mistake(&load->mistakes, "%s: unknown %s; bkflow-states.conf(5) lists what there is",
                     place, conf_section_exists(section) ? "key" : "section");
    } else if ((conf_keys[index].flags & CONF_KEY_FAMILY) != 0) {
        take_gateway(load, name + strlen(conf_keys[index].name), value, place);
    } else if (load->lines[index] != 0) {
        conf_mistake(&load->mistakes, "%s: given before on line %d; keep one of the two", place,
                     load->lines[index]);
    } else {
        load->lines[index] = load->line;
        load->conf->given[index] = true;
        set_value(load, (size_t)index, value, place);
    }
    return 1;
}

static void skip_line(FILE *file)
{
    for (int c = getc(file); c != EOF && c != '\n'; c = getc(file)) {
    }
}

static bool is_blank_or_comment(const char *line)
{
    return strchr("\r\n;#", line[strspn(line, " \t")]) != NULL;
}

// inih would only tell the first such line's number.
static bool is_meaningless(const char *line)
{
    return line[0] == '[' ? strchr(line, ']') == NULL : strpbrk(line, "=:") == NULL;
}

// inih would take the rest of the line for a comment, and cut a password short.
static bool has_inline_comment(const char *line)
{
    return strstr(line, " ;") != NULL || strstr(line, "\t;") != NULL;
}

// What is wrong with a line that inih would take without a word, NULL if nothing is.
static const char *line_mistake(const char *line)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; // editors on Windows put it first
    if (strncmp(line, byte_order_mark, sizeof byte_order_mark - 1) == 0) {
        line += sizeof byte_order_mark - 1;
    }
    if (is_blank_or_comment(line)) {
        return NULL;
    }
    if (line[0] == ' ' || line[0] == '\t') {
        return "the line begins with a blank; a key begins at the first column";
    }
    if (is_meaningless(line)) {
        return "neither [section] nor key = value";
    }
    return has_inline_comment(line) ? "a ; behind a blank; comments have lines of their own" : NULL;
}

// inih's reader of one line. inih cuts long lines and takes an indented line as more of the value
// before it, both silently: here they are mistakes, and inih sees an empty line in their place.
static char *read_line(char *line, int size, void *context)
{
    struct load *const load = context;
    if (fgets(line, size, load->file) == NULL) {
        return NULL;
    }
    load->line++;
    const size_t len = strlen(line);
    const char *const mistake = line_mistake(line);
    if (len + 1 == (size_t)size && line[len - 1] != '\n') {
        conf_mistake(&load->mistakes, "%s:%d: the line is longer than %d characters", load->path,
                     load->line, size - 2);
        skip_line(load->file);
        line[0] = '\0';
    } else if (mistake != NULL) {
        conf_mistake(&load->mistakes, "%s:%d: %s", load->path, load->line, mistake);
        line[0] = '\0';
    }
    return line;
}

static void load_file(struct load *load)
{
    load->file = fopen(load->path, "re");
    if (load->file == NULL) {
        conf_mistake(&load->mistakes, "%s: cannot be read: %s", load->path, strerror(errno));
        return;
    }
    char buffer[BUFSIZ]; // ours, so that a password in it can be wiped
    setvbuf(load->file, buffer, _IOFBF, sizeof buffer);
    const int bad_line = ini_parse_stream(read_line, load, take_entry, load);
    if (bad_line > 0) {
        conf_mistake(&load->mistakes, "%s:%d: neither [section] nor key = value", load->path,
                     bad_line);
    } else if (bad_line < 0) {
        conf_mistake(&load->mistakes, "%s: out of memory", load->path);
    }
    if (ferror(load->file)) {
        conf_mistake(&load->mistakes, "%s: cannot be read: %s", load->path, strerror(errno));
    }
    fclose(load->file);
    explicit_bzero(buffer, sizeof buffer);
}

static const char environment_prefix[] = "BKFLOW_STATES_";

// "BKFLOW_STATES_SERVER_LISTEN"
static void environment_name(const struct conf_key *key, char name[PLACE_MAX])
{
    snprintf(name, PLACE_MAX, "%s%s_%s", environment_prefix, key->section, key->name);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

// The key that an environment variable overrides, its name for a family cut off into *REST.
static int find_variable_key(struct str variable, struct str *rest)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        char name[PLACE_MAX];
        environment_name(&conf_keys[i], name);
        const struct str known = str_from(name);
        const bool is_family = (conf_keys[i].flags & CONF_KEY_FAMILY) != 0;
        if (is_family ? str_starts_with(variable, known) : str_equal(variable, known)) {
            *rest = str_skip(variable, known.len);
            return (int)i;
        }
    }
    return CONF_NO_KEY;
}

static void take_variable(struct load *load, const char *entry)
{
    struct str value = str_from(entry);
    const struct str name = str_cut(&value, '=');
    if (!str_starts_with(name, str_from(environment_prefix)) ||
        str_equal(name, STR("BKFLOW_STATES_CONFIG")) || str_is_absent(value)) {
        return;
    }
    char place[PLACE_MAX];
    snprintf(place, sizeof place, "environment: %.*s", (int)name.len, name.ptr);
    struct str rest;
    const int index = find_variable_key(name, &rest);
    if (index == CONF_NO_KEY) {
        conf_mistake(&load->mistakes, "%s: no such key; bkflow-states.conf(5) lists what there is",
                     place);
        return;
    }
    if ((conf_keys[index].flags & CONF_KEY_FAMILY) != 0) {
        char gateway[PLACE_MAX];
        snprintf(gateway, sizeof gateway, "%.*s", (int)rest.len, rest.ptr);
        take_gateway(load, gateway, value.ptr, place);
        return;
    }
    load->conf->given[index] = true;
    set_value(load, (size_t)index, value.ptr, place);
}

static void load_environment(struct load *load, char *const *environment)
{
    load->in_environment = true;
    for (size_t i = 0; environment[i] != NULL; i++) {
        take_variable(load, environment[i]);
    }
}

// ---- what depends on more than one key ----

static bool any_given(const struct conf *conf, const char *section, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (conf->given[conf_find_key(section, names[i])]) {
            return true;
        }
    }
    return false;
}

// An engine key that is not given is as in [database]. Keys that only make sense together are
// inherited together: a host must not meet another server's socket or password.
static void inherit_group(struct load *load, const char *const *names)
{
    if (any_given(load->conf, "engine_database", names)) {
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        const int from = conf_find_key("database", names[i]);
        const int to = conf_find_key("engine_database", names[i]);
        set_value(load, (size_t)to, load->conf->texts[from], "inherited");
    }
}

static void inherit_engine_database(struct load *load)
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

enum { PASSWORD_MAX = 1024 };

// The first line of a file, in memory of its own; NULL with errno when it cannot be read.
static char *read_password(const char *path)
{
    FILE *const file = fopen(path, "re");
    char line[PASSWORD_MAX] = "";
    if (file == NULL) {
        return NULL;
    }
    setvbuf(file, NULL, _IONBF, 0); // no copy of the secret in a buffer that is not wiped
    errno = EIO;
    bool is_read = fgets(line, sizeof line, file) != NULL || feof(file);
    if (strlen(line) + 1 == sizeof line && strchr(line, '\n') == NULL) {
        errno = EMSGSIZE;
        is_read = false;
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    char *const password = is_read ? strdup(line) : NULL;
    explicit_bzero(line, sizeof line);
    return password;
}

static void use_password_file(struct load *load, const char *section, const char *path,
                              struct conf_database *database, char **kept)
{
    *kept = read_password(path);
    if (*kept == NULL) {
        conf_mistake(&load->mistakes, "[%s] password_file: %s cannot be read: %s", section, path,
                     strerror(errno));
        return;
    }
    database->password = *kept;
}

// The password that a file holds, or systemd's credential.
static void find_password(struct load *load, const char *section, struct conf_database *database,
                          char **kept)
{
    if (database->password_file[0] != '\0') {
        if (database->password[0] != '\0') {
            conf_mistake(&load->mistakes,
                         "[%s] password and password_file are both given; keep one", section);
        }
        use_password_file(load, section, database->password_file, database, kept);
        return;
    }
    const char *const folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PLACE_MAX];
    if (folder == NULL || database->password[0] != '\0') {
        return;
    }
    snprintf(path, sizeof path, "%s/%s_password", folder, section);
    if (access(path, F_OK) == 0) {
        use_password_file(load, section, path, database, kept);
    }
}

// An engine without a password of its own has the interface's, wherever that came from.
static void find_engine_password(struct load *load)
{
    static const char *const names[] = {"password", "password_file", NULL};
    struct conf *const conf = load->conf;
    find_password(load, "engine_database", &conf->engine_database, &conf->secrets[1]);
    if (!any_given(conf, "engine_database", names) && conf->secrets[1] == NULL) {
        conf->engine_database.password = conf->database.password;
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

static void settle_ports(struct conf_database *database)
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

static void check_ways_in(struct load *load)
{
    if (!load->conf->auth.direct && !load->conf->auth.gateway) {
        conf_mistake(&load->mistakes,
                     "[auth] direct = off and gateway = off leave no way to authenticate");
    }
}

static void settle_passwords(struct load *load)
{
    struct conf *const conf = load->conf;
    find_password(load, "database", &conf->database, &conf->secrets[0]);
    find_engine_password(load);
    conf->has_engine_database = !conf_is_same_database(&conf->database, &conf->engine_database);
}

struct conf *conf_load(const char *path, char *const *environment, conf_complain *complain_to,
                       void *context)
{
    struct load load = {
        .conf = calloc(1, sizeof(struct conf)),
        .path = path,
        .mistakes = {.complain = complain_to, .context = context},
    };
    if (load.conf == NULL) {
        conf_mistake(&load.mistakes, "out of memory");
        return NULL;
    }
    set_defaults(&load);
    if (path != NULL && !load.is_out_of_memory) {
        load_file(&load);
    }
    load_environment(&load, environment);
    if (!load.is_out_of_memory) {
        inherit_engine_database(&load);
        settle_ports(&load.conf->database);
        settle_ports(&load.conf->engine_database);
    }
    if (!load.is_out_of_memory) {
        settle_passwords(&load);
    }
    check_ways_in(&load);
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

const char *conf_risk(const struct conf *conf)
{
    return conf->auth.direct && !conf->auth.user_table_check
               ? "user_table_check = off: an application's secret speaks for any user name"
               : NULL;
}

const char *conf_needs_restart(const struct conf *running, const struct conf *fresh)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        if ((conf_keys[i].flags & CONF_KEY_RESTART) != 0 &&
            strcmp(running->texts[i], fresh->texts[i]) != 0) {
            return conf_keys[i].name;
        }
    }
    return NULL;
}
