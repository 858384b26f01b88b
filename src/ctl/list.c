// SPDX-License-Identifier: MIT
#include "ctl/list.h"

#include "ctl/applications.h"
#include "base/clock.h"
#include "ctl/account.h"
#include "base/local_time.h"

enum { ARENA_BYTES = 64 << 20 }; // a hundred thousand applications

// ---- JSON ----

static void write_record(struct json_writer *json, const struct application *record)
{
    json_write_key(json, record->code);
    json_write_open(json);
    JSON_WRITE_KEY(json, "is_enabled");
    json_write_bool(json, record->is_enabled);
    JSON_WRITE_KEY(json, "description");
    json_write_string(json, record->description);
    JSON_WRITE_KEY(json, "created_at");
    ctl_out_time(json, record->created_us);
    JSON_WRITE_KEY(json, "rotated_at");
    ctl_out_time(json, record->rotated_us);
    JSON_WRITE_KEY(json, "old_secret_until");
    ctl_out_time(json, record->previous_until_us);
    json_write_close(json);
}

static void write_all(struct ctl *ctl, const struct application *first)
{
    struct json_writer json;
    json_write_init(&json, &ctl->out.buffer);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "apps");
    json_write_open(&json);
    for (const struct application *record = first; record != NULL; record = record->next) {
        write_record(&json, record);
    }
    json_write_close(&json);
    json_write_close(&json);
    ctl_out_print(&ctl->out, "\n");
}

// ---- text ----

enum { ENABLED_WIDTH = 10, TIME_WIDTH = 27 };

static void print_time(struct ctl *ctl, struct local_time *local_time, int64_t us)
{
    char text[LOCAL_TIME_TEXT_MAX];
    const struct str shown = us == CLOCK_NO_TIME
                                 ? STR("-")
                                 : (struct str){text, local_time_format(local_time, us, text)};
    ctl_out_cell(&ctl->out, CTL_PLAIN, shown, TIME_WIDTH);
}

static void print_record(struct ctl *ctl, struct local_time *local_time,
                         const struct application *record, size_t code_width)
{
    struct ctl_out *const out = &ctl->out;
    const bool has_ended = record->previous_until_us <= clock_system.wall_us();
    ctl_out_cell(out, CTL_PLAIN, record->code, code_width);
    ctl_out_cell(out, record->is_enabled ? CTL_GREEN : CTL_RED,
                 record->is_enabled ? STR("yes") : STR("no"), ENABLED_WIDTH);
    print_time(ctl, local_time, record->created_us);
    print_time(ctl, local_time, record->rotated_us);
    print_time(ctl, local_time, has_ended ? CLOCK_NO_TIME : record->previous_until_us);
    ctl_out_text(out, record->description);
    ctl_out_print(out, "\n");
}

static size_t widest_code(const struct application *first)
{
    size_t widest = sizeof "CODE" - 1;
    for (const struct application *record = first; record != NULL; record = record->next) {
        const size_t width = ctl_out_width(record->code);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_all(struct ctl *ctl, const struct application *first)
{
    struct local_time local_time = {0};
    struct ctl_out *const out = &ctl->out;
    if (first == NULL) {
        ctl_out_print(out, "There are no applications yet: bkflow-statesctl app add CODE.\n");
        return;
    }
    const size_t code_width = widest_code(first) + 2;
    ctl_out_cell(out, CTL_FAINT, STR("CODE"), code_width);
    ctl_out_cell(out, CTL_FAINT, STR("ENABLED"), ENABLED_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("CREATED"), TIME_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("ROTATED"), TIME_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("OLD SECRET UNTIL"), TIME_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("DESCRIPTION"), 0);
    ctl_out_print(out, "\n");
    for (const struct application *record = first; record != NULL; record = record->next) {
        print_record(ctl, &local_time, record, code_width);
    }
}

static int list(struct ctl *ctl, struct applications *apps, struct arena *arena)
{
    struct application *first;
    struct error err = {0};
    if (applications_list(apps, arena, &first, &err) != 0) {
        return ctl_fault_explain(&ctl->fault, &err);
    }
    if (ctl->options.is_json) {
        write_all(ctl, first);
    } else {
        print_all(ctl, first);
    }
    return CTL_OK;
}

int ctl_list_run(struct ctl *ctl)
{
    const struct conf_database account = ctl_account_reach(ctl, &ctl->conf->database);
    struct applications *const apps = applications_new(&account, &ctl->shard);
    struct arena *const arena = arena_new(ARENA_BYTES);
    int status = CTL_FAILED;
    if (apps == NULL || arena == NULL) {
        ctl_fault_set(&ctl->fault, CTL_FAILED, "there is not enough memory");
    } else {
        status = list(ctl, apps, arena);
    }
    applications_free(apps);
    arena_free(arena);
    return status;
}
