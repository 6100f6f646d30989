import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

export interface SpawnSpec {
  readonly file: string
  readonly args: readonly string[]
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly uid?: number
  readonly gid?: number
}

/** A process that leads its own group: its pid is the group's id. */
export interface Spawned {
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  /** Called once, when the process itself has ended (a grandchild may still hold its pipes). */
  onExit(listener: (exitCode: number | null, signal: string | null) => void): void
  /** Called once, when the pipes are closed too. */
  onClose(listener: () => void): void
}

/** @returns the process, or what kept it from starting */
export type Spawner = (spec: SpawnSpec) => Promise<Spawned | Error>

/**
 * Node's own spawn: 0.9 ms of this thread a call, a third of what execa takes (docs/performance.md).
 * A launcher that forks from a smaller process can stand here instead.
 */
export const nodeSpawner: Spawner = spec => {
  let child: ReturnType<typeof spawn>
  try {
    child = spawn(spec.file, spec.args, {
      cwd: spec.directory,
      env: spec.environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(spec.uid !== undefined && { uid: spec.uid }),
      ...(spec.gid !== undefined && { gid: spec.gid }),
    })
  } catch (error) {
    return Promise.resolve(error instanceof Error ? error : new Error(String(error)))
  }
  const { pid, stdout, stderr } = child
  if (pid === undefined || stdout === null || stderr === null)
    return new Promise(resolve => child.once('error', resolve))
  child.on('error', () => undefined)
  return Promise.resolve({
    pid,
    stdout,
    stderr,
    onExit: listener => child.once('exit', listener),
    onClose: listener => child.once('close', listener),
  })
}
