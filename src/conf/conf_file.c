// SPDX-License-Identifier: MIT
// Reads the configuration file. inih splits it into sections, keys and values. This file detects
// and reports what inih would silently accept or truncate.
#include "base/regular_file.h"
#include "conf/conf_keys_priv.h"
#include "conf/conf_load_priv.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
    struct conf_load *load;
    const char *path;
    FILE *file;
    int line;
    int lines[CONF_KEYS_MAX]; // where a key was first given; 0: not yet
    // A list may continue on indented lines. Its value is set when something else begins.
    int list;        // its key; CONF_NO_KEY: none
    char *list_text; // owned
    char list_place[CONF_PLACE_MAX];
    bool goes_on; // the current line continues the list
};

// ---- lists ----

// Sets the value of the list that has been read, if there is one.
static void end_list(struct reader *reader)
{
    if (reader->list != CONF_NO_KEY) {
        conf_load_value(reader->load, (size_t)reader->list, reader->list_text, reader->list_place);
    }
    free(reader->list_text);
    reader->list_text = NULL;
    reader->list = CONF_NO_KEY;
}

static void begin_list(struct reader *reader, int index, const char *text, const char *place)
{
    reader->list_text = strdup(text);
    if (reader->list_text == NULL) {
        conf_load_out_of_memory(reader->load, place);
        return;
    }
    reader->list = index;
    snprintf(reader->list_place, sizeof reader->list_place, "%s", place);
}

static void continue_list(struct reader *reader, const char *text)
{
    const size_t len = strlen(reader->list_text);
    const size_t more = strlen(text);
    char *const longer = realloc(reader->list_text, len + more + 2);
    if (longer == NULL) {
        conf_load_out_of_memory(reader->load, reader->list_place);
        return;
    }
    longer[len] = ' ';
    memcpy(longer + len + 1, text, more + 1);
    reader->list_text = longer;
}

// ---- entries ----

static void take_key(struct reader *reader, int index, const char *value, const char *place)
{
    if (reader->lines[index] != 0) {
        conf_mistake(&reader->load->mistakes, "%s: given before on line %d; keep one of the two",
                     place, reader->lines[index]);
        return;
    }
    reader->lines[index] = reader->line;
    reader->load->conf->given[index] = true;
    if ((conf_keys[index].flags & CONF_KEY_LIST) != 0) {
        begin_list(reader, index, value, place);
    } else {
        conf_load_value(reader->load, (size_t)index, value, place);
    }
}

// inih calls this for each key, and for each indented line after one. Returns 1 to continue.
static int take_entry(void *context, const char *section, const char *name, const char *value)
{
    struct reader *const reader = context;
    if (reader->goes_on) {
        continue_list(reader, value);
        return 1;
    }
    char place[CONF_PLACE_MAX];
    // Only the first word of a name with spaces: "password SECRET" is a common slip.
    snprintf(place, sizeof place, "%s:%d: [%s] %.*s", reader->path, reader->line, section,
             (int)strcspn(name, " \t"), name);
    end_list(reader);
    const int index = conf_find_key(section, name);
    if (index == CONF_NO_KEY) {
        conf_mistake(&reader->load->mistakes,
                     "%s: unknown %s; bkflow-states.conf(5) lists what there is", place,
                     conf_section_exists(section) ? "key" : "section");
    } else if ((conf_keys[index].flags & CONF_KEY_FAMILY) != 0) {
        conf_load_gateway(reader->load, name + strlen(conf_keys[index].name), value, false, place);
    } else {
        take_key(reader, index, value, place);
    }
    return 1;
}

// ---- lines ----

static bool is_blank_or_comment(const char *line)
{
    return strchr("\r\n;#", line[strspn(line, " \t")]) != NULL;
}

// Whether inih would reject the line; it reports only the number of the first one.
static bool is_meaningless(const char *line)
{
    return line[0] == '[' ? strchr(line, ']') == NULL : strpbrk(line, "=:") == NULL;
}

// Whether inih would treat the rest of the line as a comment, and so truncate a password.
static bool has_inline_comment(const char *line)
{
    return strstr(line, " ;") != NULL || strstr(line, "\t;") != NULL;
}

// Text files contain no control characters except tabs and line ends. Without this check a line
// would end at a NUL byte or a lone carriage return, and all of a damaged file might count as one
// comment.
static bool has_control_character(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)line[i];
        const bool is_line_end = c == '\n' || (c == '\r' && (i + 1 == len || line[i + 1] == '\n'));
        if ((c < 0x20 && c != '\t' && !is_line_end) || c == 0x7F) {
            return true;
        }
    }
    return false;
}

// Returns what is wrong with a line that inih would silently accept; NULL if nothing is.
static const char *line_mistake(const struct reader *reader, const char *line)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; // editors on Windows put it first
    if (strncmp(line, byte_order_mark, sizeof byte_order_mark - 1) == 0) {
        line += sizeof byte_order_mark - 1;
    }
    if (is_blank_or_comment(line)) {
        return NULL;
    }
    const bool is_indented = line[0] == ' ' || line[0] == '\t';
    if (is_indented && reader->list == CONF_NO_KEY) {
        return "the line begins with a blank; a key begins at the first column, and only lists go "
               "on in further lines";
    }
    if (!is_indented && is_meaningless(line)) {
        return "neither [section] nor key = value";
    }
    return has_inline_comment(line) ? "a ; after a blank; comments have lines of their own" : NULL;
}

// Like fgets, but returns the number of bytes, which may include NULs.
static size_t get_line(FILE *file, char *line, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && (len == 0 || line[len - 1] != '\n')) {
        const int c = getc(file);
        if (c == EOF) {
            break;
        }
        line[len++] = (char)c;
    }
    line[len] = '\0';
    return len;
}

static void skip_line(FILE *file)
{
    for (int c = getc(file); c != EOF && c != '\n'; c = getc(file)) {
    }
}

// Reports what is wrong with the line. Returns whether anything is.
static bool report_line(struct reader *reader, const char *line, size_t len, size_t size)
{
    struct conf_mistakes *const mistakes = &reader->load->mistakes;
    if (has_control_character(line, len)) {
        conf_mistake(mistakes, "%s:%d: a control character; the file is damaged, or not plain text",
                     reader->path, reader->line);
        return true;
    }
    if (len + 1 == size && line[len - 1] != '\n') {
        conf_mistake(mistakes, "%s:%d: the line is longer than %zu characters", reader->path,
                     reader->line, size - 2);
        skip_line(reader->file);
        return true;
    }
    const char *const mistake = line_mistake(reader, line);
    if (mistake != NULL) {
        conf_mistake(mistakes, "%s:%d: %s", reader->path, reader->line, mistake);
    }
    return mistake != NULL;
}

// Reads a line for inih. Lines with a mistake are replaced by empty ones.
static char *read_line(char *line, int size, void *context)
{
    struct reader *const reader = context;
    explicit_bzero(line, (size_t)size); // the previous line may have been a password
    const size_t len = get_line(reader->file, line, (size_t)size);
    if (len == 0) {
        return NULL;
    }
    reader->line++;
    if (report_line(reader, line, len, (size_t)size)) {
        const bool is_binary = memchr(line, '\0', len) != NULL;
        line[0] = '\0';
        return is_binary ? NULL : line; // one report is enough for a binary file
    }
    if (line[0] == '[') {
        end_list(reader);
    }
    reader->goes_on = line[0] == ' ' || line[0] == '\t';
    return line;
}

static void parse(struct reader *reader)
{
    char buffer[BUFSIZ]; // ours, so that a password in it can be wiped
    setvbuf(reader->file, buffer, _IOFBF, sizeof buffer);
    const int outcome = ini_parse_stream(read_line, reader, take_entry, reader);
    end_list(reader);
    if (outcome > 0) {
        conf_mistake(&reader->load->mistakes, "%s:%d: neither [section] nor key = value",
                     reader->path, outcome);
    } else if (outcome < 0) {
        conf_load_out_of_memory(reader->load, reader->path);
    }
    if (ferror(reader->file)) {
        conf_mistake(&reader->load->mistakes, "%s: cannot be read: %s", reader->path,
                     strerror(errno));
    }
    fclose(reader->file);
    explicit_bzero(buffer, sizeof buffer);
}

void conf_load_file(struct conf_load *load, const char *path)
{
    const char *why;
    struct reader reader = {
        .load = load, .path = path, .file = regular_file_open(path, &why), .list = CONF_NO_KEY};
    if (reader.file == NULL) {
        conf_mistake(&load->mistakes, "%s: cannot be read: %s", path, why);
        return;
    }
    parse(&reader);
}

const char *conf_choose_path(const char *given)
{
    const char *const named = given != NULL ? given : getenv("BKFLOW_STATES_CONFIG");
    if (named != NULL) {
        return named;
    }
    return access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
}
