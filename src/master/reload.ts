import type { ReloadReport } from '../api/control.ts'
import type { Config, Loaded } from '../config/config.ts'
import { type Changes, diffConfig } from '../config/diff.ts'
import type { Supervisor } from './programs/supervisor.ts'
import type { WorkerPool } from './worker-pool.ts'

/** Settings that the daemon takes over only when it starts. */
const FIXED = new Set([
  'node',
  'redis',
  'database',
  'data_dir',
  'socket',
  'http',
  'http_cert',
  'http_key',
  'log_file',
  'log_format',
  'redis_server',
  'result_keep_time',
  'result_keep_count',
])
/** Queue keys that a live worker can be told, or that no worker has to know. */
const LIVE = new Set(['workers', 'concurrency', 'capacity', 'lease', 'retries', 'finish_keep'])

/** What there is, for what becomes of it depends on how it is. */
export interface Living {
  readonly supervisor: Pick<Supervisor, 'deedFor'>
  readonly pool: (taskKey: string) => Pick<WorkerPool, 'members' | 'restartable'> | undefined
}

/** What a new configuration means for the daemon that runs, one line each. */
export function describeChanges(old: Config, next: Config, living: Living): string[] {
  const diff = diffConfig(old, next)
  return [
    ...listed('job', diff.jobs, keys => `changed (${keys.join(', ')})`),
    ...listed('queue', diff.queues, (keys, name) => {
      const live = keys.every(key => LIVE.has(key))
      return `${live ? 'changed live' : ofWorkers(living.pool(name))} (${keys.join(', ')})`
    }),
    ...listed('program', diff.processes, (keys, name) => {
      const spec = next.processes.find(one => one.name === name)
      return `${DEEDS[spec ? living.supervisor.deedFor(spec) : 'tune']} (${keys.join(', ')})`
    }),
    ...listed('channel', diff.channels, keys => `changed live (${keys.join(', ')})`),
    ...listed('relay', diff.relays, keys => `changed live (${keys.join(', ')})`),
    ...listed('source', diff.sources, keys => `changed live (${keys.join(', ')})`),
    ...listed('notify', diff.notify, keys => `changed live (${keys.join(', ')})`),
    ...diff.settings.changedKeys.map(key =>
      FIXED.has(key)
        ? `${key}: changed; takes effect with \`taskd restart\``
        : `${key}: changed live`,
    ),
  ]
}

const DEEDS = {
  restart: 'restarts',
  start: 'starts',
  wait: 'takes effect when it starts',
  tune: 'changed live',
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
