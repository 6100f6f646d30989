#include "orders.h"
#include "bytes.h"
#include "runs.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bytes input, base;
static char **base_environment;

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
  if (arguments == 0 || arguments > count - COMMAND) {
    errno = EPROTO;
    die("an order that makes no sense");
  }
  struct order order = {
      .changes_user = fields[UID][0] != '\0',
      .uid = (uid_t)strtoul(fields[UID], NULL, 10),
      .gid = (gid_t)strtoul(fields[GID], NULL, 10),
      .directory = fields[DIRECTORY],
      .command = fields + COMMAND,
      .environment = with_base(fields + COMMAND + arguments),
  };
  fields[COMMAND + arguments] = NULL; /* the end of the command, now that the rest is known */
  start_run(fields[ID], &order);
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

/* @param body a frame with a NUL behind it */
static void hear(char *body, size_t length) {
  size_t count;
  if (body[0] == 'E') return set_base(body, length);
  char **fields = fields_of(body, length, &count);
  if (body[0] == 'R') order_run(fields, count);
  else if (body[0] == 'W' && count > 2) watch_run(fields[1], fields[2][0] != '\0');
  free(fields);
}

void hear_worker(void) {
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
