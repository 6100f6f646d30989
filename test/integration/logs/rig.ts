import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Clock, realClock } from '../../../src/lib/clock.ts'
import { Logs } from '../../../src/logs/logs.ts'
import type { Output } from '../../../src/logs/output-port.ts'
import type { LogFileSpec, OutputSpec } from '../../../src/model/program-spec.ts'
import { type RecordedLog, recordedLog } from '../../support/logs.ts'
import { tempDir } from '../../support/temp-dir.ts'

export interface Rig extends AsyncDisposable {
  readonly dir: string
  readonly path: string
  readonly logs: Logs
  readonly said: RecordedLog
  spec(over?: Partial<LogFileSpec>): LogFileSpec
  /** Closed with the rig. */
  open(spec?: OutputSpec): Output
  /** The text of the log, or of another file beside it. */
  text(name?: string): string
}

/** The logs of a daemon in a folder of their own. */
export function logRig({ clock = realClock, dir }: { clock?: Clock; dir?: string } = {}): Rig {
  const folder = tempDir('taskd-logs-')
  const place = dir ?? folder.path
  const path = join(place, 'out.log')
  const said = recordedLog()
  const logs = new Logs({ clock, log: said.log, folder: join(folder.path, 'run') })
  const opened: Output[] = []
  const spec = (over: Partial<LogFileSpec> = {}): LogFileSpec => ({
    kind: 'file',
    path,
    maxBytes: 0,
    backups: 10,
    gzip: false,
    timestamps: false,
    through: 'pipe',
    ...over,
  })
  return {
    dir: place,
    path,
    logs,
    said,
    spec,
    open(given = spec()) {
      const output = logs.open(given)
      opened.push(output)
      return output
    },
    text: (name = 'out.log') => textOf(join(place, name)),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(one => one.close()))
      await logs.stop()
      await folder.remove()
    },
  }
}

/** '' for a file that is not there. */
export function textOf(path: string): string {
  if (!existsSync(path)) return ''
  const bytes = readFileSync(path)
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1')
}

/** All that was ever written, the oldest first, over all files of the log. */
export function wholeLog(dir: string, name = 'out.log'): string {
  const index = (file: string) => Number(/\.(\d+)(\.gz)?$/.exec(file)?.[1] ?? 0)
  return readdirSync(dir)
    .filter(file => file === name || /^\.\d+(\.gz)?$/.test(file.slice(name.length)))
    .toSorted((a, b) => index(b) - index(a))
    .map(file => textOf(join(dir, file)))
    .join('')
}

export interface Ran {
  readonly pid: number
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>
}

/** Starts a shell script with its output going there. */
export async function start(
  output: Output,
  script: string,
  options: { uid?: number; stderr?: Output } = {},
): Promise<Ran> {
  const out = await output.descriptor()
  const err = options.stderr ? await options.stderr.descriptor() : out
  const child = spawn('/bin/sh', ['-c', script], {
    stdio: ['ignore', out.stdio, err.stdio],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  out.release()
  err.release()
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? signal ?? ''))
  })
  return { pid: child.pid ?? 0, ended }
}

export async function run(output: Output, script: string, uid?: number): Promise<number | string> {
  const ran = await start(output, script, uid === undefined ? {} : { uid })
  return ran.ended
}
