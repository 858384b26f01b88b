// SPDX-License-Identifier: MIT
#include "ctl/report.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *word;
    enum ctl_colour colour;
} verdicts[] = {
    [CTL_RIGHT] = {"ok", CTL_GREEN},
    [CTL_WARNING] = {"warning", CTL_YELLOW},
    [CTL_WRONG] = {"wrong", CTL_RED},
};

enum { WORD_WIDTH = 9, TOPIC_WIDTH = 32 };

void ctl_report_begin(struct ctl_report *report, struct ctl_out *out, bool is_json)
{
    *report = (struct ctl_report){.out = out, .is_json = is_json};
    if (is_json) {
        json_write_init(&report->json, &out->buffer);
        json_write_open(&report->json);
        JSON_WRITE_KEY(&report->json, "checks");
        json_write_open(&report->json);
    }
}

void ctl_report_what(struct ctl_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->what, sizeof finding->what, format, arguments);
    va_end(arguments);
}

void ctl_report_to_do(struct ctl_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->to_do, sizeof finding->to_do, format, arguments);
    va_end(arguments);
}

static void write_finding(struct json_writer *json, const struct ctl_finding *finding,
                          const char *topic)
{
    json_write_key(json, str_from(topic));
    json_write_open(json);
    JSON_WRITE_KEY(json, "verdict");
    json_write_string(json, str_from(verdicts[finding->verdict].word));
    JSON_WRITE_KEY(json, "what");
    json_write_string(json, str_from(finding->what));
    JSON_WRITE_KEY(json, "to_do");
    json_write_string(json, str_from(finding->to_do));
    json_write_close(json);
}

static void print_finding(struct ctl_out *out, const struct ctl_finding *finding, const char *topic)
{
    ctl_out_cell(out, verdicts[finding->verdict].colour, str_from(verdicts[finding->verdict].word),
                 WORD_WIDTH);
    ctl_out_cell(out, CTL_PLAIN, str_from(topic), TOPIC_WIDTH);
    ctl_out_print(out, " ");
    ctl_out_text(out, str_from(finding->what));
    ctl_out_print(out, "\n");
    if (finding->to_do[0] != '\0') {
        ctl_out_blanks(out, WORD_WIDTH);
        ctl_out_print(out, "-> ");
        ctl_out_text(out, str_from(finding->to_do));
        ctl_out_print(out, "\n");
    }
}

void ctl_report_add(struct ctl_report *report, const struct ctl_finding *finding)
{
    char topic[256];
    const char *const second = finding->topic[1];
    const char *const third = finding->topic[2];
    snprintf(topic, sizeof topic, "%s%s%s%s%s", finding->topic[0], second == NULL ? "" : ".",
             second == NULL ? "" : second, third == NULL ? "" : ".", third == NULL ? "" : third);
    report->counts[finding->verdict]++;
    if (report->is_json) {
        write_finding(&report->json, finding, topic);
    } else {
        print_finding(report->out, finding, topic);
        // Shown at once: the next check may take long.
        ctl_out_show(report->out);
    }
}

bool ctl_report_end(struct ctl_report *report)
{
    const unsigned *const counts = report->counts;
    const bool is_right = counts[CTL_WRONG] == 0;
    if (report->is_json) {
        json_write_close(&report->json);
        JSON_WRITE_KEY(&report->json, "result");
        json_write_bool(&report->json, is_right);
        JSON_WRITE_KEY(&report->json, "wrong");
        json_write_number(&report->json, counts[CTL_WRONG]);
        JSON_WRITE_KEY(&report->json, "warnings");
        json_write_number(&report->json, counts[CTL_WARNING]);
        json_write_close(&report->json);
    } else {
        ctl_out_print(report->out, "\n%u wrong, %u warning%s, %u ok", counts[CTL_WRONG],
                      counts[CTL_WARNING], counts[CTL_WARNING] == 1 ? "" : "s", counts[CTL_RIGHT]);
    }
    ctl_out_print(report->out, "\n");
    return is_right;
}
