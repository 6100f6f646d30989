import { spawn } from 'node:child_process'
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

/** What a process has written, or a part of it. */
export interface OutputPart {
  /** How much it had written before this, bytes; so a gap shows by itself. */
  readonly at: number
  readonly bytes: Buffer
  /** The last part of all that it has written so far. */
  readonly snapshot: boolean
}

/** It must not keep `bytes`: the buffer is used again. */
export type OutputListener = (part: OutputPart) => void

/** How a process ended, and the last part of what it wrote. */
export interface Exit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: string
  /** There was more of standard output before that. */
  readonly cut: boolean
  /** How standard output began, where that is known. */
  readonly head?: string
  /** Both streams, in the order they came. */
  readonly output: string
  /** All that it wrote, bytes. */
  readonly written: number
  /** How much of it went to standard error, bytes. */
  readonly errors: number
  /** Its peak memory, bytes; null where it is not known. */
  readonly peakMemory: number | null
}

/** A process that leads its own group: its pid is the id of the group. */
export interface Spawned {
  readonly pid: number
  /** When the process itself has ended and its pipes are read; it never rejects. */
  readonly exit: Promise<Exit | Error>
  /**
   * Hands on what it writes, beginning with a snapshot; each call makes another one. Parts may be
   * left out where the listener is too slow: the process never waits for it.
   */
  watch(listener: OutputListener | undefined): void
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
    return Promise.resolve({ pid, ...collected(child) })
  }
}

function collected(child: ReturnType<typeof spawn>): Pick<Spawned, 'exit' | 'watch'> {
  const stdout = new Tail(ANSWER_BYTES)
  const output = new Tail()
  let listener: OutputListener | undefined
  const take = (bytes: Buffer) => {
    const at = output.total
    output.push(bytes)
    listener?.({ at, bytes, snapshot: false })
  }
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    take(chunk)
  })
  let errors = 0
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.length
    take(chunk)
  })
  for (const stream of [child.stdout, child.stderr]) stream?.on('error', () => undefined)
  const exit = new Promise<Exit>(resolve => {
    // `exit`, because `close` waits for whoever else holds the pipes.
    child.once('exit', (exitCode, signal) => {
      const end = () => {
        clearTimeout(drained)
        resolve({
          exitCode,
          signal,
          stdout: stdout.toString(),
          cut: stdout.isCut,
          output: output.toString(),
          written: output.total,
          errors,
          peakMemory: null,
        })
      }
      const drained = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
        end()
      }, PIPE_DRAIN_MS)
      child.once('close', end)
    })
  })
  const watch = (wanted: OutputListener | undefined) => {
    listener = wanted
    const bytes = output.bytes()
    listener?.({ at: output.total - bytes.length, bytes, snapshot: true })
  }
  return { exit, watch }
}
