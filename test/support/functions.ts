import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { realClock } from '../../src/lib/clock.ts'
import type { RunResult } from '../../src/model/run-result.ts'
import type { Task } from '../../src/model/task.ts'
import { type RunOptions, type Stopped, startRun, verdictOn } from '../../src/workers/runner.ts'
import { nodeSpawner } from '../../src/workers/spawn.ts'
import { aTask, BASE } from './runs.ts'
import { type TempDir, tempDir } from './temp-dir.ts'

/** A run of the function `name` of `tasks/cron`, before it has an id. */
export const aFunction = (name: string, param = '', changes: Partial<Task> = {}): Task =>
  aTask({
    call: 'function',
    script: `/tasks/cron/${name}`,
    controller: 'cron',
    function: name,
    param,
    job: 'task:points',
    ...changes,
  })

export interface Ran extends Stopped {
  readonly result: RunResult
}

/** A project with a folder of functions, and a way to run them as a worker does. */
export interface Project {
  readonly folder: TempDir
  readonly tasks: string
  /** Writes a file, `cron/x.js` in the tasks folder unless the name begins with `/`. @returns its path */
  write(name: string, text: string): string
  run(
    name: string,
    param?: string,
    changes?: Partial<Task>,
    options?: Partial<RunOptions>,
  ): Promise<Ran>
}

export function aProject(): Project {
  const folder = tempDir('taskd-functions-')
  const tasks = join(folder.path, 'tasks')
  for (const one of ['cron', 'date', 'interval']) mkdirSync(join(tasks, one), { recursive: true })
  const spawner = nodeSpawner(BASE)
  return {
    folder,
    tasks,
    write(name, text) {
      const path = name.startsWith('/') ? join(folder.path, name) : join(tasks, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      chmodSync(path, 0o644)
      return path
    },
    async run(name, param, changes, options) {
      const run = startRun(
        {
          task: aFunction(name, param, changes),
          environment: {},
          maxRunTimeMs: 30_000,
          killWaitMs: 1000,
          php: 'php',
          tasks,
          cacheDir: join(folder.path, 'cache'),
          functionCall: { subTaskId: 7, traceId: 'task-1:1' },
          onPid: () => undefined,
          ...options,
        },
        spawner,
        realClock,
      )
      const ended = await run.ending
      return { ...ended, result: verdictOn(aFunction(name), ended) }
    },
  }
}
