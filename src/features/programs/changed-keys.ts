import { isDeepStrictEqual } from 'node:util'
import type { OutputSpec, ProcessSpec } from '../../model/program-spec.ts'

/** The value of each key of `[program:x]` in a process; logs are compared separately. */
const KEYS: Readonly<Record<string, (spec: ProcessSpec) => unknown>> = {
  command: spec => spec.argv,
  process_name: spec => [spec.program, spec.group, spec.process],
  priority: spec => [spec.groupPriority, spec.priority],
  autostart: spec => spec.autostart,
  startsecs: spec => spec.restart.startMs,
  startretries: spec => spec.restart.maxQuick,
  autorestart: spec => spec.restart.autorestart,
  exitcodes: spec => spec.restart.exitCodes,
  stopsignal: spec => spec.stopSignal,
  stopwaitsecs: spec => spec.restart.stopWaitMs,
  stopasgroup: spec => spec.stopAsGroup,
  killasgroup: spec => spec.killAsGroup,
  user: spec => spec.user,
  redirect_stderr: spec => spec.stderr === 'stdout',
  environment: spec => spec.environment,
  directory: spec => spec.directory,
  umask: spec => spec.umask,
  backoff: spec => spec.restart.backoff.baseMs,
  backoff_max: spec => spec.restart.backoff.capMs,
  fatal_retry: spec => spec.restart.fatalRetryMs,
  max_deaths: spec => spec.restart.maxDeaths,
  death_window: spec => spec.restart.windowMs,
  on_orphan: spec => spec.onOrphan,
}

/** The keys by which two processes of one name differ. */
export function changedKeysOf(old: ProcessSpec, next: ProcessSpec): readonly string[] {
  if (isDeepStrictEqual(old, next)) return []
  const keys = Object.entries(KEYS)
    .filter(([, of]) => !isDeepStrictEqual(of(old), of(next)))
    .map(([key]) => key)
  const logs = new Set(changedLog('stdout', old.stdout, next.stdout))
  if (old.stderr !== 'stdout' && next.stderr !== 'stdout')
    for (const key of changedLog('stderr', old.stderr, next.stderr)) logs.add(key)
  return [...keys, ...logs].toSorted()
}

function changedLog(stream: string, old: OutputSpec, next: OutputSpec): readonly string[] {
  if (old.kind !== 'file' || next.kind !== 'file')
    return isDeepStrictEqual(old, next) ? [] : [`${stream}_logfile`]
  const same: readonly (readonly [string, boolean])[] = [
    [`${stream}_logfile`, old.path === next.path],
    [`${stream}_logfile_maxbytes`, old.maxBytes === next.maxBytes],
    [`${stream}_logfile_backups`, old.backups === next.backups],
    ['log_gzip', old.gzip === next.gzip],
    ['log_timestamps', old.timestamps === next.timestamps],
  ]
  return same.filter(([, is]) => !is).map(([key]) => key)
}
