// SPDX-License-Identifier: MIT
#include "stage.h"

#include "base/log.h"

#include <stdlib.h>
#include <strings.h>

static int64_t fixed_wall_us(void)
{
    return STAGE_NOW_US;
}

static const struct clock fixed_clock = {.wall_us = fixed_wall_us};

static const struct row stage_rows[] = {
    ROW(STAGE_ROOT, "", .state = "RUNNING", .version = "v0",
        .started = STAGE_NOW_US - 19 * US_PER_SECOND),
    ROW("n0000000000000000000000000000002", STAGE_ROOT, .state = "FINISHED", .version = "v1",
        .started = STAGE_NOW_US - 18 * US_PER_SECOND,
        .archived = STAGE_NOW_US - 10 * US_PER_SECOND),
    ROW("n0000000000000000000000000000003", STAGE_ROOT, .state = "RUNNING", .version = "v2",
        .started = STAGE_NOW_US - 9 * US_PER_SECOND),
};

static void set_up_facts(struct fake_store *fake)
{
    *fake = (struct fake_store){
        .app_code = STAGE_APP,
        .username = STAGE_USER,
        .task_id = STAGE_TASK,
        .task = {.exists = true,
                 .is_started = true,
                 .instance_id = STR(STAGE_ROOT),
                 .template_id = 3},
        .template = {.exists = true, .app_code = STR(STAGE_APP)},
        .rows = stage_rows,
        .row_count = COUNT_OF(stage_rows),
        .failure = ERR_DATABASE_DOWN,
    };
    app_with_secret(&fake->app, STAGE_SECRET);
}

int stage_discard_log(void)
{
    return log_open(&(struct log_options){"file:/dev/null", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT});
}

struct stage *stage_new(char *const *environment)
{
    struct stage *const stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->conf = load_conf(environment);
    stage->gateways = gateways_load(stage->conf, print_mistake, NULL);
    stage->limiter = limiter_new(1);
    stage->refusals = refusals_new();
    stage->metrics = metrics_new(1, 0, "test", 0);
    stage->sink = sink_new();
    stage->buffer = guarded_new(STAGE_BUFFER_BYTES);
    assert_non_null(stage->gateways);
    assert_non_null(stage->limiter);
    assert_non_null(stage->refusals);
    assert_non_null(stage->metrics);
    assert_int_equal(local_time_use_zone(stage->conf->response.timezone), 0);
    set_up_facts(&stage->fake);
    stage->service = (struct service){
        .conf = stage->conf,
        .gateways = stage->gateways,
        .limiter = stage->limiter,
        .refusals = stage->refusals,
        .clock = &fixed_clock,
        .store = {.ops = &fake_store_ops, .context = &stage->fake},
        .auth = auth_new(),
        .group = service_group_new(STAGE_ARENA_BYTES),
        .arena = arena_new(STAGE_ARENA_BYTES),
        .metrics = stage->metrics,
        .shard = &stage->metrics->shards[0],
        .random = {{1, 2}},
    };
    assert_non_null(stage->service.auth);
    assert_non_null(stage->service.group);
    assert_non_null(stage->service.arena);
    return stage;
}

void stage_free(struct stage *stage)
{
    service_group_free(stage->service.group);
    arena_free(stage->service.arena);
    auth_free(stage->service.auth);
    sink_free(stage->sink);
    guarded_free(stage->buffer, STAGE_BUFFER_BYTES);
    metrics_free(stage->metrics);
    limiter_free(stage->limiter);
    refusals_free(stage->refusals);
    gateways_free(stage->gateways);
    conf_free(stage->conf);
    free(stage);
}

void stage_begin(struct stage *stage)
{
    stage->sink->len = 0;
    stage->sink->calls = 0;
    stage->response = (struct http_response){0};
    outbuf_init(&stage->response.out, stage->buffer, STAGE_BUFFER_BYTES, sink_take, stage->sink);
}

int stage_end(struct stage *stage)
{
    const int flushed = outbuf_flush(&stage->response.out);
    assert_true(flushed == 0 || stage->sink->fail_at != 0);
    return stage->response.status;
}

static struct http_response *open_response(void *context)
{
    return context;
}

static bool is_ready(void *context)
{
    (void)context;
    return true;
}

static void end(void *context)
{
    (void)context;
}

void stage_refuse(struct stage *stage, enum error_kind kind)
{
    service_add_refused(
        &stage->service, kind,
        (struct service_client){open_response, is_ready, end, &stage->response, NULL, 0, 0});
    service_run(&stage->service);
}

// The values are in guarded memory, which detects reads past their end.
static int handle(struct stage *stage, const struct variable *variables, struct str body)
{
    struct http_var vars[64];
    size_t count = 0;
    for (; variables[count].name != NULL; count++) {
        assert_true(count < COUNT_OF(vars));
        vars[count].name = str_from(variables[count].name);
        vars[count].value = guarded_copy(str_from(variables[count].value));
    }
    stage_begin(stage);
    service_handle(&stage->service, vars, count, body, &stage->response);
    for (size_t i = 0; i < count; i++) {
        guarded_free_copy(vars[i].value);
    }
    return stage_end(stage);
}

int stage_handle(struct stage *stage, const struct variable *variables)
{
    return handle(stage, variables, STR(""));
}

int stage_post(struct stage *stage, const char *path, struct str body, struct variable more)
{
    const struct variable variables[] = {
        {"REQUEST_METHOD", "POST"},
        {"PATH_INFO", path},
        {"CONTENT_TYPE", "application/json"},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"HTTP_X_BKAPI_AUTHORIZATION", STAGE_CREDENTIALS},
        more,
        NO_VARIABLE,
    };
    const struct str copy = guarded_copy(body);
    const int status = handle(stage, variables, copy);
    guarded_free_copy(copy);
    return status;
}

int stage_get(struct stage *stage, const char *path, struct variable more)
{
    const struct variable variables[] = {
        {"REQUEST_METHOD", "GET"},
        {"PATH_INFO", path},
        {"QUERY_STRING", ""},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"HTTP_X_BKAPI_AUTHORIZATION", STAGE_CREDENTIALS},
        more,
        NO_VARIABLE,
    };
    return stage_handle(stage, variables);
}

// Returns the start of the body; the test fails if the head has no end.
static size_t body_offset(const struct stage *stage)
{
    const struct str text = sink_text(stage->sink);
    const char *const end = memmem(text.ptr, text.len, "\r\n\r\n", 4);
    assert_non_null(end);
    return (size_t)(end - text.ptr) + 4;
}

struct str stage_header(const struct stage *stage, const char *name)
{
    struct str rest = {stage->sink->bytes, body_offset(stage) - 4};
    struct str found = STR_ABSENT;
    while (!str_is_absent(rest)) {
        struct str line = str_cut(&rest, '\n');
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
        const struct str field = str_cut(&line, ':');
        if (field.len == strlen(name) && strncasecmp(field.ptr, name, field.len) == 0) {
            assert_true(str_is_absent(found));
            found = str_trim(line);
        }
    }
    return found;
}

struct str stage_body(const struct stage *stage)
{
    return str_skip(sink_text(stage->sink), body_offset(stage));
}

struct json_object *stage_envelope(const struct stage *stage,
                                   const char *const members[STAGE_MEMBERS])
{
    struct json_object *const envelope = parse_json(stage_body(stage));
    size_t i = 0;
    json_object_object_foreach(envelope, key, value)
    {
        (void)value;
        assert_true(i < STAGE_MEMBERS);
        assert_string_equal(key, members[i++]);
    }
    assert_int_equal(i, STAGE_MEMBERS);
    assert_text(stage_header(stage, "X-Request-Id"), json_text(envelope, "trace_id"));
    return envelope;
}

struct json_object *stage_error(const struct stage *stage, int code)
{
    static const char *const members[] = {"result", "message", "code", "data", "trace_id"};
    struct json_object *const envelope = stage_envelope(stage, members);
    assert_false(json_object_get_boolean(json_at(envelope, "result")));
    assert_null(json_at(envelope, "data"));
    assert_int_equal(json_number(envelope, "code"), code);
    return envelope;
}
