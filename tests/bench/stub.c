/* The instant engine of `make bench`: it answers as Ollama does, and costs next to nothing.
 *
 * One thread, epoll, answers made once at the start; only the time stamps in them are written anew. To
 * whoever streams it gives 30 chunks, at once in one write or, where the prompt says "pace=20ms", one
 * every 20 ms; to all others one JSON object. Every chunk's text is "@" and the monotonic clock in
 * nanoseconds (18 digits), so that a client on the same machine knows how old a chunk is.
 *
 *     POST /api/chat              NDJSON, streamed unless "stream": false
 *     POST /v1/chat/completions   server-sent events where "stream": true, else one object
 *     GET  /api/version /api/tags /api/ps, POST /api/show   one model, loaded
 *
 * It prints its port, and ends when its standard input does.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNKS 30
#define PACE_NS 20000000LL
#define STAMP_DIGITS 18
#define MOST_STAMPS 32
#define MOST_FD 65536
#define IN_BYTES 65536
#define ANSWER_BYTES 32768
#define NO_STAMP "@000000000000000000 "

#define CREATED "\"created_at\":\"2026-01-01T00:00:00.000000Z\""
#define OLLAMA_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OLLAMA_PIECE \
    "{\"model\":\"bench:latest\"," CREATED ",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"}," \
    "\"done\":false}\n"
#define OLLAMA_FIGURES \
    "\"done\":true,\"done_reason\":\"stop\",\"total_duration\":600000000,\"load_duration\":1000000," \
    "\"prompt_eval_count\":12,\"prompt_eval_duration\":10000000,\"eval_count\":30,\"eval_duration\":580000000}"
#define OLLAMA_LAST \
    "{\"model\":\"bench:latest\"," CREATED ",\"message\":{\"role\":\"assistant\",\"content\":\"\"}," \
    OLLAMA_FIGURES "\n"
#define OLLAMA_WHOLE \
    "{\"model\":\"bench:latest\"," CREATED ",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"}," \
    OLLAMA_FIGURES
#define OPENAI_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n" \
    "Transfer-Encoding: chunked\r\n\r\n"
#define OPENAI_ID "\"id\":\"chatcmpl-1\",\"created\":1767225600,\"model\":\"bench\","
#define OPENAI_EVENT "data: {" OPENAI_ID "\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
#define OPENAI_PIECE \
    OPENAI_EVENT "\"delta\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":null}]}\n\n"
#define OPENAI_USAGE "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":30,\"total_tokens\":42}"
#define OPENAI_LAST OPENAI_EVENT "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
#define OPENAI_WHOLE \
    "{" OPENAI_ID "\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":" \
    "{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}]," OPENAI_USAGE "}"
#define MODEL \
    "{\"models\":[{\"name\":\"bench:latest\",\"model\":\"bench:latest\",\"size\":1000,\"size_vram\":0," \
    "\"digest\":\"0000000000000000000000000000000000000000000000000000000000000000\"," \
    "\"context_length\":4096,\"expires_at\":\"2099-01-01T00:00:00Z\",\"modified_at\":" \
    "\"2026-01-01T00:00:00Z\",\"details\":{\"family\":\"llama\",\"format\":\"gguf\"}}]}"
#define SHOW \
    "{\"modelfile\":\"FROM bench\",\"template\":\"{{ .Prompt }}\",\"capabilities\":[\"completion\"]," \
    "\"details\":{\"family\":\"llama\",\"format\":\"gguf\"}," \
    "\"model_info\":{\"general.architecture\":\"llama\",\"llama.context_length\":4096}}"

/* An answer's bytes, and where its stamps stand. */
typedef struct {
    char data[ANSWER_BYTES];
    int length, stamps, at[MOST_STAMPS];
} Answer;

/* One way of answering a chat. */
typedef struct {
    Answer whole, at_once, head, piece, last;
} Api;

typedef struct {
    int fd, received, left; /* left: paced pieces still to come, the last line counted */
    int64_t due;
    Api *api;
    int pending, sent; /* bytes of `out` that the socket did not take at once */
    char in[IN_BYTES + 1];
    char *out;
} Connection;

static Api ollama, openai;
static Answer version, models, show, missing, loaded;
static Connection *connections[MOST_FD];
static int paced[MOST_FD], paced_count, poller;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void add(Answer *answer, const char *text) {
    int length = (int)strlen(text);
    for (const char *at = text; (at = strchr(at, '@')); at++)
        answer->at[answer->stamps++] = answer->length + (int)(at - text) + 1;
    memcpy(answer->data + answer->length, text, length);
    answer->length += length;
}

static void add_frame(Answer *answer, const char *text) {
    char head[16];
    snprintf(head, sizeof head, "%x\r\n", (unsigned)strlen(text));
    add(answer, head);
    add(answer, text);
    add(answer, "\r\n");
}

static void add_object(Answer *answer, const char *status, const char *body) {
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
    add(answer, head);
    add(answer, body);
}

static void prepare(Api *api, const char *head, const char *piece, const char *last, const char *whole) {
    char text[CHUNKS * sizeof NO_STAMP] = "", formatted[ANSWER_BYTES];
    add(&api->head, head);
    add(&api->at_once, head);
    snprintf(formatted, sizeof formatted, piece, NO_STAMP);
    add_frame(&api->piece, formatted);
    for (int i = 0; i < CHUNKS; i++) {
        add_frame(&api->at_once, formatted);
        strcat(text, NO_STAMP);
    }
    add_frame(&api->last, last);
    add(&api->last, "0\r\n\r\n");
    add_frame(&api->at_once, last);
    add(&api->at_once, "0\r\n\r\n");
    snprintf(formatted, sizeof formatted, whole, text);
    add_object(&api->whole, "200 OK", formatted);
}

static void stamp(Answer *answer) {
    char digits[STAMP_DIGITS + 1];
    if (answer->stamps == 0) return;
    snprintf(digits, sizeof digits, "%018lld", (long long)now_ns());
    for (int i = 0; i < answer->stamps; i++) memcpy(answer->data + answer->at[i], digits, STAMP_DIGITS);
}

static void forget_paced(Connection *c) {
    for (int i = 0; i < paced_count; i++)
        if (paced[i] == c->fd) paced[i--] = paced[--paced_count];
}

static void drop(Connection *c) {
    forget_paced(c);
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->out);
    free(c);
}

static void watch(Connection *c, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = c->fd};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

/* Send, and keep what the socket does not take. Gives 0 where the connection is gone. */
static int put(Connection *c, Answer *answer) {
    stamp(answer);
    ssize_t taken = c->pending ? 0 : send(c->fd, answer->data, answer->length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN) {
        drop(c);
        return 0;
    }
    if (taken < answer->length) {
        int rest = answer->length - (taken < 0 ? 0 : (int)taken);
        c->out = realloc(c->out, c->pending + rest);
        memcpy(c->out + c->pending, answer->data + answer->length - rest, rest);
        c->pending += rest;
        watch(c, EPOLLIN | EPOLLOUT);
    }
    return 1;
}

static int flush(Connection *c) {
    ssize_t taken = send(c->fd, c->out + c->sent, c->pending - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN) {
        drop(c);
        return 0;
    }
    c->sent += taken < 0 ? 0 : (int)taken;
    if (c->sent == c->pending) {
        c->sent = c->pending = 0;
        watch(c, EPOLLIN);
    }
    return 1;
}

static int has(const char *body, const char *compact, const char *spaced) {
    return strstr(body, compact) || strstr(body, spaced);
}

static int chat(Connection *c, Api *api, int streams, const char *body) {
    if (!streams) return put(c, &api->whole);
    if (!strstr(body, "pace=20ms")) return put(c, &api->at_once);
    c->api = api;
    c->left = CHUNKS; /* the first piece goes out now, the last one with the end */
    c->due = now_ns() + PACE_NS;
    paced[paced_count++] = c->fd;
    return put(c, &api->head) && put(c, &api->piece);
}

static int answer(Connection *c, const char *body) {
    if (!strncmp(c->in, "POST /v1/chat/completions", 25))
        return chat(c, &openai, has(body, "\"stream\":true", "\"stream\": true"), body);
    if (!strncmp(c->in, "POST /api/chat", 14)) {
        if (has(body, "\"messages\":[]", "\"messages\": []")) return put(c, &loaded);
        return chat(c, &ollama, !has(body, "\"stream\":false", "\"stream\": false"), body);
    }
    if (!strncmp(c->in, "GET /api/version", 16)) return put(c, &version);
    if (!strncmp(c->in, "GET /api/tags", 13) || !strncmp(c->in, "GET /api/ps", 11)) return put(c, &models);
    if (!strncmp(c->in, "POST /api/show", 14)) return put(c, &show);
    return put(c, &missing);
}

/* The bytes of the first request, or 0 where it is not complete. */
static int request_length(Connection *c, char **body) {
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    *body = end + 4;
    char *length = strcasestr(c->in, "\r\nContent-Length:");
    char *chunked = strcasestr(c->in, "\r\nTransfer-Encoding: chunked");
    if (chunked && chunked < end) {
        char *last = strstr(end, "\r\n0\r\n\r\n");
        return last ? (int)(last + 7 - c->in) : 0;
    }
    int total = (int)(*body - c->in) + (length && length < end ? atoi(length + 17) : 0);
    return total <= c->received ? total : 0;
}

static void receive(Connection *c) {
    ssize_t got = recv(c->fd, c->in + c->received, IN_BYTES - c->received, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(c);
        return;
    }
    c->received += (int)got;
    c->in[c->received] = 0;
    char *body;
    int length = request_length(c, &body);
    if (length == 0) return;
    char kept = c->in[length];
    c->in[length] = 0;
    if (!answer(c, body)) return;
    c->in[length] = kept;
    c->received -= length;
    memmove(c->in, c->in + length, c->received + 1);
}

static void take(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MOST_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd] = calloc(1, sizeof(Connection));
        connections[fd]->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Send the pieces that are due. Gives the milliseconds until the next one, or -1. */
static int pace(void) {
    int64_t now = now_ns(), next = 0;
    for (int i = 0; i < paced_count; i++) {
        Connection *c = connections[paced[i]];
        if (c->due <= now) {
            c->due += PACE_NS;
            if (--c->left == 0) {
                paced[i--] = paced[--paced_count];
                put(c, &c->api->last);
                continue;
            }
            if (!put(c, &c->api->piece)) {
                i = -1; /* `drop` has changed the list; what has been sent is not due again */
                next = 0;
                continue;
            }
        }
        if (next == 0 || c->due < next) next = c->due;
    }
    if (next == 0) return -1;
    int64_t left = next - now_ns();
    return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

static int bind_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("stub");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    prepare(&ollama, OLLAMA_HEAD, OLLAMA_PIECE, OLLAMA_LAST, OLLAMA_WHOLE);
    prepare(&openai, OPENAI_HEAD, OPENAI_PIECE, OPENAI_LAST, OPENAI_WHOLE);
    add_object(&version, "200 OK", "{\"version\":\"0.33.0-bench\"}");
    add_object(&models, "200 OK", MODEL);
    add_object(&show, "200 OK", SHOW);
    add_object(&missing, "404 Not Found", "{\"error\":\"the stub does not have this\"}");
    add_object(&loaded, "200 OK", "{\"model\":\"bench:latest\"," CREATED ",\"done\":true,\"done_reason\":\"load\"}\n");
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = bind_loopback();
    struct epoll_event events[256], own = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &own);
    own.data.fd = 0;
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &own);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, pace());
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == 0) return 0; /* the benchmark is over, however it ended */
            if (fd == listener) {
                take(listener);
                continue;
            }
            Connection *c = connections[fd];
            if (c && (events[i].events & EPOLLOUT) && !flush(c)) continue;
            c = connections[fd];
            if (c && (events[i].events & ~(uint32_t)EPOLLOUT)) receive(c);
        }
    }
}
