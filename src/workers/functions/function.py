"""Runs one function of the tasks folder, in a process of its own: `python3 function.py CALL`,
where CALL is the JSON object that function-command.ts makes. What the function returns is written
as the last line of standard output. For Python 3.7 and newer."""

import atexit
import importlib.util
import inspect
import json
import os
import sys
import traceback

# The whole answer has to fit into a column of 64 KiB, with what is noted beside it.
MAX_ANSWER_BYTES = 60000
MESSAGE_CHARACTERS = 1000


class Refusal(Exception):
    """What we say ourselves: its trace would tell nobody anything."""


def load(call):
    file = call["file"]
    # As if Python had been started in the project, and not beside this file.
    sys.path[:] = [one for one in sys.path if one != os.path.dirname(os.path.abspath(__file__))]
    sys.path[0:0] = [call["root"], os.path.dirname(file)]
    # With the name that it has in the project, so that it can import its neighbours.
    spec = importlib.util.spec_from_file_location(call["module"], file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[call["module"]] = module
    spec.loader.exec_module(module)
    return module


def function_of(module, call):
    found = getattr(module, call["name"], None)
    if callable(found):
        return found
    defined = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    names = ", ".join(defined) or "nothing"
    raise Refusal("no function %s in %s; it defines %s" % (call["name"], call["file"], names))


def keywords_of(function, count, call):
    """sub_task_id and trace_id, as far as the function takes them."""
    given = {"sub_task_id": call["sub_task_id"], "trace_id": call["trace_id"]}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return {}
    by_place = [
        one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    filled = {one.name for one in by_place[:count]}
    if any(one.kind == one.VAR_KEYWORD for one in parameters):
        return {name: value for name, value in given.items() if name not in filled}
    free = {one.name for one in by_place[count:] if one.kind == one.POSITIONAL_OR_KEYWORD}
    free |= {one.name for one in parameters if one.kind == one.KEYWORD_ONLY}
    return {name: value for name, value in given.items() if name in free}


def result_of(function, call):
    args = [call["task_key"]] + json.loads(call["args"])
    value = function(*args, **keywords_of(function, len(args), call))
    if not inspect.isawaitable(value):
        return value
    # Loaded only now: it takes longer than all the rest.
    import asyncio

    async def outcome():
        return await value

    return asyncio.run(outcome())


def plain(value):
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError("%s is no JSON value" % type(value).__name__)


def answer_of(value, name):
    """As JSON: itself when it has a `code`, else the `data` of a success."""
    said = isinstance(value, dict) and isinstance(value.get("code"), (str, int, float))
    answer = value if said else {"code": "succ", "msg": "", "data": value}
    try:
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False, default=plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refusal("%s returned what JSON cannot hold: %s" % (name, error))
    size = len(text.encode("utf-8", "replace"))
    if size <= MAX_ANSWER_BYTES:
        return text
    left = "an answer of %d bytes: its data was left out" % size
    told = str(answer.get("msg") or "")[:MESSAGE_CHARACTERS] or left
    return json.dumps({"code": answer["code"], "msg": told, "data": []}, ensure_ascii=False)


def failure_of(error):
    if isinstance(error, Refusal):
        said = str(error)
    else:
        traceback.print_exc()
        said = "%s: %s" % (type(error).__name__, error)
    answer = {"code": "fail", "msg": said[:MESSAGE_CHARACTERS], "data": []}
    return json.dumps(answer, ensure_ascii=False)


def flush():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def settle(text, status):
    """Threads that still run do not hold the process."""
    flush()
    # On a line of its own, whatever the function wrote before, and wherever print() goes.
    rest = ("\n%s\n" % text).encode("utf-8", "replace")
    while rest:
        rest = rest[os.write(1, rest) :]
    atexit._run_exitfuncs()
    flush()
    os._exit(status)


def main():
    call = json.loads(sys.argv[1])
    sys.argv[:] = [call["file"]]
    try:
        text, status = answer_of(result_of(function_of(load(call), call), call), call["name"]), 0
    except Exception as error:
        text, status = failure_of(error), 1
    settle(text, status)


if __name__ == "__main__":
    main()
