import { type Read, tooLong } from '../../config/fields.ts'
import { type Fill, type Format, render } from '../../config/format.ts'
import { refuseProcessName } from '../../config/section.ts'
import type { LogFileSpec, ProcessSpec } from '../../model/program-spec.ts'
import { MAX_ARGUMENT_BYTES } from '../../model/task.ts'
import { inFolder, type LogFolders, readLog } from './log-path.ts'
import { readPairs } from './pairs.ts'
import { splitWords } from './shell-words.ts'

/** A `[program:x]` section, in one group: how any number of its processes is made. */
export interface ProgramSpec {
  /** What follows `program:`. */
  readonly name: string
  readonly group: string
  readonly numprocs: number
  /** Whether there can be more than one: `process_name` tells them apart. */
  readonly scalable: boolean
  readonly file: string
  readonly line: number
  readonly template: ProgramTemplate
}

export interface ProgramTemplate {
  /** What is the same for each process. */
  readonly same: Omit<ProcessSpec, Own>
  /** The number of the first one. */
  readonly firstNumber: number
  readonly processName: Format
  readonly command: Format
  readonly environment: Format
  /** From `[supervisord]`; below the program's own. */
  readonly baseEnvironment: Readonly<Record<string, string>>
  readonly directory?: Format
  readonly stdout: LogTemplate
  readonly stderr: LogTemplate | 'stdout'
  readonly folders: LogFolders
}

type Own = 'name' | 'process' | 'argv' | 'directory' | 'environment' | 'stdout' | 'stderr'

export interface LogTemplate {
  readonly stream: 'stdout' | 'stderr'
  readonly file: Format
  readonly limits: Omit<LogFileSpec, 'kind' | 'path'>
}

/**
 * The processes of a program. A program without the number in its `process_name` has at most
 * one, whatever is asked for.
 */
export function processesOf(
  program: ProgramSpec,
  numprocs: number = program.numprocs,
): readonly ProcessSpec[] {
  const count = program.scalable ? numprocs : Math.min(1, numprocs)
  const first = program.template.firstNumber
  return Array.from({ length: count }, (_, index) => {
    const made = processOf(program, first + index, count)
    // Tried for the shortest numbers when the section was read; longer ones change nothing.
    if (!made.ok) throw new Error(`[program:${program.name}] ${made.reason}`)
    return made.value
  })
}

/** One process, or what is wrong with the key that is named. */
export function processOf(
  program: ProgramSpec,
  number: number,
  numprocs: number,
):
  | { readonly ok: true; readonly value: ProcessSpec }
  | { readonly ok: false; readonly key: string; readonly reason: string; readonly hint?: string } {
  const { template } = program
  const numbers: Fill = name => (name === 'process_num' ? number : numprocs)
  const environment = readPairs(render(template.environment, numbers))
  if (!environment.ok) return { ...environment, key: 'environment' }
  const own = environment.value
  const fill: Fill = name =>
    name.startsWith('ENV_') ? (own.get(name.slice(4)) ?? '') : numbers(name)
  const words = readCommand(render(template.command, fill))
  if (!words.ok) return { ...words, key: 'command' }

  const process = render(template.processName, fill)
  const [reason, hint] = refuseProcessName(process) ?? []
  if (reason !== undefined)
    return { ok: false, key: 'process_name', reason, ...(hint !== undefined && { hint }) }
  const { folders, directory, same } = template
  const logOf = ({ stream, file, limits }: LogTemplate) =>
    readLog(render(file, fill), { group: program.group, process, stream }, folders, limits)
  const stdout = logOf(template.stdout)
  if (!stdout.ok) return { ...stdout, key: 'stdout_logfile' }
  const stderr = template.stderr === 'stdout' ? MERGED : logOf(template.stderr)
  if (!stderr.ok) return { ...stderr, key: 'stderr_logfile' }
  return {
    ok: true,
    value: {
      ...same,
      name: program.group === process ? process : `${program.group}:${process}`,
      process,
      argv: words.value,
      environment: { ...template.baseEnvironment, ...Object.fromEntries(own) },
      ...(directory !== undefined && { directory: inFolder(render(directory, fill), folders) }),
      stdout: stdout.value,
      stderr: stderr.value,
    },
  }
}

const MERGED = { ok: true, value: 'stdout' } as const

function readCommand(text: string): ReturnType<Read<readonly [string, ...string[]]>> {
  const words = splitWords(text)
  if (!words.ok) return words
  if (words.value.some(word => Buffer.byteLength(word) > MAX_ARGUMENT_BYTES))
    return tooLong('has a word', MAX_ARGUMENT_BYTES)
  const [first, ...rest] = words.value
  if (first === undefined || first === '')
    return {
      ok: false,
      reason: 'is empty',
      hint: 'write for instance /usr/bin/php /srv/worker.php',
    }
  return { ok: true, value: [first, ...rest] }
}
