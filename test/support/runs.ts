import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realClock } from '../../src/lib/clock.ts'
import type { Task } from '../../src/model/task.ts'
import { type Run, type RunOptions, type Stopped, startRun } from '../../src/workers/runner.ts'
import { nodeSpawner, type Spawner } from '../../src/workers/spawn.ts'
import { type TempDir, tempDir } from './temp-dir.ts'

export function aTask(changes: Partial<Task> = {}): Task {
  return {
    id: 'task-1',
    taskKey: 'async_tasks',
    script: '/bin/true',
    controller: '',
    function: '',
    param: '',
    job: '',
    priority: 5,
    retries: 0,
    retryIntervalsMs: [],
    ...changes,
  }
}

/** A folder of scripts, and a way to run them as a worker does. */
export interface Bench {
  readonly folder: TempDir
  /** Writes a script (mode 0644 unless told otherwise) and returns its path. */
  write(name: string, text: string, mode?: number): string
  /** Starts a script given by its path. */
  start(script: string, changes?: Partial<Task>, options?: Partial<RunOptions>): Run
  /** Writes and runs a script for sh. */
  sh(text: string, changes?: Partial<Task>, options?: Partial<RunOptions>): Promise<Stopped>
}

/** What every run of a bench has in its environment. */
export const BASE = { PATH: process.env['PATH'] }

let usual: Spawner = nodeSpawner(BASE)

/** Has every bench that follows make its processes this way. */
export function useSpawner(spawner: Spawner): void {
  usual = spawner
}

/** @param spawner how processes are made; Node's own spawn unless told otherwise */
export function bench(spawner: Spawner = usual): Bench {
  const folder = tempDir('taskd-runs-')
  let count = 0
  const write = (name: string, text: string, mode = 0o644) => {
    const path = join(folder.path, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
  const start = (
    script: string,
    changes: Partial<Task> = {},
    options: Partial<RunOptions> = {},
  ): Run =>
    startRun(
      {
        task: aTask({ script, ...changes }),
        environment: {},
        maxRunTimeMs: 60_000,
        killWaitMs: 5000,
        php: 'php',
        onPid: () => undefined,
        ...options,
      },
      spawner,
      realClock,
    )
  return {
    folder,
    write,
    start,
    sh: (text, changes, options) => {
      count += 1
      return start(write(`script-${count}.sh`, text), changes, options).ending
    },
  }
}
