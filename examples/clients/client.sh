#!/bin/sh
# Speaks to taskd over HTTP; needs nothing but a POSIX shell and curl.
#
#   client.sh SERVER script BIN_NAME [ARG …]       runs a file of bin_path, prints its result
#   client.sh SERVER rpc METHOD URL [JSON]         makes a request, prints its result
#   client.sh SERVER push QUEUE [JSON]             hands tasks to a pull queue
#   client.sh SERVER claim QUEUE [COUNT]           fetches tasks of it
#   client.sh SERVER report QUEUE [JSON]           {"finish":[IDS],"failed":[IDS]}
#   client.sh SERVER rows CHANNEL BATCH_ID [JSON]  puts rows into a table
#
# SERVER is such as http://127.0.0.1:9595. JSON that is left out is read from standard input.
# TASKD_SECRET=… is sent as the secret; RESULT_TIMEOUT=60 is how many seconds a result may take.
set -eu

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
fail() {
  printf 'client.sh: %s\n' "$1" >&2
  exit 1
}

# ask PATH [OPTION OF CURL …]: the answer is in $answer.
# The secret goes by a file handle: everybody can read the arguments of a process.
ask() {
  path=$1
  shift
  answer=$(
    curl -sS -g -m 30 -w '\n%{http_code}' -H @/dev/fd/3 "$@" "$server$path" 3<<END
${TASKD_SECRET:+secret: $TASKD_SECRET}
END
  ) || exit 1
  status=${answer##*"$newline"}
  answer=${answer%"$newline"*}
  case $status in
    2??) ;;
    *) fail "$status $answer" ;;
  esac
}
newline='
'

# ask_json PATH [JSON]: without JSON, standard input is sent.
ask_json() {
  if [ $# -gt 1 ]; then
    ask_json "$1" <<END
$2
END
  else
    ask "$1" -H 'content-type: application/json' ${batch:+-H "batch-id: $batch"} --data-binary @-
  fi
}

# Asks until there is a result. $answer is {"uuid":"…"}.
wait_for_result() {
  uuid=${answer#*\"uuid\":\"}
  uuid=${uuid%%\"*}
  waited=0
  while :; do
    ask "/api/task/result/$uuid"
    case $answer in
      '{"is_result_exist":true,'*) return ;;
    esac
    [ "$waited" -lt "${RESULT_TIMEOUT:-60}" ] || fail "no result yet of $uuid; it goes on all the same"
    sleep 1
    waited=$((waited + 1))
  done
}

[ $# -ge 3 ] || usage
server=${1%/}
command=$2
name=$3
batch=''
shift 3

case $command in
  script)
    ask /api/task/script --data-urlencode "bin_name=$name" --data-urlencode "args=$*"
    wait_for_result
    ;;
  rpc)
    [ $# -ge 1 ] || usage
    url=$1
    shift
    ask /api/task/rpc --data-urlencode "method=$name" --data-urlencode "url=$url" \
      ${1+--data-urlencode "args=$1"}
    wait_for_result
    ;;
  push) ask_json "/api/queue/$name/tasks" "$@" ;;
  claim) ask_json "/api/queue/$name/claim" "{\"count\":${1:-500}}" ;;
  report) ask_json "/api/queue/$name/report" "$@" ;;
  rows)
    [ $# -ge 1 ] || usage
    batch=$1
    shift
    ask_json "/api/data/$name" "$@"
    ;;
  *) usage ;;
esac
printf '%s\n' "$answer"
case $answer in
  '{"is_result_exist":true,"is_success":false,'*) exit 1 ;;
esac
