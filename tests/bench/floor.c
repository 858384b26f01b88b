// SPDX-License-Identifier: MIT
// The floor: runs given statements over N connections, one thread each, fetches every row and drops
// it. Whatever a responder does with the rows comes on top of this.
//
// The statements come from a file, separated by lines that end in ';'. They may name the parameters
// :task, :root, :app and :user; tasks are drawn at random from a file of lines "task_id root_id".
//
// Prints the line "measuring" when the measured part begins and one line of JSON at its end.
#include "common.h"

#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STATEMENTS = 8, MAX_PARAMS = 64, CELL_BYTES = 1024, MAX_SQL = 16384 };

enum param { PARAM_TASK, PARAM_ROOT, PARAM_APP, PARAM_USER, PARAM_COUNT };

static const char *const param_names[PARAM_COUNT] = {":task", ":root", ":app", ":user"};

struct statement {
    char sql[MAX_SQL]; // with '?' where a parameter stood
    enum param params[MAX_PARAMS];
    unsigned param_count;
};

struct task {
    char id[24];
    char root[64];
};

static struct {
    char *host, *socket, *user, *password, *database, *app, *username, *sql_path, *tasks_path;
    int port, connections;
    double seconds;
    int text;  // text protocol instead of prepared statements
    int store; // read the whole result at once instead of row by row
} opt = {.connections = 4, .seconds = 3, .app = "", .username = ""};

static struct statement statements[MAX_STATEMENTS];
static unsigned statement_count;
static struct task *tasks;
static size_t task_count;

struct prepared {
    MYSQL_STMT *stmt;
    MYSQL_BIND params[MAX_PARAMS];
    MYSQL_BIND *columns;
};

struct worker {
    pthread_t thread;
    MYSQL *db;
    struct prepared prepared[MAX_STATEMENTS];
    struct task task; // the request's; the bound parameters point in here
    long long task_id;
    uint64_t random;
    struct latencies latencies;
    unsigned long long rows;
};

// ---- statements and tasks from their files ----

static int param_at(const char *text)
{
    for (int param = 0; param < PARAM_COUNT; param++) {
        if (strncmp(text, param_names[param], strlen(param_names[param])) == 0) {
            return param;
        }
    }
    return -1;
}

static void add_statement(const char *text)
{
    if (statement_count == MAX_STATEMENTS) {
        die("statements", "too many");
    }
    struct statement *const st = &statements[statement_count++];
    char *out = st->sql;
    for (; *text != '\0'; text++) {
        const int param = param_at(text);
        if (param < 0) {
            *out++ = *text;
            continue;
        }
        if (st->param_count == MAX_PARAMS) {
            die("parameters", "too many");
        }
        st->params[st->param_count++] = (enum param)param;
        *out++ = '?';
        text += strlen(param_names[param]) - 1;
    }
}

static void read_statements(const char *path)
{
    FILE *const file = fopen(path, "r");
    char line[MAX_SQL], text[MAX_SQL] = "";
    if (file == NULL) {
        die(path, "cannot open");
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *const end = strstr(line, ";\n");
        if (end != NULL) {
            *end = '\0';
        }
        if (strlen(text) + strlen(line) >= sizeof text) {
            die(path, "statement too long");
        }
        strcat(text, line);
        if (end != NULL) {
            add_statement(text);
            text[0] = '\0';
        }
    }
    fclose(file);
}

static void read_tasks(const char *path)
{
    FILE *const file = fopen(path, "r");
    struct task task;
    if (file == NULL) {
        die(path, "cannot open");
    }
    while (fscanf(file, "%23s %63s", task.id, task.root) == 2) {
        tasks = realloc(tasks, (task_count + 1) * sizeof *tasks);
        if (tasks == NULL) {
            die(path, "out of memory");
        }
        tasks[task_count++] = task;
    }
    fclose(file);
}

// ---- prepared statements ----

static void bind_param(struct worker *w, enum param param, MYSQL_BIND *bind)
{
    const char *const values[PARAM_COUNT] = {NULL, w->task.root, opt.app, opt.username};
    if (param == PARAM_TASK) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &w->task_id;
        return;
    }
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = (char *)values[param];
    bind->buffer_length = strlen(values[param]); // every root_id has the same
}

// Fetches each column in the type in which the server sends it, so that nothing is converted.
static void bind_columns(struct prepared *p)
{
    MYSQL_RES *const meta = mysql_stmt_result_metadata(p->stmt);
    if (meta == NULL) {
        die("metadata", mysql_stmt_error(p->stmt));
    }
    const unsigned count = mysql_num_fields(meta);
    p->columns = calloc(count, sizeof *p->columns);
    for (unsigned i = 0; i < count; i++) {
        p->columns[i] = (MYSQL_BIND){
            .buffer_type = mysql_fetch_field_direct(meta, i)->type,
            .buffer_length = CELL_BYTES,
            .buffer = malloc(CELL_BYTES),
        };
    }
    mysql_free_result(meta);
    if (mysql_stmt_bind_result(p->stmt, p->columns) != 0) {
        die("bind", mysql_stmt_error(p->stmt));
    }
}

static void prepare(struct worker *w, unsigned i)
{
    const struct statement *const st = &statements[i];
    struct prepared *const p = &w->prepared[i];
    p->stmt = mysql_stmt_init(w->db);
    if (mysql_stmt_prepare(p->stmt, st->sql, strlen(st->sql)) != 0) {
        die(st->sql, mysql_stmt_error(p->stmt));
    }
    for (unsigned j = 0; j < st->param_count; j++) {
        bind_param(w, st->params[j], &p->params[j]);
    }
    if (mysql_stmt_bind_param(p->stmt, p->params) != 0) {
        die("bind", mysql_stmt_error(p->stmt));
    }
    bind_columns(p);
}

static void run_prepared(struct worker *w, unsigned i)
{
    MYSQL_STMT *const stmt = w->prepared[i].stmt;
    if (mysql_stmt_execute(stmt) != 0 || (opt.store && mysql_stmt_store_result(stmt) != 0)) {
        die("execute", mysql_stmt_error(stmt));
    }
    int outcome;
    while ((outcome = mysql_stmt_fetch(stmt)) == 0) {
        w->rows++;
    }
    if (outcome != MYSQL_NO_DATA) {
        die("fetch", outcome == 1 ? mysql_stmt_error(stmt) : "truncated");
    }
    mysql_stmt_free_result(stmt);
}

// ---- the same as text ----

static size_t put_value(struct worker *w, char *out, enum param param)
{
    const char *const values[PARAM_COUNT] = {w->task.id, w->task.root, opt.app, opt.username};
    if (param == PARAM_TASK) {
        return (size_t)sprintf(out, "%s", w->task.id);
    }
    size_t len = 0;
    out[len++] = '\'';
    len += mysql_real_escape_string(w->db, out + len, values[param], strlen(values[param]));
    out[len++] = '\'';
    return len;
}

static void run_text(struct worker *w, unsigned i)
{
    char sql[2 * MAX_SQL];
    size_t len = 0;
    unsigned param = 0;
    for (const char *at = statements[i].sql; *at != '\0'; at++) {
        if (*at == '?') {
            len += put_value(w, sql + len, statements[i].params[param++]);
        } else {
            sql[len++] = *at;
        }
    }
    if (mysql_real_query(w->db, sql, len) != 0) {
        die("query", mysql_error(w->db));
    }
    MYSQL_RES *const result = opt.store ? mysql_store_result(w->db) : mysql_use_result(w->db);
    if (result == NULL) {
        die("result", mysql_error(w->db));
    }
    while (mysql_fetch_row(result) != NULL) {
        w->rows++;
    }
    mysql_free_result(result);
}

// ---- threads ----

static void pick_task(struct worker *w)
{
    w->task = tasks[next_random(&w->random) % task_count];
    w->task_id = atoll(w->task.id);
}

static void connect_worker(struct worker *w, int number)
{
    w->random = 88172645463325252ULL + (uint64_t)number * 7919;
    pick_task(w);
    w->db = mysql_init(NULL);
    mysql_options(w->db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(w->db, opt.host, opt.user, opt.password, opt.database,
                           (unsigned)opt.port, opt.socket, 0) == NULL) {
        die("connect", mysql_error(w->db));
    }
    for (unsigned i = 0; i < statement_count && !opt.text; i++) {
        prepare(w, i);
    }
}

static void *work(void *arg)
{
    struct worker *const w = arg;
    const double end = now() + opt.seconds;
    for (double start = now(); start < end;) {
        pick_task(w);
        for (unsigned i = 0; i < statement_count; i++) {
            (opt.text ? run_text : run_prepared)(w, i);
        }
        const double done = now();
        latencies_add(&w->latencies, done - start);
        start = done;
    }
    return NULL;
}

static void report(const struct worker *workers, double elapsed, double cpu)
{
    struct latencies all = {0};
    unsigned long long rows = 0;
    for (int i = 0; i < opt.connections; i++) {
        latencies_append(&all, &workers[i].latencies);
        rows += workers[i].rows;
    }
    const double requests = (double)all.count;
    printf("{\"requests\": %zu, \"rate\": %.1f, \"cpu_us\": %.2f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"rows\": %.2f}\n",
           all.count, requests / elapsed, cpu * 1e6 / requests, latencies_percentile(&all, 50),
           latencies_percentile(&all, 99), (double)rows / requests);
}

int main(int argc, char **argv)
{
    (void)argc;
    parse_options(argv, (const struct option_entry[]){
                            {"host", OPTION_TEXT, &opt.host},
                            {"port", OPTION_NUMBER, &opt.port},
                            {"socket", OPTION_TEXT, &opt.socket},
                            {"user", OPTION_TEXT, &opt.user},
                            {"password", OPTION_TEXT, &opt.password},
                            {"database", OPTION_TEXT, &opt.database},
                            {"app", OPTION_TEXT, &opt.app},
                            {"username", OPTION_TEXT, &opt.username},
                            {"sql", OPTION_TEXT, &opt.sql_path},
                            {"tasks", OPTION_TEXT, &opt.tasks_path},
                            {"connections", OPTION_NUMBER, &opt.connections},
                            {"seconds", OPTION_REAL, &opt.seconds},
                            {"text", OPTION_FLAG, &opt.text},
                            {"store", OPTION_FLAG, &opt.store},
                            {NULL, OPTION_FLAG, NULL},
                        });
    if (opt.sql_path == NULL || opt.tasks_path == NULL || opt.connections < 1) {
        die("usage", "floor --sql FILE --tasks FILE --socket PATH --user NAME --database NAME "
                     "[--password TEXT] [--connections N] [--seconds S] [--text] [--store]");
    }
    read_statements(opt.sql_path);
    read_tasks(opt.tasks_path);
    struct worker *const workers = calloc((size_t)opt.connections, sizeof *workers);
    if (workers == NULL || statement_count == 0 || task_count == 0) {
        die("floor", "no memory, no statement or no task");
    }
    mysql_library_init(0, NULL, NULL);
    for (int i = 0; i < opt.connections; i++) {
        connect_worker(&workers[i], i);
    }
    puts("measuring");
    fflush(stdout);
    const double start = now(), cpu = cpu_seconds();
    for (int i = 0; i < opt.connections; i++) {
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (int i = 0; i < opt.connections; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    report(workers, now() - start, cpu_seconds() - cpu);
    return 0;
}
