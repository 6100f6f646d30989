import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { waitFor } from './wait.ts'

/** A real server of a test: on a unix socket, in its own folder, without a TCP port. */
export interface TestServer extends AsyncDisposable {
  readonly url: string
  /** The unix socket. */
  readonly path: string
  readonly dir: string
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  readonly process: ChildProcess
  /** Ends it in good order; the data stay. */
  stop(): Promise<void>
  /** Ends it with SIGKILL, as a crash would; the data stay. */
  kill(): Promise<void>
  /** Stops its clock (SIGSTOP): connections are accepted and never answered. */
  freeze(): void
  thaw(): void
  /** Stops it, when it runs, and starts it anew on the same data. */
  restart(): Promise<void>
  /** Ends it and removes its folder; the same as its disposal. */
  remove(): Promise<void>
}

export interface ServerPlan {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly url: string
  readonly path: string
  readonly dir: string
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Asks the socket whether the server serves. */
  ready(path: string): Promise<boolean>
  /** The signal of an orderly stop; SIGTERM unless told otherwise. */
  readonly stopSignal?: NodeJS.Signals
  /** The signal that ends it for good; SIGKILL unless told otherwise. */
  readonly removeSignal?: NodeJS.Signals
  /** Removes the folder. */
  cleanUp(): Promise<void>
}

const alive = new Set<ChildProcess>()

const FREEZE_MS = 2000

/** The signal is sent at once, but a thread on another core may answer a question before it stops. */
function untilFrozen(pids: readonly number[]): void {
  const nap = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + FREEZE_MS
  while (!pids.every(isFrozen) && performance.now() < deadline) Atomics.wait(nap, 0, 0, 1)
}

function isFrozen(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every(thread =>
      /\) [TtZX] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
    )
  } catch {
    // It has ended, or one of its threads has.
    return !existsSync(`/proc/${pid}`)
  }
}

process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Starts what the plan says and resolves once it serves; a failure leaves no folder behind. */
export async function startServer(plan: ServerPlan): Promise<TestServer> {
  let child = await launch(plan).catch(async (error: unknown) => {
    await plan.cleanUp()
    throw error
  })
  const end = async (signal: NodeJS.Signals) => {
    if (!alive.has(child)) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    // Its children too, or those of a frozen server would stay so.
    const family = [child.pid ?? 0, ...childrenOf(child)]
    child.kill(signal)
    for (const pid of family) send(pid, 'SIGCONT')
    await gone
    if (signal === 'SIGKILL') for (const pid of family) send(pid, 'SIGKILL')
    await waitFor(() => family.every(isGone), { what: `the processes of ${plan.name} are gone` })
  }
  const toAll = (signal: NodeJS.Signals) => {
    child.kill(signal)
    for (const pid of childrenOf(child)) send(pid, signal)
  }
  const stop = () => end(plan.stopSignal ?? 'SIGTERM')
  const remove = async () => {
    await end(plan.removeSignal ?? 'SIGKILL')
    await plan.cleanUp()
  }
  return {
    url: plan.url,
    path: plan.path,
    dir: plan.dir,
    get pid() {
      return child.pid ?? 0
    },
    get process() {
      return child
    },
    stop,
    kill: () => end('SIGKILL'),
    freeze: () => {
      toAll('SIGSTOP')
      untilFrozen([child.pid ?? 0, ...childrenOf(child)])
    },
    thaw: () => toAll('SIGCONT'),
    restart: async () => {
      await stop()
      child = await launch(plan)
    },
    remove,
    [Symbol.asyncDispose]: remove,
  }
}

/** PostgreSQL serves each connection by a process of its own. */
function childrenOf(child: ChildProcess): number[] {
  try {
    const list = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    return list.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}

/** A zombie, which only waits to be reaped, is gone. */
function isGone(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') ?? true
  } catch {
    return true
  }
}

async function launch(plan: ServerPlan): Promise<ChildProcess> {
  const logFile = join(plan.dir, `${plan.name}.log`)
  const log = openSync(logFile, 'a')
  const [command, args] = tied(plan)
  const child = spawn(command, args, { cwd: plan.dir, stdio: ['ignore', log, log] })
  closeSync(log)
  let failure: Error | undefined
  child.once('error', error => {
    failure = error
  })
  child.once('exit', () => alive.delete(child))
  if (child.pid !== undefined) alive.add(child)
  const state = { over: false }
  child.once('exit', () => {
    state.over = true
  })
  try {
    await waitFor(async () => state.over || failure || (await plan.ready(plan.path)), {
      timeoutMs: 30_000,
      what: `${plan.name} serves on ${plan.path}`,
    })
    if (failure) throw failure
    if (state.over) throw new Error(`${plan.name} ended while starting`)
    return child
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`${plan.name} did not start:\n${tailOf(logFile)}`, { cause: error })
  }
}

/**
 * util-linux's setpriv ties the server's life to ours, so that nothing is left even when the
 * test runner itself is KILLed. It execs, so the pid stays the server's.
 */
function tied(plan: ServerPlan): [string, string[]] {
  const setpriv = findBinary('setpriv')
  const user = plan.uid === undefined ? [] : [`--reuid=${plan.uid}`, `--regid=${plan.gid}`]
  const groups = plan.uid === undefined ? [] : ['--clear-groups']
  return [setpriv, ['--pdeathsig=KILL', ...user, ...groups, '--', plan.command, ...plan.args]]
}

function tailOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-3000) : '(no log)'
}

/** Debian keeps servers out of an ordinary user's PATH. */
export function findBinary(name: string, folders: readonly string[] = []): string {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const all = [...folders, ...path, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(Boolean)
  const found = all.map(folder => join(folder, name)).find(file => existsSync(file))
  if (found === undefined) throw new Error(`${name} is not installed; looked in ${all.join(' ')}`)
  return found
}

/** Sends `question` (may be empty) and tells whether the first bytes that come back please. */
export function asks(
  path: string,
  question: Buffer,
  pleases: (answer: Buffer) => boolean,
): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ path })
    const answer = (yes: boolean) => {
      resolve(yes)
      socket.destroy()
    }
    socket.setTimeout(1000, () => answer(false))
    socket.once('error', () => answer(false))
    socket.once('close', () => answer(false))
    socket.once('connect', () => {
      if (question.length > 0) socket.write(question)
    })
    socket.once('data', data => answer(pleases(data)))
  })
}
