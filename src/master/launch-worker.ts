import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { COMPILE_CACHE } from '../lib/compile-cache.ts'
import { messageOf } from '../lib/errors.ts'
import { shipped } from '../lib/shipped.ts'
import { type FromWorker, type ToWorker, WORKER_VARIABLE, type WorkerInit } from '../model/ipc.ts'
import type { Launch } from '../supervise/managed-program.ts'

const ENTRY = fileURLToPath(shipped('workers/main.js'))

/** A small young generation and no helper threads of V8: 10 MB less a worker, and a cheaper fork. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=0']

export interface WorkerLaunch {
  readonly workerId: string
  readonly instance: string
  /** Built at each launch: the limits may have changed. */
  readonly init: (restartNum: number) => WorkerInit
  /** Resolves when no process of an earlier daemon has this worker's name any more. */
  readonly predecessorGone: () => Promise<void>
  readonly stopWaitMs: () => number
  readonly onMessage: (message: FromWorker) => void
  /** The process, as long as it lives. */
  readonly onProcess: (worker: WorkerProcess | undefined) => void
  /** After every end, orderly or not. */
  readonly onExit: (pid: number) => void
}

export interface WorkerProcess {
  readonly pid: number
  /** @returns false when it is gone and cannot be told any more */
  post(message: ToWorker): boolean
  kill(): void
}

/** Starts a worker process; it is ended by being told to drain. */
export function workerLauncher(options: WorkerLaunch): Launch {
  return (listener, spawns) => {
    let process_: ReturnType<typeof fork> | undefined
    let calledOff = false
    const begin = () => {
      if (calledOff) return undefined
      const child = fork(ENTRY, [options.workerId], {
        // Its own session: a ^C at the terminal is the master's to handle.
        detached: true,
        execArgv: NODE_FLAGS,
        env: {
          ...COMPILE_CACHE,
          ...process.env,
          [WORKER_VARIABLE]: `${options.instance}/${options.workerId}`,
        },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      process_ = child
      child.on('error', error => {
        if (child.pid === undefined) listener.failed(messageOf(error))
      })
      const { pid } = child
      if (pid === undefined) return undefined
      // Messages that arrive after its end are ignored: recovery takes care of its runs.
      child.on('message', (messages: FromWorker[]) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        for (const message of messages) {
          if (message.type === 'ready') listener.ready()
          options.onMessage(message)
        }
      })
      child.once('exit', (exitCode, signal) => {
        options.onProcess(undefined)
        listener.exited(exitCode, signal)
        options.onExit(pid)
      })
      options.onProcess({
        pid,
        post: message => post(child, message),
        kill: () => child.kill('SIGKILL'),
      })
      post(child, options.init(spawns - 1))
      return listener.spawned(pid)
    }
    void options.predecessorGone().then(begin)
    return {
      terminate: () => {
        if (process_) return void post(process_, { type: 'drain', waitMs: options.stopWaitMs() })
        calledOff = true
        return queueMicrotask(() => listener.exited(null, null))
      },
      kill: () => {
        process_?.kill('SIGKILL')
      },
    }
  }
}

/** A dying worker takes no messages; its exit event follows. */
function post(child: ReturnType<typeof fork>, message: ToWorker): boolean {
  if (!child.connected) return false
  child.send(message, () => undefined)
  return true
}
