import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { TestDaemon } from './daemon.ts'
import { waitFor } from './wait.ts'

/** A `taskd tail` that goes on. */
export interface Following extends AsyncDisposable {
  readonly child: ChildProcess
  /** What it has written to standard output so far. */
  text(): string
  /** Resolves once that has been seen. */
  sees(what: string | RegExp): Promise<void>
  /** How it ended: its exit code or its signal. */
  readonly ended: Promise<number | string | null>
}

/** Starts a command line that is read as it speaks. */
export function follow(daemon: TestDaemon, ...args: string[]): Following {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TASKD_')),
  )
  const child = spawn(resolve('bin/taskd'), [...args, '-c', daemon.config], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  const text = () => Buffer.concat(chunks).toString()
  return {
    child,
    text,
    ended: closed.then(([code, signal]) => code ?? signal),
    sees: async what => {
      const seen = () => (typeof what === 'string' ? text().includes(what) : what.test(text()))
      await waitFor(seen, { timeoutMs: 20_000, what: `${String(what)} in:\n${text()}` })
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await closed
    },
  }
}
