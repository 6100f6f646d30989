import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { ANSWER_BYTES, Tail } from './output.ts'

export interface SpawnSpec {
  readonly file: string
  readonly args: readonly string[]
  readonly directory: string
  /** On top of the environment that the spawner was made with. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly uid?: number
  readonly gid?: number
}

/** How a process ended, and the last part of what it wrote. */
export interface Exit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: string
  /** Both streams, in the order they came. */
  readonly output: string
}

/** A process that leads its own group: its pid is the id of the group. */
export interface Spawned {
  readonly pid: number
  /** When the process itself has ended and its pipes are read; it never rejects. */
  readonly exit: Promise<Exit | Error>
}

/** @returns the process, or what kept it from starting */
export type Spawner = (spec: SpawnSpec) => Promise<Spawned | Error>

/**
 * How long the pipes may stay open after the process is gone: what was written before the end is
 * still in them, but a grandchild may hold them for ever.
 */
const PIPE_DRAIN_MS = 200

/** Node's own spawn: a millisecond of this thread a call; for where there is no launcher. */
export function nodeSpawner(base: Readonly<Record<string, string | undefined>>): Spawner {
  return spec => {
    let child: ReturnType<typeof spawn>
    try {
      child = spawn(spec.file, spec.args, {
        cwd: spec.directory,
        env: { ...base, ...spec.environment },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(spec.uid !== undefined && { uid: spec.uid }),
        ...(spec.gid !== undefined && { gid: spec.gid }),
      })
    } catch (error) {
      return Promise.resolve(error instanceof Error ? error : new Error(String(error)))
    }
    const { pid } = child
    if (pid === undefined) return new Promise(resolve => child.once('error', resolve))
    child.on('error', () => undefined)
    return Promise.resolve({ pid, exit: watch(child) })
  }
}

function watch(child: ReturnType<typeof spawn>): Promise<Exit> {
  const stdout = new Tail(ANSWER_BYTES)
  const output = new Tail()
  collect(child.stdout, stdout, output)
  collect(child.stderr, output)
  return new Promise(resolve => {
    // `exit`, because `close` waits for whoever else holds the pipes.
    child.once('exit', (exitCode, signal) => {
      const end = () => {
        clearTimeout(drained)
        resolve({ exitCode, signal, stdout: stdout.toString(), output: output.toString() })
      }
      const drained = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
        end()
      }, PIPE_DRAIN_MS)
      child.once('close', end)
    })
  })
}

function collect(stream: Readable | null, ...tails: readonly Tail[]): void {
  stream?.on('data', (chunk: Buffer) => {
    for (const tail of tails) tail.push(chunk)
  })
  stream?.on('error', () => undefined)
}
