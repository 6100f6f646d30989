"""A client of the scheduler that pull queues come from, as its machines are programmed.

It is written from what those do on the wire: JSON in the body of a GET, the secret and all small
numbers in headers, and `"msg":"success"` as the one word for done.

    old-client.py URL SECRET COMMAND [JSON]      prints what came of it as JSON
"""

import json
import sys
import urllib.error
import urllib.request

url, secret, command = sys.argv[1:4]
given = json.loads(sys.argv[4]) if len(sys.argv) > 4 else None


def get(path, body=None, method="GET", **headers):
    """What `requests.get(url, headers=…, json=…)` sends."""
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    headers = {"secret": secret, "User-Agent": "python-requests/2.18.4", **headers}
    request = urllib.request.Request(url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def is_done(status, answer):
    return status == 200 and answer["msg"] == "success"


def work():
    """One round of a slave: it fetches, works, and reports until that is taken."""
    status, answer = get("/get_tasks", count=str(given["count"]))
    if status != 200:
        raise SystemExit("102: error in get_tasks")
    tasks = answer.get("tasks", [])
    finish = [task["task_id"] for task in tasks if not task.get("broken")]
    failed = [task["task_id"] for task in tasks if task.get("broken")]
    reported = is_done(*get("/back_taskids", {"finish": finish, "failed": failed}))
    return {"finish": finish, "failed": failed, "reported": reported}


def push():
    answers = []
    for path, body in given:
        status, answer = get(path, body)
        answers.append([status, answer["code"], answer["msg"]])
    return answers


def rows():
    """Rows of several tables in one list, each by the number of its channel."""
    return is_done(*get("/save_data_to_store", given))


def rows_by_header():
    return is_done(*get("/save_data_to_store", given["row"], channel=given["channel"]))


def field():
    status, answer = get("/get_aes_from_store", field=given.encode().decode("latin-1"))
    return [status, answer["code"], answer["field"]]


def relay():
    status, answer = get("/get_gc_tasks", task_num=str(given["count"]))
    pushed = is_done(*get("/push_gc_tasks", given["results"]))
    return {"status": status, "code": answer["code"], "tasks": answer["msg"], "pushed": pushed}


commands = {
    "work": work,
    "push": push,
    "rows": rows,
    "rows_by_header": rows_by_header,
    "field": field,
    "relay": relay,
}
print(json.dumps(commands[command]()))
