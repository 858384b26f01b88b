// SPDX-License-Identifier: MIT
#include "conf.h"

#include "zone.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum key_flags { KEY_SECRET = 1, KEY_RESTART = 2 };

struct key {
    const char *section;
    const char *name;
    // Turns TEXT into the member it belongs to; -1 when it can't. TEXT lives as long as the member.
    int (*parse)(const struct key *key, const char *text, void *member);
    size_t member; // offset in struct conf
    const char *fallback;
    int64_t min; // for numbers, in the member's unit
    int64_t max;
    unsigned flags;
    const char *expected; // completes "expected ..."
    const char *about;
};

// ---- parsers of values ----

static int parse_text(const struct key *key, const char *text, void *member)
{
    (void)key;
    *(const char **)member = text;
    return 0;
}

static int parse_bool(const struct key *key, const char *text, void *member)
{
    (void)key;
    const bool on = strcmp(text, "on") == 0;
    *(bool *)member = on;
    return on || strcmp(text, "off") == 0 ? 0 : -1;
}

// A whole number with one of the suffixes, each of which multiplies it.
struct suffix {
    const char *text;
    int64_t factor;
};

static int parse_scaled(const struct key *key, const char *text, int64_t *member,
                        const struct suffix *suffixes, size_t count)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)text[0])) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, suffixes[i].text) == 0) {
            const bool overflows =
                __builtin_mul_overflow((int64_t)number, suffixes[i].factor, member);
            return overflows || *member < key->min || *member > key->max ? -1 : 0;
        }
    }
    return -1;
}

static int parse_number(const struct key *key, const char *text, void *member)
{
    static const struct suffix none[] = {{"", 1}};
    return parse_scaled(key, text, member, none, COUNT_OF(none));
}

static int parse_size(const struct key *key, const char *text, void *member)
{
    static const struct suffix units[] = {{"", 1}, {"k", 1024}, {"m", INT64_C(1024) * 1024}};
    return parse_scaled(key, text, member, units, COUNT_OF(units));
}

static int parse_duration(const struct key *key, const char *text, void *member)
{
    static const struct suffix units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
    };
    return parse_scaled(key, text, member, units, COUNT_OF(units));
}

// The member is an enum that counts the words of CHOICES from 0.
static int choose(const char *text, void *member, const char *const *choices, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            memcpy(member, &i, sizeof i);
            return 0;
        }
    }
    return -1;
}
_Static_assert(sizeof(enum lang) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned),
               "choose stores an unsigned");

static int parse_language(const struct key *key, const char *text, void *member)
{
    (void)key;
    static const char *const languages[] = {[LANG_EN] = "en", [LANG_ZH] = "zh-cn"};
    return choose(text, member, languages, COUNT_OF(languages));
}

static int parse_level(const struct key *key, const char *text, void *member)
{
    (void)key;
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    return choose(text, member, levels, COUNT_OF(levels));
}

static int parse_format(const struct key *key, const char *text, void *member)
{
    (void)key;
    static const char *const formats[] = {"text", "json"};
    return choose(text, member, formats, COUNT_OF(formats));
}

static int parse_log_target(const struct key *key, const char *text, void *member)
{
    const bool known = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 ||
                       strncmp(text, "file:/", 6) == 0;
    return known ? parse_text(key, text, member) : -1;
}

static int parse_zone(const struct key *key, const char *text, void *member)
{
    return zone_exists(text) ? parse_text(key, text, member) : -1;
}

static int parse_nets(const struct key *key, const char *text, void *member)
{
    (void)key;
    return net_list_parse(member, str_from(text));
}

// An absolute path, or nothing.
static int parse_path(const struct key *key, const char *text, void *member)
{
    return text[0] == '\0' || text[0] == '/' ? parse_text(key, text, member) : -1;
}

static bool copy_bounded(char *to, size_t size, struct str text)
{
    if (text.len == 0 || text.len >= size) {
        return false;
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static int parse_mode(struct str text, unsigned *mode)
{
    *mode = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7') {
            return -1;
        }
        *mode = *mode * 8 + (unsigned)(text.ptr[i] - '0');
    }
    return text.len >= 3 && text.len <= 4 && *mode <= 0777 ? 0 : -1;
}

static int parse_listen_unix(struct str rest, struct conf_listen *listen)
{
    listen->kind = CONF_LISTEN_UNIX;
    listen->mode = 0660;
    const struct str path = str_cut(&rest, ',');
    if (!copy_bounded(listen->path, sizeof listen->path, path) || path.ptr[0] != '/') {
        return -1;
    }
    if (str_is_absent(rest)) {
        return 0;
    }
    return str_starts_with(rest, STR("mode=")) ? parse_mode(str_skip(rest, 5), &listen->mode) : -1;
}

static bool is_port(struct str text)
{
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i]) || i >= 5) {
            return false;
        }
        number = number * 10 + (text.ptr[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

// "host:port"; an IPv6 address stands in brackets.
static int parse_listen_tcp(struct str text, struct conf_listen *listen)
{
    listen->kind = CONF_LISTEN_TCP;
    const char *const colon = memrchr(text.ptr, ':', text.len);
    if (colon == NULL) {
        return -1;
    }
    struct str host = {text.ptr, (size_t)(colon - text.ptr)};
    const struct str port = str_skip(text, host.len + 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = (struct str){host.ptr + 1, host.len - 2};
    }
    const bool fits = copy_bounded(listen->host, sizeof listen->host, host) && is_port(port) &&
                      copy_bounded(listen->port, sizeof listen->port, port);
    return fits ? 0 : -1;
}

static int parse_listen(const struct key *key, const char *text, void *member)
{
    (void)key;
    struct conf_listen *const listen = member;
    const struct str value = str_from(text);
    memset(listen, 0, sizeof *listen);
    if (value.len == 0) {
        return 0;
    }
    if (str_starts_with(value, STR("unix:"))) {
        return parse_listen_unix(str_skip(value, 5), listen);
    }
    return str_starts_with(value, STR("tcp:")) ? parse_listen_tcp(str_skip(value, 4), listen) : -1;
}

// ---- the table ----

static const char a_switch[] = "on or off";
static const char a_path[] = "an absolute path";

#define MEMBER(path) offsetof(struct conf, path)

// clang-format off
// Both databases have the same keys: MINE is the member of struct conf, SECTION its name in the file.
#define KEYS_OF_DATABASE(SECTION, MINE, NAME)                                                      \
    {SECTION, "host", parse_text, MEMBER(MINE.hosts), "", 0, 0, 0, "host names or addresses",      \
     "Hosts to try in this order, split by commas. Empty: the local socket."},                     \
    {SECTION, "port", parse_number, MEMBER(MINE.port), "3306", 1, 65535, 0, "1 to 65535", "TCP port."}, \
    {SECTION, "socket", parse_path, MEMBER(MINE.socket), "", 0, 0, 0, a_path,                      \
     "Path of the server's unix socket; used where host is empty."},                               \
    {SECTION, "user", parse_text, MEMBER(MINE.user), "", 0, 0, 0, "a user name",                   \
     "MySQL account. It needs SELECT on the tables, nothing else."},                               \
    {SECTION, "password", parse_text, MEMBER(MINE.password), "", 0, 0, KEY_SECRET, "a password",   \
     "Password. Better kept out of this file: see password_file."},                                \
    {SECTION, "password_file", parse_path, MEMBER(MINE.password_file), "", 0, 0, 0, a_path,        \
     "File whose first line is the password. Without it, systemd's credential " SECTION            \
     "_password is taken where there is one."},                                                    \
    {SECTION, "name", parse_text, MEMBER(MINE.name), NAME, 0, 0, 0, "a database name",             \
     "Database (schema) that holds the tables."},                                                  \
    {SECTION, "connect_timeout", parse_duration, MEMBER(MINE.connect_timeout_ms), "2s", 1000,      \
     60000, 0, "1s to 60s", "How long connecting to one host may take; whole seconds."},           \
    {SECTION, "query_timeout", parse_duration, MEMBER(MINE.query_timeout_ms), "5s", 100, 600000, 0, \
     "100ms to 10m", "How long one statement may take before the answer is 504."},                 \
    {SECTION, "tls_ca", parse_path, MEMBER(MINE.tls_ca), "", 0, 0, 0, a_path,                      \
     "PEM file of the authority that signed the server's certificate. Given: TLS is required."},   \
    {SECTION, "tls_verify", parse_bool, MEMBER(MINE.tls_verify), "on", 0, 0, 0, a_switch,          \
     "With tls_ca: whether the server's certificate must be valid for its host name."},            \
    {SECTION, "option_file", parse_path, MEMBER(MINE.option_file), "", 0, 0, 0, a_path,            \
     "MySQL option file; its [client] and [bkflow-states] groups are read."}

static const struct key keys[] = {
    {"server", "listen", parse_listen, MEMBER(server.listen), "", 0, 0, KEY_RESTART,
     "unix:/path[,mode=0660] or tcp:host:port",
     "Where to listen. Empty: systemd's LISTEN_FDS, else the socket on descriptor 0 that spawn-fcgi "
     "or a web server gives, else one plain CGI request."},
    {"server", "workers", parse_number, MEMBER(server.workers), "4", 1, 256, KEY_RESTART, "1 to 256",
     "Threads that answer requests, each with a database connection of its own."},
    {"server", "max_request_bytes", parse_size, MEMBER(server.max_request_bytes), "64k", 4096,
     INT64_C(16) * 1024 * 1024, KEY_RESTART, "4k to 16m",
     "Bound on one request's variables (path, query, headers: 431 above) and on its body (413)."},
    {"server", "client_timeout", parse_duration, MEMBER(server.client_timeout_ms), "10s", 100, 600000,
     0, "100ms to 10m",
     "How long the web server may take to send a request, and to take the next part of an answer."},
    {"server", "drain_timeout", parse_duration, MEMBER(server.drain_timeout_ms), "10s", 0, 600000, 0,
     "0 to 10m", "How long running requests may take to finish when the program is stopped."},
    KEYS_OF_DATABASE("database", database, "bkflow"),
    KEYS_OF_DATABASE("engine_database", engine_database, "bkflow"),
    {"auth", "direct", parse_bool, MEMBER(auth.direct), "on", 0, 0, 0, a_switch,
     "Whether bk_app_code, bk_app_secret and bk_username are accepted."},
    {"auth", "query_credentials", parse_bool, MEMBER(auth.query_credentials), "on", 0, 0, 0, a_switch,
     "Whether they may stand in the query string too. Query strings end up in access logs: off is "
     "safer where all clients send the header X-Bkapi-Authorization."},
    {"response", "timezone", parse_zone, MEMBER(response.timezone), "Asia/Shanghai", 0, 0, KEY_RESTART,
     "a name of the tz database such as Asia/Shanghai",
     "Zone of start_time and finish_time. The database holds UTC."},
    {"response", "language", parse_language, MEMBER(response.language), "en", 0, 0, 0, "en or zh-cn",
     "Language of messages where the request names none."},
    {"response", "max_nodes", parse_number, MEMBER(response.max_nodes), "100000", 1, 10000000,
     KEY_RESTART, "1 to 10000000",
     "Tasks with more nodes are answered 500. Bounds memory: about 300 bytes a node and worker."},
    {"status", "healthz", parse_bool, MEMBER(status.healthz), "on", 0, 0, 0, a_switch,
     "Whether /healthz answers: 200 as long as the process works."},
    {"status", "readyz", parse_bool, MEMBER(status.readyz), "on", 0, 0, 0, a_switch,
     "Whether /readyz answers: 200 when the database does, else 503."},
    {"status", "metrics", parse_bool, MEMBER(status.metrics), "on", 0, 0, 0, a_switch,
     "Whether /metrics answers, in the Prometheus text format."},
    {"status", "allow", parse_nets, MEMBER(status.allow), "127.0.0.0/8, ::1", 0, 0, 0,
     "addresses or networks split by commas", "Client addresses that may read /metrics."},
    {"log", "target", parse_log_target, MEMBER(log.target), "stderr", 0, 0, 0,
     "stderr, syslog or file:/path", "Where events go. A file is opened anew on SIGHUP."},
    {"log", "level", parse_level, MEMBER(log.level), "info", 0, 0, 0, "error, warning, info or debug",
     "The least important events that are still written."},
    {"log", "format", parse_format, MEMBER(log.format), "text", 0, 0, 0, "text or json",
     "One line of text or one JSON object per event."},
    {"log", "access", parse_bool, MEMBER(log.access), "off", 0, 0, 0, a_switch,
     "Whether each request is an event, at level info."},
};
// clang-format on
_Static_assert(COUNT_OF(keys) <= CONF_KEYS_MAX, "raise CONF_KEYS_MAX");

enum { NO_KEY = -1 };

static int find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
            return (int)i;
        }
    }
    return NO_KEY;
}

static bool section_exists(const char *section)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

// ---- loading ----

enum { PLACE_MAX = 512 };

// One load under way: where it is, and how many mistakes it has met.
struct load {
    struct conf *conf;
    const char *path;
    FILE *file;
    int line;
    int lines[CONF_KEYS_MAX]; // where a key was given first
    conf_complain *complain;
    void *context;
    unsigned mistakes;
};

static void complain(struct load *load, const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(struct load *load, const char *format, ...)
{
    char sentence[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    load->complain(load->context, sentence);
    load->mistakes++;
}

// Takes TEXT as the value of a key that PLACE ("file:line: [section] key") gives.
static void set_value(struct load *load, size_t index, const char *text, const char *place)
{
    const struct key *const key = &keys[index];
    char *const copy = strdup(text);
    if (copy == NULL) {
        complain(load, "%s: out of memory", place);
        return;
    }
    if (load->conf->texts[index] != NULL) {
        explicit_bzero(load->conf->texts[index], strlen(load->conf->texts[index]));
        free(load->conf->texts[index]);
    }
    load->conf->texts[index] = copy;
    if (key->parse(key, copy, (char *)load->conf + key->member) != 0) {
        complain(load, "%s: expected %s, not \"%s\"", place, key->expected,
                 (key->flags & KEY_SECRET) != 0 ? "****" : text);
    }
}

static void set_defaults(struct load *load)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        set_value(load, i, keys[i].fallback, "built-in default");
    }
}

static int take_entry(void *context, const char *section, const char *name, const char *value)
{
    struct load *const load = context;
    char place[PLACE_MAX];
    snprintf(place, sizeof place, "%s:%d: [%s] %s", load->path, load->line, section, name);
    const int index = find_key(section, name);
    if (index == NO_KEY) {
        complain(load, "%s: unknown %s; bkflow-states.conf(5) lists what there is", place,
                 section_exists(section) ? "key" : "section");
    } else if (load->lines[index] != 0) {
        complain(load, "%s: given before on line %d; keep one of the two", place,
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
    const size_t blanks = strspn(line, " \t");
    if (len + 1 == (size_t)size && line[len - 1] != '\n') {
        complain(load, "%s:%d: the line is longer than %d characters", load->path, load->line,
                 size - 2);
        skip_line(load->file);
        line[0] = '\0';
    } else if (blanks > 0 && strchr("\r\n;#", line[blanks]) == NULL) {
        complain(load, "%s:%d: the line begins with a blank; a key begins at the first column",
                 load->path, load->line);
        line[0] = '\0';
    }
    return line;
}

static void load_file(struct load *load)
{
    load->file = fopen(load->path, "re");
    if (load->file == NULL) {
        complain(load, "%s: cannot be read: %s", load->path, strerror(errno));
        return;
    }
    const int bad_line = ini_parse_stream(read_line, load, take_entry, load);
    if (bad_line > 0) {
        complain(load, "%s:%d: neither [section] nor key = value", load->path, bad_line);
    } else if (bad_line < 0) {
        complain(load, "%s: out of memory", load->path);
    }
    fclose(load->file);
}

static const char environment_prefix[] = "BKFLOW_STATES_";

// "BKFLOW_STATES_SERVER_LISTEN"
static void environment_name(const struct key *key, char name[PLACE_MAX])
{
    snprintf(name, PLACE_MAX, "%s%s_%s", environment_prefix, key->section, key->name);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

static int find_environment_key(struct str variable)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char name[PLACE_MAX];
        environment_name(&keys[i], name);
        if (str_equal(variable, str_from(name))) {
            return (int)i;
        }
    }
    return NO_KEY;
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
    const int index = find_environment_key(name);
    if (index == NO_KEY) {
        complain(load, "%s: no such key; bkflow-states.conf(5) lists what there is", place);
        return;
    }
    load->conf->given[index] = true;
    set_value(load, (size_t)index, value.ptr, place);
}

static void load_environment(struct load *load, char *const *environment)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        take_variable(load, environment[i]);
    }
}

// ---- what depends on more than one key ----

static bool any_given(const struct conf *conf, const char *section, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (conf->given[find_key(section, names[i])]) {
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
        load->conf->has_engine_database = true;
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        const int from = find_key("database", names[i]);
        const int to = find_key("engine_database", names[i]);
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
    const bool is_read = fgets(line, sizeof line, file) != NULL || feof(file);
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
        complain(load, "[%s] password_file: %s cannot be read: %s", section, path, strerror(errno));
        return;
    }
    database->password = *kept;
}

static void find_password(struct load *load, const char *section, struct conf_database *database,
                          char **kept)
{
    if (database->password_file[0] != '\0') {
        if (database->password[0] != '\0') {
            complain(load, "[%s] password and password_file are both given; keep one", section);
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

static void check_ways_in(struct load *load)
{
    if (!load->conf->auth.direct) {
        complain(load, "[auth] direct = off leaves no way to authenticate");
    }
}

struct conf *conf_load(const char *path, char *const *environment, conf_complain *complain_to,
                       void *context)
{
    struct load load = {
        .conf = calloc(1, sizeof(struct conf)),
        .path = path,
        .complain = complain_to,
        .context = context,
    };
    if (load.conf == NULL) {
        complain(&load, "out of memory");
        return NULL;
    }
    set_defaults(&load);
    if (path != NULL) {
        load_file(&load);
    }
    load_environment(&load, environment);
    inherit_engine_database(&load);
    find_password(&load, "database", &load.conf->database, &load.conf->secrets[0]);
    find_password(&load, "engine_database", &load.conf->engine_database, &load.conf->secrets[1]);
    check_ways_in(&load);
    if (load.mistakes > 0) {
        conf_free(load.conf);
        return NULL;
    }
    return load.conf;
}

static void free_secret(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
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
    free(conf);
}

// ---- printing ----

static bool starts_section(size_t index)
{
    return index == 0 || strcmp(keys[index].section, keys[index - 1].section) != 0;
}

void conf_print(const struct conf *conf, FILE *file)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (starts_section(i)) {
            fprintf(file, "%s[%s]\n", i == 0 ? "" : "\n", keys[i].section);
        }
        const bool masked = (keys[i].flags & KEY_SECRET) != 0 && conf->texts[i][0] != '\0';
        fprintf(file, "%s = %s\n", keys[i].name, masked ? "****" : conf->texts[i]);
    }
}

// Wraps ABOUT into comment lines of at most 78 columns.
static void print_comment(FILE *file, const char *about)
{
    size_t column = 0;
    while (*about != '\0') {
        const size_t word = strcspn(about, " ");
        if (column == 0 || column + 1 + word > 78) {
            column = (size_t)fprintf(file, column == 0 ? "#" : "\n#") - (column == 0 ? 0 : 1);
        }
        fprintf(file, " %.*s", (int)word, about);
        column += 1 + word;
        about += word;
        about += strspn(about, " ");
    }
    fputc('\n', file);
}

void conf_print_reference(FILE *file)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (starts_section(i)) {
            fprintf(file, "%s[%s]\n", i == 0 ? "" : "\n", keys[i].section);
        }
        fputc('\n', file);
        print_comment(file, keys[i].about);
        fprintf(file, "# Expected: %s.%s\n", keys[i].expected,
                (keys[i].flags & KEY_RESTART) != 0 ? " Read at start only." : "");
        fprintf(file, "#%s =%s%s\n", keys[i].name, keys[i].fallback[0] == '\0' ? "" : " ",
                keys[i].fallback);
    }
}

const char *conf_needs_restart(const struct conf *running, const struct conf *fresh)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if ((keys[i].flags & KEY_RESTART) != 0 && strcmp(running->texts[i], fresh->texts[i]) != 0) {
            return keys[i].name;
        }
    }
    return NULL;
}
