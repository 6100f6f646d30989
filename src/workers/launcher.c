/*
 * Starts processes for a worker. launcher.ts describes the frames that come and go; scripts/build
 * compiles this where there is a C compiler, and where there is none launcher.pl does the same.
 *
 * A child shares our memory until it has become what it is to be (vfork): nothing is copied, and
 * we stand still that long. Until then it may only make system calls and write to its own stack.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  STDOUT_KEPT = 1 << 20, /* how much of each is kept */
  OUTPUT_KEPT = 1 << 16,
  DRAIN_MS = 200,   /* how long pipes may stay open after the process is gone */
  BEHIND = 1 << 18, /* a reader that is this far behind misses output, and nothing else */
  SHOWN = 1 << 17,  /* and one that watches gets so much of it in SHOWN_MS */
  SHOWN_MS = 10,
  EVENTS = 64,
};

/* Bytes that grow at their end. */
struct bytes {
  char *at;
  size_t length, room;
};

struct stream {
  struct run *run;
  int fd; /* -1 once it is closed */
};

struct run {
  struct run *next;
  char *id;
  pid_t pid;
  bool watched, over;
  int status;
  long peak;     /* KiB */
  int64_t until; /* when the pipes of a run that is over are shut */
  int64_t written;
  struct stream out, err;
  struct bytes stdout_tail, output_tail;
};

/* What a child that could not become what it was to be says on its standard error. */
struct failure {
  char nonce[16];
  int error;
};

static struct run *runs;
static struct bytes input, pending, base;
static char **base_environment;
static int poller, null_fd;
static bool reader_awaited, child_ended;
static sigset_t all_signals, usual_mask;
static struct failure failure;
static int64_t shown_since;
static size_t shown;

static void die(const char *what) {
  fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *allocated(void *memory) {
  if (!memory) die("memory");
  return memory;
}

/* Milliseconds that no change of the clock moves. */
static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void append(struct bytes *to, const void *from, size_t length) {
  /* One more, for the NUL that is put behind a frame while it is read. */
  if (to->room < to->length + length + 1) {
    to->room = (to->length + length) * 2 + 64;
    to->at = allocated(realloc(to->at, to->room));
  }
  memcpy(to->at + to->length, from, length);
  to->length += length;
}

static void drop_first(struct bytes *of, size_t count) {
  if (count == 0) return;
  of->length -= count;
  memmove(of->at, of->at + count, of->length);
}

static void keep_last(struct bytes *of, size_t count) {
  if (of->length > count) drop_first(of, of->length - count);
}

static bool begins_with_nonce(const char *text, size_t length) {
  return length >= sizeof failure.nonce && memcmp(text, failure.nonce, sizeof failure.nonce) == 0;
}

/* --- frames to the worker --- */

static size_t frame_begin;

static void begin_frame(char kind) {
  frame_begin = pending.length;
  append(&pending, "\0\0\0\0", 4);
  append(&pending, &kind, 1);
}

static void add_field(const char *text) {
  append(&pending, "", 1);
  append(&pending, text, strlen(text));
}

static void add_number(int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)number);
  add_field(digits);
}

static void end_frame(void) {
  uint32_t length = htonl((uint32_t)(pending.length - frame_begin - 4));
  memcpy(pending.at + frame_begin, &length, sizeof length);
}

static void push_out(void) {
  size_t sent = 0;
  while (sent < pending.length) {
    ssize_t written = write(STDOUT_FILENO, pending.at + sent, pending.length - sent);
    if (written >= 0) sent += (size_t)written;
    else if (errno == EAGAIN) break;
    else if (errno != EINTR) exit(0);
  }
  drop_first(&pending, sent);
  bool await = pending.length > 0;
  if (await == reader_awaited) return;
  struct epoll_event event = {.events = await ? EPOLLOUT : 0, .data.ptr = &pending};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, STDOUT_FILENO, &event) < 0) die("epoll_ctl");
  reader_awaited = await;
}

static void tell_failure(const char *id, int error) {
  begin_frame('F');
  add_field(id);
  add_number(error);
  end_frame();
}

/* --- to start a process --- */

struct order {
  bool changes_user;
  uid_t uid;
  gid_t gid;
  const char *directory;
  char **command, **environment;
};

static bool becomes(uid_t uid, gid_t gid) {
  if (setgroups(1, &gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0) return false;
  errno = EPERM;
  return getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid;
}

/* In the child, whose memory may be ours. */
static _Noreturn void become(const struct order *order, int out, int err) {
  static const int deaf_to[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};
  struct failure said = failure;
  setpgid(0, 0);
  for (size_t n = 0; n < sizeof deaf_to / sizeof *deaf_to; n += 1) signal(deaf_to[n], SIG_DFL);
  sigprocmask(SIG_SETMASK, &usual_mask, NULL);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  dup2(null_fd, STDIN_FILENO);
  bool allowed = !order->changes_user || becomes(order->uid, order->gid);
  if (allowed && chdir(order->directory) == 0) execvp(order->command[0], order->command);
  said.error = errno;
  if (write(STDERR_FILENO, &said, sizeof said) < 0) _exit(126);
  _exit(127);
}

static pid_t spawn(const struct order *order, int out, int err) {
  sigprocmask(SIG_SETMASK, &all_signals, NULL);
  environ = order->environment; /* where execvp finds PATH */
  /* Nobody else may have a hand in our memory: who changes the user gets a copy. */
  pid_t pid = order->changes_user ? fork() : vfork();
  if (pid == 0) become(order, out, err);
  int error = errno;
  environ = NULL;
  sigset_t mask = usual_mask;
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_SETMASK, &mask, NULL);
  errno = error;
  return pid;
}

static void listen_to(struct stream *stream, struct run *run, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
  *stream = (struct stream){.run = run, .fd = fd};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void start(const char *id, const struct order *order) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) < 0) return tell_failure(id, errno);
  if (pipe2(err, O_CLOEXEC) < 0) {
    tell_failure(id, errno);
    close(out[0]);
    close(out[1]);
    return;
  }
  pid_t pid = spawn(order, out[1], err[1]);
  if (pid < 0) tell_failure(id, errno);
  close(out[1]);
  close(err[1]);
  if (pid < 0) {
    close(out[0]);
    close(err[0]);
    return;
  }
  /* Here too: whoever ends the group must find it, however late a child of fork gets to run. */
  setpgid(pid, pid);
  struct run *run = allocated(calloc(1, sizeof *run));
  run->id = allocated(strdup(id));
  run->pid = pid;
  run->next = runs;
  runs = run;
  listen_to(&run->out, run, out[0]);
  listen_to(&run->err, run, err[0]);
  begin_frame('S');
  add_field(id);
  add_number(pid);
  end_frame();
}

/* --- frames of the worker --- */

static struct run *run_with(const char *id) {
  struct run *run = runs;
  while (run && strcmp(run->id, id) != 0) run = run->next;
  return run;
}

static void watch(const char *id, bool on) {
  struct run *run = run_with(id);
  if (!run) return;
  run->watched = on;
  if (!on) return;
  struct bytes *output = &run->output_tail;
  keep_last(output, OUTPUT_KEPT);
  size_t so_far = begins_with_nonce(output->at, output->length) ? 0 : output->length;
  begin_frame('O');
  add_field(id);
  add_number(run->written - (int64_t)so_far);
  add_field("1");
  add_field("");
  append(&pending, output->at, so_far);
  end_frame();
}

/* Whether two texts k=v are of the same variable. */
static bool same_name(const char *one, const char *other) {
  size_t length = strcspn(one, "=");
  return strncmp(one, other, length) == 0 && other[length] == '=';
}

/* The base with what an order adds and changes. To be freed; its texts are those of the others. */
static char **with_base(char **added) {
  size_t count = 0;
  while (base_environment && base_environment[count]) count += 1;
  size_t more = 0;
  while (added[more]) more += 1;
  char **all = allocated(malloc((count + more + 1) * sizeof *all));
  memcpy(all, added, more * sizeof *all);
  size_t at = more;
  for (size_t n = 0; n < count; n += 1) {
    size_t same = 0;
    while (same < more && !same_name(base_environment[n], added[same])) same += 1;
    if (same == more) all[at++] = base_environment[n];
  }
  all[at] = NULL;
  return all;
}

/* The parts of a text of that length, between NULs, and then NULL. To be freed. */
static char **fields_of(char *text, size_t length, size_t *count) {
  *count = 1;
  for (size_t at = 0; at < length; at += 1) *count += text[at] == '\0';
  char **fields = allocated(malloc((*count + 1) * sizeof *fields));
  for (size_t n = 0; n < *count; n += 1) {
    fields[n] = text;
    text += strlen(text) + 1;
  }
  fields[*count] = NULL;
  return fields;
}

static void order_run(char **fields, size_t count) {
  enum { ID = 1, UID, GID, DIRECTORY, ARGUMENTS, COMMAND };
  size_t arguments = count > COMMAND ? strtoul(fields[ARGUMENTS], NULL, 10) : 0;
  if (arguments == 0 || count < COMMAND + arguments) die("a frame that makes no sense");
  struct order order = {
      .changes_user = fields[UID][0] != '\0',
      .uid = (uid_t)strtoul(fields[UID], NULL, 10),
      .gid = (gid_t)strtoul(fields[GID], NULL, 10),
      .directory = fields[DIRECTORY],
      .command = fields + COMMAND,
      .environment = with_base(fields + COMMAND + arguments),
  };
  fields[COMMAND + arguments] = NULL; /* the end of the command, now that the rest is known */
  start(fields[ID], &order);
  free(order.environment);
}

static void set_base(const char *body, size_t length) {
  size_t count;
  base.length = 0;
  append(&base, body, length + 1);
  free(base_environment);
  base_environment = fields_of(base.at, length, &count);
  /* The first is the kind of the frame. */
  memmove(base_environment, base_environment + 1, count * sizeof *base_environment);
}

static void hear(char *body, size_t length) {
  size_t count;
  if (body[0] == 'E') return set_base(body, length);
  char **fields = fields_of(body, length, &count);
  if (body[0] == 'R') order_run(fields, count);
  else if (body[0] == 'W' && count > 2) watch(fields[1], fields[2][0] != '\0');
  free(fields);
}

static void hear_worker(void) {
  char chunk[1 << 16];
  ssize_t count = read(STDIN_FILENO, chunk, sizeof chunk);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) exit(0);
  append(&input, chunk, (size_t)count);
  size_t at = 0;
  while (input.length - at >= 4) {
    uint32_t size;
    memcpy(&size, input.at + at, sizeof size);
    size_t length = ntohl(size);
    if (input.length - at - 4 < length) break;
    char *body = input.at + at + 4;
    char behind = body[length];
    body[length] = '\0';
    hear(body, length);
    body[length] = behind;
    at += 4 + length;
  }
  drop_first(&input, at);
}

/* --- what processes write, and how they end --- */

/* As much as a reader can take in; whoever writes more must not wait for the copying. */
static void show(const struct run *run, const char *text, size_t length) {
  int64_t time = now();
  if (time - shown_since >= SHOWN_MS) {
    shown_since = time;
    shown = 0;
  }
  if (shown >= SHOWN || pending.length >= BEHIND || begins_with_nonce(text, length)) return;
  shown += length;
  begin_frame('O');
  add_field(run->id);
  add_number(run->written);
  add_field("");
  add_field("");
  append(&pending, text, length);
  end_frame();
}

static void shut(struct stream *stream) {
  if (stream->fd < 0) return;
  /* Not by closing alone: a child that was just forked still has it. */
  epoll_ctl(poller, EPOLL_CTL_DEL, stream->fd, NULL);
  close(stream->fd);
  stream->fd = -1;
}

static void keep(struct bytes *tail, const char *text, size_t length, size_t kept) {
  append(tail, text, length);
  if (tail->length > 2 * kept) keep_last(tail, kept);
}

static void take(struct stream *stream) {
  char chunk[1 << 16];
  struct run *run = stream->run;
  if (stream->fd < 0) return;
  ssize_t count = read(stream->fd, chunk, sizeof chunk);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) return shut(stream);
  size_t length = (size_t)count;
  if (run->watched) show(run, chunk, length);
  run->written += count;
  if (stream == &run->out) keep(&run->stdout_tail, chunk, length, STDOUT_KEPT);
  keep(&run->output_tail, chunk, length, OUTPUT_KEPT);
}

static void tell_end(struct run *run) {
  struct bytes *output = &run->output_tail;
  struct failure said;
  keep_last(&run->stdout_tail, STDOUT_KEPT);
  keep_last(output, OUTPUT_KEPT);
  bool failed = output->length == sizeof said && begins_with_nonce(output->at, output->length);
  if (failed) {
    memcpy(&said, output->at, sizeof said);
    output->length = 0;
  }
  begin_frame('X');
  add_field(run->id);
  add_number(run->status);
  if (failed) add_number(said.error);
  else add_field("");
  add_number(run->peak);
  add_number(run->written);
  add_number((int64_t)run->stdout_tail.length);
  add_field("");
  append(&pending, run->stdout_tail.at, run->stdout_tail.length);
  append(&pending, output->at, output->length);
  end_frame();
  free(run->stdout_tail.at);
  free(output->at);
  free(run->id);
  free(run);
}

static void reap(void) {
  struct rusage usage;
  int status;
  pid_t pid;
  child_ended = false;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    struct run *run = runs;
    while (run && run->pid != pid) run = run->next;
    if (!run) continue;
    run->over = true;
    run->status = status;
    run->peak = usage.ru_maxrss;
    run->until = now() + DRAIN_MS;
  }
}

/* Tells of the runs that are over. @returns how long the rest may be left alone, ms; -1: for ever */
static int settle(void) {
  int wait = -1;
  struct run **link = &runs;
  while (*link) {
    struct run *run = *link;
    if (run->over && (run->out.fd >= 0 || run->err.fd >= 0)) {
      int64_t left = run->until - now();
      if (left > 0) {
        if (wait < 0 || left < wait) wait = (int)left;
      } else {
        shut(&run->out);
        shut(&run->err);
      }
    }
    if (run->over && run->out.fd < 0 && run->err.fd < 0) {
      *link = run->next;
      tell_end(run);
    } else link = &run->next;
  }
  return wait;
}

static void on_child(int signal) {
  (void)signal;
  child_ended = true;
}

static void prepare(void) {
  struct sigaction child = {.sa_handler = on_child};
  sigset_t held;
  sigfillset(&all_signals);
  sigemptyset(&held);
  sigaddset(&held, SIGCHLD); /* heard only while we wait, so that none comes too early */
  sigprocmask(SIG_BLOCK, &held, &usual_mask);
  sigdelset(&usual_mask, SIGCHLD);
  sigaction(SIGCHLD, &child, NULL);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (getrandom(failure.nonce, sizeof failure.nonce, 0) < 0) die("getrandom");
  null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd < 0) die("/dev/null");
  /* A reader that is slow must not keep us from the pipes of the processes. */
  if (fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK) < 0) die("fcntl");
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event from = {.events = EPOLLIN, .data.ptr = &input};
  struct epoll_event to = {.events = 0, .data.ptr = &pending};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &from) < 0 ||
      epoll_ctl(poller, EPOLL_CTL_ADD, STDOUT_FILENO, &to) < 0)
    die("epoll");
}

int main(void) {
  struct epoll_event events[EVENTS];
  int wait = -1;
  prepare();
  for (;;) {
    int count = epoll_pwait(poller, events, EVENTS, wait, &usual_mask);
    if (count < 0 && errno != EINTR) die("epoll_pwait");
    for (int n = 0; n < count; n += 1) {
      void *source = events[n].data.ptr;
      if (source == &input) hear_worker();
      else if (source != &pending) take(source);
      else if (events[n].events & (EPOLLERR | EPOLLHUP)) exit(0);
    }
    if (child_ended) reap();
    wait = settle();
    push_out();
  }
}
