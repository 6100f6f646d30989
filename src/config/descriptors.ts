import {
  descriptorsOf,
  descriptorsOfWorker,
  goodLimit,
  ownDescriptors,
} from '../model/descriptors.ts'
import type { ProcessSpec } from '../model/program-spec.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Place, Report } from './diagnostics.ts'
import { placeOf } from './schema.ts'
import type { Section } from './section.ts'

export interface DescriptorNeeds {
  readonly processes: readonly ProcessSpec[]
  readonly queues: readonly QueueSpec[]
}

/** A process needs more file descriptors than it may have. */
export interface Shortage {
  /** The kind of the section that needs most. */
  readonly kind: 'program' | 'queue'
  readonly name: string
  readonly message: string
  readonly hint: string
}

/**
 * What does not fit into the limit of open files. Each process has a limit of its own: the daemon
 * holds the output of all programs, a worker that of its runs.
 */
export function shortagesOf(
  { processes, queues }: DescriptorNeeds,
  limit: number,
): readonly Shortage[] {
  const found: Shortage[] = []
  const own = ownDescriptors(queues)
  const forPrograms = sum(processes.map(descriptorsOf))
  const needed = own + forPrograms
  const [most] = byProgram(processes).toSorted((a, b) => b.all - a.all)
  if (most && needed > limit)
    found.push({
      kind: 'program',
      name: most.name,
      message:
        `${most.count === 1 ? 'its process needs' : `its ${most.count} processes need`} ` +
        `${most.all} file descriptors, all programs ${forPrograms} and the daemon itself ${own}: ` +
        `${needed}, and the limit here is ${limit}. What does not fit is not started`,
      hint:
        `${raise(needed)}; a program needs 4, with redirect_stderr = true 2, ` +
        'with stdout_logfile and stderr_logfile = NONE none',
    })
  for (const { taskKey, mode, concurrency } of queues) {
    const each = descriptorsOfWorker(concurrency)
    if (mode === 'pull' || each <= limit) continue
    found.push({
      kind: 'queue',
      name: taskKey,
      message:
        `each of its workers needs ${each} file descriptors, 2 for each of ${concurrency} tasks at a time, ` +
        `and the limit here is ${limit}`,
      hint: `${raise(each)}; or lower concurrency`,
    })
  }
  return found
}

/** How many the daemon needs: its own, and those of all programs. */
export function descriptorsNeeded({ processes, queues }: DescriptorNeeds): number {
  return ownDescriptors(queues) + sum(processes.map(descriptorsOf))
}

/** Only a note for each, because the limit may differ where the daemon is started. */
export function noteShortages(
  needs: DescriptorNeeds,
  limit: number,
  sections: readonly Section[],
  report: Report,
): void {
  for (const { kind, name, message, hint } of shortagesOf(needs, limit))
    report.note(placeIn(sections, kind, name), message, hint)
}

const KEYS = { program: 'numprocs', queue: 'concurrency' } as const

function placeIn(sections: readonly Section[], kind: Shortage['kind'], name: string): Place {
  const section = sections.find(one => one.kind === kind && one.name === name)
  if (section === undefined) return { file: '', line: 0, key: `${kind}:${name}`, value: '' }
  return placeOf(section, KEYS[kind])
}

function byProgram(processes: readonly ProcessSpec[]) {
  const programs = new Map<string, { name: string; count: number; all: number }>()
  for (const process of processes) {
    const known = programs.get(process.program) ?? { name: process.program, count: 0, all: 0 }
    known.count += 1
    known.all += descriptorsOf(process)
    programs.set(process.program, known)
  }
  return [...programs.values()]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}

function raise(needed: number): string {
  const limit = goodLimit(needed)
  return `start taskd with ulimit -n ${limit}, or LimitNOFILE=${limit} of systemd`
}
