import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { execa, type Result } from 'execa'
import { createClient } from '../api/client.ts'
import type { Control } from '../api/control.ts'
import type { Status } from '../api/status.ts'
import { shortagesOf } from '../config/descriptors.ts'
import { valueOf } from '../config/section-kind.ts'
import { needsRedis } from '../features/needs-redis.ts'
import { programKind } from '../features/programs/section.ts'
import { realClock } from '../lib/clock.ts'
import { messageOf, TaskdError } from '../lib/errors.ts'
import { openFilesLimit } from '../lib/proc.ts'
import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { requireConfig } from './load.ts'
import { clean } from './render.ts'

const POLL_MS = 20
const READY_MS = 60_000
const LAST_LINES = 5

/** Starts the daemon in a session of its own and returns once it is ready, or says why it is not. */
export async function launchDaemon(context: Context, options: Options): Promise<number> {
  const { out } = context
  const config = requireConfig(context)
  const { settings } = config
  const daemon = createClient(settings.socket, undefined, context.configFile)
  await refuseSecond(daemon)
  const logFile = settings.logFile ?? `${settings.dataDir}/log/taskd.log`
  const log = openLog(logFile)
  const before = fstatSync(log).size
  const child = spawnDaemon(context, log)
  closeSync(log)
  const ended = await untilReady(child, daemon, !needsRedis(config))
  if (typeof ended !== 'string') {
    if (options['json']) out.json({ pid: child.pid, log: logFile })
    else out.line(`taskd is ${ended.state}: pid ${child.pid}, log ${logFile}`)
    const needs = { queues: config.queues, processes: valueOf(config, programKind).processes }
    for (const { kind, name, message, hint } of shortagesOf(needs, openFilesLimit()))
      out.note(`taskd: ${kind} ${name}: ${message}. ${hint}`)
    if (ended.warning !== '') out.note(`taskd: ${ended.warning}`)
    return EXIT.ok
  }
  const said = tailOf(logFile, before)
  out.note(`taskd: ${ended}. its log is ${logFile}${said.length > 0 ? ':' : ''}`)
  for (const line of said) out.note(`  ${clean(line)}`)
  return EXIT.failed
}

async function refuseSecond(daemon: Control): Promise<void> {
  let status: Status
  try {
    status = await daemon.status()
  } catch (error) {
    if (error instanceof TaskdError && error.code === 'E_NO_DAEMON') return
    throw error
  }
  throw new TaskdError(
    'E_RUNNING',
    `taskd already runs: pid ${status.pid}, ${status.state}`,
    'taskd status shows it, taskd restart starts it anew',
  )
}

/**
 * Opens the log. What the daemon writes before it has opened it, and what a crash writes, goes
 * there too.
 */
function openLog(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o750 })
    return openSync(file, 'a', 0o640)
  } catch (error) {
    const message = `cannot write the log ${file}: ${messageOf(error)}`
    throw new TaskdError(
      'E_LOG',
      message,
      'set log_file or data_dir in [taskd], or run as its owner',
    )
  }
}

interface Launched {
  readonly pid: number | undefined
  /** Resolves with the reason when it ends. */
  readonly ended: Promise<string>
}

/** The same node, with the same flags, running the same program. */
function spawnDaemon({ configFile, cwd, env }: Context, log: number): Launched {
  const [, program = ''] = process.argv
  const args = [...process.execArgv, program, 'start', '--detached', '--config', configFile]
  // execa takes any descriptor; its types list those up to 9.
  const output = log as 9
  const child = execa(process.execPath, args, {
    cwd,
    env,
    extendEnv: false,
    stdio: ['ignore', output, output],
    detached: true,
    cleanup: false,
    reject: false,
  })
  child.unref()
  return { pid: child.pid, ended: child.then(whyEnded) }
}

type Ending = Pick<Result<{ reject: false }>, 'exitCode' | 'signal' | 'originalMessage'>

function whyEnded({ exitCode, signal, originalMessage = '' }: Ending): string {
  if (signal !== undefined) return `did not start (ended by ${signal})`
  if (exitCode !== undefined) return `did not start (exit code ${exitCode})`
  return `cannot be started: ${originalMessage}`
}

interface Ready {
  readonly state: 'ready' | 'up'
  readonly warning: string
}

/**
 * @param programsOnly whether it is up already when its programs are, without Redis
 * @returns why it is not ready, when it is not
 */
async function untilReady(
  child: Launched,
  daemon: Control,
  programsOnly: boolean,
): Promise<string | Ready> {
  let failure = ''
  void child.ended.then(reason => {
    failure = reason
  })
  const deadline = realClock.monotonic() + READY_MS
  let missing = ''
  while (realClock.monotonic() < deadline) {
    if (failure !== '') return failure
    const status = await daemon.status().catch(() => undefined)
    const state = status?.pid === child.pid ? status?.state : undefined
    if (state === 'running') return { state: 'ready', warning: '' }
    if (state === 'waiting' && programsOnly)
      return {
        state: 'up',
        warning: `Redis is away (${status?.redis.error}): programs run, tasks wait for it`,
      }
    missing = status?.redis.ok === false ? `: Redis is away (${status.redis.error})` : ''
    await realClock.sleep(POLL_MS)
  }
  return `still starts after ${READY_MS / 1000} s${missing}; pid ${child.pid} goes on trying`
}

function tailOf(file: string, from: number): string[] {
  try {
    const written = readFileSync(file).subarray(from).toString('utf8').trim()
    return written === '' ? [] : written.split('\n').slice(-LAST_LINES)
  } catch {
    return []
  }
}
