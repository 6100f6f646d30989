/* Appends "<id> <monotonic ns> <wall ns> <when it was due>" to a file. The clocks are read before
 * anything else, so this is the time of a script's first instruction.
 * usage: stamp FILE ID */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct timespec mono, wall;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  if (argc < 3) return 2;
  const char *due = getenv("TASKD_SCHEDULED_AT");
  char line[512];
  int length = snprintf(line, sizeof line, "%s %lld%09ld %lld%09ld %s\n", argv[2],
                        (long long)mono.tv_sec, mono.tv_nsec, (long long)wall.tv_sec,
                        wall.tv_nsec, due && *due ? due : "-");
  int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (file < 0 || write(file, line, length) != length) return 1;
  return 0;
}
