import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DescriptorBudget } from '../../src/features/programs/descriptor-budget.ts'
import { ProcessRecords } from '../../src/features/programs/records.ts'
import { Supervisor } from '../../src/features/programs/supervisor.ts'
import { realClock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/log.ts'
import { bootId } from '../../src/lib/proc.ts'
import { Turns } from '../../src/lib/turns.ts'
import { Logs } from '../../src/logs/logs.ts'
import { Events } from '../../src/model/events.ts'
import type { ProcessSpec } from '../../src/model/program-spec.ts'
import type { RestartPolicy } from '../../src/model/program-state.ts'
import { Wanted } from '../../src/supervise/wanted.ts'
import { tempDir } from './temp-dir.ts'

export interface Supervised extends AsyncDisposable {
  readonly supervisor: Supervisor
  readonly wanted: Wanted
  /** `name STATE`, in the order they happened. */
  readonly steps: readonly string[]
  readonly logged: readonly string[]
  spec(name: string, shell: string, changes?: Partial<ProcessSpec>): ProcessSpec
  /** Another supervisor on the same folder, as a daemon that comes after one that was KILLed. */
  successor(): Supervisor
  /** What a script of the test wrote. */
  file(name: string): string
  readonly dir: string
}

export const policy: RestartPolicy = {
  autorestart: 'always',
  exitCodes: [0],
  startMs: 100,
  backoff: { baseMs: 50, factor: 2, capMs: 1000, jitter: 0 },
  maxQuick: 4,
  maxDeaths: 5,
  windowMs: 60_000,
  fatalRetryMs: 0,
  stopWaitMs: 2000,
}

/** A supervisor of real processes, with nothing else of the daemon. */
export function supervise(): Supervised {
  const folder = tempDir('taskd-s-')
  const dir = folder.path
  const steps: string[] = []
  const logged: string[] = []
  const log = collect(logged)
  const wanted = new Wanted(dir, log, () => Date.now())
  const made: Supervisor[] = []
  const successor = () => {
    const events = new Events()
    events.subscribe(event => {
      if (event.type === 'program') steps.push(`${event.name} ${event.state.name}`)
    })
    const logs = new Logs({ clock: realClock, log, folder: join(dir, 'run') })
    const supervisor = new Supervisor({
      instance: folder.path.slice(-6),
      boot: bootId(),
      records: new ProcessRecords(join(dir, 'run')),
      clock: realClock,
      events,
      log,
      wanted,
      random: () => 0.5,
      environment: { PATH: process.env['PATH'] ?? '', DIR: dir },
      turns: new Turns(10),
      descriptors: new DescriptorBudget(Number.POSITIVE_INFINITY, () => 0),
      logs,
      stdin: logs.stdin,
    })
    made.push(supervisor)
    return supervisor
  }
  const supervisor = successor()
  return {
    supervisor,
    wanted,
    steps,
    logged,
    dir,
    successor,
    file: name => readFileSync(join(dir, name), 'utf8'),
    spec: (name, shell, changes = {}) => ({
      name,
      program: name,
      group: name,
      process: name,
      argv: ['/bin/sh', '-c', shell],
      directory: dir,
      environment: {},
      groupPriority: 999,
      priority: 999,
      autostart: true,
      restart: policy,
      stopSignal: 'SIGTERM',
      stopAsGroup: false,
      killAsGroup: false,
      onOrphan: 'kill',
      stdout: { kind: 'none' },
      stderr: { kind: 'none' },
      ...changes,
    }),
    async [Symbol.asyncDispose]() {
      for (const one of made) {
        one.kill()
        await one.stop('the test is over')
      }
      await folder.remove()
    },
  }
}

function collect(lines: string[]): Logger {
  const note = (...args: unknown[]) => void lines.push(String(args.at(-1)))
  return { debug: note, info: note, warn: note, error: note, fatal: note }
}
