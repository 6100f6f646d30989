import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { realClock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { newTaskId } from '../../model/task.ts'
import { showAnswer } from '../answer.ts'
import { type Command, type Options, text } from '../context.ts'
import { duration, wholeNumber } from '../numbers.ts'

export const run: Command = async (context, [taskKey = ''], options) => {
  const id = text(options, 'id') ?? newTaskId()
  const task = messageOf(options, id, context.cwd)
  const wait = options['wait'] === true
  const daemon = await context.daemon()
  const leaves = new AbortController()
  try {
    const result = await daemon.push({ task_key: taskKey, task, wait }, leaves.signal)
    return showAnswer(result, context, options)
  } catch (error) {
    // The task is safe on its queue; only this wait for it is over.
    if (wait && error instanceof TaskdError && error.code === 'E_GONE')
      throw new TaskdError(
        'E_GONE',
        error.message,
        `task ${id} goes on: taskd fails shows it if it fails`,
      )
    throw error
  }
}

/** The message as it would be pushed to the list. */
function messageOf(options: Options, id: string, cwd: string): Record<string, unknown> {
  const optional = <T>(name: string, read: (value: string) => T): T | undefined => {
    const value = text(options, name)
    return value === undefined ? undefined : read(value)
  }
  const message = {
    unique_task_id: id,
    script: scriptPath(text(options, 'script') ?? '', cwd),
    controller: text(options, 'controller') ?? '',
    function: text(options, 'function') ?? '',
    param: text(options, 'param') ?? '',
    priority: optional('priority', value => wholeNumber(value, '--priority', 1, 9)),
    start_time: optional('delay', value => (realClock.now() + duration(value, '--delay')) / 1000),
    max_run_time: optional('maxRunTime', value => duration(value, '--max-run-time') / 1000),
    time_interval: text(options, 'retry'),
  }
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined))
}

/** The path of a script in the user's folder; the daemon interprets any other name. */
function scriptPath(script: string, cwd: string): string {
  const here = resolve(cwd, script)
  return script !== '' && existsSync(here) ? here : script
}
