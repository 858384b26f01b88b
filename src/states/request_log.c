// SPDX-License-Identifier: MIT
#include "states/request_log.h"

#include "base/log.h"
#include "states/exchange_priv.h"

enum { PATH_MAX_BYTES = 200 };

static size_t rows_of(const struct exchange *exchange)
{
    return exchange->query == NULL ? 0 : exchange->query->nodes.count;
}

// A fault of ours or the database's is an event of its own. An outage is reported where it is
// noticed, once, and not for every request that it hits.
void request_log_fault(const struct exchange *exchange)
{
    if (exchange->outcome < METRICS_FAILED || error_status(exchange->err.kind) < 500) {
        return;
    }
    const enum error_kind kind = exchange->err.kind;
    const bool is_outage = kind == ERR_DATABASE_DOWN || kind == ERR_OVERLOADED;
    LOG_EVENT(is_outage ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "request failed",
              LOG_TEXT("trace_id", exchange->request_id),
              LOG_NUMBER("task_id", exchange->match.task_id),
              LOG_TEXT("cause", str_from(error_label(kind))),
              LOG_TEXT("detail", str_from(exchange->err.detail)));
}

// A path may hold what belongs into a query string, where credentials would be: that is left out.
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
    struct log_field fields[7] = {
        LOG_TEXT("trace_id", exchange->request_id),
        LOG_TEXT("address", cidr_address_text(exchange->address, address)),
        LOG_TEXT("cause", str_from(error_label(kind))),
        LOG_TEXT("detail", str_from(exchange->err.detail)),
    };
    size_t count = 4;
    if (exchange->match.task_id != 0) {
        fields[count++] = LOG_NUMBER("task_id", exchange->match.task_id);
    } else if (exchange->request.path_info.len > 0) {
        fields[count++] = LOG_TEXT("path", path_for_log(exchange->request.path_info));
    }
    if (!str_is_absent(exchange->err.app)) {
        fields[count++] = LOG_TEXT("app", exchange->err.app);
    }
    log_event(LOG_LEVEL_INFO, "request refused", fields, count);
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
    LOG_EVENT(LOG_LEVEL_INFO, "request", LOG_TEXT("trace_id", exchange->request_id),
              LOG_NUMBER("task_id", exchange->match.task_id), LOG_TEXT("app", app),
              LOG_NUMBER("status", exchange->response->status), LOG_TEXT("cause", str_from(cause)),
              LOG_NUMBER("bytes", (int64_t)bytes), LOG_NUMBER("rows", (int64_t)rows_of(exchange)),
              LOG_NUMBER("database_us", exchange->database_us), LOG_NUMBER("total_us", total_us));
}

// Where the time went, for requests that took longer than the operator wants.
void request_log_slow(const struct exchange *exchange, int64_t total_us)
{
    const int64_t limit_us = exchange->service->conf->log.slow_ms * 1000;
    if (limit_us == 0 || total_us < limit_us) {
        return;
    }
    LOG_EVENT(LOG_LEVEL_WARNING, "slow request", LOG_TEXT("trace_id", exchange->request_id),
              LOG_NUMBER("task_id", exchange->match.task_id),
              LOG_NUMBER("status", exchange->response->status),
              LOG_NUMBER("rows", (int64_t)rows_of(exchange)),
              LOG_NUMBER("database_us", exchange->database_us), LOG_NUMBER("total_us", total_us));
}
