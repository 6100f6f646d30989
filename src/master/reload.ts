import type { ReloadReport } from '../api/control.ts'
import type { Config, Loaded } from '../config/config.ts'
import { type Changes, diffConfig } from '../config/diff.ts'
import { identityOf } from './programs/launch.ts'

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

/** What a new configuration means for the daemon that runs, one line each. */
export function describeChanges(old: Config, next: Config): string[] {
  const diff = diffConfig(old, next)
  return [
    ...listed('job', diff.jobs, keys => `changed (${keys.join(', ')})`),
    ...listed('queue', diff.queues, keys =>
      keys.every(key => LIVE.has(key))
        ? `changed live (${keys.join(', ')})`
        : `its workers restart (${keys.join(', ')})`,
    ),
    ...listed('program', diff.processes, (keys, name) =>
      becomesAnother(old, next, name)
        ? `restarts (${keys.join(', ')})`
        : `changed live (${keys.join(', ')})`,
    ),
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

/** Only then is a running process restarted. */
function becomesAnother(old: Config, next: Config, name: string): boolean {
  const [before, after] = [old, next].map(config => config.processes.find(one => one.name === name))
  return !before || !after || identityOf(before) !== identityOf(after)
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
export function reportOf(old: Config, loaded: Loaded, apply: boolean): ReloadReport {
  if (!loaded.ok) return { applied: false, changes: [], problems: loaded.problems }
  return { applied: apply, changes: describeChanges(old, loaded.config), problems: [] }
}
