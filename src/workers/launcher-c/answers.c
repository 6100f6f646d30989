#include "answers.h"
#include "poller.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bytes pending;
static size_t sent, frame_begin;
static void *source_of_poller;
static bool reader_awaited;

void prepare_answers(void *source) {
  /* A reader that is slow must not keep us from the pipes of the processes. */
  int flags = fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) < 0) die("fcntl");
  if (!poll_add(STDOUT_FILENO, 0, source)) die("standard output");
  source_of_poller = source;
}

void begin_frame(char kind) {
  frame_begin = pending.length;
  append(&pending, "\0\0\0\0", 4);
  append(&pending, &kind, 1);
}

void add_field(const char *text) {
  append(&pending, "", 1);
  append(&pending, text, strlen(text));
}

void add_number(int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)number);
  add_field(digits);
}

void begin_rest(void) {
  append(&pending, "", 1);
}

void add_bytes(const char *bytes, size_t length) {
  append(&pending, bytes, length);
}

void add_tail(const struct tail *tail) {
  append_tail(&pending, tail);
}

void end_frame(void) {
  uint32_t length = htonl((uint32_t)(pending.length - frame_begin - 4));
  memcpy(pending.at + frame_begin, &length, sizeof length);
}

size_t unsent(void) {
  return pending.length - sent;
}

void push_out(void) {
  while (sent < pending.length) {
    ssize_t written = write(STDOUT_FILENO, pending.at + sent, pending.length - sent);
    if (written >= 0) sent += (size_t)written;
    else if (errno == EAGAIN) break;
    else if (errno != EINTR) exit(0);
  }
  /* Not each time: of a hundred megabytes a reader takes some hundred kilobytes at once. */
  if (sent > pending.length / 2) {
    drop_first(&pending, sent);
    sent = 0;
  }
  bool await = unsent() > 0;
  if (await == reader_awaited) return;
  poll_change(STDOUT_FILENO, await ? EPOLLOUT : 0, source_of_poller);
  reader_awaited = await;
}
