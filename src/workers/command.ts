import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { codeOf, messageOf } from '../lib/errors.ts'
import { interpreterOf } from '../model/interpreter.ts'
import type { Task } from '../model/task.ts'

export type Command =
  | { readonly ok: true; readonly file: string; readonly args: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/**
 * `[interpreter] script controller function param`: an argument vector, never a shell line.
 * @param php the php binary of the configuration
 */
export function commandOf(task: Task, php: string): Command {
  // A relative one is meant from where the daemon was started.
  const script = resolve(task.script)
  let executable = false
  try {
    if (statSync(script).isDirectory()) return refuse(`script ${script} is a directory`)
    executable = isExecutable(script)
    if (!executable) accessSync(script, constants.R_OK)
  } catch (error) {
    return refuse(explain(script, error))
  }
  const args = [script, task.controller, task.function, task.param]
  const interpreter = task.interpreter ?? interpreterOf(script, php)
  if (interpreter !== undefined) {
    const [file = '', ...options] = interpreter.split(/\s+/)
    return { ok: true, file, args: [...options, ...args] }
  }
  if (executable) return { ok: true, file: script, args: args.slice(1) }
  return refuse(`script ${script} has no executable bit, and its ending names no interpreter`)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function refuse(reason: string): Command {
  return { ok: false, reason }
}

function explain(script: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return `no such script: ${script}`
    case 'EACCES':
      return `no permission to read script ${script}`
    default:
      return `cannot use script ${script}: ${messageOf(error)}`
  }
}
