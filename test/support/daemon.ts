import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from '../../src/api/client.ts'
import type { Control } from '../../src/api/control.ts'
import type { Status } from '../../src/api/status.ts'
import { type Found, killAll, MARK, processesOf } from './daemon-processes.ts'

export { gone, killNow, linesOf } from './daemon-processes.ts'

import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

const PROGRAM = resolve('bin/taskd')
/** A bug must end the process that has it and not the machine: memory per process, CPU seconds. */
const LIMITS = ['prlimit', `--data=${3 << 30}`, '--cpu=200', '--']

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface DaemonOptions {
  /** Keys of `[taskd]`. */
  readonly taskd?: Readonly<Record<string, string>>
  /** All other sections of cron.ini. */
  readonly ini?: string
  /** `data/` in the folder of the test unless told otherwise. */
  readonly dataDir?: string
  /** Another installation's `bin/taskd`. */
  readonly program?: string
  /** Variables of the daemon and of the command line. */
  readonly env?: Readonly<Record<string, string>>
}

/** The built daemon as a child of the test, with a folder and a Redis socket of its own. */
export interface TestDaemon extends AsyncDisposable {
  readonly dir: string
  readonly dataDir: string
  readonly config: string
  /** Its control socket, asked without a command line. */
  readonly control: Control
  /** On the embedded Redis; it waits through an outage. */
  readonly redis: Redis
  /** Of the master that runs, or ran last. */
  readonly pid: number
  /** Starts a master and does not wait for anything. */
  spawn(): Promise<Ended>
  /** Starts a master and resolves when it is ready. */
  start(): Promise<void>
  ready(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Ends the master alone, as a crash would. */
  kill(): Promise<void>
  /** TERM, and how it ended. */
  stop(): Promise<Ended>
  /** Resolves when the master has ended. */
  readonly ended: Promise<Ended>
  cli(...args: string[]): Promise<CliResult>
  status(): Promise<Status>
  /** All that its masters have said. */
  log(): string
  /** Writes cron.ini anew, without telling anybody. */
  configure(options: Pick<DaemonOptions, 'taskd' | 'ini'>): void
  /** Writes an executable file into the folder, also while an older one runs. @returns its path */
  script(name: string, text: string): string
  /** LPUSHes a message as any producer would. */
  push(taskKey: string, ...messages: object[]): Promise<void>
  /** Everything that it started and that still lives: masters, workers, runs and its Redis. */
  processes(): Found[]
  worker(name: string): Promise<number>
  remove(): Promise<void>
}

const standing = new Set<string>()

process.once('exit', () => {
  for (const dir of standing) killAll(dir)
})

/** A daemon that is ready. */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = newDaemon(options)
  try {
    await daemon.start()
    return daemon
  } catch (error) {
    const log = daemon.log().slice(-3000)
    await daemon.remove()
    throw new Error(`the daemon did not start:\n${log}`, { cause: error })
  }
}

/** A folder with a configuration, and no daemon yet. */
export function newDaemon(options: DaemonOptions = {}): TestDaemon {
  const { program = PROGRAM } = options
  const folder = tempDir('taskd-d-')
  const dir = folder.path
  standing.add(dir)
  const dataDir = options.dataDir ?? join(dir, 'data')
  const config = join(dir, 'conf', 'cron.ini')
  const logFile = join(dir, 'out.log')
  mkdirSync(join(dir, 'conf'))
  let child: ChildProcess | undefined
  let ended: Promise<Ended> = Promise.resolve({ code: null, signal: null })
  let client: Redis | undefined
  const control = createClient(join(dataDir, 'taskd.sock'), 20_000)
  const environment = { ...cleanEnvironment(dir), ...options.env }

  const write = ({ taskd = {}, ini = '' }: Pick<DaemonOptions, 'taskd' | 'ini'>) => {
    const settings = { data_dir: dataDir, kill_wait: '1s', stop_wait: '10s', ...taskd }
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`)
    writeFileSync(config, `[taskd]\n${lines.join('')}\n${ini}\n`)
  }
  write(options)

  const daemon: TestDaemon = {
    dir,
    dataDir,
    config,
    control,
    get redis() {
      client ??= redisClient(join(dataDir, 'redis.sock'))
      return client
    },
    get pid() {
      return child?.pid ?? 0
    },
    get ended() {
      return ended
    },
    async spawn() {
      const log = openSync(logFile, 'a')
      const args = ['--pdeathsig=KILL', '--', ...LIMITS, program, 'start', '-n', '-c', config]
      const born = spawn('setpriv', args, {
        stdio: ['ignore', log, log],
        env: environment,
        cwd: dir,
        // A group of its own: the signals of a terminal are the test's to send.
        detached: true,
      })
      closeSync(log)
      child = born
      ended = new Promise(done => born.once('exit', (code, signal) => done({ code, signal })))
      return ended
    },
    async start() {
      void daemon.spawn()
      await daemon.ready()
    },
    async ready() {
      const isReady = async () => {
        if (child?.exitCode !== null || child.signalCode !== null) return 'over'
        const status = await control.status()
        const up = status.workers.every(one => one.state === 'RUNNING' || one.state === 'STARTING')
        return status.pid === child.pid && status.state === 'running' && up && 'ready'
      }
      const found = await waitFor(isReady, { timeoutMs: 40_000, what: 'the daemon is ready' })
      if (found === 'over') throw new Error(`the daemon ended: ${daemon.log().slice(-2000)}`)
    },
    signal: signal => void child?.kill(signal),
    async kill() {
      child?.kill('SIGKILL')
      await ended
    },
    async stop() {
      child?.kill('SIGTERM')
      return ended
    },
    cli: (...args) => runCli(program, [...args, '-c', config], environment, dir),
    status: () => control.status(),
    log: () => readFileSync(logFile, 'utf8'),
    configure: write,
    script(name, text) {
      const path = join(dir, name)
      // In one step: a run that has the old one open reads it to its end, and none finds it empty.
      writeFileSync(`${path}.new`, text)
      chmodSync(`${path}.new`, 0o755)
      renameSync(`${path}.new`, path)
      return path
    },
    async push(taskKey, ...messages) {
      await daemon.redis.lpush(taskKey, ...messages.map(one => JSON.stringify(one)))
    },
    processes: () => processesOf(dir),
    async worker(name) {
      const found = await waitFor(
        async () => (await control.status()).workers.find(one => one.name.endsWith(name))?.pid,
        { what: `worker ${name} has a process` },
      )
      return found
    },
    async remove() {
      client?.disconnect()
      await waitFor(() => killAll(dir) === 0, { what: 'everything of the daemon is gone' })
      await ended
      standing.delete(dir)
      await folder.remove()
    },
    [Symbol.asyncDispose]: () => daemon.remove(),
  }
  return daemon
}

/** What a user of this machine has set must not change what is tested. */
function cleanEnvironment(dir: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(TASKD_|APP_ENV$|NOTIFY_SOCKET$|WATCHDOG_|NODE_OPTIONS$|VITEST)/.test(name),
  )
  return { ...Object.fromEntries(kept), [MARK]: dir, NO_COLOR: '1' }
}

function runCli(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<CliResult> {
  return new Promise((done, fail) => {
    const options = { env, cwd, timeout: 60_000, maxBuffer: 64 << 20 }
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number') done({ code, stdout, stderr })
      else fail(error ?? new Error('no exit code'))
    })
  })
}

/** An answer of `--json`. */
export function jsonOf(result: CliResult): unknown {
  return JSON.parse(result.stdout)
}

/** A client that waits through outages. */
export function redisClient(path: string): Redis & Disposable {
  const options = { path, replyMapping: 'legacy', maxRetriesPerRequest: null } as const
  const redis = new Redis({ ...options, retryStrategy: () => 20 })
  redis.on('error', () => undefined)
  return Object.assign(redis, { [Symbol.dispose]: () => redis.disconnect() })
}
