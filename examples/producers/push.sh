#!/bin/sh
# Hands a task to taskd by redis-cli:
#   push.sh TASK_KEY SCRIPT [CONTROLLER [FUNCTION [PARAM]]]      PARAM is JSON
#   push.sh --wait TASK_KEY SCRIPT …    also waits for the answer and prints it
# Redis: REDIS_SOCKET=/path/redis.sock, or REDIS_HOST and REDIS_PORT (127.0.0.1 6379);
# REDIS_PASSWORD where it asks for one, and REDIS_USERNAME for a user of its ACL.
set -eu

# Not an argument of redis-cli: every user of the machine could read that.
if [ -n "${REDIS_PASSWORD:-}" ]; then export REDISCLI_AUTH="$REDIS_PASSWORD"; fi

redis() {
  if [ -n "${REDIS_USERNAME:-}" ]; then set -- --user "$REDIS_USERNAME" "$@"; fi
  if [ -n "${REDIS_SOCKET:-}" ]; then
    redis-cli -s "$REDIS_SOCKET" "$@"
  else
    redis-cli -h "${REDIS_HOST:-127.0.0.1}" -p "${REDIS_PORT:-6379}" "$@"
  fi
}
# A JSON string of one line of text.
quote() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }

wait=''
if [ "${1:-}" = --wait ]; then
  wait=yes
  shift
fi
if [ $# -lt 2 ]; then
  echo 'usage: push.sh [--wait] TASK_KEY SCRIPT [CONTROLLER [FUNCTION [PARAM]]]' >&2
  exit 2
fi

# redis-cli prints the length of the list, or what is wrong; only newer ones have an exit code for it.
push() {
  length=$(redis LPUSH "$1" "$2")
  case $length in
    '' | *[!0-9]*)
      printf 'push.sh: %s\n' "${length:-no answer from Redis}" >&2
      exit 1
      ;;
  esac
}

task=$(printf '{"task_key":%s,"script":%s,"controller":%s,"function":%s,"param":%s' \
  "$(quote "$1")" "$(quote "$2")" "$(quote "${3:-}")" "$(quote "${4:-}")" "${5:-\"\"}")
if [ -z "$wait" ]; then
  push "$1" "$task}"
  exit
fi

reply_to=reply:$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
push "$1" "$task,\"reply_to\":\"$reply_to\"}"
# Two lines: the list, and what was in it.
answer=$(redis --raw BRPOP "$reply_to" "${REPLY_TIMEOUT:-60}" | sed -n 2p)
if [ -z "$answer" ]; then
  echo 'push.sh: no answer in time; the task goes on all the same' >&2
  exit 1
fi
printf '%s\n' "$answer"
case $answer in
  '{"code":"succ",'*) ;;
  *) exit 1 ;;
esac
