import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getSystemErrorMap } from 'node:util'
import { runsHere } from '../lib/native.ts'
import { shipped } from '../lib/shipped.ts'
import { ANSWER_BYTES, textOf } from './output.ts'
import type { Exit, OutputListener, Spawned, Spawner } from './spawn.ts'

const beside = (name: string) => fileURLToPath(shipped(`workers/${name}`))

/** They behave alike; the first that exists is used (docs/decisions/003-launcher.md). */
export const LAUNCHERS = {
  compiled: [beside('launcher')],
  perl: ['perl', beside('launcher.pl')],
} as const

/** Where a number has two names the first counts: SIGABRT, not SIGIOT. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, value]) => [value, name]),
)

interface Waiting {
  readonly started: (pid: number | Error) => void
  readonly ended: (exit: Exit | Error) => void
  listener?: OutputListener | undefined
  /** Until the snapshot comes, parts belong to an earlier watch. */
  snapshotDue: boolean
}

export interface LauncherOptions {
  /** The environment of every process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The launcher is gone, and with it all knowledge of the processes that it had started. */
  readonly onLost: () => void
  /** Commands; all of LAUNCHERS unless told otherwise. */
  readonly among?: readonly (readonly string[])[]
}

/**
 * A spawner that lets a small process fork: a tenth of this thread's time, and no page of ours is
 * copied. https://github.com/libuv/libuv/issues/141
 * @returns undefined where there is no launcher
 */
export async function startLauncher(options: LauncherOptions): Promise<Spawner | undefined> {
  for (const command of options.among ?? Object.values(LAUNCHERS)) {
    const child = await begun(command)
    if (child === undefined) continue
    const launcher = new Launcher(child, options)
    return spec => launcher.launch(spec)
  }
  return undefined
}

/** @returns undefined when it cannot be started: it is not there, or of another machine */
async function begun([file = '', ...args]: readonly string[]): Promise<ChildProcess | undefined> {
  if (isAbsolute(file) && !(await runsHere(file))) return undefined
  const stdio = ['pipe', 'pipe', 'inherit'] as const
  // Nothing of the worker's environment but what perl needs to be found and to give no warnings.
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' }
  const child = spawn(file, args, { stdio: [...stdio], env })
  return new Promise(resolve => {
    child.once('spawn', () => resolve(child))
    child.once('error', () => resolve(undefined))
  })
}

/**
 * Frames in both directions: 4 bytes length (big endian), then fields that are joined by NUL.
 *
 *     in   E  k=v …                                 the environment of every process
 *     in   R  id  uid  gid  directory  argc  argv…  k=v …   start this (uid '' = as we are)
 *     in   W  id  1 or ''                           watch it: what it has written, then what it writes
 *     out  S  id  pid                               started; pid leads a group of its own
 *     out  F  id  errno                             the system had no process to spare
 *     out  O  id  at  snapshot  bytes               of a watched one: `at` bytes came before these;
 *                                                   snapshot 1: the last part of all so far
 *     out  X  id  status  errno  peak  written  errors  length  stdout output   ended: wait status, what
 *                                                   exec said, peak memory in KiB or '', bytes written, of
 *                                                   these on standard error, the last part of standard
 *                                                   output, and of both
 *
 * A launcher ends when its standard input does.
 */
class Launcher {
  readonly #child: ChildProcess
  readonly #waiting = new Map<string, Waiting>()
  #received: Buffer = Buffer.alloc(0)
  #lastId = 0

  constructor(child: ChildProcess, { environment, onLost }: LauncherOptions) {
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.#receive(chunk))
    child.stdin?.on('error', () => undefined)
    child.once('exit', onLost)
    this.#send(['E', ...variables(environment)])
  }

  launch(spec: Parameters<Spawner>[0]): Promise<Spawned | Error> {
    this.#lastId += 1
    const id = String(this.#lastId)
    const { uid = '', gid = '', directory, file, args } = spec
    const command = [file, ...args]
    const fields = ['R', id, String(uid), String(gid), directory, String(command.length)]
    this.#send([...fields, ...command, ...variables(spec.environment)])
    return new Promise(resolve => {
      const watch = (listener: OutputListener | undefined) => this.#watch(id, listener)
      const exit = new Promise<Exit | Error>(ended => {
        this.#waiting.set(id, {
          started: pid => resolve(pid instanceof Error ? pid : { pid, exit, watch }),
          ended,
          snapshotDue: false,
        })
      })
    })
  }

  #watch(id: string, listener: OutputListener | undefined): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    if (!waiting.listener) waiting.snapshotDue = true
    waiting.listener = listener
    this.#send(['W', id, listener ? '1' : ''])
  }

  #send(fields: readonly string[]): void {
    const body = Buffer.from(fields.join('\0'))
    const frame = Buffer.allocUnsafe(4 + body.length)
    frame.writeUInt32BE(body.length)
    body.copy(frame, 4)
    this.#child.stdin?.write(frame)
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE()
      if (this.#received.length < end) return
      this.#hear(this.#received.subarray(4, end))
      this.#received = this.#received.subarray(end)
    }
  }

  #hear(body: Buffer): void {
    const kind = String.fromCharCode(body[0] ?? 0)
    const [fields, rest] = splitFields(body, FIELDS[kind] ?? 0)
    const [, id = '', number = '', errno = '', peak = '', written = '', ...more] = fields
    const [errors = '', length = ''] = more
    const waiting = this.#waiting.get(id)
    if (kind === 'S') return waiting?.started(Number(number))
    if (kind === 'O') return hearOutput(waiting, Number(number), rest, errno === '1')
    this.#waiting.delete(id)
    if (kind === 'F') return waiting?.started(systemError(number))
    if (errno !== '') return waiting?.ended(systemError(errno))
    const status = Number(number)
    const signal = status & 127
    return waiting?.ended({
      exitCode: signal === 0 ? status >> 8 : null,
      signal: signal === 0 ? null : (SIGNALS.get(signal) ?? `signal ${signal}`),
      stdout: textOf(rest.subarray(0, Number(length))),
      cut: Number(length) >= ANSWER_BYTES,
      output: textOf(rest.subarray(Number(length))),
      written: Number(written),
      errors: Number(errors),
      peakMemory: peak === '' ? null : Number(peak) * 1024,
    })
  }
}

function hearOutput(
  waiting: Waiting | undefined,
  at: number,
  bytes: Buffer,
  snapshot: boolean,
): void {
  if (!waiting?.listener || (waiting.snapshotDue && !snapshot)) return
  waiting.snapshotDue = false
  waiting.listener({ at, bytes, snapshot })
}

/** How many fields a frame begins with. */
const FIELDS: Readonly<Record<string, number>> = { S: 3, F: 3, O: 4, X: 8 }

/** That many fields, and what follows them, which may hold NULs of its own. */
function splitFields(body: Buffer, count: number): [string[], Buffer] {
  const fields: string[] = []
  let at = 0
  while (fields.length < count) {
    const end = body.indexOf(0, at)
    fields.push(body.toString('latin1', at, end < 0 ? body.length : end))
    if (end < 0) return [fields, Buffer.alloc(0)]
    at = end + 1
  }
  return [fields, body.subarray(at)]
}

function variables(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`,
  )
}

/** The error that Node's own spawn would have given. */
function systemError(errno: string): Error {
  const [code = `errno ${errno}`, message = ''] = getSystemErrorMap().get(-Number(errno)) ?? []
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
