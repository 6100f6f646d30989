import { accessSync, constants, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { codeOf, messageOf } from '../lib/errors.ts'
import { fileOfBin, wordsOf } from '../model/bin-name.ts'
import { interpreterOf } from '../model/interpreter.ts'
import type { Task } from '../model/task.ts'
import { type Command, type FunctionOptions, functionCommand } from './function-command.ts'

/** The part of the configuration that says how scripts are run. */
export interface CommandOptions extends FunctionOptions {
  readonly binPath?: string | undefined
}

/**
 * `[interpreter] script controller function param`, a file of bin_path with the words of `param`,
 * or a function of the tasks folder: an argument vector, never a shell line.
 */
export function commandOf(task: Task, options: CommandOptions): Command {
  const { php, binPath } = options
  if (task.call === 'function') return functionCommand(task, options)
  if (task.call !== 'bin') {
    // A relative path starts from the folder in which the daemon was started.
    return command(resolve(task.script), [task.controller, task.function, task.param], task, php)
  }
  if (binPath === undefined) return refuse('bin_path is not set in [taskd] of this node')
  // It was checked when it came in, but links may have been moved since.
  const file = fileOfBin(binPath, task.script)
  return file.ok ? command(file.value, wordsOf(task.param), task, php) : refuse(file.reason)
}

function command(script: string, argv: readonly string[], task: Task, php: string): Command {
  let executable = false
  try {
    if (statSync(script).isDirectory()) return refuse(`script ${script} is a directory`)
    executable = isExecutable(script)
    if (!executable) accessSync(script, constants.R_OK)
  } catch (error) {
    return refuse(explain(script, error))
  }
  const directory = task.directory ?? dirname(script)
  const args = [script, ...argv]
  const interpreter = task.interpreter ?? interpreterOf(script, php)
  if (interpreter !== undefined) {
    const [file = '', ...options] = interpreter.split(/\s+/)
    return { ok: true, file, args: [...options, ...args], directory }
  }
  if (executable) return { ok: true, file: script, args: argv, directory }
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
