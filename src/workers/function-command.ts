import { existsSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileInside } from '../lib/inside.ts'
import type { Parsed } from '../lib/parsed.ts'
import { shipped } from '../lib/shipped.ts'
import { readFunctionArgs } from '../model/function-args.ts'
import { FUNCTION_ENDINGS, wrongFunctionName } from '../model/function-call.ts'
import { interpreterOf } from '../model/interpreter.ts'
import { SQL_TRIGGERS, taskKeyOf } from '../model/sql-job.ts'
import type { Task } from '../model/task.ts'

/** What is to be started, or why nothing can be. */
export type Command =
  | {
      readonly ok: true
      readonly file: string
      readonly args: readonly string[]
      readonly directory: string
    }
  | { readonly ok: false; readonly reason: string }

/** What the worker knows of a call beside its task. */
export interface FunctionCall {
  /** The row of `execute_task`; null where there is none. */
  readonly subTaskId: number | null
  readonly traceId: string
}

export interface FunctionOptions {
  /** The php binary. */
  readonly php: string
  /** The folder of functions. */
  readonly tasks?: string | undefined
  /** Where compiled TypeScript is kept; nobody else may write there. */
  readonly cacheDir?: string | undefined
  readonly functionCall?: FunctionCall | undefined
}

/** The programs that load a function from its file and call it, by the file's ending. */
const RUNNERS: Readonly<Record<string, string>> = {
  '.py': 'function.py',
  '.php': 'function.php',
}

/** The file that is meant, as it is at this moment. */
export function findFunction(tasks: string, trigger: string, name: string): Parsed<string> {
  const no = (reason: string) => ({ ok: false, reason }) as const
  const wrong = wrongFunctionName(name)
  if (wrong !== undefined) return no(`the name of the function, ${JSON.stringify(name)}, ${wrong}`)
  if (!SQL_TRIGGERS.some(one => one === trigger))
    return no(`${JSON.stringify(trigger)} is no folder of functions: cron, date or interval`)
  const folder = join(tasks, trigger)
  const found = FUNCTION_ENDINGS.map(ending => name + ending).filter(one =>
    existsSync(join(folder, one)),
  )
  const [file] = found
  if (file === undefined)
    return no(`no function ${name} in ${folder}: looked for ${name}${FUNCTION_ENDINGS.join(', ')}`)
  if (found.length > 1)
    return no(
      `function ${name} is there ${found.length} times in ${folder}: ${found.join(', ')}. keep one`,
    )
  const real = fileInside(folder, file)
  const path = join(folder, file)
  return real.ok ? { ok: true, value: path } : no(`${path} in ${folder}: ${real.reason}`)
}

/**
 * `interpreter runner CALL`, with everything in the one JSON object CALL: what a function gets
 * passes no shell. It runs in the project, the folder in which the tasks folder lies.
 */
export function functionCommand(task: Task, options: FunctionOptions): Command {
  const { tasks, functionCall, cacheDir, php } = options
  const no = (reason: string) => ({ ok: false, reason }) as const
  if (tasks === undefined) return no('there is no tasks folder on this node')
  const found = findFunction(tasks, task.controller, task.function)
  if (!found.ok) return found
  const args = readFunctionArgs(task.param)
  if (!args.ok) return no(`args ${args.reason}`)
  const file = found.value
  const ending = extname(file)
  const runner = shipped(`workers/functions/${RUNNERS[ending] ?? 'node.mjs'}`)
  const [interpreter = '', ...words] = (interpreterOf(runner.pathname, php) ?? '').split(/\s+/)
  const root = dirname(tasks)
  const call = {
    file,
    name: task.function,
    task_key: taskKeyOf(task.job) ?? task.job,
    // Each language parses them itself, because numbers differ between languages.
    args: args.value.list,
    sub_task_id: functionCall?.subTaskId ?? null,
    trace_id: functionCall?.traceId ?? task.id,
    ...(ending === '.py' && {
      root,
      module: [basename(tasks), task.controller, task.function].join('.'),
    }),
    ...(ending !== '.py' &&
      ending !== '.php' && { cache: cacheDir && join(cacheDir, 'functions') }),
  }
  return {
    ok: true,
    file: interpreter,
    args: [...words, fileURLToPath(runner), JSON.stringify(call)],
    directory: task.directory ?? root,
  }
}
