import { join } from 'node:path'
import type { LiveConfig } from '../../config/live.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { bootId, openFilesLimit } from '../../lib/proc.ts'
import { Turns } from '../../lib/turns.ts'
import { Logs } from '../../logs/logs.ts'
import { ownDescriptors } from '../../model/descriptors.ts'
import type { Events } from '../../model/events.ts'
import { WORKER_VARIABLE } from '../../model/ipc.ts'
import type { Wanted } from '../../supervise/wanted.ts'
import { DescriptorBudget } from './descriptor-budget.ts'
import { PROGRAM_VARIABLE } from './orphans.ts'
import { ProcessRecords } from './records.ts'
import { Supervisor } from './supervisor.ts'

/** How long starting programs may keep others from their turn, ms. */
const SLICE_MS = 10

interface Parts {
  readonly config: LiveConfig
  readonly instance: string
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
  readonly wanted: Wanted
  readonly environment: NodeJS.ProcessEnv
}

/** Puts the supervisor of programs together. */
export function buildSupervisor(parts: Parts): Supervisor {
  const { config, instance, clock, events, log, wanted } = parts
  const folder = join(config.current.settings.dataDir, 'run')
  const logs = new Logs({ clock, log, folder })
  return new Supervisor({
    instance,
    clock,
    events,
    log,
    wanted,
    random: Math.random,
    boot: bootId(),
    records: new ProcessRecords(folder),
    environment: withoutMarks(parts.environment),
    turns: new Turns(SLICE_MS),
    descriptors: new DescriptorBudget(openFilesLimit(), () =>
      ownDescriptors(config.current.queues),
    ),
    logs,
    stdin: logs.stdin,
  })
}

/** Without the marks of a program or task that started this daemon, which must not be passed on. */
function withoutMarks(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (pair): pair is [string, string] =>
      pair[1] !== undefined && pair[0] !== PROGRAM_VARIABLE && pair[0] !== WORKER_VARIABLE,
  )
  return Object.fromEntries(kept)
}
