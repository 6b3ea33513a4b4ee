/* A chat server that does nothing but answer: the same 1.6 kB to each request, on kept connections.

   It is to be faster than any caller in Python, so that a benchmark of callers measures the callers.
   Prints its port, and ends with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD 65536
#define ROOM 65536

struct connection { char *data; size_t length; };

static struct connection connections[MAX_FD];
static char answer[8192];
static size_t answer_length;

static void build(void) {
    char text[1201], body[4096];
    memset(text, 'x', 1200);
    text[1200] = 0;
    int size = snprintf(body, sizeof body,
        "{\"id\":\"chatcmpl-0\",\"object\":\"chat.completion\",\"created\":1764000000,\"model\":\"bench\",\"choices\":"
        "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"good|late|fine %s\",\"refusal\":null},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":20,"
        "\"total_tokens\":320},\"system_fingerprint\":\"fp_0\"}", text);
    answer_length = (size_t)snprintf(answer, sizeof answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", size, body);
}

/* The bytes of the first whole request, 0 if there is none. */
static size_t request_length(const char *data, size_t length) {
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - data) + 4, body = 0;
    for (const char *line = data; line < end; ) {
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
        char *next = memchr(line, '\n', (size_t)(end - line) + 2);
        if (!next) break;
        line = next + 1;
    }
    return head + body <= length ? head + body : 0;
}

static void drop(int fd) {
    free(connections[fd].data);
    connections[fd] = (struct connection){0};
    close(fd);
}

static void serve(int fd) {
    struct connection *each = &connections[fd];
    if (!each->data) each->data = malloc(ROOM);
    ssize_t got = read(fd, each->data + each->length, ROOM - each->length);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) drop(fd);
        return;
    }
    each->length += (size_t)got;
    size_t size;
    while ((size = request_length(each->data, each->length))) {
        /* An answer is smaller than the buffer of a socket, and nobody asks again before it is read. */
        if (write(fd, answer, answer_length) != (ssize_t)answer_length) { drop(fd); return; }
        memmove(each->data, each->data + size, each->length - size);
        each->length -= size;
    }
    if (each->length == ROOM) drop(fd);
}

int main(void) {
    build();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) { perror("listen"); return 1; }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = 0;
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &event);
    for (;;) {
        int count = epoll_wait(poll, events, 512, -1);
        for (int number = 0; number < count; number++) {
            int fd = events[number].data.fd;
            if (fd == 0) {
                char rest[64];
                if (read(0, rest, sizeof rest) <= 0) return 0;
            } else if (fd == listener) {
                int caller;
                while ((caller = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (caller >= MAX_FD) { close(caller); continue; }
                    setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.events = EPOLLIN;
                    event.data.fd = caller;
                    epoll_ctl(poll, EPOLL_CTL_ADD, caller, &event);
                }
            } else {
                serve(fd);
            }
        }
    }
}
