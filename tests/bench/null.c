// SPDX-License-Identifier: MIT
// The null responder: libfcgi and a constant body. What it costs is what the way through the web
// server costs. A kept connection holds a thread in libfcgi, so there must be at least as many
// threads as connections.
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int listening;
static char *body;
static int body_bytes;

static void *serve(void *arg)
{
    FCGX_Request request;
    (void)arg;
    FCGX_InitRequest(&request, listening, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_FPrintF(request.out, "Content-Type: application/json\r\n\r\n");
        FCGX_PutStr(body, body_bytes, request.out);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

// Begins like a good answer, because the load generator looks at that.
static void make_body(int bytes)
{
    static const char start[] = "{\"result\":true,\"data\":\"";
    body_bytes = bytes < 32 ? 32 : bytes;
    body = malloc((size_t)body_bytes);
    if (body == NULL) {
        exit(1);
    }
    memset(body, 'x', (size_t)body_bytes);
    memcpy(body, start, sizeof(start) - 1);
    memcpy(body + body_bytes - 2, "\"}", 2);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: null SOCKET THREADS BYTES\n");
        return 2;
    }
    int threads = atoi(argv[2]);
    make_body(atoi(argv[3]));
    FCGX_Init();
    signal(SIGTERM, SIG_DFL); // libfcgi's handler would only set a flag
    listening = FCGX_OpenSocket(argv[1], 1024);
    if (listening < 0) {
        return 1;
    }
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, NULL) != 0) {
            return 1;
        }
    }
    serve(NULL);
    return 0;
}
