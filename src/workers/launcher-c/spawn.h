#ifndef SPAWN_H
#define SPAWN_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What is to be started. */
struct order {
  bool changes_user;
  uid_t uid;
  gid_t gid;
  const char *directory;
  char **command, **environment; /* both end with NULL */
};

/* Signals as we need them, and what children are given. @returns what is readable when one ends */
int prepare_spawn(void);

/* @returns the process, which leads a group and writes there; -1 and errno when there is none */
pid_t spawn(const struct order *order, int out, int err);

/* Whether these are from a child that could not become what it was to be, and from nobody else. */
bool begins_with_failure(const char *text, size_t length);

/* @returns what the system said to it; 0 when it is not that alone */
int failure_in(const char *text, size_t length);

#endif
