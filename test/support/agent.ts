import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import type { Ended } from './daemon.ts'
import { type Found, killAll, MARK, processesOf } from './daemon-processes.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

/** A bug must end the process that has it and not the machine. */
const LIMITS = ['--pdeathsig=KILL', '--', 'prlimit', `--data=${2 << 30}`, '--cpu=100', '--']

export interface AgentStart {
  readonly master: string
  readonly queue?: string
  /** More options of the command line. */
  readonly options?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Its folder; one of its own unless told otherwise. */
  readonly data?: string
}

/** The built agent as a child of the test, in a folder of its own. */
export interface TestAgent extends AsyncDisposable {
  readonly dir: string
  readonly data: string
  readonly pid: number
  /** Starts one; also another after the one before has ended. */
  start(changes?: Partial<AgentStart>): Promise<Ended>
  readonly ended: Promise<Ended>
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
  /** TERM, and how it ended. */
  stop(): Promise<Ended>
  log(): string
  /** Resolves when it has said this. */
  says(text: string | RegExp): Promise<void>
  /** What its disk remembers. */
  journal(): string
  processes(): Found[]
}

/** An agent that is not started yet. */
export function newAgent(start: AgentStart): TestAgent {
  const folder = tempDir('taskd-a-')
  const dir = folder.path
  const data = start.data ?? join(dir, 'data')
  const logFile = join(dir, 'agent.log')
  closeSync(openSync(logFile, 'a'))
  let child: ChildProcess | undefined
  let ended: Promise<Ended> = Promise.resolve({ code: null, signal: null })
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(TASKD_|NODE_OPTIONS$|VITEST|STATE_DIRECTORY$)/.test(name),
  )
  const agent: TestAgent = {
    dir,
    data,
    get pid() {
      return child?.pid ?? 0
    },
    get ended() {
      return ended
    },
    start(changes = {}) {
      const { master, queue = 'far', options = [], env = {} } = { ...start, ...changes }
      const named = ['--master', master, '--queue', queue, '--data', data, '--node', 'agent-1']
      const args = [...LIMITS, resolve('bin/taskd'), 'agent', ...named, ...options]
      const log = openSync(logFile, 'a')
      const born = spawn('setpriv', args, {
        stdio: ['ignore', log, log],
        cwd: dir,
        env: { ...Object.fromEntries(kept), [MARK]: dir, NO_COLOR: '1', ...env },
        detached: true,
      })
      closeSync(log)
      child = born
      ended = new Promise(done => born.once('exit', (code, signal) => done({ code, signal })))
      return ended
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
    log: () => readFileSync(logFile, 'utf8'),
    async says(text) {
      await waitFor(
        () => (typeof text === 'string' ? agent.log().includes(text) : text.test(agent.log())),
        {
          what: `the agent says ${text}; it says ${agent.log().slice(-500)}`,
          timeoutMs: 20_000,
        },
      )
    },
    journal: () => readFileSync(join(data, 'agent.journal'), 'utf8'),
    processes: () => processesOf(dir),
    async [Symbol.asyncDispose]() {
      await waitFor(() => killAll(dir) === 0, { what: 'everything of the agent is gone' })
      await ended
      await folder.remove()
    },
  }
  return agent
}

/** A port that nobody listens on, for somebody who must know it before he listens. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise(done => server.close(done))
  return port
}
