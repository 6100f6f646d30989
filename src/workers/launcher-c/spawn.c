/*
 * A child shares our memory until it has become what it is to be (vfork): nothing is copied, and
 * we stand still that long. Until then it may only make system calls and write to its own stack.
 */
#define _GNU_SOURCE
#include "spawn.h"
#include "bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What a child that could not become what it was to be says on its standard error. */
struct failure {
  char nonce[16];
  int error;
};

static const int deaf_to[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
enum { DEAF_TO = sizeof deaf_to / sizeof *deaf_to };

static struct failure failure;
static sigset_t all_signals, our_mask, mask_of_children;
static int null_fd;

int prepare_spawn(void) {
  sigset_t ends;
  sigfillset(&all_signals);
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  for (size_t n = 0; n < DEAF_TO; n += 1) signal(deaf_to[n], SIG_IGN);
  signal(SIGCHLD, SIG_DFL); /* were it ignored, nobody would be waited for */
  sigprocmask(SIG_BLOCK, &ends, &mask_of_children);
  sigdelset(&mask_of_children, SIGCHLD);
  our_mask = mask_of_children;
  sigaddset(&our_mask, SIGCHLD);
  if (getrandom(failure.nonce, sizeof failure.nonce, 0) < 0) die("getrandom");
  null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd < 0) die("/dev/null");
  /* Not a handler: it would not be called as long as any process has written something. */
  int ended = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  if (ended < 0) die("signalfd");
  return ended;
}

static bool becomes(uid_t uid, gid_t gid) {
  if (setgroups(1, &gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0) return false;
  errno = EPERM;
  return getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid;
}

/* In the child, whose memory may be ours. */
static _Noreturn void become(const struct order *order, int out, int err) {
  struct failure said = failure;
  setpgid(0, 0);
  for (size_t n = 0; n < DEAF_TO; n += 1) signal(deaf_to[n], SIG_DFL);
  sigprocmask(SIG_SETMASK, &mask_of_children, NULL);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  dup2(null_fd, STDIN_FILENO);
  bool allowed = !order->changes_user || becomes(order->uid, order->gid);
  if (allowed && chdir(order->directory) == 0) execvp(order->command[0], order->command);
  said.error = errno;
  if (write(STDERR_FILENO, &said, sizeof said) < 0) _exit(126);
  _exit(127);
}

pid_t spawn(const struct order *order, int out, int err) {
  sigprocmask(SIG_SETMASK, &all_signals, NULL);
  environ = order->environment; /* where execvp finds PATH */
  /* Nobody else may have a hand in our memory: who changes the user gets a copy. */
  pid_t pid = order->changes_user ? fork() : vfork();
  if (pid == 0) become(order, out, err);
  int error = errno;
  environ = NULL;
  sigprocmask(SIG_SETMASK, &our_mask, NULL);
  /* Here too: whoever ends the group must find it, however late a child of fork gets to run. */
  if (pid > 0) setpgid(pid, pid);
  errno = error;
  return pid;
}

bool begins_with_failure(const char *text, size_t length) {
  return length >= sizeof failure.nonce && memcmp(text, failure.nonce, sizeof failure.nonce) == 0;
}

int failure_in(const char *text, size_t length) {
  struct failure said;
  if (length != sizeof said || !begins_with_failure(text, length)) return 0;
  memcpy(&said, text, sizeof said);
  return said.error;
}
