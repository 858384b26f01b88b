// SPDX-License-Identifier: MIT
#include "ctl_list.h"

#include "apps.h"
#include "clock.h"
#include "ctl_account.h"
#include "ctl_fault.h"
#include "zone.h"

enum { ARENA_BYTES = 64 << 20 }; // a hundred thousand applications

// ---- JSON ----

static void write_record(struct jsonw *json, const struct apps_record *record)
{
    jsonw_key(json, record->code);
    jsonw_open(json);
    JSONW_KEY(json, "is_enabled");
    jsonw_bool(json, record->is_enabled);
    JSONW_KEY(json, "description");
    jsonw_string(json, record->description);
    JSONW_KEY(json, "created_at");
    ctl_out_moment(json, record->created_us);
    JSONW_KEY(json, "rotated_at");
    ctl_out_moment(json, record->rotated_us);
    JSONW_KEY(json, "old_secret_until");
    ctl_out_moment(json, record->previous_until_us);
    jsonw_close(json);
}

static void write_all(struct ctl *ctl, const struct apps_record *first)
{
    struct jsonw json;
    jsonw_init(&json, &ctl->out.buffer);
    jsonw_open(&json);
    JSONW_KEY(&json, "apps");
    jsonw_open(&json);
    for (const struct apps_record *record = first; record != NULL; record = record->next) {
        write_record(&json, record);
    }
    jsonw_close(&json);
    jsonw_close(&json);
    ctl_out_print(&ctl->out, "\n");
}

// ---- text ----

enum { ENABLED_WIDTH = 10, MOMENT_WIDTH = 27 };

static void print_moment(struct ctl *ctl, struct zone *zone, int64_t us)
{
    char text[ZONE_TEXT_MAX];
    const struct str moment =
        us == STORE_NO_TIME ? STR("-") : (struct str){text, zone_format(zone, us, text)};
    ctl_out_cell(&ctl->out, CTL_PLAIN, moment, MOMENT_WIDTH);
}

static void print_record(struct ctl *ctl, struct zone *zone, const struct apps_record *record,
                         size_t code_width)
{
    struct ctl_out *const out = &ctl->out;
    const bool has_ended = record->previous_until_us <= clock_system.wall_us();
    ctl_out_cell(out, CTL_PLAIN, record->code, code_width);
    ctl_out_cell(out, record->is_enabled ? CTL_GREEN : CTL_RED,
                 record->is_enabled ? STR("yes") : STR("no"), ENABLED_WIDTH);
    print_moment(ctl, zone, record->created_us);
    print_moment(ctl, zone, record->rotated_us);
    print_moment(ctl, zone, has_ended ? STORE_NO_TIME : record->previous_until_us);
    ctl_out_text(out, record->description);
    ctl_out_print(out, "\n");
}

static size_t widest_code(const struct apps_record *first)
{
    size_t widest = sizeof "CODE" - 1;
    for (const struct apps_record *record = first; record != NULL; record = record->next) {
        const size_t width = ctl_out_width(record->code);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_all(struct ctl *ctl, const struct apps_record *first)
{
    struct zone zone = {0};
    struct ctl_out *const out = &ctl->out;
    if (first == NULL) {
        ctl_out_print(out, "There are no applications yet: bkflow-statesctl app add CODE.\n");
        return;
    }
    const size_t code_width = widest_code(first) + 2;
    ctl_out_cell(out, CTL_FAINT, STR("CODE"), code_width);
    ctl_out_cell(out, CTL_FAINT, STR("ENABLED"), ENABLED_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("CREATED"), MOMENT_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("ROTATED"), MOMENT_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("OLD SECRET UNTIL"), MOMENT_WIDTH);
    ctl_out_cell(out, CTL_FAINT, STR("DESCRIPTION"), 0);
    ctl_out_print(out, "\n");
    for (const struct apps_record *record = first; record != NULL; record = record->next) {
        print_record(ctl, &zone, record, code_width);
    }
}

static int list(struct ctl *ctl, struct apps *apps, struct arena *arena)
{
    struct apps_record *first;
    struct err err = {0};
    if (apps_list(apps, arena, &first, &err) != 0) {
        return ctl_fault_explain(&err);
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
    struct apps *const apps = apps_new(&account, &ctl->shard);
    struct arena *const arena = arena_new(ARENA_BYTES);
    int status = CTL_FAILED;
    if (apps == NULL || arena == NULL) {
        ctl_fault_say("out of memory");
    } else {
        status = list(ctl, apps, arena);
    }
    apps_free(apps);
    arena_free(arena);
    return status;
}
