// SPDX-License-Identifier: MIT
// Prints the effective configuration, and the reference of all keys.
#include "conf/conf.h"
#include "conf/conf_keys_priv.h"

static bool starts_section(size_t index)
{
    return index == 0 || strcmp(conf_keys[index].section, conf_keys[index - 1].section) != 0;
}

static void print_gateways(const struct conf *conf, FILE *file)
{
    for (size_t i = 0; i < conf->auth.gateway_count; i++) {
        fprintf(file, "gateway_key_%s = %s\n", conf->auth.gateways[i].name,
                conf->auth.gateways[i].path);
    }
}

// Breaks a long list into several lines: the length of a line in the file is limited.
static void print_list(const char *name, const char *list, FILE *file)
{
    enum { COLUMNS = 78 };
    struct str rest = str_from(list);
    size_t column = (size_t)fprintf(file, "%s =", name);
    while (!str_is_absent(rest)) {
        const struct str element = str_trim(str_cut(&rest, ','));
        if (column + element.len + 2 > COLUMNS) {
            fputs("\n ", file);
            column = 1;
        }
        column += (size_t)fprintf(file, " %.*s%s", (int)element.len, element.ptr,
                                  str_is_absent(rest) ? "" : ",");
    }
    fputc('\n', file);
}

static void print_key(const struct conf_key *key, const char *text, FILE *file)
{
    const bool is_masked = (key->flags & CONF_KEY_SECRET) != 0 && text[0] != '\0';
    if ((key->flags & CONF_KEY_LIST) != 0 && text[0] != '\0') {
        print_list(key->name, text, file);
    } else {
        fprintf(file, "%s = %s\n", key->name, is_masked ? "****" : text);
    }
}

void conf_print(const struct conf *conf, FILE *file)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        if (starts_section(i)) {
            fprintf(file, "%s[%s]\n", i == 0 ? "" : "\n", conf_keys[i].section);
        }
        if ((conf_keys[i].flags & CONF_KEY_FAMILY) != 0) {
            print_gateways(conf, file);
            continue;
        }
        print_key(&conf_keys[i], conf->texts[i], file);
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

static void print_section_comment(const char *section, FILE *file)
{
    if (strcmp(section, "database") == 0) {
        print_comment(file,
                      "The database of BKFlow's interface: template_template, account_user and "
                      "bkflow_states_app are in it. Each key that [engine_database] does not "
                      "set has its value from here.");
    } else if (strcmp(section, "engine_database") == 0) {
        print_comment(file,
                      "The database of BKFlow's engine: task_taskinstance and eri_state are in "
                      "it. A key that is not set here is as in [database]: host, port and "
                      "socket together, so are password and password_file, and tls_ca and "
                      "tls_verify. Where BKFlow has one database for everything, set nothing "
                      "here. --print-config shows the values of both databases.");
    }
}

void conf_print_reference(FILE *file)
{
    for (size_t i = 0; i < conf_key_count; i++) {
        if (starts_section(i)) {
            fprintf(file, "%s[%s]\n", i == 0 ? "" : "\n", conf_keys[i].section);
            print_section_comment(conf_keys[i].section, file);
        }
        fputc('\n', file);
        print_comment(file, conf_keys[i].about);
        fprintf(file, "# Expected: %s.%s\n", conf_keys[i].expected,
                (conf_keys[i].flags & CONF_KEY_RESTART) != 0 ? " Read at start only." : "");
        const bool is_family = (conf_keys[i].flags & CONF_KEY_FAMILY) != 0;
        // A missing value is inherited from [database].
        const bool is_inherited = strcmp(conf_keys[i].section, "engine_database") == 0;
        const char *const fallback = is_inherited ? "" : conf_keys[i].fallback;
        fprintf(file, "#%s%s =%s%s\n", conf_keys[i].name, is_family ? "NAME" : "",
                fallback[0] == '\0' ? "" : " ", fallback);
    }
}
