#!/usr/bin/env python3
"""Speaks to taskd over HTTP; needs nothing but Python 3.

  python3 client.py SERVER script BIN_NAME [ARG ...]     runs a file of bin_path, prints its result
  python3 client.py SERVER rpc METHOD URL [JSON]         makes a request, prints its result
  python3 client.py SERVER push QUEUE [JSON]             hands tasks to a pull queue
  python3 client.py SERVER claim QUEUE [COUNT]           fetches tasks of it
  python3 client.py SERVER report QUEUE [JSON]           {"finish": [IDS], "failed": [IDS]}
  python3 client.py SERVER rows CHANNEL BATCH_ID [JSON]  puts rows into a table

SERVER is such as http://127.0.0.1:9595. JSON that is left out is read from standard input.
TASKD_SECRET=... is sent as the secret; RESULT_TIMEOUT=60 is how many seconds a result may take.
"""
import json
import os
import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen


class Refused(Exception):
    """An answer other than 2xx. 429 and 503 mean: later, perhaps."""

    def __init__(self, status, text):
        super().__init__(f"{status} {text}")
        self.status = status


class Taskd:
    def __init__(self, server, secret=""):
        self.server = server.rstrip("/")
        self.headers = {"secret": secret} if secret else {}

    def ask(self, method, path, form=None, body=None):
        """A form or a JSON body, or none; returns the answer."""
        headers, data = dict(self.headers), None
        if form is not None:
            data = urlencode(form).encode()
        elif body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        request = Request(self.server + path, data, headers, method=method)
        try:
            with urlopen(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")) from None

    def script(self, bin_name, *args, **times):
        """times: start_time, time_interval, max_run_time. Returns the uuid."""
        form = {"bin_name": bin_name, "args": " ".join(args), **times}
        return self.ask("POST", "/api/task/script", form=form)["uuid"]

    def rpc(self, method, url, args=None, **times):
        form = {"method": method, "url": url, **times}
        if args is not None:
            form["args"] = json.dumps(args)
        return self.ask("POST", "/api/task/rpc", form=form)["uuid"]

    def result(self, uuid):
        return self.ask("GET", f"/api/task/result/{quote(uuid, safe='')}")

    def wait(self, uuid, seconds):
        """Asks until there is a result, less and less often."""
        end, pause = time.monotonic() + seconds, 0.1
        while True:
            result = self.result(uuid)
            if result["is_result_exist"]:
                return result
            if time.monotonic() > end:
                raise TimeoutError(f"{uuid} is still {result['state']}; it goes on all the same")
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def push(self, queue, tasks):
        """Safe to repeat: a task_id that waits already is a duplicate."""
        return self.ask("POST", f"/api/queue/{quote(queue, safe='')}/tasks", body=tasks)

    def claim(self, queue, count):
        path = f"/api/queue/{quote(queue, safe='')}/claim"
        return self.ask("POST", path, body={"count": count})

    def report(self, queue, reports):
        """Safe to repeat: each claim is counted once."""
        return self.ask("POST", f"/api/queue/{quote(queue, safe='')}/report", body=reports)

    def rows(self, channel, batch_id, rows):
        """Safe to repeat with the same batch_id."""
        body = {"rows": rows, "batch_id": batch_id}
        return self.ask("POST", f"/api/data/{quote(channel, safe='')}", body=body)


def main(words):
    if len(words) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    server, command, *rest = words
    taskd = Taskd(server, os.environ.get("TASKD_SECRET", ""))
    timeout = float(os.environ.get("RESULT_TIMEOUT", "60"))

    def json_at(index):
        return json.loads(rest[index]) if index < len(rest) else json.load(sys.stdin)

    if command == "script":
        answer = taskd.wait(taskd.script(*rest), timeout)
    elif command == "rpc" and len(rest) > 1:
        args = json.loads(rest[2]) if len(rest) > 2 else None
        answer = taskd.wait(taskd.rpc(rest[0], rest[1], args), timeout)
    elif command == "push":
        answer = taskd.push(rest[0], json_at(1))
    elif command == "claim":
        answer = taskd.claim(rest[0], int(rest[1]) if len(rest) > 1 else 500)
    elif command == "report":
        answer = taskd.report(rest[0], json_at(1))
    elif command == "rows" and len(rest) > 1:
        answer = taskd.rows(rest[0], rest[1], json_at(2))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    print(json.dumps(answer, ensure_ascii=False))
    return 0 if answer.get("is_success", True) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, HTTPException, ValueError, OSError) as error:
        sys.exit(f"client.py: {error}")
