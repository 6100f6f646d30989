import type { ReloadReport } from '../api/control.ts'
import type { Changes } from '../config/changes.ts'
import type { Config, Loaded } from '../config/config.ts'
import { QUEUE, TASKD } from '../config/core-kinds.ts'
import { diffConfig } from '../config/diff.ts'
import { KINDS } from '../features/index.ts'
import type { WorkerPool } from './worker-pool.ts'

/** The running parts: what a change does depends on their state. */
export interface Living {
  /** What becomes of a changed section; undefined: its part takes over the change while it runs. */
  readonly effectOf: (kind: string, name: string, next: Config) => string | undefined
  readonly pool: (taskKey: string) => Pick<WorkerPool, 'members' | 'restartable'> | undefined
}

/** What a new configuration means for the daemon that runs, one line each. */
export function describeChanges(old: Config, next: Config, living: Living): string[] {
  const diff = diffConfig(old, next, KINDS)
  return [
    ...listed('job', diff.jobs, keys => `changed (${keys.join(', ')})`),
    ...listed('queue', diff.queues, (keys, name) => {
      const live = !keys.some(key => QUEUE.waits(key))
      return `${live ? 'changed live' : ofWorkers(living.pool(name))} (${keys.join(', ')})`
    }),
    ...[...diff.sections].flatMap(([kind, changes]) =>
      listed(kind, changes, (keys, name) => {
        const effect = living.effectOf(kind, name, next) ?? 'changed live'
        return `${effect} (${keys.join(', ')})`
      }),
    ),
    ...diff.settings.changedKeys.map(key =>
      TASKD.waits(key)
        ? `${key}: changed; takes effect with \`taskd restart\``
        : `${key}: changed live`,
    ),
  ]
}

function ofWorkers(pool: ReturnType<Living['pool']>): string {
  if (!pool || pool.members.length === 0) return 'changed'
  const some = pool.restartable.length
  if (some === 0) return 'takes effect when its workers start'
  return some < pool.members.length
    ? 'its workers restart, those that are stopped do not'
    : 'its workers restart'
}

function listed(
  noun: string,
  changes: Changes,
  changed: (keys: readonly string[], name: string) => string,
): string[] {
  return [
    ...changes.added.map(name => `${noun} ${name}: added`),
    ...changes.removed.map(name => `${noun} ${name}: removed`),
    ...changes.changed.map(({ name, keys }) => `${noun} ${name}: ${changed(keys, name)}`),
  ]
}

/** What would be, or is, done with what was loaded. */
export function reportOf(
  old: Config,
  loaded: Loaded,
  living: Living,
  apply: boolean,
): ReloadReport {
  if (!loaded.ok) return { applied: false, changes: [], problems: loaded.problems }
  return { applied: apply, changes: describeChanges(old, loaded.config, living), problems: [] }
}
