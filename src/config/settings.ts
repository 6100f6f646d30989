import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { z } from 'zod'
import { didYouMean } from '../lib/suggest.ts'
import type { Environment, Settings } from './config.ts'
import { TASKD } from './core-kinds.ts'
import type { Report } from './diagnostics.ts'
import { type Places, resolveProgram } from './paths.ts'
import { type Checked, checkSection } from './schema.ts'
import type { Section } from './section.ts'

type TaskdValues = z.output<typeof TASKD.schema>

/** `TASKD_` variables that are not settings: set for scripts, or read elsewhere. */
const OTHERS = 'CONFIG DESCRIPTORS TASK_ID TASK_KEY JOB WORKER_ID ATTEMPT SCHEDULED_AT'.split(' ')

/** The origin of a value that comes from a variable. */
export const ENVIRONMENT = 'environment'

/** `[taskd]`, with the environment laid over it; an empty variable counts as not set. */
export function checkSettings(
  section: Section | undefined,
  file: string,
  env: Environment,
  report: Report,
): Checked<typeof TASKD.schema> {
  noteUnknown(env, report)
  return checkSection(TASKD, underEnvironment(section, file, env), report)
}

/** The section with the values of the variables laid over it. */
export function underEnvironment(
  section: Section | undefined,
  file: string,
  env: Environment,
): Section {
  const place = { file, line: 0, key: '[taskd]', value: '' }
  const base: Section = section ?? { kind: 'taskd', name: '', place, entries: new Map() }
  const entries = new Map(base.entries)
  for (const name of Object.keys(TASKD.schema.shape)) {
    const key = `TASKD_${name.toUpperCase()}`
    const value = env[key]?.trim()
    if (value) entries.set(name, { name, file: ENVIRONMENT, line: 0, key, value })
  }
  return { ...base, entries }
}

/** An unknown variable may be meant for something else, so it gets a note at most. */
function noteUnknown(env: Environment, report: Report): void {
  const known = Object.keys(TASKD.schema.shape).map(name => name.toUpperCase())
  for (const key of Object.keys(env)) {
    if (!key.startsWith('TASKD_')) continue
    const name = key.slice(6)
    if (known.includes(name) || OTHERS.includes(name)) continue
    const place = { file: ENVIRONMENT, line: 0, key, value: '' }
    const otherwise = 'see docs/configuration.md'
    const hint = didYouMean(name, known, otherwise, near => `"TASKD_${near}"`)
    report.note(place, 'is no setting and is ignored', hint)
  }
}

export function zoneOf(values: Partial<TaskdValues>): string {
  return values.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** The settings with every default filled in and every path made absolute. */
export function buildSettings(values: Partial<TaskdValues>, places: Places): Settings {
  const all = { ...defaults(), ...values }
  const { folder, root } = places
  const dataDir = resolve(folder, all.data_dir ?? places.dataDir)
  const program = (name: string) => resolveProgram(name, root)
  return {
    node: all.node ?? nodeName(),
    redis: all.redis.startsWith('unix:')
      ? `unix:${resolve(folder, all.redis.slice(5))}`
      : all.redis,
    database: databaseUrl(all.database ?? `sqlite:${dataDir}/task_schedule.db`, folder),
    dataDir,
    socket: resolve(folder, all.socket ?? `${dataDir}/taskd.sock`),
    timezone: zoneOf(all),
    maxRunTimeMs: all.max_run_time,
    stopWaitMs: all.stop_wait,
    killWaitMs: all.kill_wait,
    // Long enough for kill_wait, see checkFence.
    nodeTimeoutMs: all.node_timeout ?? Math.max(60_000, 2 * all.kill_wait),
    fence: all.fence,
    logLevel: all.log_level,
    logFormat: all.log_format,
    resultKeepTimeMs: all.result_keep_time,
    resultKeepCount: all.result_keep_count,
    failKeepTimeMs: all.fail_keep_time,
    tasks: all.tasks === undefined ? places.tasks : resolve(root, all.tasks),
    ...(all.http !== 'off' && { http: all.http }),
    ...(all.http_cert !== undefined && { httpCert: resolve(folder, all.http_cert) }),
    ...(all.http_key !== undefined && { httpKey: resolve(folder, all.http_key) }),
    ...(all.http_rate !== undefined && { httpRate: all.http_rate }),
    ...(all.secret !== undefined && { secret: all.secret }),
    ...(all.secret_read !== undefined && { secretRead: all.secret_read }),
    ...(all.secret_push !== undefined && { secretPush: all.secret_push }),
    ...(all.secret_pull !== undefined && { secretPull: all.secret_pull }),
    ...(all.rpc_allow !== undefined && { rpcAllow: all.rpc_allow }),
    ...(all.log_file !== undefined && { logFile: resolve(folder, all.log_file) }),
    failOnStderr: all.fail_on_stderr ?? false,
    ...(all.bin_path !== undefined && { binPath: resolve(root, all.bin_path) }),
    ...(all.script_allow !== undefined && {
      scriptAllow: all.script_allow.map(one => resolve(root, one)),
    }),
    ...(all.php !== undefined && { php: program(all.php) }),
    ...(all.redis_server !== undefined && { redisServer: program(all.redis_server) }),
  }
}

function defaults(): TaskdValues {
  return TASKD.schema.parse({})
}

function databaseUrl(url: string, folder: string): string {
  if (!url.startsWith('sqlite:') || url === 'sqlite::memory:') return url
  return `sqlite:${resolve(folder, url.slice(7))}`
}

/** The host name, without the characters that a node's name may not have. */
function nodeName(): string {
  return (
    hostname()
      .replace(/[^\p{L}\p{N}_.-]/gu, '-')
      .slice(0, 100) || 'localhost'
  )
}
