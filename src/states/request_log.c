// SPDX-License-Identifier: MIT
#include "states/request_log_priv.h"

#include "base/log.h"
#include "states/exchange_priv.h"

#include <assert.h>

enum { PATH_MAX_BYTES = 200, FIELDS_MAX = 12 };

// The fields of an event about a request.
struct event {
    struct log_field fields[FIELDS_MAX];
    size_t count;
};

static void add(struct event *event, struct log_field field)
{
    assert(event->count < FIELDS_MAX);
    event->fields[event->count++] = field;
}

// Every event begins with the ids that the client or the gateway's support will ask about.
static struct event begin_event(const struct exchange *exchange)
{
    struct event event = {.count = 0};
    add(&event, LOG_TEXT("trace_id", exchange->ids.trace));
    if (!str_equal(exchange->ids.request, exchange->ids.trace)) {
        add(&event, LOG_TEXT("request_id", exchange->ids.request));
    }
    return event;
}

static void add_tasks(struct event *event, const struct exchange *exchange)
{
    if (exchange->batch != NULL) {
        add(event, LOG_NUMBER("tasks", (int64_t)exchange->batch->count));
    } else {
        add(event, LOG_NUMBER("task_id", exchange->match.task_id));
    }
}

static void end_event(const struct event *event, enum log_level level, const char *message)
{
    log_event(level, message, event->fields, event->count);
}

static size_t rows_of(const struct exchange *exchange)
{
    if (exchange->batch != NULL) {
        return exchange->batch->rows;
    }
    return exchange->query == NULL ? 0 : exchange->query->nodes.count + exchange->subtask_rows;
}

// Outages are not logged here: they are logged once where they are noticed, not for each request
// that they affect.
void request_log_fault(const struct exchange *exchange)
{
    if (exchange->outcome < METRICS_FAILED || error_status(exchange->err.kind) < 500) {
        return;
    }
    const enum error_kind kind = exchange->err.kind;
    const bool is_outage = kind == ERR_DATABASE_DOWN || kind == ERR_OVERLOADED;
    struct event event = begin_event(exchange);
    add_tasks(&event, exchange);
    add(&event, LOG_TEXT("cause", str_from(error_label(kind))));
    add(&event, LOG_TEXT("detail", str_from(exchange->err.detail)));
    end_event(&event, is_outage ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "request failed");
}

// Removes a query string, which may contain credentials, from a path.
static struct str path_for_log(struct str path)
{
    size_t len = 0;
    while (len < path.len && len < PATH_MAX_BYTES && strchr("?&=;#", path.ptr[len]) == NULL) {
        len++;
    }
    return (struct str){path.ptr, len};
}

void request_log_refusal(const struct exchange *exchange)
{
    const enum error_kind kind = exchange->err.kind;
    if (exchange->outcome < METRICS_FAILED || error_status(kind) >= 500 ||
        !refusals_count(exchange->service->refusals, exchange->address, kind,
                        exchange->started_us)) {
        return;
    }
    char address[CIDR_ADDRESS_TEXT];
    struct event event = begin_event(exchange);
    add(&event, LOG_TEXT("address", cidr_address_text(exchange->address, address)));
    add(&event, LOG_TEXT("cause", str_from(error_label(kind))));
    add(&event, LOG_TEXT("detail", str_from(exchange->err.detail)));
    if (exchange->match.task_id != 0) {
        add(&event, LOG_NUMBER("task_id", exchange->match.task_id));
    } else if (exchange->request.path_info.len > 0) {
        add(&event, LOG_TEXT("path", path_for_log(exchange->request.path_info)));
    }
    if (!str_is_absent(exchange->err.app)) {
        add(&event, LOG_TEXT("app", exchange->err.app));
    }
    end_event(&event, LOG_LEVEL_INFO, "request refused");
}

void request_log_access(const struct exchange *exchange, int64_t total_us, uint64_t bytes)
{
    if (!exchange->service->conf->log.access) {
        return;
    }
    const struct str app = exchange->caller == NULL ? STR("-") : caller_app_code(exchange->caller);
    const char *const cause =
        exchange->outcome < METRICS_FAILED
            ? "ok"
            : error_label((enum error_kind)(exchange->outcome - METRICS_FAILED));
    struct event event = begin_event(exchange);
    add_tasks(&event, exchange);
    add(&event, LOG_TEXT("app", app));
    add(&event, LOG_NUMBER("status", exchange->response->status));
    add(&event, LOG_TEXT("cause", str_from(cause)));
    add(&event, LOG_NUMBER("bytes", (int64_t)bytes));
    add(&event, LOG_NUMBER("rows", (int64_t)rows_of(exchange)));
    add(&event, LOG_NUMBER("database_us", exchange->database_us));
    add(&event, LOG_NUMBER("total_us", total_us));
    if (exchange->client.waiting_since_us != 0) {
        add(&event,
            LOG_NUMBER("waited_us", exchange->started_us - exchange->client.waiting_since_us));
    }
    end_event(&event, LOG_LEVEL_INFO, "request");
}

void request_log_slow(const struct exchange *exchange, int64_t total_us)
{
    const int64_t limit_us = exchange->service->conf->log.slow_ms * 1000;
    if (limit_us == 0 || total_us < limit_us) {
        return;
    }
    struct event event = begin_event(exchange);
    add_tasks(&event, exchange);
    add(&event, LOG_NUMBER("status", exchange->response->status));
    add(&event, LOG_NUMBER("rows", (int64_t)rows_of(exchange)));
    add(&event, LOG_NUMBER("database_us", exchange->database_us));
    add(&event, LOG_NUMBER("total_us", total_us));
    end_event(&event, LOG_LEVEL_WARNING, "slow request");
}
