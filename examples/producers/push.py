#!/usr/bin/env python3
"""Hands a task to taskd by a plain LPUSH.

  python3 push.py TASK_KEY SCRIPT [CONTROLLER [FUNCTION [PARAM]]]      PARAM is JSON
  python3 push.py --wait TASK_KEY SCRIPT ...    also waits for the answer and prints it

Redis: REDIS_SOCKET=/path/redis.sock, or REDIS_HOST and REDIS_PORT (127.0.0.1 6379);
REDIS_PASSWORD where it asks for one, and REDIS_USERNAME for a user of its ACL.
"""
import json
import os
import socket
import sys
import uuid


def connect():
    """redis-py where it is installed, else a few lines that speak the protocol."""
    path = os.environ.get("REDIS_SOCKET")
    host = os.environ.get("REDIS_HOST", "127.0.0.1")
    port = int(os.environ.get("REDIS_PORT", "6379"))
    username = os.environ.get("REDIS_USERNAME") or None
    password = os.environ.get("REDIS_PASSWORD") or None
    try:
        import redis
    except ImportError:
        command = connect_plain(path, host, port)
        if password:
            command("AUTH", *([username] if username else []), password)
        return command
    place = {"unix_socket_path": path} if path else {"host": host, "port": port}
    return redis.Redis(**place, username=username, password=password).execute_command


def connect_plain(path, host, port):
    if path:
        link = socket.socket(socket.AF_UNIX)
        link.connect(path)
    else:
        link = socket.create_connection((host, port))
    stream = link.makefile("rb")

    def read():
        line = stream.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [read() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def command(*words):
        parts = [word.encode() for word in words]
        body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        link.sendall(b"*%d\r\n%s" % (len(parts), body))
        return read()

    return command


def main(words):
    wait = words[:1] == ["--wait"]
    words = words[wait:]
    if len(words) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    key, script, controller, function, param = words + ["", "", '""'][len(words) - 2 :]
    task = {
        "task_key": key,
        "script": script,
        "controller": controller,
        "function": function,
        "param": json.loads(param),
    }
    if wait:
        task["reply_to"] = f"reply:{uuid.uuid4().hex}"
    redis = connect()
    redis("LPUSH", key, json.dumps(task, ensure_ascii=False, separators=(",", ":")))
    if not wait:
        return 0
    reply = redis("BRPOP", task["reply_to"], os.environ.get("REPLY_TIMEOUT", "60"))
    if not reply:
        print("push.py: no answer in time; the task goes on all the same", file=sys.stderr)
        return 1
    answer = reply[1].decode()
    print(answer)
    return 0 if json.loads(answer).get("code") == "succ" else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception as error:  # redis-py has exceptions of its own
        sys.exit(f"push.py: {error}")
