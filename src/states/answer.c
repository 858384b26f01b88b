// SPDX-License-Identifier: MIT
#include "states/answer_priv.h"

#include "base/json_write.h"
#include "base/log.h"
#include "states/exchange_priv.h"
#include "states/messages_priv.h"

#include <stdio.h>
#include <strings.h>

// ---- the language ----

static bool is_chinese(struct str language)
{
    return (language.len == 5 && strncasecmp(language.ptr, "zh-cn", 5) == 0) ||
           (language.len == 7 && strncasecmp(language.ptr, "zh-hans", 7) == 0);
}

enum lang answer_language(const struct exchange *exchange)
{
    struct str language = exchange->request.language;
    if (str_is_absent(language)) {
        language = http_cookie(exchange->request.cookie, STR("blueking_language"));
    }
    if (is_chinese(language)) {
        return LANG_ZH;
    }
    const bool is_english = language.len == 2 && strncasecmp(language.ptr, "en", 2) == 0;
    return is_english ? LANG_EN : exchange->service->conf->response.language;
}

// ---- heads and envelopes ----

static void begin_answer(struct exchange *exchange, int status, struct str content_type)
{
    http_begin(exchange->response, status);
    if (status != 304) {
        http_header(exchange->response, "Content-Type", content_type);
    }
    http_header(exchange->response, "Cache-Control", STR("no-cache"));
    http_header(exchange->response, "X-Content-Type-Options", STR("nosniff"));
    http_header(exchange->response, "X-Request-Id", exchange->ids.request);
}

static void begin_json(struct exchange *exchange, int status)
{
    begin_answer(exchange, status, STR("application/json"));
}

static void write_error_body(struct exchange *exchange, struct outbuf *out)
{
    char text[MESSAGES_MAX];
    struct json_writer json;
    json_write_init(&json, out);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "result");
    json_write_bool(&json, false);
    JSON_WRITE_KEY(&json, "message");
    json_write_string(&json, messages_render(&exchange->err, exchange->lang, text, sizeof text));
    JSON_WRITE_KEY(&json, "code");
    json_write_number(&json, error_code(exchange->err.kind));
    JSON_WRITE_KEY(&json, "data");
    json_write_null(&json);
    JSON_WRITE_KEY(&json, "trace_id");
    json_write_string(&json, exchange->ids.trace);
    json_write_close(&json);
}

static void put_number_header(struct exchange *exchange, const char *name, unsigned number)
{
    char text[16];
    const int len = snprintf(text, sizeof text, "%u", number);
    http_header(exchange->response, name, (struct str){text, (size_t)len});
}

void answer_error(struct exchange *exchange)
{
    const enum error_kind kind = exchange->err.kind;
    exchange->outcome = METRICS_FAILED + (int)kind;
    begin_json(exchange, error_status(kind));
    if (error_retry_after(&exchange->err) > 0) {
        put_number_header(exchange, "Retry-After", error_retry_after(&exchange->err));
    }
    if (kind == ERR_METHOD) {
        http_header(exchange->response, "Allow", exchange->match.route->methods);
    }
    if (error_status(kind) == 401) {
        http_header(exchange->response, "WWW-Authenticate",
                    STR("Bkapi realm=\"bkflow-states\"")); // RFC 9110, 11.6.1
    }
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_error_body(exchange, body);
    }
}

// The envelope before and after the value of "data".
static void open_envelope(struct json_writer *json)
{
    json_write_open(json);
    JSON_WRITE_KEY(json, "result");
    json_write_bool(json, true);
    JSON_WRITE_KEY(json, "data");
}

static void close_envelope(struct exchange *exchange, struct json_writer *json)
{
    JSON_WRITE_KEY(json, "message");
    json_write_string(json, STR(""));
    JSON_WRITE_KEY(json, "code");
    if (exchange->match.route->id == ROUTE_SPACE_BATCH) {
        json_write_string(json, STR("0")); // as BKFlow sends it, and only here
    } else {
        json_write_number(json, 0);
    }
    JSON_WRITE_KEY(json, "trace_id");
    json_write_string(json, exchange->ids.trace);
    json_write_close(json);
    if (!json_write_is_complete(json)) {
        LOG_EVENT(LOG_LEVEL_ERROR, "the answer is not complete JSON: a defect, please report it",
                  LOG_TEXT("trace_id", exchange->ids.trace),
                  LOG_NUMBER("task_id", exchange->match.task_id));
    }
}

// ---- what is in them ----

void answer_status(struct exchange *exchange, struct str status)
{
    begin_json(exchange, 200);
    struct outbuf *const body = http_body(exchange->response);
    if (body == NULL) {
        return;
    }
    struct json_writer json;
    json_write_init(&json, body);
    open_envelope(&json);
    json_write_open(&json);
    JSON_WRITE_KEY(&json, "status");
    json_write_string(&json, status);
    json_write_close(&json);
    close_envelope(exchange, &json);
}

void answer_metrics(struct exchange *exchange)
{
    begin_answer(exchange, 200, STR("text/plain; version=0.0.4; charset=utf-8"));
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        metrics_write(exchange->service->metrics, body);
    }
}

static void write_states_body(struct exchange *exchange, struct outbuf *out)
{
    struct json_writer json;
    json_write_init(&json, out);
    open_envelope(&json);
    tree_write(exchange->tree, exchange->parameters.failed, &exchange->service->local_time, &json);
    close_envelope(exchange, &json);
}

// The head of an answer with states; 304 if the client has the tag.
static void begin_states(struct exchange *exchange, struct str tag, struct str version)
{
    const bool is_known = http_tag_matches(exchange->request.if_none_match, tag);
    exchange->outcome = is_known ? METRICS_NOT_MODIFIED : METRICS_OK;
    begin_json(exchange, is_known ? 304 : 200);
    http_header(exchange->response, "ETag", tag);
    http_header(exchange->response, "X-States-Version", version);
}

void answer_states(struct exchange *exchange)
{
    char version_text[TREE_VERSION_BYTES];
    char tag_text[TREE_TAG_BYTES];
    begin_states(exchange,
                 tree_tag(exchange->tree, exchange->parameters.failed,
                          exchange->service->conf->response.timezone, tag_text),
                 tree_version(exchange->tree, version_text));
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_states_body(exchange, body);
    }
}

// ---- several tasks ----

// What the call for the task alone would answer.
static void write_refusal(struct exchange *exchange, const struct batch_entry *entry,
                          struct json_writer *json)
{
    char text[MESSAGES_MAX];
    const struct error refusal = batch_refusal(exchange, entry);
    JSON_WRITE_KEY(json, "code");
    json_write_number(json, error_code(refusal.kind));
    JSON_WRITE_KEY(json, "message");
    json_write_string(json, messages_render(&refusal, exchange->lang, text, sizeof text));
}

static void write_shown(struct exchange *exchange, const struct batch_entry *entry,
                        struct json_writer *json)
{
    JSON_WRITE_KEY(json, "state");
    json_write_string(json, entry->state);
    JSON_WRITE_KEY(json, "version");
    json_write_string(json, (struct str){entry->version, sizeof entry->version});
    if (entry->tree != NULL) {
        JSON_WRITE_KEY(json, "states");
        tree_write(entry->tree, false, &exchange->service->local_time, json);
    }
}

static void write_task_id(const struct batch_entry *entry, struct json_writer *json)
{
    char digits[JSON_WRITE_NUMBER_MAX];
    const char *const end = json_write_put_number(digits, entry->task_id);
    json_write_key(json, (struct str){digits, (size_t)(end - digits)});
}

static void write_entries(struct exchange *exchange, struct json_writer *json)
{
    const struct batch *const batch = exchange->batch;
    json_write_open(json);
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_entry *const entry = &batch->entries[i];
        write_task_id(entry, json);
        json_write_open(json);
        if (entry->is_refused) {
            write_refusal(exchange, entry, json);
        } else {
            write_shown(exchange, entry, json);
        }
        json_write_close(json);
    }
    json_write_close(json);
}

static void write_batch_body(struct exchange *exchange, struct outbuf *out)
{
    struct json_writer json;
    json_write_init(&json, out);
    open_envelope(&json);
    write_entries(exchange, &json);
    close_envelope(exchange, &json);
}

void answer_batch(struct exchange *exchange)
{
    const struct tree *const all = &exchange->batch->digest;
    char version_text[TREE_VERSION_BYTES];
    char tag_text[TREE_TAG_BYTES];
    begin_states(exchange,
                 tree_tag(all, false, exchange->service->conf->response.timezone, tag_text),
                 tree_version(all, version_text));
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_batch_body(exchange, body);
    }
}

// Tasks that are not there for this space are left out. A task whose states cannot be told has the
// state null.
static bool is_left_out(const struct batch_entry *entry)
{
    return entry->is_refused && error_status(entry->refusal) < 500;
}

static void write_root_state(const struct batch_entry *entry, struct json_writer *json)
{
    json_write_open(json);
    JSON_WRITE_KEY(json, "state");
    if (entry->is_refused) {
        json_write_null(json);
    } else {
        json_write_string(json, entry->state);
    }
    json_write_close(json);
}

static void write_space_batch_body(struct exchange *exchange, struct outbuf *out)
{
    const struct batch *const batch = exchange->batch;
    struct json_writer json;
    json_write_init(&json, out);
    open_envelope(&json);
    json_write_open(&json);
    for (size_t i = 0; i < batch->count; i++) {
        if (!is_left_out(&batch->entries[i])) {
            write_task_id(&batch->entries[i], &json);
            write_root_state(&batch->entries[i], &json);
        }
    }
    json_write_close(&json);
    close_envelope(exchange, &json);
}

void answer_space_batch(struct exchange *exchange)
{
    char version_text[TREE_VERSION_BYTES];
    begin_json(exchange, 200);
    http_header(exchange->response, "X-States-Version",
                tree_version(&exchange->batch->digest, version_text));
    struct outbuf *const body = http_body(exchange->response);
    if (body != NULL) {
        write_space_batch_body(exchange, body);
    }
}
